// What comes forward once the world is at rest, and what does not: while anything is under way, or may come by itself,
// every step has its time.

import test from 'ava';
import { formatDuration } from '../../daemon/config/duration.ts';
import { checkTimings } from '../../daemon/config/timing-rules.ts';
import type { Action, Side } from '../../daemon/sim/action.ts';
import { createWorld, type World } from '../../daemon/sim/world.ts';
import { createStir, runToRest, type Stir } from '../sim/rest.ts';
import { runSchedule } from '../sim/run.ts';
import { formatCommands, parseCommands } from '../sim/scenario.ts';
import { makeSchedule, startMs } from '../sim/schedule.ts';
import { groupsOf, plainSetup, type Setup, worldOptionsOf } from '../sim/setups.ts';

interface Stage {
  readonly world: World;
  readonly stir: Stir;
  readonly act: (...actions: readonly Action[]) => void;
  /** How much earlier than after `forMs` the next step would be done. */
  readonly earlyMs: (restMs: number | undefined, forMs: number, more?: More) => number;
}

interface More {
  readonly stillUntil?: number;
  readonly isLatent?: boolean;
}

/** Both nodes run, and one of them has the group. */
function stage(changes: Partial<Setup> = {}): Stage {
  const setup = { ...plainSetup, ...changes };
  const stir = createStir();
  const world = createWorld({ ...worldOptionsOf(setup, 1), trace: stir.see });
  const act = (...actions: readonly Action[]) => {
    for (const action of actions) world.apply(action);
  };
  act({ kind: 'start-daemon', host: 'primary' }, { kind: 'start-daemon', host: 'secondary' });
  world.run(8000);
  const resting = { world, stir, groups: groupsOf(setup), stillUntil: 0, isLatent: false };
  return {
    world,
    stir,
    act,
    earlyMs: (restMs, forMs, more = {}) =>
      Math.round(runToRest({ ...resting, ...more }, world.now() + forMs, restMs)),
  };
}

test('in a world at rest the next step comes forward, and not before it has been at rest for so long', (t) => {
  const { earlyMs, act, world } = stage();
  t.is(earlyMs(100, 10_000), 10_000, 'it has been for longer');
  t.is(earlyMs(undefined, 3000), 0, 'patience');
  act({ kind: 'cut', host: 'primary', segment: 'dedicated', direction: 'both' });
  const from = world.now();
  t.true(earlyMs(300, 20_000) > 0);
  t.true(world.now() - from >= 300);
  t.is(earlyMs(100, 4000, { stillUntil: world.now() + 5000 }), 0, 'a host stands still');
});

const power = (host: Side): Action => ({ kind: 'power-loss', host });

test('a takeover comes to its end first; then one node alone is a world at rest', (t) => {
  const { act, earlyMs, world } = stage();
  act(power('primary'));
  t.true(earlyMs(50, 20_000) > 0);
  t.is(world.running('secondary', 'guest:web'), 'up');
  t.is(world.state('secondary')?.groups[0]?.phase.kind, 'active');
});

test('a host that boots, and a daemon that is to be started again, are waited for; one that stays away is not', (t) => {
  const boots = stage({ bootMs: 4000 });
  boots.act(power('secondary'), { kind: 'power-on', host: 'secondary' });
  t.true(boots.earlyMs(50, 30_000) > 0);
  t.true(boots.world.daemonRuns('secondary'));
  const killed = stage();
  killed.act({ kind: 'kill-daemon', host: 'secondary', staysDown: false });
  t.true(killed.earlyMs(50, 30_000) > 0);
  t.true(killed.world.daemonRuns('secondary'));
  const gone = stage();
  gone.act({ kind: 'kill-daemon', host: 'secondary', staysDown: true });
  t.true(gone.earlyMs(50, 30_000) > 20_000);
  t.false(gone.world.daemonRuns('secondary'));
});

test('what is to happen at an effect that is yet to come is waited for', (t) => {
  const { act, world, earlyMs } = stage();
  act({ kind: 'crash-at-effect', host: 'secondary', count: 8 });
  t.true(world.isArmed('secondary'));
  t.true(earlyMs(50, 30_000) > 0);
  t.false(world.isArmed('secondary'));
});

