// The memory of a modelled guest that is saved for its next start: a file on the group's storage, so each copy of its disk
// has it or has it not. As the driver does it: gone before the guest runs again, and dropped where it is seen running.

import { type GuestDisk, type Host, peerOf, type Thing, thingOf } from './model.ts';

type Change = Partial<GuestDisk>;

const nothing: Change = {};

const mayBeSaved = ({ policy: { guest } }: Thing) =>
  guest !== undefined && (guest.saveMs !== null || guest.migrateMs !== null);

/** Whose copies hold what is written on this host, the one that is read here first. Without a mirror: what both share. */
function copiesOf(thing: Thing): readonly Thing[] {
  const { host, disks, policy } = thing;
  const peer = thingOf(peerOf(host), policy.id);
  const drbd = disks[0]?.device?.drbd;
  if (peer === null) return [thing];
  if (drbd === undefined) return [thing, peer];
  const { disk, connection } = drbd.status(host.side);
  if (connection !== 'connected') return [thing];
  return disk === 'diskless' ? [peer] : [thing, peer];
}

/** `isWritten`: acknowledged by all that the device writes to, and with it what had been held back until then. */
function put(thing: Thing, change: Change, isWritten: boolean): void {
  const copies = isWritten ? copiesOf(thing) : [thing];
  const copy = { ...(copies[0] ?? thing).copy, ...thing.held, ...change };
  for (const one of copies) one.copy = copy;
  thing.held = isWritten ? nothing : { ...thing.held, ...change };
}

/** What was held back is not on its way any more: it is on the disk of this host only, or lost with it. */
export function forgetHeld(host: Host): void {
  for (const thing of host.things) thing.held = nothing;
}

/** The guest that runs has written to its disks. */
export function noteWrite(thing: Thing, isWritten: boolean): void {
  if (mayBeSaved(thing)) put(thing, { writer: thing.process }, isWritten);
}

/** Null: it is saved, and is to be ended. `write`: to the disk of the guest; is it acknowledged? */
export function saveMemory(thing: Thing, write: () => boolean): string | null {
  const { host, running, process, refusesSave } = thing;
  if (running !== 'up') return 'it does not run, so there is no memory to save';
  if (refusesSave) return 'it cannot be saved';
  if (!write()) return 'its storage does not take it';
  const number = host.model.nextProcess;
  host.model.nextProcess += 1;
  put(thing, { image: { number, process }, writer: process }, true);
  return null;
}

/** What was saved, if anything was, is used by the start that follows. */
export function useMemory(thing: Thing, write: () => boolean): void {
  if (!mayBeSaved(thing)) return;
  const { host, policy, disks } = thing;
  const { image, writer } = (copiesOf(thing)[0] ?? thing).copy;
  if (image === null) return;
  const newest = disks.every(({ device }) => device?.drbd.isNewest(host.side) !== false);
  const lastingly = write();
  put(thing, { image: null }, lastingly);
  const { trace, agenda } = host.model;
  trace?.({
    kind: 'restored',
    at: agenda.now(),
    side: host.side,
    resource: policy.id,
    image: image.number,
    sameDisk: writer === image.process,
    lastingly,
    newest,
  });
}

/** All of its memory is on its way to the other host, as of this disk. */
export function keepMemoryOf(thing: Thing): void {
  put(thing, { writer: thing.process }, true);
}

/** What came in goes on. */
export function tellArrival(there: Thing, process: number): void {
  const { model, side } = there.host;
  const { writer } = (copiesOf(there)[0] ?? there).copy;
  there.process = process;
  const newest = there.disks.every(({ device }) => device?.drbd.isNewest(side) !== false);
  const image = model.nextProcess;
  model.nextProcess += 1;
  model.trace?.({
    kind: 'restored',
    at: model.agenda.now(),
    side,
    resource: there.policy.id,
    image,
    sameDisk: writer === process,
    lastingly: true,
    newest,
  });
}

/** Its driver has seen it run: its disk has changed since. */
export function dropMemory(thing: Thing, write: () => boolean): void {
  if (mayBeSaved(thing) && copiesOf(thing)[0]?.copy.image != null) put(thing, { image: null }, write());
}

/** A copy is overwritten with the other one. */
export function copyMemory(device: Thing): void {
  const { host } = device;
  const peer = peerOf(host);
  for (const thing of host.things) {
    if (!mayBeSaved(thing) || !thing.disks.includes(device)) continue;
    thing.copy = thingOf(peer, thing.policy.id)?.copy ?? thing.copy;
    thing.held = nothing;
  }
}
