// The words of the modelled world's actions, and the agenda that orders what happens there.

import test from 'ava';
import fc from 'fast-check';
import { BattitoError } from '../../daemon/errors.ts';
import type { Action } from '../../daemon/sim/action.ts';
import {
  formatAction,
  formatTimedAction,
  parseAction,
  parseTimedAction,
} from '../../daemon/sim/action-text.ts';
import { chanceOf, createAgenda } from '../../daemon/sim/engine.ts';

const lines = [
  'power-loss primary',
  'power-on secondary',
  'kill-daemon primary',
  'kill-daemon primary stays-down',
  'start-daemon primary',
  'stop-daemon secondary',
  'pause-daemon primary 2500ms',
  'pause-host secondary 2s',
  'crash-at-effect primary 3',
  'power-loss-at-effect secondary 12',
  'cut primary dedicated',
  'cut primary lan out',
  'cut secondary lan in',
  'mend primary lan',
  'partition',
  'heal',
  'network lan',
  'network dedicated loss=0.1 duplicate=0.05 late=0.2 delay=700ms',
  'gateway off',
  'witness answers-lost',
  'fence-device primary dead-with-host',
  'clock-drift secondary -500ppm',
  'step-clock primary +90s',
  'step-clock secondary -60m',
  'state-file primary old',
  'state-disk secondary full',
  'break primary guest:mail late',
  'drivers primary silent',
  'guest-dies primary guest:web',
  'crash-guest primary guest:mail',
  'start-by-hand secondary guest:mail',
  'stop-by-hand primary address:192.168.1.1/24',
  'disk-failure primary',
  'replace-disk primary',
  'forge secondary',
  'replay secondary',
  'deliver-late primary',
  'operator primary takeover',
  'operator primary handover office shop',
  'operator secondary accept-data office',
  'operator secondary confirm-peer-off primary force',
  'operator primary handover shop guests=live',
  'operator secondary standby on',
  'operator secondary standby on guests=shutdown',
  'operator primary maintenance 10m',
  'operator primary maintenance off',
  'operator primary retry office',
];

test('what an action is written as is read as that action, and the other way round', (t) => {
  for (const line of lines) {
    t.is(formatAction(parseAction(line)), line);
    t.is(formatTimedAction(parseTimedAction(`${line} @1500ms`)), `${line} @1500ms`);
  }
  t.deepEqual(parseTimedAction('power-loss primary @10s'), {
    atMs: 10_000,
    action: { kind: 'power-loss', host: 'primary' },
  });
});

test('hosts go by the names that they have', (t) => {
  const names = { primary: 'anna', secondary: 'bruno' };
  const action: Action = {
    kind: 'operator',
    host: 'secondary',
    request: { kind: 'confirm-peer-off', node: 'anna', force: false },
  };
  t.is(formatAction(action, names), 'operator bruno confirm-peer-off anna');
  t.deepEqual(parseAction('operator bruno confirm-peer-off anna', names), action);
  t.throws(() => parseAction('power-loss primary', names), { message: /"primary" does not fit/ });
});

for (const [line, problem, next] of [
  ['explode primary @1s', /no action "explode"/, /power-loss, power-on/],
  ['power-loss @1s', /needs more words/, /primary or secondary/],
  ['cut primary moon @1s', /"moon" does not fit/, /dedicated, lan/],
  ['step-clock primary 90s @1s', /"90s" does not fit/, /with its sign/],
  ['heal now @1s', /"now" is too much/, /ends before it/],
  ['network lan loss=2 @1s', /"loss=2" does not fit/, /a chance from 0 to 1/],
  ['operator primary dance @1s', /"dance" does not fit/, /takeover, handover/],
  ['power-loss primary', /does not say when/, /@10s/],
  ['power-loss primary @soon', /"soon" is not a time/, /@10s/],
  ['power-loss primary @10000h', /"10000h" is not a time/, /milliseconds, seconds or minutes/],
  ['power-loss primary @', /does not say when/, /@10s/],
  ['power-loss primary @-5s', /"-5s" is not a time/, /@10s/],
  ['cut primary eth7 out @1s', /: "eth7" does not fit$/, /dedicated, lan/],
  ['pause-host primary long @1s', /"long" does not fit/, /1500ms, 2s or 5m/],
  ['@5s', /there is no action ""/, /power-loss/],
] as const) {
  test(`${line}: what was not understood is named, and what is possible`, (t) => {
    const error = t.throws(() => parseTimedAction(line), { instanceOf: BattitoError });
    t.is(error.code, 'fault-not-understood');
    t.regex(error.message, problem);
    t.regex(error.next ?? '', next);
  });
}

test('the agenda goes by time, and at the same time by order of entry', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (times) => {
      const agenda = createAgenda(0);
      const seen: Array<readonly [number, number]> = [];
      times.forEach((time, index) => {
        agenda.at(time, (entry: readonly [number, number]) => seen.push(entry), [time, index]);
      });
      agenda.run(20, null);
      const sorted = times.map((time, index) => [time, index] as const).toSorted((a, b) => a[0] - b[0]);
      if (JSON.stringify(seen) !== JSON.stringify(sorted)) throw new Error('out of order');
    }),
  );
  t.pass();
});

test('what an entry enters is done in the same run, and a run ends when it is told to', (t) => {
  const agenda = createAgenda(0);
  let count = 0;
  const again = (delayMs: number) => {
    count += 1;
    agenda.later(delayMs, again, delayMs);
  };
  agenda.at(0, again, 10);
  t.false(agenda.run(95, null));
  t.is(count, 10);
  t.is(agenda.now(), 95);
  t.true(agenda.run(1000, () => count === 20));
  t.is(agenda.now(), 190);
});

test('chance is the same for the same seed and stream, and different for others', (t) => {
  const draw = (seed: number, stream: string) => {
    const chance = chanceOf(seed, stream);
    return Array.from({ length: 5 }, chance);
  };
  t.deepEqual(draw(1, 'network'), draw(1, 'network'));
  t.notDeepEqual(draw(1, 'network'), draw(2, 'network'));
  t.notDeepEqual(draw(1, 'network'), draw(1, 'primary'));
  const many = chanceOf(3, 'network');
  const sum = Array.from({ length: 10_000 }, many).reduce((a, b) => a + b, 0);
  t.true(Math.abs(sum / 10_000 - 0.5) < 0.02);
});
