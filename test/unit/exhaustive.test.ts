// Every interleaving of the small world: none of them runs the guest twice. And the search does find what is there.

import test from 'ava';
import { explorations, explore } from '../sim/exhaustive.ts';

const clock = () => performance.now();
const bound = { states: 400_000, wallMs: 240_000 };

for (const exploration of explorations.filter(({ isBigger }) => !isBigger)) {
  test(`every interleaving: ${exploration.name}: ${exploration.what}`, (t) => {
    t.timeout(300_000);
    const { states, moves, depth, isComplete, broken } = explore(exploration, bound, clock);
    t.log(`${states} states, ${moves} moves, ${depth} deep`);
    t.is(broken, null);
    t.true(isComplete);
    t.true(states > 10_000 && depth > 50, 'it has seen takeovers, heals and restarts');
  });
}

test('without fencing a partition with both outsides alive runs the guest twice, and the search finds the way', (t) => {
  const [evidence] = explorations;
  if (evidence === undefined) throw new Error('no exploration');
  const parted = { ...evidence, rules: { ...evidence.rules, faultKinds: ['partition'] as const } };
  const { broken } = explore(parted, bound, clock);
  t.regex(broken?.message ?? '', /S1: the guest runs on both hosts/);
  t.is(broken?.moves[0], 'the hosts are parted');
  t.true((broken?.moves.length ?? 0) < 20, 'the shortest way is found first');
});
