// Carries out the actions of action.ts on the modelled world: one handler for each, at once.

import type { RequestAnswer } from '../core/events.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import { type Action, type ActionKind, type ActionOf, sides } from './action.ts';
import { pauseDaemon, post } from './daemon.ts';
import { killDaemon, powerOff, powerOn, startDaemon, tellNetwork } from './life.ts';
import { type Host, hostClock, type Model, type Thing, thingOf } from './model.ts';
import { deliverLate, forge, replay } from './network.ts';
import { lookAtAll, lookSoon, setRunning } from './resources.ts';
import { failDisks, refreshReplication, replaceDisks } from './storage.ts';

/** Operators' requests alone have an answer. */
type Silent = Exclude<ActionKind, 'operator'>;
type Handler<K extends Silent> = (model: Model, action: ActionOf<K>) => void;

export function act(model: Model, action: Action): RequestAnswer | undefined {
  model.trace?.({ kind: 'action', at: model.agenda.now(), action });
  if (action.kind === 'operator') return ask(model.hosts[action.host], action.request);
  const handler = handlers[action.kind] as Handler<Silent>;
  handler(model, action);
  return undefined;
}

const handlers: { readonly [K in Silent]: Handler<K> } = {
  'power-loss': (model, { host }) => {
    model.hosts[host].mains = false;
    powerOff(model.hosts[host], 'fault');
  },
  'power-on': (model, { host }) => {
    model.hosts[host].mains = true;
    powerOn(model.hosts[host], 'operator');
  },
  'kill-daemon': (model, { host, staysDown }) => killDaemon(model.hosts[host], staysDown),
  'start-daemon': (model, { host }) => startDaemon(model.hosts[host]),
  'stop-daemon': (model, { host }) => post(model.hosts[host], { kind: 'stop-requested', at: 0 }),
  'pause-daemon': (model, { host, ms }) => pauseDaemon(model.hosts[host], model.agenda.now() + ms),
  'pause-host': (model, { host, ms }) => pauseHost(model.hosts[host], ms),
  'crash-at-effect': (model, { host, count }) => {
    model.hosts[host].crashIn = count;
  },
  'power-loss-at-effect': (model, { host, count }) => {
    model.hosts[host].powerLossIn = count;
  },
  cut: (model, { host, segment, direction }) => {
    if (direction !== 'in') model.hosts[host].cableOut[segment] = false;
    if (direction !== 'out') model.hosts[host].cableIn[segment] = false;
    tellNetwork(model.hosts[host]);
  },
  mend: (model, { host, segment }) => {
    model.hosts[host].cableOut[segment] = true;
    model.hosts[host].cableIn[segment] = true;
    tellNetwork(model.hosts[host]);
  },
  partition: (model) => part(model, true),
  heal: (model) => part(model, false),
  network: (model, { segment, loss, duplicate, late, delayMs }) => {
    model.quality[segment] = { loss, duplicate, late, delayMs };
  },
  gateway: (model, { condition }) => {
    model.gatewayUp = condition === 'on';
  },
  'way-out': (model, { host, gateway, condition }) => {
    const { shutWays } = model.hosts[host];
    if (condition === 'shut') shutWays.add(gateway);
    else shutWays.delete(gateway);
  },
  witness: (model, { condition }) => {
    model.witness = condition;
  },
  'fence-device': (model, { host, condition }) => {
    model.hosts[host].fenceDevice = condition;
  },
  'step-clock': (model, { host, ms }) => {
    model.hosts[host].wallOffsetMs += ms;
  },
  'clock-drift': (model, { host, ppm }) => {
    const { clock } = model.hosts[host];
    clock.origin = hostClock(model.hosts[host]);
    clock.base = model.agenda.now();
    clock.rate = 1 + ppm / 1_000_000;
  },
  'state-file': (model, { host, condition }) => {
    model.hosts[host].stateFile = condition;
  },
  'state-disk': (model, { host, condition }) => {
    model.hosts[host].diskFull = condition === 'full';
  },
  break: (model, { host, resource, how }) => {
    const thing = thingNamed(model.hosts[host], resource);
    thing.broken = how;
    if (thing.begun?.hangs === true) lookSoon(thing, 20);
  },
  drivers: (model, { host, condition }) => {
    model.hosts[host].drivers = condition;
    if (condition !== 'silent') lookAtAll(model.hosts[host], 15);
  },
  'guest-dies': (model, { host, guest }) => byHand(model.hosts[host], guest, 'down'),
  'crash-guest': (model, { host, guest }) => crash(model.hosts[host], guest),
  'start-by-hand': (model, { host, resource }) => byHand(model.hosts[host], resource, 'up'),
  'stop-by-hand': (model, { host, resource }) => byHand(model.hosts[host], resource, 'down'),
  'disk-failure': (model, { host }) => failDisks(model.hosts[host]),
  'replace-disk': (model, { host }) => replaceDisks(model.hosts[host]),
  replay: (model, { host }) => replay(model.hosts[host]),
  'deliver-late': (model, { host }) => deliverLate(model.hosts[host]),
  forge: (model, { host }) => forge(model.hosts[host]),
};

/** The daemon stands still with it, and both hosts' devices lose sight of each other. */
function pauseHost(host: Host, ms: number): void {
  const { agenda } = host.model;
  if (!host.up) return;
  const until = agenda.now() + ms;
  host.pausedUntil = Math.max(host.pausedUntil, until);
  pauseDaemon(host, until);
  refreshReplication(host.model);
  agenda.at(until, refreshReplication, host.model);
}

function part(model: Model, partitioned: boolean): void {
  model.partitioned = partitioned;
  for (const side of sides) tellNetwork(model.hosts[side]);
}

function thingNamed(host: Host, id: string): Thing {
  const thing = thingOf(host, id);
  if (thing !== null) return thing;
  const known = host.things.map(({ policy }) => policy.id).join(', ');
  throw new BattitoError('no-such-resource', `there is no resource ${JSON.stringify(id)}`, {
    exitCode: exitCodes.usage,
    next: `it can be one of ${known}`,
  });
}

function crash(host: Host, guest: string): void {
  const thing = thingNamed(host, guest);
  if (thing.policy.kind !== 'guest' || thing.running !== 'up') return;
  setRunning(thing, 'failed');
  lookSoon(thing, 20);
}

/** A device is not moved by hand here; a guest needs its disks, as always. */
function byHand(host: Host, resource: string, running: 'up' | 'down'): void {
  const thing = thingNamed(host, resource);
  if (!host.up || thing.device !== null) return;
  const lacksDisk = thing.disks.some(({ running: disk }) => disk === 'down');
  if (running === 'up' && (lacksDisk || thing.running === 'failed')) return;
  setRunning(thing, running);
  lookSoon(thing, 20);
}

function ask(host: Host, request: ActionOf<'operator'>['request']): RequestAnswer | undefined {
  const { model } = host;
  const id = model.nextRequest;
  model.nextRequest += 1;
  if (host.state === null) return undefined;
  host.questions.set(id, request);
  post(host, { kind: 'operator-requested', at: 0, id, request });
  return host.answer?.id === id ? host.answer.answer : undefined;
}
