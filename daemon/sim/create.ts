// The modelled world as it is before anything happens: two hosts that run, in sync, with no daemon; or with daemons
// that have been running for long.

import type { ResourceId, ResourcePolicy } from '../core/policy.ts';
import type { State } from '../core/state.ts';
import { type Side, sides } from './action.ts';
import { post } from './daemon.ts';
import { carryOut } from './effects.ts';
import { chanceOf, createAgenda } from './engine.ts';
import { emptySaved } from './ledger-file.ts';
import { beginDaemon } from './life.ts';
import type { Device, Host, Model, Thing } from './model.ts';
import { begin } from './operations.ts';
import { armWatchdog, fencePeer, keepWatch, requestLease } from './outside.ts';
import { paceProbes } from './probes.ts';
import { setRunning } from './resources.ts';
import { createDevice } from './storage.ts';
import type { WorldOptions } from './world.ts';

const startsAt = 1000;
const noQuality = { loss: 0, duplicate: 0, late: 0, delayMs: 0 };

export function createModel(options: WorldOptions): Model {
  const { seed } = options;
  const hosts = {} as Record<Side, Host>;
  const model: Model = {
    agenda: createAgenda(startsAt),
    options,
    trace: options.trace ?? null,
    hosts,
    networkChance: chanceOf(seed, 'network'),
    outsideChance: chanceOf(seed, 'outside'),
    quality: { dedicated: noQuality, lan: noQuality },
    carryOut,
    partitioned: false,
    gatewayUp: true,
    witness: 'up',
    lease: { holder: null, last: null, term: 0, alone: { primary: [], secondary: [] }, expiresAt: 0 },
    steps: 0,
    nextHandler: 1,
    nextRequest: 1,
    nextProcess: 1,
  };
  const devices = new Map<ResourceId, Device>();
  for (const side of sides) hosts[side] = createHost(model, side, devices);
  return model;
}

function createHost(model: Model, side: Side, devices: Map<ResourceId, Device>): Host {
  const { seed, policy: policyOf } = model.options;
  const policy = policyOf(side);
  const chance = chanceOf(seed, side);
  const things: Thing[] = [];
  const host: Host = {
    model,
    side,
    policy,
    chance,
    things,
    notes: [],
    mains: true,
    powered: true,
    up: true,
    boot: 1,
    pausedUntil: 0,
    clock: { base: startsAt, origin: 1000 + chance() * 1_000_000, rate: 1 },
    wallOffsetMs: 0,
    state: null,
    run: 0,
    incarnation: 0,
    staysDown: false,
    wanted: false,
    daemonPausedUntil: 0,
    wakeDue: Infinity,
    wakeFor: Infinity,
    waiting: [],
    waitingPackets: [],
    crashIn: 0,
    powerLossIn: 0,
    drivers: 'ok',
    questions: new Map(),
    answer: null,
    errands: new Map(),
    handlers: new Map(),
    cableOut: { dedicated: true, lan: true },
    cableIn: { dedicated: true, lan: true },
    shutWays: new Set(),
    sent: [],
    sentBefore: [],
    refusedForgeries: 0,
    probes: new Map(),
    saved: emptySaved,
    savedBefore: [],
    writes: [],
    diskFreeAt: 0,
    diskFull: false,
    stateFile: 'ok',
    fenceDevice: 'ok',
    watchdog: null,
    watchdogWatched: false,
  };
  for (const group of policy.groups) {
    for (const resource of group.resources) {
      let device: Device | null = null;
      if (resource.kind === 'drbd') {
        device = devices.get(resource.id) ?? createDevice(model, resource.id);
        devices.set(resource.id, device);
      }
      things.push({
        host,
        group: group.name,
        policy: resource,
        device,
        disks: [],
        running: 'down',
        broken: 'ok',
        takenDownAt: 0,
        operation: null,
        begun: null,
        allowing: [],
        writing: false,
        looking: false,
        asking: false,
        answersAt: Infinity,
        copy: { image: null, writer: 0 },
        held: {},
        process: 0,
        arrival: null,
        refusesSave: refusesSave(model.options, resource),
      });
    }
  }
  for (const thing of things) {
    const { kind, needs } = thing.policy;
    if (kind === 'guest' || kind === 'filesystem') {
      thing.disks = things.filter(
        ({ policy: { id, kind: other } }) => other === 'drbd' && needs.includes(id),
      );
    }
  }
  return host;
}

