// Nothing that a daemon does keeps what it has heard: its heap after a collection does not rise with the events. And the
// measure would notice.

import test from 'ava';
import type { Event } from '../../daemon/core/events.ts';
import { type SimulatedLife, simulateLife } from '../bench/long-life.ts';
import { risePerMillion } from '../bench/memory.ts';

/** Bytes for each event; the least of them has more. What the runtime compiles meanwhile counts too. */
const perEventMax = 80;

const perEvent = ({ looks }: SimulatedLife): number =>
  risePerMillion(looks, ({ heapBytes }) => heapBytes) / 1e6;

const life = { events: 20_000, looks: 10, warmupEvents: 20_000 };

test.serial('a life of flapping links leaves nothing behind', async (t) => {
  const lived = await simulateLife(life);
  for (const code of ['link-silent', 'peer-dead', 'take-over']) t.true(lived.notes.has(code), code);
  t.true(perEvent(lived) < perEventMax, JSON.stringify(lived.looks));
});

test.serial('one that keeps each event is found out', async (t) => {
  const kept: Event[] = [];
  const leaking = await simulateLife({
    ...life,
    listen: (trace) => void (trace.kind === 'stepped' && kept.push(trace.event)),
  });
  t.true(kept.length >= life.events);
  t.true(perEvent(leaking) > perEventMax, JSON.stringify(leaking.looks));
});
