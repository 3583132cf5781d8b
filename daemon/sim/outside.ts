// The third parties of the modelled world: the devices that power a host off, the witness with its lease, and the
// hosts' watchdogs. Each keeps its own truth and its own time, and may lie, be slow, or lose an answer on the way.

import type { Effect, LeaseAnswer, LoneMarks, Outcome } from '../core/events.ts';
import type { GroupName } from '../core/policy.ts';
import { otherSide } from './action.ts';
import { post } from './daemon.ts';
import { powerOff, powerOn } from './life.ts';
import { daemonStandsStill, type Errand, type Host, peerOf, standsStill } from './model.ts';
import { latencyMs, reachesOutside } from './network.ts';

type EffectOf<K extends Effect['kind']> = Extract<Effect, { readonly kind: K }>;

const done: Outcome = { kind: 'done' };
const noMarks: LoneMarks = { alone: [], same: [] };
/** A host that its watchdog has reset has power again after this. */
const resetMs = 100;

function errand(
  host: Host,
  kind: Errand['kind'],
  id: number,
  deadlineMs: number,
  marks: Errand['marks'] = noMarks,
): Errand {
  const { run } = host;
  const begun: Errand = { kind, id, host, run, deadlineMs, marks, told: false };
  host.errands.set(id, begun);
  return begun;
}

function isOpen({ host, run, told }: Errand): boolean {
  return !told && host.run === run;
}

function tell(errand: Errand, outcome: Outcome): void {
  const { host, id, kind } = errand;
  if (!isOpen(errand)) return;
  errand.told = true;
  host.errands.delete(id);
  const { trace, agenda } = host.model;
  if (kind === 'fence')
    trace?.({ kind: 'fencing', at: agenda.now(), side: host.side, operation: id, outcome });
  post(host, { kind: 'operation-finished', at: 0, operation: id, outcome });
}

function overdue(errand: Errand): void {
  const { host, deadlineMs } = errand;
  if (!isOpen(errand) || daemonStandsStill(host, overdue, errand)) return;
  const message = `no answer within ${deadlineMs} ms`;
  if (errand.kind === 'lease') answerLease(errand, { kind: 'unreachable', message });
  else tell(errand, { kind: 'unknown', message });
}

export function cancelErrand(host: Host, id: number): void {
  const begun = host.errands.get(id);
  if (begun === undefined) return;
  host.model.agenda.later(5 + host.chance() * 20, giveUp, begun);
}

function giveUp(errand: Errand): void {
  tell(errand, { kind: 'unknown', message: 'it was cancelled' });
}

// Fencing.

export function fencePeer(host: Host, { operation, deadlineMs }: EffectOf<'fence-peer'>): void {
  const { agenda, trace } = host.model;
  const begun = errand(host, 'fence', operation, deadlineMs);
  trace?.({ kind: 'fencing', at: agenda.now(), side: host.side, operation, outcome: 'started' });
  agenda.later(deadlineMs / host.clock.rate, overdue, begun);
  agenda.later(50 + host.chance() * 100, reachDevice, begun);
}

/** The agent logs in to the device of the other host; from then on the device acts by itself. */
function reachDevice(begun: Errand): void {
  const { host, deadlineMs, run } = begun;
  if (standsStill(host, reachDevice, begun)) return;
  const { agenda, outsideChance: chance } = host.model;
  const target = peerOf(host);
  const condition = target.fenceDevice;
  const tookMs = Math.min(1000 + 2000 * chance(), deadlineMs * 0.8);
  if (host.run !== run && chance() < 0.5) return; // The agent died with the daemon, or had not yet asked.
  if (!reachesOutside(host) || (condition === 'dead-with-host' && !target.mains)) {
    agenda.later(tookMs, deviceUnreachable, begun);
    return;
  }
  switch (condition) {
    case 'ok':
    case 'dead-with-host':
      agenda.later(tookMs * 0.5, fenced, target);
      agenda.later(tookMs, deviceLooks, begun);
      return;
    case 'slow': {
      const actsMs = deadlineMs * (0.3 + 1.2 * chance());
      agenda.later(actsMs, fenced, target);
      agenda.later(actsMs + 200, deviceLooks, begun);
      return;
    }
    case 'failing':
      agenda.later(tookMs, deviceFails, begun);
      return;
    case 'lying':
      agenda.later(tookMs, deviceSaysDone, begun);
      return;
  }
}

function fenced(target: Host): void {
  powerOff(target, 'fenced');
}

function deviceLooks(begun: Errand): void {
  if (peerOf(begun.host).powered) deviceFails(begun);
  else deviceSaysDone(begun);
}

/** Its word needs the way back. */
function deviceSaysDone(begun: Errand): void {
  if (reachesOutside(begun.host)) tell(begun, done);
}

function deviceFails(begun: Errand): void {
  if (!reachesOutside(begun.host)) return;
  tell(begun, { kind: 'failed', code: 'fence-failed', message: 'the device could not switch it off' });
}

function deviceUnreachable(begun: Errand): void {
  tell(begun, { kind: 'failed', code: 'fence-unreachable', message: 'the device does not answer' });
}

