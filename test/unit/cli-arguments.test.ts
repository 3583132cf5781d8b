// The words of the command line: what is understood, what is refused and with which advice, and the help.

import { hostname } from 'node:os';
import test from 'ava';
import { parseCommandLine, shortHostName } from '../../daemon/cli/arguments.ts';
import { allCommands, commandNames } from '../../daemon/cli/commands.ts';
import { exitCodeMeanings } from '../../daemon/cli/help.ts';
import { exitCodes } from '../../daemon/errors.ts';
import { run } from './fixtures/cli/terminal.ts';

async function parse(line: string) {
  const parsed = await parseCommandLine(line.split(' ').filter((word) => word !== ''));
  if (parsed.kind !== 'run') throw new Error(`not a command to run: ${parsed.kind}`);
  const { command, args, settings } = parsed;
  return { name: command.name, positionals: args.positionals, options: { ...args.options }, settings };
}

test('Without options the usual places and the short name of the host are taken', async (t) => {
  const { settings } = await parse('status');
  t.deepEqual(settings, {
    configPath: '/etc/battito/battito.yaml',
    node: shortHostName(hostname()),
    stateDir: '/var/lib/battito',
    socketPath: '/run/battito/control.sock',
  });
  t.is(shortHostName('primary.office.example'), 'primary');
});

test('Options are taken before and after the command, with a space or an equals sign', async (t) => {
  const settings = { configPath: '/c', node: 'n', stateDir: '/s', socketPath: '/k' };
  for (const line of [
    '--config /c --node n --state-dir /s --socket /k status --json',
    'status --json --config=/c --node=n --state-dir=/s --socket=/k',
    '--config /c status --json --node n --socket /k --state-dir /s',
    '--json --config /c --node n --state-dir /s --socket /k status',
  ]) {
    const parsed = await parse(line);
    t.is(parsed.name, 'status', line);
    t.deepEqual(parsed.settings, settings, line);
    t.true(parsed.options['json'], line);
  }
});

test("The value of a command's own option is not taken for the command, even before it", async (t) => {
  const parsed = await parse('--limit 5 history');
  t.is(parsed.name, 'history');
  t.is(parsed.options['limit'], '5');
});

test('Groups are what is left after the command, and after two dashes everything is a word', async (t) => {
  t.deepEqual((await parse('takeover mail --no-wait web')).positionals, ['mail', 'web']);
  t.deepEqual((await parse('takeover -- --mail')).positionals, ['--mail']);
});

test('An option that may be repeated keeps every value', async (t) => {
  const { options } = await parse('takeover --accept-data mail --accept-data web');
  t.deepEqual(options['accept-data'], ['mail', 'web']);
});

