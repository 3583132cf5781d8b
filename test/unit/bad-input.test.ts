// Bad input, for every command of the table: wrong words, no daemon, no rights, a daemon of another version. Each time one
// clear message with what to do, the exit code that is documented, and nothing asked of the daemon, nothing written.

import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Command } from '../../daemon/cli/command.ts';
import { allCommands } from '../../daemon/cli/commands.ts';
import { exitCodeMeanings } from '../../daemon/cli/help.ts';
import { exitCodes } from '../../daemon/errors.ts';
import { explanationOf } from '../../daemon/why/explanations.ts';
import { temporaryDirectory } from '../support.ts';
import { serve } from './fixtures/cli/server.ts';
import { run } from './fixtures/cli/terminal.ts';

const commands = await allCommands();

/** Words with which each command does what it is for; a command that is new here is tried without any. */
const usual: Readonly<Record<string, readonly string[]>> = {
  maintenance: ['on', '--for', '1h'],
  simulate: [],
  guests: ['diff', 'mail'],
  drbd: ['resolve', 'r0'],
  fence: ['confirm', 'secondary'],
  drill: ['handover'],
  import: ['heartbeat', '/nonexistent'],
  runbook: ['takeover'],
  'cl-status': ['rscstatus'],
  notify: ['test'],
  completion: ['names', 'groups'],
  why: ['peer-dead'],
};
const wordsOf = ({ name }: Command) => [name, ...(usual[name] ?? [])];

/** They do not end by themselves, or need no daemon and no configuration to do what they do. */
const endless = ['daemon'];
const needsNothing = ['help', 'why', 'completion'];

const tried = commands.filter(({ name }) => !endless.includes(name));

/** Options that keep a command away from what this machine has. */
function apart(directory: string): string[] {
  return ['--config', join(directory, 'none.yaml'), '--state-dir', join(directory, 'state')];
}

