// The readiness: what each finding takes off, what makes a takeover fail, and how both nodes' findings are shown as one.

import test from 'ava';
import { type Finding, merged, renderFindings } from '../../daemon/cli/check/finding.ts';
import { readinessOf, renderReadiness } from '../../daemon/cli/check/readiness.ts';
import { attentionOfReadiness, lossesMax, readinessSchema } from '../../daemon/control/schedule.ts';

const look = { columns: 100, colour: false, unicode: false };
const finding = (level: Finding['level'], message: string, more: Partial<Finding> = {}): Finding => ({
  ...{
    area: 'guests',
    level,
    code: null,
    message,
    mend: level === 'ok' || level === 'info' ? null : `mend ${message}`,
  },
  ...more,
});
const about = { nodes: ['primary', 'secondary'], by: 'primary', at: '2026-03-01T03:00:00.000Z' };

test('nothing found is a hundred; notes cost nothing, warnings five, what makes a takeover fail thirty and the word', (t) => {
  const of = (...findings: Finding[]) => {
    const { score, ready } = readinessOf({ ...about, findings });
    return { score, ready };
  };
  t.deepEqual(of(), { score: 100, ready: true });
  t.deepEqual(of(finding('ok', 'a'), finding('info', 'b')), { score: 100, ready: true });
  t.deepEqual(of(finding('warning', 'a'), finding('warning', 'b')), { score: 90, ready: true });
  t.deepEqual(of(finding('problem', 'a')), { score: 70, ready: false });
  t.deepEqual(of(finding('warning', 'a', { blocks: true })), { score: 70, ready: false });
  const many = ['a', 'b', 'c', 'd', 'e'].map((name) => finding('problem', name));
  t.deepEqual(of(...many), { score: 0, ready: false });
});

test('what both nodes have alike counts once, and is said of neither', (t) => {
  const both = ['primary', 'secondary'].map((node) => finding('warning', 'one interface', { node }));
  const own = finding('problem', 'no bridge', { node: 'secondary' });
  const { losses, score } = readinessOf({ ...about, findings: [...both, own] });
  t.is(score, 65);
  t.deepEqual(
    losses.map(({ node, points, blocks, message }) => ({ node, points, blocks, message })),
    [
      { node: 'secondary', points: 30, blocks: true, message: 'no bridge' },
      { node: null, points: 5, blocks: false, message: 'one interface' },
    ],
  );
  t.is(merged([own, own]).length, 2, 'the same node twice has it twice');
  t.is(
    renderFindings([...both, own], look),
    `guests
  warning  one interface
             mend: mend one interface
  PROBLEM  secondary: no bridge
             mend: mend no bridge

1 problem, 1 warning`,
  );
  const blocking = finding('warning', 'nobody hears the peer', { blocks: true });
  t.regex(
    renderFindings([...both, blocking], look),
    /\n0 problems, 2 warnings, 1 of them in the way of a takeover$/,
  );
});

test('it ends with what each took off; alone is said', (t) => {
  const findings = [finding('problem', 'no bridge', { node: 'secondary' }), finding('warning', 'slow')];
  t.is(
    renderReadiness(readinessOf({ ...about, findings }), look),
    `readiness of primary and secondary: 65 of 100, NOT READY: a takeover would fail, or not be tried
  -30  secondary, guests: no bridge
  -5   guests: slow`,
  );
  t.is(
    renderReadiness(readinessOf({ ...about, nodes: ['primary'], findings: [] }), look),
    'readiness of primary alone: 100 of 100, ready for a takeover',
  );
});

test('it is bounded, whatever was found', (t) => {
  const findings = Array.from({ length: 500 }, (_, index) =>
    finding('problem', `${index} ${'x'.repeat(5000)}`),
  );
  const readiness = readinessOf({ ...about, findings });
  t.is(readiness.losses.length, lossesMax);
  t.notThrows(() => readinessSchema.parse(readiness));
  t.true(JSON.stringify(readiness).length < 64 * 1024, 'as much as the control API takes');
});

test('not ready is a warning with the worst of it; ready, or not known, is none', (t) => {
  const findings = [finding('problem', 'no bridge', { node: 'secondary' }), finding('problem', 'no disk')];
  t.deepEqual(attentionOfReadiness(readinessOf({ ...about, findings })), [
    {
      ...{ severity: 'warning', code: 'not-ready', next: 'battito check' },
      message: 'not ready for a takeover when it was checked last: secondary: no bridge (and 1 more)',
    },
  ]);
  t.deepEqual(attentionOfReadiness(readinessOf({ ...about, findings: [finding('warning', 'slow')] })), []);
  t.deepEqual(attentionOfReadiness(null), []);
});