const mistakes: readonly (readonly [line: string, message: string, next: string])[] = [
  ['statsu', 'there is no command "statsu"', 'did you mean `battito status`?'],
  ['--socket /k hisotry', 'there is no command "hisotry"', 'did you mean `battito history`?'],
  ['maint on', 'there is no command "maint"', 'did you mean `battito maintenance`?'],
  ['frobnicate', 'there is no command "frobnicate"', '`battito --help` lists what is possible'],
  ['constructor', 'there is no command "constructor"', '`battito --help` lists what is possible'],
  ['status --jsno', 'status has no option "--jsno"', 'did you mean `--json`?'],
  ['takeover --accept-dat x', 'takeover has no option "--accept-dat"', 'did you mean `--accept-data`?'],
  [
    'fence confrim alpha',
    'there is no "fence confrim"; expected status, on, off or confirm',
    'did you mean `battito fence confirm alpha`?',
  ],
  ['drill', 'say which drill: fence, handover or takeover', 'did you mean `battito drill fence`?'],
  ['status --dry-run', 'status has no option "--dry-run"', '`battito status --help` lists what is possible'],
  ['status -x', 'status has no option "-x"', '`battito status --help` lists what is possible'],
  ['--confg /c', 'there is no option "--confg"', 'did you mean `--config`?'],
  ['--confg /c status', 'there is no option "--confg"', 'did you mean `--config`?'],
  [
    'status --socket',
    '--socket needs a value: --socket FILE',
    '`battito status --help` lists what is possible',
  ],
  [
    'status --socket --watch',
    '--socket needs a value: --socket FILE',
    '`battito status --help` lists what is possible',
  ],
  [
    'history --limit -5',
    '--limit takes a number from 1 to 100000, not "-5"',
    '`battito history --help` lists what is possible',
  ],
  ['incident show -3', 'incident has no option "-3"', '`battito incident --help` lists what is possible'],
  [
    'incident replay ',
    'incident does not know what to do with an empty word',
    '`battito incident --help` lists what is possible',
  ],
  ['status --node=', '--node needs a value: --node NAME', '`battito status --help` lists what is possible'],
  ['status --json=yes', '--json takes no value', '`battito status --help` lists what is possible'],
  [
    'status now',
    'status does not know what to do with "now"',
    '`battito status --help` lists what is possible',
  ],
  [
    'standby perhaps',
    'standby is "on" or "off", not "perhaps"',
    '`battito standby --help` lists what is possible',
  ],
  ['maintenance', 'say "on" or "off"', '`battito maintenance --help` lists what is possible'],
  [
    'maintenance on',
    'maintenance on needs --for with a duration such as 30m or 2h',
    'did you mean `battito maintenance on --for 1h`?',
  ],
  [
    'maintenance on --for long',
    'maintenance on needs --for with a duration such as 30m or 2h, not "long"',
    'did you mean `battito maintenance on --for 1h`?',
  ],
  [
    'maintenance on --for 200h',
    'maintenance lasts at most 7 days (168h), not 200h',
    '`battito maintenance --help` lists what is possible',
  ],
  [
    'history --limit none',
    '--limit takes a number from 1 to 100000, not "none"',
    '`battito history --help` lists what is possible',
  ],
  [
    'keygen --stage --retire',
    'one step at a time: --stage, --activate or --retire',
    '`battito keygen --help` lists what is possible',
  ],
  [
    'takeover --force=',
    '--force= needs a value: --force=RESOURCE',
    '`battito takeover --help` lists what is possible',
  ],
  [
    'fence off secondary --although-it-answers',
    '--although-it-answers has a meaning with fence confirm only',
    '`battito fence --help` lists what is possible',
  ],
  ...['takeover', 'handover', 'standby', 'drbd resolve r0 --discard-here --yes'].map(
    (line) =>
      [
        `${line} --no-wait --timeout 5m`,
        '--no-wait does not wait: it does not go with --timeout',
        `\`battito ${line.split(' ')[0]} --help\` lists what is possible`,
      ] as const,
  ),
  [
    'handover --timeout soon',
    '--timeout takes a duration such as 30s or 2m, not "soon"',
    '`battito handover --help` lists what is possible',
  ],
  ...['--yes', '--no-wait', '--timeout 5m'].map(
    (words) =>
      [
        `drbd resolve r0 ${words}`,
        `${words.split(' ')[0]} has a meaning with --discard-here only; without it resolve shows both copies and changes nothing`,
        '`battito drbd --help` lists what is possible',
      ] as const,
  ),
  [
    'drbd resolve --resource r0',
    '--resource belongs to fence-peer; resolve takes the name as a word',
    'did you mean `battito drbd resolve r0`?',
  ],
  [
    'drbd fence-peer r0',
    'fence-peer does not know what to do with "r0"',
    'did you mean `battito drbd fence-peer --resource r0`?',
  ],
  ['drbd', 'say "resolve", "fence-peer" or "unfence-peer"', '`battito drbd --help` lists what is possible'],
  [
    'drbd resolv r0',
    'there is no "drbd resolv"; expected resolve, fence-peer or unfence-peer',
    'did you mean `battito drbd resolve r0`?',
  ],
  ['help drbd dance', 'drbd has no "dance" to explain', 'did you mean `battito help drbd`?'],
  ['help statsu', 'there is no help on "statsu"', 'did you mean `battito help status`?'],
];

for (const [line, message, next] of mistakes) {
  test(`"battito ${line}" is refused with advice`, async (t) => {
    const { exitCode, stdout, stderr } = await run(line.split(' '));
    t.is(stderr, `battito: ${message}\nnext: ${next}\n`);
    t.is(stdout, '');
    t.is(exitCode, exitCodes.usage);
  });
}

