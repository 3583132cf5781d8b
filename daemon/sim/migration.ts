// How a guest goes from one modelled host to the other while it runs. As libvirt does it with a guest that is to arrive
// paused: the source goes on wherever the word of its arrival is lost, and what has arrived stands still until the giver's
// driver, which has seen the source end, lets go of it.

import { keepMemoryOf, tellArrival } from './guest-memory.ts';
import { type Host, type Operation, peerOf, standsStill, type Thing, thingOf } from './model.ts';
import { reaches } from './network.ts';
import { disksOpen, lookSoon, setRunning } from './resources.ts';

const lookEveryMs = 20;
/** From the pause of the source to the word of the destination. */
const switchMs = 12;
const releaseMs = 4;

type Told = (problem: string | null, isKnown: boolean) => void;

/** One migration that has all that it needs at its end. */
interface Passage {
  readonly operation: Operation;
  readonly there: Thing;
  readonly told: Told;
}

function canReach(here: Host): boolean {
  const there = peerOf(here);
  const now = here.model.agenda.now();
  const isOn = (host: Host) => host.up && host.pausedUntil <= now;
  return isOn(here) && isOn(there) && reaches(here, there, 'dedicated') && reaches(there, here, 'dedicated');
}

/** A process on the other host begins to take its memory in. */
export function beginMigration(operation: Operation): void {
  const { thing } = operation;
  const there = thingOf(peerOf(thing.host), thing.policy.id);
  if (there === null || !canReach(thing.host)) return;
  if (thing.running !== 'up' || there.running !== 'down' || !disksOpen(there)) return;
  setRunning(there, 'incoming');
  there.arrival = { operation, process: null };
  lookSoon(there, 20);
  thing.host.model.agenda.later(lookEveryMs, follow, there);
}

/** What comes in ends with its stream. */
function follow(there: Thing): void {
  const { arrival } = there;
  if (arrival === null || arrival.process !== null) return;
  const { operation } = arrival;
  const { thing, boot } = operation;
  const goesOn = thing.host.boot === boot && thing.running === 'up' && !operation.over;
  if (goesOn && canReach(thing.host)) {
    thing.host.model.agenda.later(lookEveryMs, follow, there);
    return;
  }
  setRunning(there, 'down');
  lookSoon(there, 20);
}

/** All has been sent: the source is paused, and waits for the word of the destination. */
export function finishMigration(operation: Operation, told: Told): void {
  const { thing } = operation;
  const there = thingOf(peerOf(thing.host), thing.policy.id);
  const { agenda } = thing.host.model;
  if (there?.arrival?.operation !== operation || thing.running !== 'up' || !canReach(thing.host)) {
    told('the other node did not take it', true);
    return;
  }
  there.arrival.process = thing.process;
  keepMemoryOf(thing);
  setRunning(thing, 'paused');
  agenda.later(switchMs * (0.5 + thing.host.chance()), change, { operation, there, told });
}

function change(passage: Passage): void {
  const { operation, there, told } = passage;
  const { thing, boot } = operation;
  const { host } = thing;
  if (host.boot !== boot || !host.up || standsStill(host, change, passage)) return;
  if (thing.running !== 'paused') {
    told('it was ended meanwhile', true);
    return;
  }
  const isLost = host.chance() < (host.model.options.guests?.losesArrival ?? 0);
  if (there.arrival?.operation === operation && canReach(host) && !isLost) {
    setRunning(thing, 'down');
    thing.takenDownAt = host.model.agenda.now();
    host.model.agenda.later(releaseMs, letGo, passage);
    return;
  }
  thing.process = host.model.nextProcess; // What arrived is older than its disk from now on.
  host.model.nextProcess += 1;
  setRunning(thing, 'up');
  told('the word of its arrival did not come', true);
}

/** By the driver, so only while its daemon runs. */
function letGo(passage: Passage): void {
  const { operation, there, told } = passage;
  const { thing, run, boot } = operation;
  const { host } = thing;
  if (host.boot !== boot || host.run !== run || standsStill(host, letGo, passage)) return;
  const isThere = there.arrival?.operation === operation && there.running === 'incoming';
  if (!isThere || !canReach(host)) {
    told('nobody knows whether it runs there', false);
    return;
  }
  goOnThere(there);
  told(null, true);
}

/** It goes on from the memory that came. */
export function goOnThere(there: Thing): void {
  const { arrival } = there;
  if (arrival !== null) tellArrival(there, arrival.process ?? 0);
  there.arrival = null;
  setRunning(there, 'up');
  lookSoon(there, 20);
}
