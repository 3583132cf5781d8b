// DRBD's questions: each waits for its own answer, and one that was given up leaves nothing behind.

import test from 'ava';
import { createOutdatings } from '../../daemon/runtime/storage/outdatings.ts';
import { disk, protectedPolicy } from '../sim/example.ts';

test('an answer reaches whoever still waits, and nobody who has given up', async (t) => {
  const ids: number[] = [];
  const { groups } = protectedPolicy('primary', { disk: true });
  const outdatings = createOutdatings(groups, (event) => {
    if (event.kind === 'outdating-requested') ids.push(event.id);
  });
  const [left, waits] = [new AbortController(), new AbortController()];
  let answered = false;
  void outdatings.ask(disk.replace('drbd:', ''), left.signal).then(() => {
    answered = true;
  });
  const second = outdatings.ask(disk.replace('drbd:', ''), waits.signal);
  left.abort();
  for (const id of ids) outdatings.answer(id, 'fenced');
  t.is(await second, 'fenced');
  t.is(ids.length, 2);
  t.false(answered);
  t.is(await outdatings.ask('r9', waits.signal), null);
});