/** Its memory is kept in a file system, where there are disks at all; and what it is made of may not allow it. */
function refusesSave({ seed, guests }: WorldOptions, { id, guest, needs }: ResourcePolicy): boolean {
  if (guest === undefined || guest.saveMs === null) return true;
  if (needs.length > 0 && !needs.some((one) => one.startsWith('filesystem:'))) return true;
  return chanceOf(seed, `save ${id}`)() < (guests?.refusesSave ?? 0);
}

/** Time for devices to be promoted before the story begins, milliseconds. */
const settlingMs = 1000;

/** Hosts on which this runs, and daemons that know it. */
export function beginWith(model: Model, start: Partial<Record<Side, State>>): void {
  for (const side of sides) {
    for (const thing of model.hosts[side].things) {
      const storage = resourceOf(start[side], thing)?.storage;
      if (storage?.role !== 'primary' || thing.device === null) continue;
      const { drbd } = thing.device;
      drbd.promote(side, { force: false, alone: false }, () => {});
      if (storage.suspended === 'user') drbd.suspend(side);
    }
  }
  model.agenda.run(model.agenda.now() + settlingMs, null);
  for (const side of sides) {
    const state = start[side];
    if (state !== undefined) goOn(model.hosts[side], state);
  }
}

function resourceOf(state: State | undefined, thing: Thing) {
  const group = state?.groups.find(({ policy }) => policy.name === thing.group);
  return group?.resources.find(({ id }) => id === thing.policy.id);
}

function goOn(host: Host, state: State): void {
  const { model, clock } = host;
  clock.base = model.agenda.now();
  clock.origin = state.now;
  host.incarnation = state.incarnation;
  host.saved = {
    incarnation: host.incarnation,
    ledger: state.ledger,
    boot: host.boot,
    maintenanceEnds: null,
  };
  for (const thing of host.things) {
    const kind = resourceOf(state, thing)?.status?.kind;
    if (thing.device === null && (kind === 'up' || kind === 'paused' || kind === 'failed'))
      setRunning(thing, kind);
  }
  goOnOutside(host, state);
  paceProbes(host, state.paces);
  beginDaemon(host, state);
  for (const thing of host.things) {
    const known = resourceOf(state, thing);
    for (const id of known?.outdatings ?? []) model.nextHandler = Math.max(model.nextHandler, id + 1);
    const operation = known?.operation;
    if (operation == null) continue;
    const { id, action } = operation;
    const { group, policy } = thing;
    const deadlineMs = action === 'stop' ? policy.stopMs : policy.startMs;
    begin(host, {
      kind: 'start-operation',
      operation: id,
      group,
      resource: policy.id,
      action,
      forced: false,
      deadlineMs,
    });
  }
  if (state.persistedRevision < state.ledgerRevision) {
    post(host, { kind: 'ledger-persisted', at: 0, revision: state.ledgerRevision });
  }
}

function goOnOutside(host: Host, { lease, watchdog, fence, now, policy }: State): void {
  const { model } = host;
  const { validUntil, heldTerm, ownAlone, peerAlone } = lease;
  if (validUntil !== null && validUntil > now) {
    const { side } = host;
    const alone =
      side === 'primary'
        ? { primary: ownAlone, secondary: peerAlone }
        : { primary: peerAlone, secondary: ownAlone };
    const expiresAt = model.agenda.now() + validUntil - now;
    Object.assign(model.lease, { holder: side, last: side, term: heldTerm ?? 1, alone, expiresAt });
  }
  if (watchdog.armed) keepWatch(host);
  if (watchdog.operation !== null) {
    armWatchdog(host, { kind: 'arm-watchdog', operation: watchdog.operation });
  }
  if (lease.operation !== null && policy.witness !== null) {
    const deadlineMs = policy.witness.ttlMs / 3;
    requestLease(host, { kind: 'request-lease', operation: lease.operation, marks: lease.asked, deadlineMs });
  }
  if (fence.operation !== null && policy.fencing !== null) {
    const { deadlineMs } = policy.fencing;
    fencePeer(host, { kind: 'fence-peer', operation: fence.operation, deadlineMs });
  }
}