interface Result {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What is true of every failure. */
function isClear(t: ExecutionContext, { name, exitCodes: own }: Command, result: Result): void {
  const { exitCode, stderr } = result;
  t.not(exitCode, exitCodes.ok, `${name} did not fail`);
  t.true(
    exitCode in own || exitCode in exitCodeMeanings,
    `${name} ends with ${exitCode}, which is not documented`,
  );
  t.notRegex(stderr, /unexpected error|TypeError|ReferenceError|^ {4}at /m, name);
  t.regex(stderr, /\S/, `${name} says nothing`);
}

for (const command of tried) {
  const { name } = command;

  test(`${name}: an unknown option, and an option without its value, are refused before anything else`, async (t) => {
    const directory = temporaryDirectory(t);
    for (const wrong of [['--no-such-option'], ['--socket'], ['--help=yes']]) {
      const result = await run([...wordsOf(command), ...apart(directory), ...wrong]);
      isClear(t, command, result);
      t.is(result.exitCode, exitCodes.usage, wrong.join(' '));
      t.regex(result.stderr, /\nnext: .+\n$/);
    }
    t.deepEqual(readdirSync(directory), []);
  });

  if (Number.isFinite(command.positionalsMax)) {
    test(`${name}: a word too many is refused`, async (t) => {
      const directory = temporaryDirectory(t);
      const many = Array.from({ length: command.positionalsMax + 1 }, (_, index) => `word${index}`);
      const result = await run([name, ...many, ...apart(directory)]);
      isClear(t, command, result);
      t.is(result.exitCode, exitCodes.usage);
      t.regex(
        result.stderr,
        new RegExp(`${name} does not know what to do with "word${command.positionalsMax}"`),
      );
      t.deepEqual(readdirSync(directory), []);
    });
  }

  for (const [option, { type, valueOptional }] of Object.entries(command.options)) {
    if (type !== 'string' || valueOptional === true) continue;
    test(`${name}: --${option} without a value is refused`, async (t) => {
      const result = await run([...wordsOf(command), `--${option}`, ...apart(temporaryDirectory(t))]);
      t.is(result.exitCode, exitCodes.usage);
      t.regex(result.stderr, new RegExp(`--${option} needs a value`));
    });
  }

  if (needsNothing.includes(name)) continue;

  test(`${name}: without a daemon and a configuration it says so, and leaves nothing behind`, async (t) => {
    const directory = temporaryDirectory(t);
    const socket = join(directory, 'none.sock');
    const result = await run([...wordsOf(command), ...apart(directory), '--socket', socket]);
    // keygen and import need neither: what they lack is a place, or a source.
    const stderr = result.stderr === '' ? result.stdout : result.stderr;
    isClear(t, command, { ...result, stderr });
    t.deepEqual(readdirSync(directory), []);
  });

  test(`${name}: a daemon of another version is not misunderstood, and is asked for nothing`, async (t) => {
    const directory = temporaryDirectory(t);
    const posted: string[] = [];
    // An empty list is a history in which nothing happened.
    const bodies = ['{}', 'null', '"hello"', 'not json', ...(name === 'history' ? [] : ['[]'])];
    for (const body of bodies) {
      const socketPath = await serve(t, (request, response) => {
        // What the other node's own check finds is asked for, as much as a GET is.
        if (request.method !== 'GET' && request.url !== '/v1/checks/peer')
          posted.push(`${request.method} ${request.url}`);
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(body);
      });
      const result = await run([...wordsOf(command), ...apart(directory), '--socket', socketPath]);
      const stderr = result.stderr === '' ? result.stdout : result.stderr;
      isClear(t, command, { ...result, stderr });
    }
    // Those that ask without a look before: the answer makes no sense, and they say so.
    const asksAtOnce = ['maintenance', 'retry', 'fence', 'drbd'].includes(name);
    t.deepEqual(asksAtOnce ? [] : posted, []);
    t.deepEqual(readdirSync(directory), []);
  });
}

/** Commands that ask the daemon, by what they answer when there is none. */
const askers = tried.filter(({ exitCodes: own }) => exitCodes.unavailable in own);

for (const command of askers) {
  const { name } = command;

  test(`${name}: no daemon is exit code ${exitCodes.unavailable}, with --json as JSON where it has that`, async (t) => {
    const socket = join(temporaryDirectory(t), 'none.sock');
    const words = [...wordsOf(command), '--socket', socket, ...apart(temporaryDirectory(t))];
    const result = await run(words);
    if (result.exitCode === exitCodes.config) {
      t.pass();
      return;
    } // It wants the configuration first, and says so.
    t.is(result.exitCode, exitCodes.unavailable);
    t.regex(result.stderr, /no daemon answers at .*\nnext: start it: systemctl start battito/);
    if (!('json' in command.options)) return;
    const { error } = JSON.parse((await run([...words, '--json'])).stdout) as { error: { code: string } };
    t.is(error.code, 'daemon-not-running');
    t.not(explanationOf(error.code), undefined);
  });

  test(`${name}: a socket that may not be spoken to is exit code ${exitCodes.noPermission}`, async (t) => {
    if (process.geteuid?.() === 0 && !existsSync('/usr/bin/setpriv')) {
      t.log('NOT RUN: as root, without setpriv, everything may be spoken to');
      t.is(process.env['CI'] ?? '', '', 'in CI it has to run');
      return;
    }
    const directory = temporaryDirectory(t);
    chmodSync(directory, 0o755);
    const socket = join(directory, 'control.sock');
    const server = createServer((one) => one.destroy());
    await new Promise<void>((resolve) => void server.listen(socket, resolve));
    t.teardown(() => void server.close());
    chmodSync(socket, 0o600);
    const main = join(import.meta.dirname, '../../daemon/main.ts');
    const words = [main, ...wordsOf(command), '--socket', socket, ...apart(directory)];
    const asNobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, ...words];
    const result = asRoot() ? call('setpriv', asNobody) : call(process.execPath, words);
    if (result.exitCode === exitCodes.config) {
      t.pass();
      return;
    } // It wants the configuration first, and says so.
    t.is(result.exitCode, exitCodes.noPermission, result.stderr);
    t.regex(result.stderr, /no permission to speak to the daemon.*\nnext: run it as root/);
  });
}

const asRoot = () => process.geteuid?.() === 0;

function call(file: string, args: readonly string[]): Result {
  try {
    const stdout = execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    return { exitCode: 0, stdout, stderr: '' };
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number | null; stdout: string; stderr: string };
    return { exitCode: status ?? -1, stdout, stderr };
  }
}

test('a configuration with problems names each with file, line and column, and its code', async (t) => {
  const directory = temporaryDirectory(t);
  const config = join(directory, 'bad.yaml');
  writeFileSync(config, 'cluster: office\nnodse: {}\n');
  const result = await run(['runbook', 'takeover', '--config', config]);
  t.is(result.exitCode, exitCodes.config);
  t.regex(result.stderr, /bad\.yaml:2:1: nodse: unknown key; did you mean "nodes"/);
});
