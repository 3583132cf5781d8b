// What a schedule came to is told as it was: where rule L2 was judged, what was not carried out, how many faults there
// were, and whether what is not at rest at the end waits for a person who knows of it.

import test from 'ava';
import { parseTimedAction } from '../../daemon/sim/action-text.ts';
import type { TimedNote } from '../../daemon/sim/world.ts';
import { createWorld, type World } from '../../daemon/sim/world.ts';
import { createPartings, type Partings, unrest, waitsForDecision } from '../sim/calm.ts';
import { createFaultCount } from '../sim/fault-count.ts';
import { acceptData } from '../sim/mending.ts';
import { runSchedule } from '../sim/run.ts';
import { makeSchedule, type Schedule, type Step, startMs } from '../sim/schedule.ts';
import { groupsOf, plainSetup, type Setup, takeoverBoundMs, worldOptionsOf } from '../sim/setups.ts';
import { addResult, addTally, describeCounts, emptyTally } from '../sim/tally.ts';

const mirrored: Setup = { ...plainSetup, drbd: 'resource-only', groups: 2 };

/** `power-loss primary @2s`, with `calm ` before it if it waits. Times count from the world's beginning. */
function stepsOf(lines: readonly string[]): readonly Step[] {
  return lines.map((line) => {
    const { atMs, action } = parseTimedAction(line.replace('calm ', ''));
    return { atMs: atMs + startMs, action, ...(line.startsWith('calm ') && { whenCalm: true as const }) };
  });
}

const begin = ['start-daemon primary @10ms', 'start-daemon secondary @20ms'];

const scheduleOf = (lines: readonly string[], healAtMs: number, more: Partial<Schedule> = {}): Schedule => ({
  seed: 1,
  variant: 'evidence',
  setup: plainSetup,
  steps: stepsOf([...begin, ...lines]),
  healAtMs: startMs + healAtMs,
  ...more,
});

const boundMs = takeoverBoundMs(plainSetup);

test('L2 is judged where there is time for it, and it is said where there is none', (t) => {
  const loss = ['calm power-loss primary @2s'];
  t.deepEqual(runSchedule(scheduleOf(loss, 2100 + boundMs)).takeoverChecks, { done: 1, skipped: 0 });
  t.deepEqual(runSchedule(scheduleOf(loss, 3000)).takeoverChecks, { done: 0, skipped: 1 });
  const back = [...loss, 'power-on primary @2500ms'];
  t.deepEqual(runSchedule(scheduleOf(back, 9000)).takeoverChecks, { done: 0, skipped: 1 });
  const standby = ['calm power-loss secondary @2s'];
  t.deepEqual(runSchedule(scheduleOf(standby, 9000)).takeoverChecks, { done: 0, skipped: 0 });
});

test('L2: a takeover that does not come in time', (t) => {
  const hanging = ['break secondary guest:mail hangs @1500ms', 'calm power-loss primary @2s'];
  const { violations, takeoverChecks } = runSchedule(scheduleOf(hanging, 3000 + boundMs));
  t.deepEqual(
    violations.map(({ rule }) => rule),
    ['L2'],
  );
  t.deepEqual(takeoverChecks, { done: 1, skipped: 0 });
});

test('steps that are not carried out are counted', (t) => {
  const none = scheduleOf(['calm power-loss primary @2s'], 9000);
  t.is(runSchedule(none).dropped, 0);
  const lie = scheduleOf(['operator secondary confirm-peer-off primary @2s'], 3000);
  t.is(runSchedule(lie).dropped, 1, 'it has power');
  const restless = ['cut primary dedicated @1s', 'cut primary lan @1s', 'calm replay primary @2s'];
  t.is(runSchedule(scheduleOf([...restless, 'replay secondary @3s'], 4000)).dropped, 2);
});

test('what is promised of one fault is promised of a schedule of many that came to one', (t) => {
  const countOf = (lines: readonly string[]) => {
    const faults = createFaultCount();
    for (const step of stepsOf(lines)) faults.see(step);
    return [faults.count(), faults.isSingle()];
  };
  t.deepEqual(countOf(['power-loss primary @0s', 'power-on primary @1s']), [0, true], 'the beginning');
  t.deepEqual(countOf(['calm cut primary lan @2s', 'mend primary lan @3s']), [1, true]);
  t.deepEqual(countOf(['cut primary lan @2s']), [1, false], 'the world was not calm');
  t.deepEqual(countOf(['calm cut primary lan @2s', 'cut primary dedicated @2s']), [1, true], 'one cause');
  t.deepEqual(countOf(['calm cut primary lan @2s', 'kill-daemon primary @2s']), [2, false]);
  t.deepEqual(countOf(['calm state-file primary lost @2s', 'kill-daemon primary @2s']), [1, true]);
  t.deepEqual(countOf(['calm pause-host primary 2s @2s']), [1, false]);
  t.deepEqual(countOf(['calm partition @2s', 'heal @3s']), [1, false]);
  t.deepEqual(countOf(['calm operator primary handover @2s', 'guest-dies primary guest:mail @3s']), [
    1,
    true,
  ]);
});

