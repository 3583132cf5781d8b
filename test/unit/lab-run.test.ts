// What a run of the lab's tests comes to: also when it did not come to its end.

import test from 'ava';
import { isPlan, judgeRun, type Outcome, parseTest } from '../lab/test-run.ts';

const outcome = (ok: boolean): Outcome => ({ group: 'guests', title: 'a', ok, skipped: false, lines: [] });
const whole = { exitCode: 0, isWhole: true, stderr: '' };

test('a run that came to its end is what its tests are', (t) => {
  t.deepEqual(judgeRun({ ...whole, outcomes: [outcome(true), outcome(true)] }), {
    passed: 2,
    failed: 0,
    trouble: null,
  });
  const failed = { ...whole, exitCode: 1, outcomes: [outcome(true), outcome(false)] };
  t.deepEqual(judgeRun(failed), { passed: 1, failed: 1, trouble: null });
});

test('a run that broke off has failed, whatever its tests were', (t) => {
  for (const [outcomes, failed] of [
    [[outcome(true)], 1],
    [[outcome(true), outcome(false)], 2],
  ] as const) {
    const judged = judgeRun({ outcomes, exitCode: null, isWhole: false, stderr: 'killed\n' });
    t.like(judged, { passed: 1, failed });
    t.is(judged.trouble, 'killed\nava broke off with exit code null: the tests after these were not run');
  }
});

test('a run without a test, and one that ends badly with none that failed, have failed', (t) => {
  t.like(judgeRun({ ...whole, isWhole: false, outcomes: [] }), {
    failed: 1,
    trouble: 'no test of that name was found\nava ended with exit code 0',
  });
  t.like(judgeRun({ ...whole, exitCode: 1, outcomes: [outcome(true)] }), { passed: 1, failed: 1 });
});

test('lines of TAP are tests, the plan, or what was said', (t) => {
  t.like(parseTest('ok 1 - guests › takeover › power loss', undefined), { group: 'guests', ok: true });
  t.like(parseTest('not ok 2 - test/lab/a.test.ts exited due to SIGKILL', 'guests'), {
    group: 'guests',
    title: 'test/lab/a.test.ts exited due to SIGKILL',
    ok: false,
  });
  t.is(parseTest('1..3', 'guests'), undefined);
  t.deepEqual(['1..3', '# tests 3', 'ok 1 - 1..3'].map(isPlan), [true, false, false]);
});
