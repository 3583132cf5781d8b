// What runs on a modelled host, and how the daemon comes to know: guests as processes that outlive it, floating
// addresses, and the looks at them. The truth is told to whoever listens to the trace, never to a core.

import type { ResourceAction } from '../core/events.ts';
import { post } from './daemon.ts';
import { nothingKnown } from './drbd-replica.ts';
import { askGuest, boot } from './guest-answers.ts';
import { dropMemory, noteWrite, saveMemory, useMemory } from './guest-memory.ts';
import { goOnThere } from './migration.ts';
import { about, type Host, peerOf, standsStill, type Thing, thingOf } from './model.ts';
import { reaches } from './network.ts';
import type { Running } from './trace.ts';

const writeEveryMs = 300;

/** Null: it is done. */
export function changeThing(thing: Thing, action: ResourceAction): string | null {
  switch (thing.policy.kind) {
    case 'address':
      return changeAddress(thing, action);
    case 'filesystem':
      return changeFilesystem(thing, action);
    default:
      return changeGuest(thing, action);
  }
}

function changeAddress(thing: Thing, action: ResourceAction): string | null {
  setRunning(thing, action === 'start' || action === 'resume' ? 'up' : 'down');
  return null;
}

/** Mounted it holds its device open, and its guests hold it. Both ways its journal and superblock are written. */
function changeFilesystem(thing: Thing, action: ResourceAction): string | null {
  const { host, policy } = thing;
  if (action === 'start') {
    if (!disksOpen(thing)) return 'its device is not primary';
    if (!isReadable(thing)) return unreadable;
    setRunning(thing, 'up');
    writeTo(thing);
    return null;
  }
  const isHeld = host.things.some(
    ({ policy: { needs }, running }) => running !== 'down' && needs.includes(policy.id),
  );
  if (isHeld) return 'it is held open';
  writeTo(thing);
  setRunning(thing, 'down');
  return null;
}

const unreadable = 'its disk cannot be read: neither copy can be reached';
const crashed = 'it is there already, and has crashed';

function changeGuest(thing: Thing, action: ResourceAction): string | null {
  const { running } = thing;
  switch (action) {
    case 'start':
      if (running === 'paused') return 'it is there already, and paused';
      if (running === 'failed') return crashed;
      if (running === 'incoming') return 'it is there already, and comes in';
      if (!disksOpen(thing)) return 'its disk cannot be opened: the device is not primary';
      if (!isReadable(thing)) return unreadable;
      if (running === 'down') useMemory(thing, () => writeTo(thing));
      setRunning(thing, 'up');
      return null;
    case 'resume':
      if (running === 'down') return 'there is no process to resume';
      if (running === 'failed') return crashed;
      if (running === 'incoming') {
        goOnThere(thing);
        return null;
      }
      if (running === 'paused') tellResumed(thing);
      setRunning(thing, 'up');
      return null;
    case 'freeze':
      if (running === 'failed') return crashed;
      if (isStarting(thing)) return starting.message;
      if (running === 'up') setRunning(thing, 'paused');
      return null;
    case 'save': {
      const problem = saveMemory(thing, () => writeTo(thing));
      if (problem === null) setRunning(thing, 'down');
      return problem;
    }
    case 'reject':
      if (running === 'incoming') setRunning(thing, 'down');
      return null;
    default:
      setRunning(thing, 'down');
      return null;
  }
}

function tellResumed({ host: { model, side }, disks }: Thing): void {
  const { trace, agenda } = model;
  for (const { device, policy } of disks) {
    if (device === null) continue;
    trace?.({
      kind: 'resumed',
      at: agenda.now(),
      side,
      resource: policy.id,
      newest: device.drbd.isNewest(side),
    });
  }
}

export function disksOpen({ host, disks }: Thing): boolean {
  return disks.every(({ device }) => device?.drbd.status(host.side).role === 'primary');
}

function isReadable({ host, disks }: Thing): boolean {
  return disks.every(({ device }) => device?.drbd.isReadable(host.side) !== false);
}

/** The truth changes. */
export function setRunning(thing: Thing, running: Running): void {
  const { host, policy, group, disks } = thing;
  const before = thing.running;
  if (before === running) return;
  thing.running = running;
  if (running === 'down') thing.arrival = null;
  if (host.up && (before === 'down') !== (running === 'down')) {
    for (const { device } of disks) {
      if (running === 'down') device?.drbd.close(host.side);
      else device?.drbd.open(host.side);
    }
  }
  if (before === 'down' && policy.kind === 'guest') begin(thing);
  const { trace, agenda } = host.model;
  if (trace !== null) {
    trace({ kind: 'running', at: agenda.now(), side: host.side, group, resource: policy.id, running });
    if (policy.kind === 'address') tellConflict(thing, before === 'up');
  }
  if (running === 'up' && policy.kind === 'guest' && disks.length > 0 && !thing.writing) {
    thing.writing = true;
    agenda.later(about(host.chance, writeEveryMs), write, thing);
  }
}