test('a tally has a row of its own for them, and adds up', (t) => {
  const one = scheduleOf(['calm guest-dies primary guest:mail @2s'], 4000, { variant: 'evidence-many' });
  const two = scheduleOf(['calm partition @2s', 'heal @6s'], 9000, { variant: 'evidence-many' });
  const tally = emptyTally();
  for (const schedule of [one, two]) addResult(tally, runSchedule(schedule));
  t.is(tally.variants['evidence-one']?.schedules, 1);
  t.is(tally.variants['evidence-many']?.schedules, 1);
  t.is(tally.variants['evidence-many']?.measured.S1?.schedules, 1, 'measured');
  t.deepEqual(tally.found, []);
  const result = runSchedule(two);
  const promised = emptyTally();
  addResult(promised, { ...result, isSingle: true });
  t.true(promised.found.some(({ rule }) => rule === 'S1'));
  const sum = emptyTally();
  addResult(sum, { ...result, accepted: 1, dropped: 3, takeoverChecks: { done: 2, skipped: 1 } });
  addTally(sum, sum);
  const { parted, accepted, dropped, checks, skippedChecks } = sum.variants['evidence-many'] ?? {};
  t.deepEqual(
    { parted, accepted, dropped, checks, skippedChecks },
    {
      parted: 2,
      accepted: 2,
      dropped: 6,
      checks: 4,
      skippedChecks: 2,
    },
  );
  t.regex(describeCounts(sum).join('\n'), /evidence-many\s+4\s+2\s+2\s+6/);
});

test('there is room for L2 in every variant', (t) => {
  const judged = new Map<string, number>();
  for (let seed = 1; seed <= 1500; seed += 1) {
    const schedule = makeSchedule(seed);
    const { steps, healAtMs, variant, setup } = schedule;
    steps.forEach(({ action, whenCalm, atMs }, index) => {
      const nextMs = steps[index + 1]?.atMs ?? healAtMs;
      if (action.kind !== 'power-loss' || whenCalm !== true || nextMs - atMs < takeoverBoundMs(setup)) return;
      judged.set(variant, (judged.get(variant) ?? 0) + 1);
    });
  }
  for (const variant of [
    'evidence',
    'evidence-many',
    'witnessed',
    'fenced-device',
    'fenced-lease',
    'fenced-both',
  ])
    t.true((judged.get(variant) ?? 0) >= 8, `${variant}: ${judged.get(variant)}`);
});

/** Two groups at rest. */
function calmWorld(): World {
  const world = createWorld(worldOptionsOf(mirrored, 1));
  for (const host of ['primary', 'secondary'] as const) world.apply({ kind: 'start-daemon', host });
  world.run(8000);
  return world;
}

/** As if the devices had parted; and what was said of it. */
function parted(world: World, devices: readonly string[], notes: readonly TimedNote[]): World {
  return {
    ...world,
    storage(side, id) {
      const storage = world.storage(side, id);
      return storage !== null && devices.includes(id) ? { ...storage, connection: 'standalone' } : storage;
    },
    notes: (side) => (side === 'primary' ? notes : []),
  };
}

function partingsOf(devices: readonly string[], at: number): Partings {
  const partings = createPartings();
  for (const resource of devices)
    partings.see({
      kind: 'device',
      at,
      side: 'primary',
      resource,
      disk: 'up-to-date',
      connection: 'standalone',
    });
  return partings;
}

const alarm = (group: string, device: string, at: number): TimedNote => ({
  severity: 'alarm',
  code: 'storage-standalone',
  group,
  message: `${device} has given its connection up`,
  next: 'run `battito drbd resolve r0`',
  tookMs: null,
  at,
});

