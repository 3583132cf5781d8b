// scripts/test, with everything that it runs as stubs: what is run for which arguments, how it is counted, and that
// whatever is left out is said.

import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { temporaryDirectory } from '../support.ts';

const root = join(import.meta.dirname, '../..');
const isRoot = process.geteuid?.() === 0;

interface Stubs {
  /** What `scripts/lab test` prints, and how it ends. */
  readonly lab?: string;
  readonly ava?: string;
}

const allWell = 'printf "ok    storage: a takeover\\n2 passed, 0 failed\\n"';
const avaWell = 'printf "TAP version 13\\nok 1 - fine\\n1..1\\n# tests 1\\n# pass 1\\n# fail 0\\n"';

/** Runs the script in a checkout of stubs. `ran`: what was called, a line each. */
function run(t: ExecutionContext, words: readonly string[], stubs: Stubs = {}, CI = '') {
  const directory = temporaryDirectory(t);
  const bin = join(directory, 'node_modules/.bin');
  mkdirSync(bin, { recursive: true });
  mkdirSync(join(directory, 'scripts'));
  copyFileSync(join(root, 'scripts/test'), join(directory, 'scripts/test'));
  const stub = (path: string, name: string, script: string) => {
    writeFileSync(path, `#!/bin/sh\necho "${name} $*" >>"${directory}/ran"\n${script}\n`);
    chmodSync(path, 0o755);
  };
  stub(join(directory, 'scripts/setup'), 'setup', '');
  stub(join(directory, 'scripts/lab'), 'lab', stubs.lab ?? allWell);
  stub(join(bin, 'npm'), 'npm', '');
  stub(join(bin, 'ava'), 'ava', stubs.ava ?? avaWell);
  const result = spawnSync(join(directory, 'scripts/test'), words, {
    encoding: 'utf8',
    env: { ...process.env, CI },
  });
  const ran = readFileSync(join(directory, 'ran'), 'utf8').trim().split('\n');
  return { ...result, ran, last: result.stdout.trim().split('\n').at(-1) };
}

const inLab = (ran: readonly string[]) => ran.filter((line) => line.startsWith('lab '));

(isRoot ? test : test.skip)('everything is run, and counted, the virtual machines last', (t) => {
  const { ran, last, status } = run(t, []);
  t.deepEqual(inLab(ran), ['lab test [ci]']);
  t.true(ran.at(-1)?.startsWith('lab '));
  t.is(last, '6 passed, 0 failed'); // Lint, types, two runs of ava with one test each, two in the lab.
  t.is(status, 0);
});

(isRoot ? test : test.skip)('a test that fails in the lab is counted once', (t) => {
  const { last, status } = run(t, [], { lab: 'echo "1 passed, 1 failed"; exit 1' });
  t.is(last, '5 passed, 1 failed');
  t.is(status, 1);
});

(isRoot ? test : test.skip)('a lab that cannot be made is a failure, and its reason is seen', (t) => {
  const { last, status, stderr } = run(t, [], { lab: 'echo "lab: no image" >&2; exit 69' });
  t.is(last, '4 passed, 1 failed');
  t.is(status, 1);
  t.regex(stderr, /lab: no image\nnot ok - the lab ended with exit code 69; leave it out with: .* --no-lab/);
});

(isRoot ? test : test.skip)('--no-lab runs the rest, and says what it left out', (t) => {
  const { ran, last, stderr, status } = run(t, ['--no-lab'], {}, 'true');
  t.deepEqual(inLab(ran), []);
  t.true(ran.some((line) => line.includes('test/netns/')));
  t.regex(stderr, /THE TESTS IN VIRTUAL MACHINES WERE NOT RUN: --no-lab/);
  t.is(last, '4 passed, 0 failed');
  t.is(status, 0);
});

for (const words of [['--quick'], ['--quick', '--no-lab']]) {
  test(`${words.join(' ')} runs types and unit tests, and says what it left out`, (t) => {
    const { ran, stderr, last } = run(t, words);
    const unit = `ava --tap --concurrency=${availableParallelism() + 1} test/unit/**/*.test.ts`;
    t.deepEqual(ran, ['setup ', 'npm run --silent types', unit]);
    t.regex(stderr, /THE TESTS IN VIRTUAL MACHINES WERE NOT RUN, NOR THOSE IN NETWORK NAMESPACES: --quick/);
    t.is(last, '2 passed, 0 failed');
  });
}

test('files that are named are run alone, with the arguments that ava knows', (t) => {
  const { ran, stderr } = run(t, ['test/unit/house.test.ts', '--match=*house*']);
  t.is(ran.length, 2);
  t.regex(ran[1] ?? '', /^ava --tap .* test\/unit\/house\.test\.ts --match=\*house\*$/);
  t.is(stderr, '');
});

const tap = `TAP version 13
ok 1 - quiet
ok 2 - loud
#   seed 5
#   40 schedules

#     of which 3 are long
ok 3 - left out # SKIP
not ok 4 - bad
#   why
  ---
    message: it is so
  ...
ok 5 - quiet again
# teardown of quiet again
ok 6 - late
#   2 s

1..6
# tests 6
# pass 4
# skip 1
# fail 1
`;

test('what passed tests log is shown under their names; what passed silently is not', (t) => {
  const { stdout, status } = run(t, ['some.test.ts'], { ava: `cat <<'END'\n${tap}END\nexit 1` });
  t.deepEqual(stdout.trim().split('\n'), [
    '# tests asked for',
    'ok 2 - loud',
    '#   seed 5',
    '#   40 schedules',
    '#     of which 3 are long',
    'ok 3 - left out # SKIP',
    'not ok 4 - bad',
    '#   why',
    '  ---',
    '    message: it is so',
    '  ...',
    'ok 6 - late',
    '#   2 s',
    '4 passed, 1 failed',
  ]);
  t.is(status, 1);
});
