// The devices are looked at before they are needed: what is wrong with them is in the history once, and in status while it lasts.

import test from 'ava';
import type { Note } from '../../daemon/control/api.ts';
import { tierInForce } from '../../daemon/control/safeguards.ts';
import type { PowerState } from '../../daemon/drivers/fence/device.ts';
import { watchFencing } from '../../daemon/runtime/safeguards/watched-fencing.ts';
import { waitFor } from '../support.ts';
import { runningOwner } from './support/situations.ts';

/** `seen.state`: what the device tells now; null: a look is broken off. */
function watched(first: PowerState | null, isPeerAlive = true) {
  const seen = { state: first, others: [] as readonly string[] };
  const notes: Note[] = [];
  let looks = 0;
  let closed = 0;
  const watch = watchFencing(
    {
      levels: [['bmc'], ['pdu-a', 'pdu-b']],
      powerOff: async () => ({ kind: 'done' }),
      async read() {
        const { state } = seen;
        looks += 1;
        const { others } = seen;
        return state === null
          ? null
          : [
              { device: 'bmc', state, tookMs: 1 },
              ...others.map((device) => ({ device, state: dead, tookMs: 1 })),
            ];
      },
      async close() {
        closed += 1;
      },
    },
    {
      peer: 'beta',
      isPeerAlive: () => isPeerAlive,
      note: (note) => notes.push(note),
      everyMs: 5,
      whenWrongMs: 5,
    },
  );
  return { watch, notes, seen, looks: () => looks, closed: () => closed };
}

const dead: PowerState = { kind: 'unknown', message: 'No route to host' };

test('a device that dies is told of once, and once when it is back', async (t) => {
  const { watch, notes, seen, looks, closed } = watched({ kind: 'on' });
  const looksAgain = (from = looks()) => waitFor('it is looked at', () => looks() > from + 1);
  await looksAgain();
  t.deepEqual(watch.attention(), []);
  seen.state = dead;
  await waitFor('it is wrong', () => watch.attention().length === 1);
  t.like(watch.attention()[0], {
    severity: 'warning',
    code: 'fence-device',
    message: 'bmc could not switch beta off now: No route to host',
  });
  seen.state = null;
  await looksAgain();
  t.is(watch.attention().length, 1, 'a look that was broken off says nothing');
  seen.state = dead;
  await looksAgain();
  seen.state = { kind: 'on' };
  await waitFor('it is well', () => watch.attention().length === 0);
  t.deepEqual(
    notes.map(({ severity, code }) => `${severity} ${code}`),
    ['warning fence-device', 'info fence-device-well'],
  );
  await watch.close();
  t.is(closed(), 1);
});

test('off while the peer is heard is wrong, and right when it is not', async (t) => {
  const heard = watched({ kind: 'off' });
  await waitFor('it is wrong', () => heard.watch.attention().length === 1);
  t.regex(heard.watch.attention()[0]?.message ?? '', /says that beta is off, but beta is heard/);
  await heard.watch.close();
  const silent = watched({ kind: 'off' }, false);
  await waitFor('it was looked at', () => silent.looks() > 2);
  t.deepEqual(silent.watch.attention(), []);
  t.deepEqual(silent.notes, []);
  await silent.watch.close();
});

test('the tier is not effective once every level lacks a device, and at once', async (t) => {
  const { watch, seen, looks } = watched({ kind: 'on' });
  await waitFor('it was looked at', () => looks() > 1);
  seen.state = dead;
  await waitFor('it is wrong', () => watch.attention().length === 1);
  t.is(watch.lacks(), null, 'the next level would do');
  seen.others = ['pdu-b'];
  await waitFor('the next level is wrong, too', () => watch.attention().length === 2);
  t.regex(watch.lacks() ?? '', /bmc could not .*; pdu-b could not switch beta off now: No route to host/);
  const state = { ...runningOwner().state() };
  const policy = { ...state.policy, fencing: { delayMs: 0, deadlineMs: 1 }, witness: null, watchdog: null };
  const { tier, lacks } = tierInForce({ ...state, policy }, null, watch.lacks());
  t.is(tier, 'fenced');
  t.regex(lacks ?? '', /^fencing: bmc could not/);
  await watch.close();
});
