// Power, boot and the daemon's process on a modelled host: how each begins and ends, and what is lost with it.

import { initialState, type State } from '../core/state.ts';
import { post } from './daemon.ts';
import { breakOffWrites, openLedger } from './ledger-file.ts';
import { type Host, hostClock, standsStill } from './model.ts';
import { hasCarrier, keepForReplay, segmentOf } from './network.ts';
import { orphan } from './operations.ts';
import { stopProbes } from './probes.ts';
import { lookAtAll, setRunning, tellConflicts } from './resources.ts';
import { loseDevices, refreshReplication, startDevices } from './storage.ts';
import type { PowerReason } from './trace.ts';

const bootMsDefault = 4000;
/** RestartSec=500ms, and the start of the process. */
const restartMs = 600;
const lookEveryMs = 30_000;

/** One run of a daemon or one boot of a host; what belongs to an earlier one is void. */
interface Mark {
  readonly host: Host;
  readonly count: number;
}

export function powerOff(host: Host, why: PowerReason): void {
  if (!host.powered) return;
  endDaemon(host);
  host.powered = false;
  host.up = false;
  host.wanted = false;
  host.pausedUntil = 0;
  host.watchdog = null;
  host.handlers.clear();
  loseDevices(host);
  for (const thing of host.things) setRunning(thing, 'down');
  refreshReplication(host.model);
  const { trace, agenda } = host.model;
  trace?.({ kind: 'powered', at: agenda.now(), side: host.side, on: false, why });
}

export function powerOn(host: Host, why: PowerReason): void {
  const { agenda, options, trace } = host.model;
  if (host.powered || !host.mains) return;
  host.powered = true;
  host.boot += 1;
  host.staysDown = false;
  host.clock.base = agenda.now();
  host.clock.origin = 1000 + host.chance() * 5000;
  trace?.({ kind: 'powered', at: agenda.now(), side: host.side, on: true, why });
  const bootMs = options.bootMs ?? bootMsDefault;
  const mark: Mark = { host, count: host.boot };
  if (bootMs === 0) {
    startKernel(mark);
    startServices(mark);
    return;
  }
  agenda.later(bootMs * 0.75, startKernel, mark);
  agenda.later(bootMs, startServices, mark);
}

function startKernel({ host, count }: Mark): void {
  if (host.boot !== count || !host.powered) return;
  host.up = true;
  startDevices(host);
  refreshReplication(host.model);
}

function startServices({ host, count }: Mark): void {
  if (host.boot !== count || !host.up) return;
  if (host.model.options.boots !== false || host.wanted) startDaemon(host);
}

/** By systemd, or by hand. While the host boots it is remembered. */
export function startDaemon(host: Host): void {
  host.wanted = host.powered;
  if (!host.up || host.state !== null) return;
  if (host.diskFull) {
    restartLater(host); // It refuses to run without its state file.
    return;
  }
  const ledger = openLedger(host);
  const { policy, incarnation } = host;
  const watchdogRuns = host.watchdog !== null;
  const at = hostClock(host);
  beginDaemon(host, initialState({ at, policy, incarnation, ledger, watchdogRuns }));
}

/** It boots, or systemd starts its daemon again. */
export function isComing({ powered, state, up, staysDown }: Host): boolean {
  return powered && state === null && !(up && staysDown);
}

/** A daemon in this state, which may have been running for long. */
export function beginDaemon(host: Host, state: State): void {
  const { agenda, trace } = host.model;
  host.run += 1;
  host.state = state;
  host.staysDown = false;
  host.daemonPausedUntil = 0;
  host.wakeDue = Infinity;
  host.wakeFor = Infinity;
  trace?.({ kind: 'daemon', at: agenda.now(), side: host.side, runs: true, incarnation: state.incarnation });
  const mark: Mark = { host, count: host.run };
  agenda.later(1 + host.chance() * 5, tellCables, mark);
  lookAtAll(host, 15);
  agenda.later(lookEveryMs, lookAgain, mark);
  post(host, { kind: 'time-passed', at: 0 });
}

function lookAgain(mark: Mark): void {
  const { host, count } = mark;
  if (host.run !== count) return;
  lookAtAll(host, 15);
  host.model.agenda.later(lookEveryMs, lookAgain, mark);
}

/** Its process is gone, however that came. */
function endDaemon(host: Host): void {
  if (host.state === null) return;
  const { trace, agenda } = host.model;
  host.state = null;
  host.run += 1;
  host.wakeDue = Infinity;
  host.wakeFor = Infinity;
  host.waiting = [];
  host.waitingPackets = [];
  host.daemonPausedUntil = 0;
  host.crashIn = 0;
  host.powerLossIn = 0;
  host.errands.clear();
  host.questions.clear();
  for (const thing of host.things) {
    thing.looking = false;
    thing.asking = false;
  }
  stopProbes(host);
  orphan(host);
  breakOffWrites(host);
  keepForReplay(host);
  trace?.({ kind: 'daemon', at: agenda.now(), side: host.side, runs: false, incarnation: host.incarnation });
}

/** It has done what it had to, and leaves. */
export function exitDaemon(host: Host): void {
  host.wanted = false;
  host.staysDown = true;
  endDaemon(host);
}

export function killDaemon(host: Host, staysDown: boolean): void {
  if (staysDown) host.staysDown = true;
  if (host.state === null) return;
  endDaemon(host);
  if (!host.staysDown) restartLater(host);
}

function restartLater(host: Host): void {
  if (host.model.options.restartsDaemon === false) return;
  host.model.agenda.later(restartMs * (0.9 + 0.4 * host.chance()), restart, { host, count: host.run });
}

function restart(mark: Mark): void {
  const { host, count } = mark;
  if (standsStill(host, restart, mark)) return;
  if (host.run === count && !host.staysDown && host.up) startDaemon(host);
}

/** Cables, or power at the other end, have changed. */
export function tellNetwork(host: Host): void {
  refreshReplication(host.model);
  tellConflicts(host);
  if (host.state !== null) {
    host.model.agenda.later(2 + host.chance() * 20, tellCables, { host, count: host.run });
  }
}

function tellCables({ host, count }: Mark): void {
  if (host.run !== count || host.state === null) return;
  const carrier = hasCarrier(host, 'lan');
  const interfaces = new Set(host.policy.groups.flatMap((group) => group.interfaces));
  for (const name of interfaces) post(host, { kind: 'carrier-observed', at: 0, interface: name, carrier });
  host.policy.links.forEach((name, link) => {
    const down = hasCarrier(host, segmentOf(link)) ? null : `no carrier on ${name}`;
    if (host.state !== null && host.state.links[link]?.down !== down) {
      post(host, { kind: 'link-observed', at: 0, link, down });
    }
  });
}