test('a witness that does not answer is noticed before anything comes forward', (t) => {
  const { act, world, earlyMs } = stage({ guard: 'lease' });
  const owner = () => world.state('primary');
  t.is(owner()?.groups[0]?.phase.kind, 'active');
  act({ kind: 'witness', condition: 'down' }, power('secondary'));
  t.true(earlyMs(50, 60_000) > 0);
  t.true((owner()?.lease.validUntil ?? 0) < (owner()?.now ?? 0), 'it has run out');
});

test('a failback that is to come is waited for', (t) => {
  const { act, world, earlyMs } = stage({ failback: 'automatic' });
  act(power('primary'));
  earlyMs(50, 20_000);
  act({ kind: 'power-on', host: 'primary' });
  t.true(earlyMs(50, 60_000) > 0);
  t.is(world.running('primary', 'guest:web'), 'up', 'it is back');
});

test('maintenance of a few seconds ends first; where some gateways are shut, only what waits comes forward', (t) => {
  const { act, world, earlyMs } = stage();
  const request = { kind: 'maintenance', durationMs: 3000 } as const;
  act({ kind: 'operator', host: 'primary', request });
  t.true(earlyMs(50, 20_000) > 0);
  t.is(world.state('primary')?.maintenanceUntil, null);
  t.is(earlyMs(50, 2000), 2000);
  act({ kind: 'gateway', condition: 'on' });
  t.is(earlyMs(50, 5000, { isLatent: true }), 0);
});

test('the same faults as in a patient schedule, in less time', (t) => {
  let [dense, patient, rests, all] = [0, 0, 0, 0];
  for (let seed = 1; seed <= 120; seed += 1) {
    const [made, slow] = [makeSchedule(seed), makeSchedule(seed, true)];
    t.deepEqual(
      made.steps.map(({ action }) => action.kind).toSorted(),
      slow.steps.map(({ action }) => action.kind).toSorted(),
    );
    t.true(slow.steps.every(({ restMs }) => restMs === undefined));
    rests += made.steps.filter(({ restMs }) => restMs !== undefined).length;
    all += made.steps.length;
    dense += runSchedule(made).steps;
    patient += runSchedule(slow).steps;
  }
  t.true(rests > 0.8 * all && rests < all, `${rests} of ${all}`);
  t.true(dense < 0.8 * patient, `${dense} of ${patient}`);
});

test('when each step was come to is told; at these times, and without coming forward, it is the same', (t) => {
  let earlier = 0;
  for (let seed = 1; seed <= 25; seed += 1) {
    const schedule = makeSchedule(seed);
    const { reachedMs, dropped } = runSchedule(schedule);
    if (dropped === 0) t.is(reachedMs.length, schedule.steps.length + 1, `seed ${seed}`);
    if ((reachedMs.at(-1) ?? 0) < schedule.healAtMs) earlier += 1;
    t.true(reachedMs.every((ms, index) => ms >= (reachedMs[index - 1] ?? startMs)));
  }
  t.true(earlier > 10, `${earlier}`);
});

test('in words: `at rest 300ms: ` before what comes forward', (t) => {
  const text = [
    'seed 1',
    'variant evidence',
    'start-daemon primary @0ms',
    'at rest 300ms: when calm: power-loss primary @3s',
    'at rest 20ms: everything is mended @9s',
    '',
  ].join('\n');
  const schedule = parseCommands(text);
  t.deepEqual(
    schedule.steps.map(({ restMs, whenCalm }) => [restMs, whenCalm]),
    [
      [undefined, undefined],
      [300, true],
    ],
  );
  t.is(schedule.healRestMs, 20);
  t.is(formatCommands(schedule), text);
  t.throws(() => parseCommands('at rest soon: power-loss primary @3s'), { message: /at rest needs a time/ });
});

test('a schedule has only timings that a configuration may have', (t) => {
  const findings = [false, true].flatMap((isPatient) =>
    Array.from({ length: 300 }, (_, seed) => makeSchedule(seed, isPatient).setup).flatMap((setup) => {
      const heartbeat = Object.fromEntries(
        (['keepalive', 'warntime', 'deadtime', 'initdead'] as const).map((name) => [
          name,
          formatDuration(setup[`${name}Ms`]),
        ]),
      );
      return checkTimings({ heartbeat, connectivity: { ping: ['192.0.2.1'] } });
    }),
  );
  t.deepEqual(findings, []);
});