/** A new process of a guest. */
function begin(thing: Thing): void {
  const { model } = thing.host;
  thing.process = model.nextProcess;
  model.nextProcess += 1;
  if (thing.disks.length === 0) noteWrite(thing, true);
  boot(thing);
}

/** A guest writes now and then, for as long as it runs. */
function write(thing: Thing): void {
  const { host } = thing;
  if (thing.running !== 'up') {
    thing.writing = false;
    return;
  }
  if (standsStill(host, write, thing)) return;
  noteWrite(thing, writeTo(thing));
  host.model.agenda.later(about(host.chance, writeEveryMs), write, thing);
}

/** Is it acknowledged? */
function writeTo({ host, disks }: Thing): boolean {
  let isWritten = true;
  for (const { device } of disks) isWritten = device?.drbd.write(host.side) === 'written' && isWritten;
  return isWritten;
}

/** Both hosts have the address and hear each other on the LAN, one way at least. */
function tellConflict(thing: Thing, wasUp: boolean): void {
  const { host, policy } = thing;
  const peer = peerOf(host);
  if (thingOf(peer, policy.id)?.running !== 'up') return;
  if (!reaches(host, peer, 'lan') && !reaches(peer, host, 'lan')) return;
  const { trace, agenda } = host.model;
  trace?.({ kind: 'address-conflict', at: agenda.now(), resource: policy.id, on: !wasUp });
}

/** The nodes hear each other on the LAN (again). */
export function tellConflicts(host: Host): void {
  for (const thing of host.things) {
    if (thing.policy.kind === 'address' && thing.running === 'up') tellConflict(thing, false);
  }
}

/** Something has changed that the daemon did not do, or its own doing ended in doubt: its driver looks. */
export function lookSoon(thing: Thing, withinMs: number): void {
  const { host } = thing;
  if (thing.looking || host.state === null) return;
  thing.looking = true;
  host.model.agenda.later(1 + host.chance() * withinMs, look, thing);
}

function look(thing: Thing): void {
  const { host, group, policy, device } = thing;
  if (standsStill(host, look, thing)) return;
  thing.looking = false;
  if (host.drivers === 'silent' || !host.up) return;
  const resource = policy.id;
  if (device !== null) {
    const storage = host.drivers === 'unsure' ? nothingKnown : device.drbd.status(host.side);
    post(host, { kind: 'storage-observed', at: 0, group, resource, storage });
    return;
  }
  if (thing.operation !== null) return; // Looked at again when it ends in doubt.
  if (host.drivers === 'unsure') {
    post(host, { kind: 'resource-observed', at: 0, group, resource, status: untold });
    return;
  }
  if (thing.running === 'up') seeUp(thing);
  const status = isStarting(thing) ? starting : statuses[thing.running];
  post(host, { kind: 'resource-observed', at: 0, group, resource, status });
}

/** As libvirt tells, and the process of a QEMU, whoever has asked for it. */
function isStarting({ host, policy, running, broken, begun, takenDownAt }: Thing): boolean {
  if (begun === null || begun.boot !== host.boot || begun.since < takenDownAt) return false;
  // What hangs when its daemon is killed hangs on, until what it hangs on is mended.
  const hangs = (broken === 'hangs' || broken === 'stuck') && begun.run !== host.run;
  return policy.kind === 'guest' && running === 'down' && (!begun.over || (begun.hangs && hangs));
}

const untold = { kind: 'unknown', message: 'it cannot be told' } as const;
const starting = { kind: 'unknown', message: 'it is being started' } as const;

/** Its driver drops what it must not be started from, and its watch asks it. */
export function seeUp(thing: Thing): void {
  dropMemory(thing, () => writeTo(thing));
  askGuest(thing);
}

const statuses = {
  up: { kind: 'up' },
  down: { kind: 'down' },
  paused: { kind: 'paused' },
  incoming: { kind: 'incoming' },
  failed: { kind: 'failed', message: 'it has crashed' },
} as const;

export function lookAtAll(host: Host, withinMs: number): void {
  for (const thing of host.things) lookSoon(thing, withinMs);
}
