// The mirrored devices of the two modelled hosts: their operations, their fence-peer handlers that ask the daemon,
// and what is seen of them. How a device behaves is said in drbd.ts.

import type { OutdatingAnswer } from '../core/events.ts';
import type { ResourceId } from '../core/policy.ts';
import { post } from './daemon.ts';
import { createDrbd, type HandlerAnswer, type PromoteOutcome } from './drbd.ts';
import { chanceOf } from './engine.ts';
import { copyMemory, forgetHeld } from './guest-memory.ts';
import {
  type Device,
  type Host,
  type Model,
  type Operation,
  peerOf,
  standsStill,
  type Thing,
  thingOf,
} from './model.ts';
import { reaches } from './network.ts';
import { lookSoon, setRunning } from './resources.ts';

const handlerStartMs = 10;

const call = (act: () => void) => act();

/** Both copies there, connected and the same. */
export function createDevice(model: Model, id: ResourceId): Device {
  const { agenda, options, hosts } = model;
  const times = options.drbd ?? {};
  const drbd = createDrbd({
    clock: {
      now: agenda.now,
      later: (delayMs, act) => agenda.later(delayMs, call, act),
      random: chanceOf(options.seed, id),
    },
    fencing: times.fencing ?? 'resource-and-stonith',
    noticeMs: times.noticeMs ?? 1500,
    connectMs: times.connectMs ?? 500,
    resyncMs: times.resyncMs ?? 1500,
    handlerTimeoutMs: times.handlerTimeoutMs ?? 20_000,
    fencePeer: (side, answer) => callHandler(hosts[side], id, answer),
    changed: (side) => changed(hosts[side], id),
  });
  const shown = { disk: 'up-to-date', connection: 'connected' } as const;
  return { drbd, bothWritable: false, shown: { primary: shown, secondary: shown } };
}

function changed(host: Host, id: ResourceId): void {
  const thing = thingOf(host, id);
  if (thing === null || thing.device === null) return;
  const { drbd } = thing.device;
  const { role, suspended, disk, connection, resync } = drbd.status(host.side);
  if (resync?.direction === 'target') copyMemory(thing);
  const isPrimary = role === 'primary';
  setRunning(thing, !isPrimary ? 'down' : suspended === 'no' ? 'up' : 'paused');
  tellBothWritable(host, thing, thing.device);
  const { trace, agenda } = host.model;
  const shown = thing.device.shown[host.side];
  if (trace !== null && (shown.disk !== disk || shown.connection !== connection)) {
    thing.device.shown[host.side] = { disk, connection };
    trace({ kind: 'device', at: agenda.now(), side: host.side, resource: id, disk, connection });
  }
  lookSoon(thing, 3);
}

function tellBothWritable(host: Host, { policy }: Thing, device: Device): void {
  const { trace, agenda } = host.model;
  if (trace === null) return;
  const { bothWritable } = device.drbd.truth();
  if (bothWritable === device.bothWritable) return;
  device.bothWritable = bothWritable;
  trace({ kind: 'storage', at: agenda.now(), side: host.side, resource: policy.id, bothWritable });
}

/** Both hosts run, and the dedicated cable carries both ways. */
export function refreshReplication(model: Model): void {
  const { primary, secondary } = model.hosts;
  const now = model.agenda.now();
  const up =
    primary.pausedUntil <= now &&
    secondary.pausedUntil <= now &&
    reaches(primary, secondary, 'dedicated') &&
    reaches(secondary, primary, 'dedicated');
  for (const { device } of primary.things) device?.drbd.link(up);
}

export function startDevices(host: Host): void {
  for (const { device } of host.things) device?.drbd.powerOn(host.side);
}

export function loseDevices(host: Host): void {
  forgetHeld(host);
  for (const thing of host.things) {
    thing.device?.drbd.powerLoss(host.side);
    if (thing.device !== null) changed(host, thing.policy.id);
  }
}

/** DRBD starts the handler, which asks the daemon over its socket and waits; without a daemon it knows nothing. */
function callHandler(host: Host, resource: ResourceId, answer: (code: HandlerAnswer) => void): void {
  const { model } = host;
  const id = model.nextHandler;
  model.nextHandler += 1;
  host.handlers.set(id, answer);
  model.agenda.later(handlerStartMs * (0.5 + host.chance()), startHandler, { host, resource, id });
}

interface Handler {
  readonly host: Host;
  readonly resource: ResourceId;
  readonly id: number;
}

