// Work of which only so much is done at once.

import test from 'ava';
import { atMost } from '../../daemon/drivers/at-most.ts';

test('so many are at work at once, the others begin in the order in which they came, and each answer is its own', async (t) => {
  const inTurn = atMost(2);
  const begun: number[] = [];
  const ends = new Map<number, () => void>();
  const work = [0, 1, 2, 3].map((each) =>
    inTurn(async () => {
      begun.push(each);
      await new Promise<void>((resolve) => ends.set(each, resolve));
      if (each === 1) throw new Error('it failed');
      return each;
    }),
  );
  const results = Promise.allSettled(work);
  const end = async (each: number) => {
    ends.get(each)?.();
    await work[each]?.catch(() => {});
  };
  t.deepEqual(begun, [0, 1]);
  await end(1);
  t.deepEqual(begun, [0, 1, 2], 'one that fails makes room, too');
  await end(0);
  t.deepEqual(begun, [0, 1, 2, 3]);
  await end(2);
  await end(3);
  t.deepEqual(
    (await results).map((one) => (one.status === 'fulfilled' ? one.value : 'failed')),
    [0, 'failed', 2, 3],
  );
  t.is(await inTurn(async () => 'afterwards'), 'afterwards');
});
