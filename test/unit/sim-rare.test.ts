// The schedules that are added to: what the faults drawn one by one hardly ever come to.

import test from 'ava';
import { drawRare } from '../sim/rare.ts';
import type { Step } from '../sim/schedule.ts';
import { plainSetup, type Setup } from '../sim/setups.ts';

const seeds = Array.from({ length: 2000 }, (_, index) => index);
const drawn = (setup: Setup) => seeds.map((seed) => drawRare(seed, setup, 1000, 'primary'));
const kindsIn = (setup: Setup) =>
  new Set(drawn(setup).flatMap((steps) => steps.map(({ action }) => action.kind)));

const guarded: Setup = { ...plainSetup, guard: 'device' };
const kindsOf = (steps: readonly Step[]) => new Set<string>(steps.map(({ action }) => action.kind));
const having = (setup: Setup, kind: string) => drawn(setup).filter((steps) => kindsOf(steps).has(kind));

test('some schedules of a tier with a guard have a goodbye, a return and a cut; none without', (t) => {
  t.deepEqual(kindsIn(plainSetup), new Set());
  const farewells = having(guarded, 'stop-daemon');
  const kinds = new Set(
    farewells.filter((steps) => !kindsOf(steps).has('drivers')).flatMap((steps) => [...kindsOf(steps)]),
  );
  t.deepEqual(kinds, new Set(['stop-daemon', 'cut', 'start-daemon', 'operator', 'mend']));
  const share = farewells.length / seeds.length;
  t.true(share > 0.06 && share < 0.14, `${share}`);
});

test('some of a tier with a guard have a host, or a daemon, that comes back and cannot be told what runs there', (t) => {
  const unsure = having(guarded, 'drivers');
  t.true(unsure.length > 100 && unsure.length < 240, `${unsure.length}`);
  for (const kind of ['power-loss', 'power-on', 'kill-daemon', 'cut'])
    t.true(unsure.filter((steps) => kindsOf(steps).has(kind)).length > 20, kind);
  for (const steps of unsure) {
    const told = steps.flatMap(({ action }) => (action.kind === 'drivers' ? [action.condition] : []));
    t.deepEqual([told.at(-2), told.at(-1)], ['unsure', 'ok']);
  }
});

test('some with file systems have one that cannot be mounted or let go of for a while', (t) => {
  const mounted: Setup = { ...plainSetup, drbd: 'resource-only', guestsOn: 'filesystem' };
  const breaks = drawn(mounted)
    .map((steps) => steps.filter(({ action }) => action.kind === 'break'))
    .filter((steps) => steps.length > 0);
  t.true(breaks.length > 200 && breaks.length < 400, `${breaks.length}`);
  for (const [first, last] of breaks) {
    t.like(first, { action: { kind: 'break', resource: 'filesystem:/srv/r0' } });
    t.like(last, { action: { kind: 'break', how: 'ok' } });
    t.true((first?.atMs ?? 0) >= 1000 && (last?.atMs ?? 0) > (first?.atMs ?? 0));
  }
  const how = breaks.flatMap(([first]) => (first?.action.kind === 'break' ? [first.action.how] : []));
  t.deepEqual([...new Set(how)].sort(), ['fails', 'hangs', 'late', 'stuck']);
  t.false(kindsIn({ ...mounted, guestsOn: 'device' }).has('break'));
});

const mirrored: Setup = { ...plainSetup, drbd: 'resource-only', groups: 2 };
const isHalfway = (steps: readonly Step[]) =>
  steps.some(({ action }) => action.kind === 'operator' && action.request.kind === 'takeover');

test('some with mirrored disks have a person who gives up what one node wrote, after a parting or without', (t) => {
  const others = (setup: Setup) => drawn(setup).filter((steps) => !isHalfway(steps));
  const asking = others(mirrored).filter((steps) => steps.length > 0);
  t.true(asking.length > 60 && asking.length < 140, `${asking.length}`);
  const kinds = new Set(asking.flat().map(({ action }) => action.kind));
  t.deepEqual([...kinds].sort(), ['heal', 'operator', 'partition']);
  const requests = asking.flat().flatMap(({ action }) => (action.kind === 'operator' ? [action] : []));
  t.deepEqual([...new Set(requests.map(({ host }) => host))].sort(), ['primary', 'secondary']);
  t.true(requests.every(({ request }) => request.kind === 'discard-data'));
  const counts = requests.map(({ request }) => ('groups' in request ? request.groups.length : -1));
  t.deepEqual([...new Set(counts)].sort(), [0, 1, 2]);
  const parted = others({ ...mirrored, guard: 'lease' }).flat();
  t.false(parted.some(({ action }) => action.kind === 'partition'));
});

test('some with mirrored disks have a group on its way to a host when its disk fails, or both lose each other', (t) => {
  const halfway = drawn(mirrored).filter(isHalfway);
  t.true(halfway.length > 60 && halfway.length < 140, `${halfway.length}`);
  for (const kind of ['disk-failure', 'partition'] as const) {
    const count = halfway.filter((steps) => kindsOf(steps).has(kind)).length;
    t.true(count > 20, `${kind}: ${count}`);
  }
  t.false(drawn({ ...mirrored, drbd: 'none' }).some(isHalfway));
});

test('some with a watchdog and no mirror have a start that comes late, after its daemon was killed', (t) => {
  const alone: Setup = { ...plainSetup, guard: 'lease' };
  const late = having(alone, 'break');
  t.true(late.length > 400 && late.length < 800, `${late.length}`);
  const breaks = late.flat().flatMap(({ action }) => (action.kind === 'break' ? [action.how] : []));
  t.deepEqual([...new Set(breaks)].sort(), ['late', 'ok']);
  t.deepEqual(having({ ...mirrored, guard: 'lease' }, 'break'), []);
});

test('one seed gives the same each time', (t) => {
  const guarded: Setup = { ...plainSetup, guard: 'device', drbd: 'resource-only', guestsOn: 'filesystem' };
  t.deepEqual(drawn(guarded), drawn(guarded));
});