test('With --json a refusal is JSON on stdout and nothing on stderr', async (t) => {
  const { exitCode, stdout, stderr } = await run(['statsu', '--json']);
  t.deepEqual(JSON.parse(stdout), {
    error: {
      code: 'usage',
      message: 'there is no command "statsu"',
      next: 'did you mean `battito status`?',
    },
  });
  t.is(stderr, '');
  t.is(exitCode, exitCodes.usage);
});

test('Without a command the help is shown on stderr, as a mistake', async (t) => {
  const { exitCode, stdout, stderr } = await run([]);
  t.is(exitCode, exitCodes.usage);
  t.is(stdout, '');
  t.true(stderr.includes('Usage: battito'));
});

test('--help lists every command with its summary, the options and the exit codes', async (t) => {
  for (const words of [['--help'], ['-h'], ['help']]) {
    const { exitCode, stdout, stderr } = await run(words);
    t.is(exitCode, 0);
    t.is(stderr, '');
    for (const { name, summary } of await allCommands()) {
      t.regex(stdout, new RegExp(`^  ${name} +${summary.slice(0, 40).replaceAll('?', '\\?')}`, 'm'));
    }
    for (const option of ['--config FILE', '--node NAME', '--state-dir DIRECTORY', '--socket FILE']) {
      t.true(stdout.includes(option), option);
    }
  }
});

test('Every exit code of the program is explained', async (t) => {
  t.deepEqual(
    Object.keys(exitCodeMeanings).map(Number),
    Object.values(exitCodes).toSorted((a, b) => a - b),
  );
  const { stdout } = await run(['help', 'exit-codes']);
  for (const [code, meaning] of Object.entries(exitCodeMeanings)) {
    t.true(stdout.includes(`  ${code.padEnd(2)}  ${meaning}`), code);
  }
});

for (const name of commandNames) {
  test(`"battito ${name} --help" has usage, options, examples and exit codes, within 80 columns`, async (t) => {
    const { exitCode, stdout } = await run([name, '--help']);
    t.is(exitCode, 0);
    t.is((await run(['help', name])).stdout, stdout);
    t.is((await run(['--help', name])).stdout, stdout);
    const commands = await allCommands();
    const command = commands.find((other) => other.name === name);
    t.true(stdout.startsWith(`battito ${name}: ${command?.summary}\n\nUsage: battito ${name}`));
    for (const option of Object.keys(command?.options ?? {}))
      t.true(stdout.includes(`  --${option}`), option);
    t.regex(stdout, /\nExamples:\n {2}\S/);
    t.regex(stdout, /\nExit codes:\n {2}0 /);
    t.deepEqual(
      stdout.split('\n').filter((line) => line.length > 80),
      [],
    );
  });
}

test('No option takes a value in one command and none in another', async (t) => {
  const types = new Map<string, string>();
  for (const { options } of await allCommands()) {
    for (const [name, { type }] of Object.entries(options)) {
      t.is(types.get(name) ?? type, type, name);
      types.set(name, type);
    }
  }
});

test('Every example and every usage line is itself understood', async (t) => {
  for (const { examples, name } of await allCommands()) {
    for (const { command } of examples.filter(({ command: line }) => line.startsWith('battito '))) {
      const [words = ''] = command.slice('battito '.length).split(' > '); // Where the shell puts it.
      t.is((await parse(words)).name, name, command);
    }
  }
});

test('--version names the program and its version', async (t) => {
  const { exitCode, stdout } = await run(['--version']);
  t.is(exitCode, 0);
  t.regex(stdout, /^battito \d+\.\d+\.\d+\n$/);
  t.is((await run(['status', '-V'])).stdout, stdout);
});

test('The help of a word of a command is the help of the command', async (t) => {
  const whole = await run(['help', 'drbd']);
  for (const word of ['resolve', 'fence-peer']) {
    const { exitCode, stdout } = await run(['help', 'drbd', word]);
    t.is(exitCode, 0);
    t.is(stdout, whole.stdout);
  }
});