// The witness.

export function requestLease(host: Host, effect: EffectOf<'request-lease'>): void {
  const { agenda } = host.model;
  const begun = errand(host, 'lease', effect.operation, effect.deadlineMs, effect.marks);
  agenda.later(effect.deadlineMs / host.clock.rate, overdue, begun);
  if (host.up && host.cableOut.lan) agenda.later(latencyMs(host, 'lan'), takeRequest, begun);
}

/** Compare and swap; the ways there and back are two. */
function takeRequest(begun: Errand): void {
  const { host } = begun;
  const { model } = host;
  const { agenda, lease, witness, trace } = model;
  if (witness === 'down') return;
  const now = agenda.now();
  const { side } = host;
  const isHeld = lease.holder !== null && lease.holder !== side && now < lease.expiresAt;
  if (isHeld) {
    if (witness === 'up')
      agenda.later(latencyMs(host, 'lan'), returnAnswer, { begun, answer: refusal(host) });
    return;
  }
  const isNew = lease.holder !== side;
  if (lease.last !== side) lease.term += 1;
  lease.holder = side;
  lease.last = side;
  lease.expiresAt = now + (host.policy.witness?.ttlMs ?? 0);
  const { alone, same } = begun.marks;
  const isKept = (name: GroupName) => !same.includes(name);
  lease.alone[side] = [...new Set([...lease.alone[side], ...alone])].filter(isKept);
  lease.alone[otherSide(side)] = lease.alone[otherSide(side)].filter(isKept);
  if (isNew) trace?.({ kind: 'lease', at: now, holder: side, term: lease.term });
  const answer: LeaseAnswer = { kind: 'held', term: lease.term, peerAlone: lease.alone[otherSide(side)] };
  if (witness === 'up') agenda.later(latencyMs(host, 'lan'), returnAnswer, { begun, answer });
}

function refusal(host: Host): LeaseAnswer {
  const { term, alone } = host.model.lease;
  return { kind: 'refused', holder: host.policy.peer, term, peerAlone: alone[otherSide(host.side)] };
}

function returnAnswer(reply: { readonly begun: Errand; readonly answer: LeaseAnswer }): void {
  const { begun, answer } = reply;
  const { host } = begun;
  if (host.up && host.cableIn.lan) answerLease(begun, answer);
}

function answerLease(begun: Errand, answer: LeaseAnswer): void {
  if (!isOpen(begun)) return;
  begun.told = true;
  begun.host.errands.delete(begun.id);
  post(begun.host, { kind: 'lease-answered', at: 0, operation: begun.id, answer });
}

export function releaseLease(host: Host): void {
  if (host.up && host.cableOut.lan) host.model.agenda.later(latencyMs(host, 'lan'), takeRelease, host);
}

function takeRelease(host: Host): void {
  const { lease, witness, trace, agenda } = host.model;
  if (witness === 'down' || lease.holder !== host.side) return;
  lease.holder = null;
  trace?.({ kind: 'lease', at: agenda.now(), holder: null, term: lease.term });
}

export function leaseHolder({ model }: Host): Host['side'] | null {
  const { lease, agenda } = model;
  return agenda.now() < lease.expiresAt ? lease.holder : null;
}

// The watchdog.

export function armWatchdog(host: Host, { operation }: EffectOf<'arm-watchdog'>): void {
  const begun = errand(host, 'watchdog', operation, 1000);
  host.model.agenda.later(2 + host.chance() * 8, armed, begun);
}

function armed(begun: Errand): void {
  const { host } = begun;
  if (!isOpen(begun) || daemonStandsStill(host, armed, begun)) return;
  if (host.policy.watchdog === null) {
    tell(begun, { kind: 'failed', code: 'watchdog-missing', message: '/dev/watchdog does not exist' });
    return;
  }
  keepWatch(host);
  tell(begun, done);
}

/** From now on it counts. */
export function keepWatch(host: Host): void {
  const { agenda } = host.model;
  const timeoutMs = host.policy.watchdog?.timeoutMs ?? Infinity;
  host.watchdog = { timeoutMs, pettedAt: agenda.now() };
  if (host.watchdogWatched) return;
  host.watchdogWatched = true;
  agenda.later(timeoutMs, watch, host);
}

export function petWatchdog(host: Host): void {
  if (host.watchdog !== null) host.watchdog.pettedAt = host.model.agenda.now();
}

/** The magic close. */
export function disarmWatchdog(host: Host): void {
  host.watchdog = null;
}

function watch(host: Host): void {
  const { agenda } = host.model;
  if (host.watchdog === null) {
    host.watchdogWatched = false;
    return;
  }
  const { pettedAt, timeoutMs } = host.watchdog;
  if (agenda.now() < pettedAt + timeoutMs) {
    agenda.at(pettedAt + timeoutMs, watch, host);
    return;
  }
  host.watchdogWatched = false;
  powerOff(host, 'watchdog');
  agenda.later(resetMs, comeBack, host);
}

function comeBack(host: Host): void {
  powerOn(host, 'watchdog');
}
