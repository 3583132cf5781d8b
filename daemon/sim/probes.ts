// Whether an address answers, asked at the pace that the core set; as daemon/drivers/probe does it. What cannot be
// asked, for want of carrier, is `failed` and never `unanswered`.

import type { ProbePace, ProbeResult } from '../core/events.ts';
import type { ProbeTarget } from '../core/policy.ts';
import type { Segment } from './action.ts';
import { post } from './daemon.ts';
import { type Host, type ProbeRun, peerOf, thingOf } from './model.ts';
import { hasCarrier, isLost, latencyMs, reaches } from './network.ts';

const patienceMsMax = 300;

export function paceProbes(host: Host, paces: readonly ProbePace[]): void {
  for (const [id, run] of host.probes) {
    const pace = paces.find(({ target }) => target === id);
    if (pace?.intervalMs === run.intervalMs) continue;
    run.stopped = true;
    host.probes.delete(id);
  }
  for (const { target: id, intervalMs } of paces) {
    if (host.probes.has(id)) continue;
    const target = host.policy.probes.find((probe) => probe.id === id);
    if (target === undefined) continue;
    const segment = segmentOfProbe(host, target);
    const run: ProbeRun = { host, target, segment, intervalMs, stopped: false };
    host.probes.set(id, run);
    host.model.agenda.later(1, ask, run);
  }
}

/** Links are told by their names, `secondary on eth1 broadcast`. */
function segmentOfProbe(host: Host, target: ProbeTarget): Segment {
  const { probeSegment } = host.model.options;
  if (probeSegment !== undefined) return probeSegment(target);
  const isDedicated = target.kind === 'peer' && target.id.endsWith(` ${host.policy.links[0]}`);
  return isDedicated || target.id === 'peer-heartbeat' ? 'dedicated' : 'lan';
}

/** The daemon's own children ask, and wait with it when its host stands still; not when it does alone. */
function ask(run: ProbeRun): void {
  const { host, segment, intervalMs } = run;
  if (run.stopped) return;
  const { agenda } = host.model;
  if (host.pausedUntil > agenda.now()) {
    agenda.at(host.pausedUntil, ask, run);
    return;
  }
  agenda.later(intervalMs, ask, run);
  const patienceMs = Math.min(intervalMs, patienceMsMax);
  if (!hasCarrier(host, segment)) {
    agenda.later(1, failed, run);
    return;
  }
  if (isLost(host, segment) || !answers(run)) {
    agenda.later(patienceMs, unanswered, run);
    return;
  }
  const roundTripMs = latencyMs(host, segment);
  if (roundTripMs > patienceMs) agenda.later(patienceMs, unanswered, run);
  agenda.later(roundTripMs, answered, run);
}

function answers({ host, target, segment }: ProbeRun): boolean {
  const { model } = host;
  if (target.kind === 'gateway') return model.gatewayUp && !host.shutWays.has(target.id) && hasLan(host);
  const peer = peerOf(host);
  if (peer.pausedUntil > model.agenda.now()) return false;
  if (!reaches(host, peer, segment) || !reaches(peer, host, segment)) return false;
  return target.kind === 'peer' || thingOf(peer, target.id)?.running === 'up';
}

const hasLan = ({ cableOut, cableIn }: Host) => cableOut.lan && cableIn.lan;

const answered = (run: ProbeRun) => report(run, 'answered');
const unanswered = (run: ProbeRun) => report(run, 'unanswered');
const failed = (run: ProbeRun) => report(run, 'failed');

function report({ host, target, stopped }: ProbeRun, result: ProbeResult): void {
  if (!stopped) post(host, { kind: 'probe-reported', at: 0, target: target.id, result });
}

/** The daemon that asked is gone. */
export function stopProbes(host: Host): void {
  for (const run of host.probes.values()) run.stopped = true;
  host.probes.clear();
}
