// The devices are looked at before they are needed: what is wrong with them is in the history once, and in status while it lasts.

import test from 'ava';
import type { Note } from '../../daemon/control/api.ts';
import type { PowerState } from '../../daemon/drivers/fence/device.ts';
import { watchFencing } from '../../daemon/runtime/safeguards/watched-fencing.ts';
import { waitFor } from '../support.ts';

/** `seen.state`: what the device tells now; null: a look is broken off. */
function watched(first: PowerState | null, isPeerAlive = true) {
  const seen = { state: first };
  const notes: Note[] = [];
  let looks = 0;
  let closed = 0;
  const watch = watchFencing(
    {
      powerOff: async () => ({ kind: 'done' }),
      async read() {
        const { state } = seen;
        looks += 1;
        return state === null ? null : [{ device: 'bmc', state, tookMs: 1 }];
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
