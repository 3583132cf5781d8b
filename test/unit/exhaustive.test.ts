// Every interleaving of the small worlds keeps the promises; and the search finds what breaks them.

import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import test from 'ava';
import type { Setup } from '../sim/exhaustive/model.ts';
import { bounds, searchIn } from '../sim/exhaustive/run.ts';
import { smallSetups } from '../sim/exhaustive/setups.ts';
import { shownIn } from '../sim/exhaustive/shown.ts';

for (const setup of smallSetups) {
  test(`every interleaving: ${setup.name}: ${setup.what}`, (t) => {
    t.timeout(240_000);
    const { states, transitions, depth, isComplete, story, mergesChecked, mergesWrong } = searchIn(
      setup,
      bounds.small,
    );
    t.log(`${states} states, ${transitions} transitions, ${depth} moves deep`);
    t.deepEqual(story, []);
    t.true(isComplete, 'nothing is left to explore');
    t.true(states > 10_000 && depth > 90 && mergesChecked > 10);
    t.is(mergesWrong, 0, 'worlds taken to be the same lead to the same worlds');
  });
}

test('what the evidence tier does not promise to bear is found: a partition with both outsides alive', (t) => {
  const [evidence] = smallSetups;
  const parted = { ...(evidence as Setup), cuts: ['between'] } as const;
  const { breach, story } = searchIn(parted, bounds.small);
  t.is(breach?.rule, 'S1');
  t.regex(story.at(-1) ?? '', /the guest runs on both hosts/);
});

const main = resolve(import.meta.dirname, '../sim/main.ts');

/** In a process of its own, since a defect is planted before the core is loaded. */
const sim = (...args: readonly string[]) =>
  spawnSync(process.execPath, [main, '--exhaustive', ...args], { encoding: 'utf8' });

const planted = [
  { defect: 'never-freezes', world: 'evidence', rule: 'S1' },
  { defect: 'outside-always-reachable', world: 'evidence', rule: 'S1' },
  { defect: 'freeze-ends-by-itself', world: 'evidence', rule: 'S1' },
  { defect: 'starts-without-grant', world: 'evidence', rule: 'crash' },
  { defect: 'acts-before-persisted', world: 'evidence', rule: 'S5' },
  { defect: 'replays-accepted', world: 'evidence', rule: 'S6' },
  { defect: 'old-incarnation-accepted', world: 'evidence', rule: 'S6' },
  { defect: 'goodbye-taken-too-early', world: 'handover', rule: 'S1' },
  { defect: 'takeover-without-proof', world: 'device', rule: 'S1' },
  { defect: 'watchdog-not-waited-for', world: 'lease-cut', rule: 'S1' },
  { defect: 'lease-never-ends', world: 'lease-cut', rule: 'S1' },
  { defect: 'freezes-too-late', world: 'evidence', rule: 'S1' },
  { defect: 'unproven-peer-believed', world: 'cold', rule: 'S6' },
  { defect: 'claims-what-it-granted', world: 'handover', rule: 'crash' },
  { defect: 'starts-before-release', world: 'handover', rule: 'S1' },
  { defect: 'generation-not-raised', world: 'device', rule: 'S5' },
] as const;

for (const { defect, world, rule } of planted) {
  test(`the search finds the planted defect ${defect}`, (t) => {
    t.timeout(120_000);
    const { stdout, stderr, status } = sim('--defect', defect, '--only', world, '--json');
    t.is(status, 1, stderr);
    const [report] = (JSON.parse(stdout) as { worlds: ReturnType<typeof searchIn>[] }).worlds;
    t.is(report?.breach?.rule, rule);
    t.log(`${rule} after ${report?.states} states, a story of ${report?.story.length} lines`);
    t.regex(report?.story.at(-1) ?? '', /BROKEN/, report?.story.join('\n'));
  });
}

test('what is said of where planted defects show is what was searched here', (t) => {
  t.deepEqual(Object.keys(shownIn).toSorted(), planted.map(({ defect }) => defect).toSorted());
  for (const { defect, world } of planted) t.true(shownIn[defect]?.includes(world), defect);
});

const mistakes = [
  { args: ['--bound', 'huge'], says: 'sim: --bound is small or large, not "huge"' },
  { args: ['--only', 'moon'], says: 'sim: --only names one of the small worlds: evidence, cold, handover' },
  { args: ['--defect', 'none-such'], says: 'sim: there is no planted defect "none-such"' },
  { args: ['--seed', '1'], says: 'sim: --seed means nothing with --exhaustive' },
  { args: ['--bigger'], says: 'sim: there is no option --bigger' },
] as const;

for (const { args, says } of mistakes) {
  test(`the search says what it cannot do: ${args.join(' ')}`, (t) => {
    const { stdout, stderr, status } = sim(...args);
    t.deepEqual([stdout, status], ['', 2]);
    t.true(stderr.startsWith(says), stderr);
    t.is(stderr.trimEnd().split('\n').length, 2, 'what, and what next');
  });
}
