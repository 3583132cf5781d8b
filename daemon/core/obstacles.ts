// Why a group is not started although its peer is silent, in words, and what a person can do. Shown in status and
// in every refusal, so that both say the same.

import type { ResourceState } from './resource.ts';
import type { GroupState, Obstacle, State } from './state.ts';
import { isPromotable } from './storage.ts';

export interface ObstacleText {
  readonly why: string;
  readonly next: string;
}

/** The copies here that may not be used as they are: `drbd:r0 is inconsistent (its resync is 34 % done)`. */
function unusableCopies(state: State, group: GroupState): string {
  const copies = group.resources.filter(
    (resource) => resource.storage !== null && !isPromotable(state, group, resource),
  );
  return copies.map(describeCopy).join(', ');
}

function describeCopy({ id, storage }: ResourceState): string {
  const disk = storage === null || storage.disk === 'unknown' ? 'not up' : storage.disk;
  const resync = storage?.resync ?? null;
  const apart = storage?.connection === 'connected' ? '' : ', without its mirror';
  return `${id} is ${disk}${resync === null ? apart : ` (its resync is ${resync.percent} % done)`}`;
}

export function explainObstacle(obstacle: Obstacle, state: State, of: GroupState): ObstacleText {
  const { peer } = state.policy;
  const group = of.policy.name;
  const whenOff = `\`battito fence confirm ${peer}\``;
  switch (obstacle) {
    case 'peer-unresponsive':
      return { why: `${peer} may still run it`, next: `power ${peer} off, then run ${whenOff}` };
    case 'isolated':
      return {
        why: `this node is or was cut off, so ${peer} may run it`,
        next: `mend the network; or, if ${peer} is powered off, run ${whenOff}`,
      };
    case 'left-to-peer':
      return {
        why: `${peer} took over what this node left to it when it said goodbye, and may still run it`,
        next: `start ${peer}, or mend its network; or, if ${peer} is powered off, run ${whenOff}`,
      };
    case 'unproven-data':
      return {
        why: `${peer} may have written to it last`,
        next: `start ${peer}; or, if its newer data may be lost, run \`battito takeover --accept-data ${group}\``,
      };
    case 'outdated-data':
      return {
        why: `${unusableCopies(state, of)}: ${peer} has newer data, or may have`,
        next: `start ${peer} and let the disks resync; or, if its newer data may be lost, run \`battito takeover --accept-data ${group}\``,
      };
    case 'unknown-data':
      return {
        why: `the witness cannot be asked whether ${peer} has newer data`,
        next: `bring the witness back; or, if newer data of ${peer} may be lost, run \`battito takeover --accept-data ${group}\``,
      };
    case 'not-fenced':
      return {
        why: `${peer} could not be powered off`,
        next: `power ${peer} off by hand, then run ${whenOff}`,
      };
    case 'no-lease':
      return {
        why: `the witness has not lent this node the lease, so ${peer} may still run it`,
        next: `bring the witness back; or, if ${peer} is powered off, run ${whenOff}`,
      };
    case 'no-watchdog':
      return {
        why: 'the watchdog of this node cannot be armed',
        next: 'load its driver (`modprobe softdog`) or mend it',
      };
    case 'no-lan':
      return { why: 'this node has no working LAN', next: 'mend its LAN cable or gateway' };
    case 'peer-in-maintenance':
      return {
        why: `${peer} is in maintenance and asked to be left alone`,
        next: `wait until it ends; or, if ${peer} is powered off, run ${whenOff}`,
      };
  }
}
