// Guests in the modelled world: they answer when they are ready, or never; they crash; and their memory is saved for
// the next start, which uses it up.

import test from 'ava';
import { sides } from '../../daemon/sim/action.ts';
import { parseAction } from '../../daemon/sim/action-text.ts';
import type { Trace } from '../../daemon/sim/trace.ts';
import { createWorld, type World } from '../../daemon/sim/world.ts';
import { ownerOf, unrest } from '../sim/calm.ts';
import { disk, mail, type Side, web } from '../sim/example.ts';
import { makeSchedule } from '../sim/schedule.ts';
import { groupsOf, plainSetup, type Setup, worldOptionsOf } from '../sim/setups.ts';

const till = 'guest:till';
const ordered: Setup = { ...plainSetup, guests: 'ordered' };
const mounted: Setup = { ...ordered, drbd: 'resource-only', guestsOn: 'filesystem' };

interface Stage extends World {
  readonly traces: Trace[];
  does(text: string): void;
  rests(): void;
  until(what: string, done: () => boolean): void;
  /** Who has the group of this place. */
  owner(group: number): Side | null;
  /** When it came up last, and when it was asked to start, in the world's milliseconds. */
  cameUp(side: Side, id: string): number;
  asked(side: Side, id: string): number;
  answers(): number;
}

function stage(setup: Setup, seed = 1): Stage {
  const traces: Trace[] = [];
  const world = createWorld({ ...worldOptionsOf(setup, seed), trace: (one) => traces.push(one) });
  const groups = groupsOf(setup);
  const until = (what: string, done: () => boolean) => {
    if (!world.runUntil(done, 20_000)) throw new Error(`seed ${seed}: ${what} did not come`);
  };
  for (const host of sides) world.apply({ kind: 'start-daemon', host });
  const staged: Stage = {
    ...world,
    traces,
    does: (text) => void world.apply(parseAction(text)),
    until,
    rests: () => until('rest', () => unrest(world, groups) === null),
    owner: (index) => {
      const group = groups[index];
      return group === undefined ? null : ownerOf(world, group);
    },
    cameUp: (side, id) =>
      traces.findLast(
        (one) => one.kind === 'running' && one.side === side && one.resource === id && one.running === 'up',
      )?.at ?? Number.NaN,
    asked: (side, id) =>
      traces.findLast(
        (one) =>
          one.kind === 'operation' &&
          one.side === side &&
          one.resource === id &&
          one.action === 'start' &&
          one.outcome === 'started',
      )?.at ?? Number.NaN,
    answers: () =>
      traces.filter((one) => one.kind === 'stepped' && one.event.kind === 'guest-answered').length,
  };
  staged.rests();
  return staged;
}

const seeds = Array.from({ length: 60 }, (_, index) => index + 1);

test('a guest answers within its time, or never, and the next one starts after that', (t) => {
  let never = 0;
  for (const seed of seeds) {
    const world = stage(ordered, seed);
    const waitedMs = world.asked('primary', web) - world.cameUp('primary', mail);
    if (world.answers() === 0) never += 1;
    if (world.answers() === 0) t.true(waitedMs >= 800, `seed ${seed}: ${waitedMs} ms`);
    else t.true(waitedMs >= 150 && waitedMs < 800, `seed ${seed}: ${waitedMs} ms`);
  }
  t.true(never >= 1 && never <= 15, `${never} of ${seeds.length}`);
});

test('a daemon that is started again asks a guest that is up again', (t) => {
  const world = stage(
    ordered,
    seeds.find((seed) => stage(ordered, seed).answers() > 0),
  );
  const before = world.answers();
  world.does('kill-daemon primary');
  world.until('the answer', () => world.answers() > before);
  t.is(world.running('primary', mail), 'up');
});

test('a guest that has crashed holds its disk and writes nothing until it is switched off', (t) => {
  const world = stage({ ...ordered, drbd: 'resource-only' });
  world.does('kill-daemon primary stays-down');
  world.does(`crash-guest primary ${mail}`);
  world.does(`crash-guest secondary ${mail}`);
  world.run(3000);
  t.is(world.running('primary', mail), 'failed');
  t.is(world.running('secondary', mail), 'down', 'what does not run does not crash');
  world.does(`start-by-hand primary ${mail}`);
  t.is(world.running('primary', mail), 'failed');
  world.does(`stop-by-hand primary ${web}`);
  world.does('cut primary dedicated');
  world.run(3000);
  t.true(world.isNewest('secondary', disk), 'nobody wrote');
  world.does('mend primary dedicated');
  world.does('start-daemon primary');
  world.rests();
  const notes = world.notes('primary').map(({ message }) => message);
  t.true(notes.includes(`destroy ${mail}`) && notes.includes(`start ${mail}`), notes.join('\n'));
});

const restored = ({ traces }: Stage) => traces.filter((one) => one.kind === 'restored');

function movesWith(setup: Setup): Stage {
  for (const seed of seeds) {
    const world = stage(setup, seed);
    world.does('operator primary handover');
    world.until('the move', () => world.owner(0) === 'secondary');
    if (restored(world).length > 0) return world;
  }
  throw new Error('nothing was ever saved');
}

for (const setup of [ordered, mounted]) {
  test(`a saved guest goes on on the other host, once: ${setup.drbd}`, (t) => {
    const world = movesWith(setup);
    t.deepEqual(
      restored(world).map(({ side, resource, sameDisk, lastingly, newest }) => ({
        side,
        resource,
        sameDisk,
        lastingly,
        newest,
      })),
      [{ side: 'secondary', resource: mail, sameDisk: true, lastingly: true, newest: true }],
    );
    world.rests();
    world.does(`guest-dies secondary ${mail}`);
    world.until('it is gone', () => world.running('secondary', mail) === 'down');
    world.rests();
    world.does('power-loss secondary');
    world.until('the takeover', () => world.running('primary', web) === 'up');
    t.is(restored(world).length, 1);
  });
}

test('on a bare device a guest is shut down, since there is nowhere to keep its memory', (t) => {
  const world = stage({ ...mounted, guestsOn: 'device' });
  world.does('operator primary handover');
  world.until('the move', () => world.owner(0) === 'secondary');
  t.true(world.notes('primary').some(({ message }) => message.startsWith(`save ${mail}: failed`)));
  t.true(world.notes('primary').some(({ message }) => message === `stop ${mail}`));
});

test('of two groups on one host a guest is left out, and that is rest; it starts once there is memory', (t) => {
  const world = stage({ ...ordered, groups: 2 });
  t.is(world.running('secondary', till), 'up');
  world.does('power-loss secondary');
  world.until('the takeover', () => world.owner(1) === 'primary');
  world.run(5000);
  t.is(world.running('primary', till), 'down', 'what runs is not ended for it');
  world.does('power-on secondary');
  world.rests();
  t.is(world.running('primary', till), 'down');
  world.does(`stop-by-hand primary ${web}`);
  world.until('till', () => world.running('primary', till) === 'up');
  world.rests();
  t.is(world.running('primary', web), 'down', 'till had the memory first');
});

test('a third of the schedules have guests with an order, and the setup is all that this changes in the others', (t) => {
  const drawn = Array.from({ length: 900 }, (_, seed) => makeSchedule(seed + 1));
  const share = drawn.filter(({ setup }) => setup.guests === 'ordered').length / drawn.length;
  t.true(share > 0.28 && share < 0.39, `${share}`);
  const crashes = drawn.filter(({ steps }) => steps.some(({ action }) => action.kind === 'crash-guest'));
  t.true(crashes.length > 5);
  t.true(crashes.every(({ setup }) => setup.guests === 'ordered'));
});