test('L1: what waits for a person waits in every group, and he has been told since it is so', (t) => {
  const world = calmWorld();
  const groups = groupsOf(mirrored);
  t.is(unrest(world, groups), null);
  const told = [alarm('office', 'drbd:r0', 9000)];
  const waits = (one: World, devices: readonly string[], at = 8500) =>
    waitsForDecision(one, groups, partingsOf(devices, at));
  const r0 = ['drbd:r0'];
  t.true(waits(parted(world, r0, told), r0));
  t.false(waits(parted(world, r0, []), r0), 'nobody was told');
  t.false(waits(parted(world, r0, told), r0, 9500), 'that was of another time');
  t.false(waits(parted(world, r0, [{ ...alarm('office', 'drbd:r0', 9000), next: null }]), r0));
  t.false(waits(world, []), 'there is nothing to wait for');
  const both = ['drbd:r0', 'drbd:r1'];
  t.false(waits(parted(world, both, told), both), 'of the other group nothing was said');
  t.true(waits(parted(world, both, [...told, alarm('shop', 'drbd:r1', 9000)]), both));
  const other = parted(world, r0, told);
  const isBroken: World = {
    ...other,
    running: (side, id) => (id === 'address:192.168.1.1/24' ? 'down' : world.running(side, id)),
  };
  t.false(waits(isBroken, r0), 'the address does not wait for it');
});

test('L1: what is started in vain, since there is no copy to read, waits as well; with a copy it does not', (t) => {
  const world = calmWorld();
  const groups = groupsOf(mirrored);
  const told = [alarm('office', 'drbd:r0', 9000)];
  const busy = (disk: 'diskless' | 'up-to-date', action: 'start' | 'stop', id = 'guest:web'): World => {
    const base = parted(world, ['drbd:r0'], told);
    return {
      ...base,
      storage(side, device) {
        const storage = base.storage(side, device);
        return storage !== null && device === 'drbd:r0' && side === 'primary'
          ? { ...storage, disk }
          : storage;
      },
      state(side) {
        const state = world.state(side);
        if (state === null || side !== 'primary') return state;
        const operation = { id: 1, action, since: state.now, cancelled: false };
        const withIt = state.groups.map((group) => ({
          ...group,
          resources: group.resources.map((one) => (one.id === id ? { ...one, operation } : one)),
        }));
        return { ...state, groups: withIt };
      },
    };
  };
  const waits = (one: World) => waitsForDecision(one, groups, partingsOf(['drbd:r0'], 8500));
  t.true(waits(busy('diskless', 'start')));
  t.false(waits(busy('up-to-date', 'start')), 'that one may come up');
  t.false(waits(busy('diskless', 'stop')));
  t.false(waits(busy('diskless', 'start', 'address:192.168.1.1/24')), 'the address does not wait for it');
});

test('L1: a parting ends when the copies have a connection again, not when they look for one', (t) => {
  const partings = partingsOf(['drbd:r0'], 100);
  const sees = (connection: 'connecting' | 'connected' | 'standalone', at: number) =>
    partings.see({
      kind: 'device',
      at,
      side: 'primary',
      resource: 'drbd:r0',
      disk: 'up-to-date',
      connection,
    });
  sees('connecting', 200);
  sees('standalone', 300);
  t.is(partings.since('primary', 'drbd:r0'), 100);
  sees('connected', 400);
  t.is(partings.since('primary', 'drbd:r0'), null);
});

test('a witness that takes a copy for older than it is keeps the world from rest', (t) => {
  const world = calmWorld();
  const marked: World = { ...world, leaseMarks: (side) => (side === 'primary' ? ['shop'] : []) };
  t.is(unrest(marked, groupsOf(mirrored)), 'the witness takes a copy for older than it is');
  const withoutDisk: World = {
    ...marked,
    storage(side, id) {
      const storage = world.storage(side, id);
      return storage !== null && id === 'drbd:r1' && side === 'primary'
        ? { ...storage, disk: 'diskless' }
        : storage;
    },
  };
  t.is(unrest(withoutDisk, groupsOf(mirrored)), null, 'that one is older');
});

test('a person who has data accepted is counted, and gives his word to the better copy', (t) => {
  const world = calmWorld();
  const asked: string[] = [];
  const blocked: World = {
    ...world,
    state(side) {
      const state = world.state(side);
      if (state === null) return null;
      const phase = { kind: 'blocked', obstacle: 'unproven-data' } as const;
      return { ...state, groups: state.groups.map((group) => ({ ...group, phase })) };
    },
    storage(side, id) {
      const storage = world.storage(side, id);
      return storage !== null && side === 'primary' ? { ...storage, disk: 'inconsistent' } : storage;
    },
    apply(action) {
      if (action.kind === 'operator') asked.push(`${action.host} ${action.request.kind}`);
      return { kind: 'accepted', message: 'as it is' };
    },
  };
  t.is(acceptData(blocked, groupsOf(mirrored)), 2);
  t.deepEqual(asked, ['secondary accept-data', 'secondary accept-data']);
  t.is(acceptData(world, groupsOf(mirrored)), 0);
});