function startHandler(handler: Handler): void {
  const { host, resource, id } = handler;
  if (standsStill(host, startHandler, handler)) return;
  const thing = thingOf(host, resource);
  if (thing === null || !host.handlers.has(id)) return;
  if (host.state === null) host.handlers.delete(id);
  else post(host, { kind: 'outdating-requested', at: 0, group: thing.group, resource, id });
}

export function answerHandler(host: Host, id: number, answer: OutdatingAnswer): void {
  const handler = host.handlers.get(id);
  host.handlers.delete(id);
  handler?.(answer);
}

/** `told`: null when it is done. */
export function changeDevice({ thing, action, forced }: Operation, told: (problem: string | null) => void) {
  const { host, device } = thing;
  if (device === null) throw new Error(`${thing.policy.id} is no device`);
  const { drbd } = device;
  const { side } = host;
  const demote = () => {
    drbd.demote(side, (outcome) => told(outcome === 'done' ? null : 'the device is held open'));
  };
  switch (action) {
    case 'start':
      return promote(thing, forced, told);
    case 'stop':
      return demote();
    case 'destroy':
      if (drbd.status(side).suspended === 'no') return demote();
      return told(throwAway(thing) ? null : 'the device is held open');
    case 'freeze':
      drbd.suspend(side);
      return told(null);
    case 'resume':
      drbd.resume(side);
      return told(null);
    case 'outdate':
      return told(drbd.outdate(side) === 'done' ? null : 'the kernel refuses to outdate it');
    case 'connect':
    case 'discard':
      if (action === 'discard') drbd.disconnect(side);
      drbd.connect(side, { discardMyData: action === 'discard' });
      return told(null);
    case 'allow-two':
    case 'forbid-two':
      return told(drbd.allowTwo(side, action === 'allow-two') === 'done' ? null : 'both are primary');
    case 'save':
    case 'migrate':
    case 'reject':
      throw new Error(`${action} is for guests only`);
  }
}

/** Held-back writes are thrown away with the local disk (detach --force), which then is attached again. */
function throwAway({ host, device, policy }: Thing): boolean {
  const isOpen = host.things.some(
    ({ disks, running }) => running !== 'down' && disks.some((disk) => disk.policy.id === policy.id),
  );
  if (isOpen || device === null) return false;
  device.drbd.powerLoss(host.side);
  device.drbd.powerOn(host.side);
  return true;
}

const refusals: Readonly<Record<Exclude<PromoteOutcome, 'done' | 'unchanged'>, string>> = {
  'multiple-primaries': '(-1) multiple primaries not allowed',
  'need-up-to-date': '(-2) need access to up-to-date data',
  'peer-not-outdated': '(-7) refusing to be primary while the peer is not outdated',
  'not-up': 'the device is not there',
};

function promote(thing: Thing, forced: boolean, told: (problem: string | null) => void): void {
  const { host, device, policy, group } = thing;
  if (device === null) return;
  const { drbd } = device;
  const { side } = host;
  const { disk, connection, peerDisk } = drbd.status(side);
  const isReadFromPeer = disk === 'diskless' && connection === 'connected' && peerDisk === 'up-to-date';
  if (!forced && disk !== 'up-to-date' && disk !== 'consistent' && !isReadFromPeer) {
    told(refusals['need-up-to-date']);
    return;
  }
  drbd.promote(side, { force: forced, alone: connection !== 'connected' }, (outcome) => {
    if (outcome === 'done') {
      const { trace, agenda } = host.model;
      const peer = peerOf(host);
      const peerDisk = drbd.status(peer.side).disk;
      const now = drbd.status(side);
      trace?.({
        kind: 'promoted',
        at: agenda.now(),
        side,
        group,
        resource: policy.id,
        disk: now.disk === 'diskless' ? now.peerDisk : disk, // It may have failed meanwhile.
        peerFencedOrOutdated: !peer.powered || peerDisk === 'outdated' || peerDisk === 'inconsistent',
        forced,
        newest: drbd.isNewest(side),
      });
    }
    told(outcome === 'done' || outcome === 'unchanged' ? null : refusals[outcome]);
  });
}

/** Somebody opens the host for it. */
export function replaceDisks(host: Host): void {
  if (host.powered) return;
  for (const { device } of host.things) device?.drbd.replaceDisk(host.side);
}

export function failDisks(host: Host): void {
  for (const { device } of host.things) device?.drbd.diskFailure(host.side);
}
