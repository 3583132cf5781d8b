// The schedules that are added to: what the faults drawn one by one hardly ever come to.

import test from 'ava';
import { drawRare } from '../sim/rare.ts';
import { plainSetup, type Setup } from '../sim/setups.ts';

const seeds = Array.from({ length: 2000 }, (_, index) => index);
const drawn = (setup: Setup) => seeds.map((seed) => drawRare(seed, setup, 1000));
const kindsIn = (setup: Setup) =>
  new Set(drawn(setup).flatMap((steps) => steps.map(({ action }) => action.kind)));

test('some schedules of a tier with a guard have a goodbye, a return and a cut; none without', (t) => {
  const guarded: Setup = { ...plainSetup, guard: 'device' };
  t.deepEqual(kindsIn(plainSetup), new Set());
  t.deepEqual(kindsIn(guarded), new Set(['stop-daemon', 'cut', 'start-daemon', 'operator', 'mend']));
  const share = drawn(guarded).filter((steps) => steps.length > 0).length / seeds.length;
  t.true(share > 0.01 && share < 0.06, `${share}`);
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

test('some with mirrored disks have a person who gives up what one node wrote, after a parting or without', (t) => {
  const mirrored: Setup = { ...plainSetup, drbd: 'resource-only', groups: 2 };
  const asking = drawn(mirrored).filter((steps) => steps.length > 0);
  t.true(asking.length > 60 && asking.length < 140, `${asking.length}`);
  t.deepEqual([...kindsIn(mirrored)].sort(), ['heal', 'operator', 'partition']);
  const requests = asking.flat().flatMap(({ action }) => (action.kind === 'operator' ? [action] : []));
  t.deepEqual([...new Set(requests.map(({ host }) => host))].sort(), ['primary', 'secondary']);
  t.true(requests.every(({ request }) => request.kind === 'discard-data'));
  const counts = requests.map(({ request }) => ('groups' in request ? request.groups.length : -1));
  t.deepEqual([...new Set(counts)].sort(), [0, 1, 2]);
  t.false(kindsIn({ ...mirrored, guard: 'lease' }).has('partition'));
});

test('one seed gives the same each time', (t) => {
  const guarded: Setup = { ...plainSetup, guard: 'device', drbd: 'resource-only', guestsOn: 'filesystem' };
  t.deepEqual(drawn(guarded), drawn(guarded));
});
