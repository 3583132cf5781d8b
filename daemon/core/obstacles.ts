// Why a group is not started although its peer is silent, in words, and what a person can do. Shown in status and
// in every refusal, so that both say the same.

import type { GroupName, NodeName } from './policy.ts';
import type { Obstacle } from './state.ts';

export interface ObstacleText {
  readonly why: string;
  readonly next: string;
}

export function explainObstacle(obstacle: Obstacle, peer: NodeName, group: GroupName): ObstacleText {
  const whenOff = `\`battito takeover --peer-is-off ${peer}\``;
  switch (obstacle) {
    case 'peer-unresponsive':
      return { why: `${peer} may still run it`, next: `power ${peer} off, then run ${whenOff}` };
    case 'isolated':
      return {
        why: `this node is or was cut off, so ${peer} may run it`,
        next: `mend the network; or, if ${peer} is powered off, run ${whenOff}`,
      };
    case 'unproven-data':
      return {
        why: `${peer} may have written to it last`,
        next: `start ${peer}; or, if its newer data may be lost, run \`battito takeover --accept-data ${group}\``,
      };
    case 'outdated-data':
      return {
        why: `the copy of its disks here is not up to date: ${peer} has newer data, or may have`,
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
