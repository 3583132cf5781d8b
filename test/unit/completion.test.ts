// Completion as it is met: each shell itself is asked what it would complete, with the names of a running daemon and,
// without one, of the configuration.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { commandNames } from '../../daemon/cli/commands.ts';
import { exitCodes } from '../../daemon/errors.ts';
import { writeBundle } from '../../scripts/package/bundle.ts';
import { makeTemporaryDirectory, temporaryDirectory } from '../support.ts';
import { scriptedDaemon } from './fixtures/cli/server.ts';
import { group, resource, status } from './fixtures/cli/statuses.ts';
import { run } from './fixtures/cli/terminal.ts';

const example = resolve(import.meta.dirname, '../../config/battito.yaml');

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

const work = makeTemporaryDirectory();
const bundle = join(work, 'battito.js');

/** The program as it is installed: a shell asks it while somebody types. */
test.before(async () => {
  writeFileSync(join(work, 'package.json'), '{ "type": "module" }');
  await writeBundle(resolve(import.meta.dirname, '../..'), work);
});
test.after.always(() => rmSync(work, { recursive: true, force: true }));

/** A directory with a `battito` that knows some names, and the completions. */
function host(t: ExecutionContext): string {
  const directory = temporaryDirectory(t);
  const options = `--config ${example} --socket ${directory}/none`;
  writeFileSync(
    join(directory, 'battito'),
    `#!/bin/sh\nexec ${process.execPath} ${bundle} ${options} "$@"\n`,
  );
  chmodSync(join(directory, 'battito'), 0o755);
  mkdirSync(join(directory, 'functions'));
  for (const [shell, file] of [
    ['bash', 'battito.bash'],
    ['zsh', 'functions/_battito'],
    ['fish', 'battito.fish'],
  ] as const) {
    writeFileSync(join(directory, file), execFileSync(process.execPath, [bundle, 'completion', shell]));
  }
  return directory;
}

const drivers: Readonly<Record<Shell, (directory: string, line: string) => readonly string[]>> = {
  bash(directory, line) {
    const script = `. ${directory}/battito.bash; read -ra COMP_WORDS <<<"$1"
      [[ $1 == *' ' ]] && COMP_WORDS+=(''); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _battito; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return ask(directory, ['bash', '-c', script, 'bash', line]);
  },
  // An interactive zsh on a terminal of its own; what its completion adds is written down.
  zsh(directory, line) {
    const added = join(directory, 'added');
    writeFileSync(added, '');
    writeFileSync(
      join(directory, '.zshrc'),
      `fpath=(${directory}/functions $fpath); autoload -Uz compinit; compinit -u -d ${directory}/dump; PS1='ready> '
       compadd() { local -a hits; builtin compadd -O hits "$@"; print -rl -- $hits >>${added}; builtin compadd "$@"; }
       finish() { exit }; complete-and-end() { zle complete-word; exit }; zle -N complete-and-end; bindkey '^T' complete-and-end\n`,
    );
    const env = {
      ...process.env,
      ZDOTDIR: directory,
      PATH: `${directory}:${process.env['PATH']}`,
      TERM: 'vt100',
    };
    const typed = `${line}\u0014`;
    const argv = ['-q', '-e', '-c', 'zsh -o NO_GLOBAL_RCS -i', '/dev/null'];
    const { error } = spawnSync('script', argv, { env, input: typed, timeout: 60_000, encoding: 'utf8' });
    if (error !== undefined) throw error;
    return readFileSync(added, 'utf8')
      .split('\n')
      .filter((word) => word !== '');
  },
  fish(directory, line) {
    const script = `source ${directory}/battito.fish; complete -C "$argv[1]"`;
    return ask(directory, ['fish', '--no-config', '-c', script, line]).map(
      (word) => word.split('\t')[0] ?? '',
    );
  },
};

function ask(directory: string, [file = '', ...args]: readonly string[]): readonly string[] {
  const env = { ...process.env, HOME: directory, PATH: `${directory}:${process.env['PATH']}` };
  const said = execFileSync(file, args, { encoding: 'utf8', env, timeout: 60_000 });
  return said.split('\n').filter((word) => word !== '');
}

for (const shell of shells) {
  test.serial(`${shell} completes commands, their words and options, names, and values of options`, (t) => {
    const directory = host(t);
    const complete = (line: string) => drivers[shell](directory, line);
    const all = complete('battito ');
    for (const name of commandNames) t.true(all.includes(name), name);
    t.deepEqual(complete('battito maint'), ['maintenance']);
    t.true(
      complete('battito --node primary takeover --dry').includes('--dry-run'),
      'after the value of an option',
    );
    const words = complete('battito maintenance o');
    t.deepEqual([...new Set(words)].toSorted(), ['off', 'on']);
    t.true(complete('battito takeover ').includes('office'), 'a group');
    t.true(complete('battito takeover --accept-data ').includes('office'), 'a group as a value');
    const node = complete('battito fence confirm ');
    t.true(node.includes('primary') && node.includes('secondary'), 'nodes');
    t.true(complete('battito guests diff ').includes('mail'), 'a guest');
    t.deepEqual(complete('battito handover --guests s').toSorted(), ['save', 'shutdown']);
    t.true(complete('battito why peer-unres').includes('peer-unresponsive'));
    t.false(complete('battito status of').includes('office'), 'no name where none belongs');
  });
}

test('names are those of the running daemon, else of the configuration, else none; it never fails', async (t) => {
  const groups = [group({ name: 'web', resources: [resource('guest:shop'), resource('drbd:r7')] })];
  const { socketPath } = await scriptedDaemon(t, { statuses: [status({ groups })] });
  const names = async (kind: string, ...more: string[]) => {
    const { exitCode, stdout, stderr } = await run(['completion', 'names', kind, ...more]);
    t.is(exitCode, exitCodes.ok);
    t.is(stderr, '');
    return stdout.split('\n').slice(0, -1);
  };
  t.deepEqual(await names('groups', '--socket', socketPath), ['web']);
  t.deepEqual(await names('guests', '--socket', socketPath), ['shop']);
  t.deepEqual(await names('disks', '--socket', socketPath), ['r7']);
  t.deepEqual(await names('nodes', '--socket', socketPath), ['primary', 'secondary']);
  t.deepEqual(await names('groups', '--socket', '/nonexistent', '--config', example), ['office']);
  t.deepEqual(await names('groups', '--socket', '/nonexistent', '--config', '/nonexistent'), []);
});

test('a shell that is not known is refused with those that are', async (t) => {
  const { exitCode, stderr } = await run(['completion', 'fsh']);
  t.is(exitCode, exitCodes.usage);
  t.regex(stderr, /there is no "fsh": bash, zsh or fish\nnext: did you mean `battito completion (fish|zsh)`/);
});
