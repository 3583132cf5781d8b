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
    case 'no-lan':
      return { why: 'this node has no working LAN', next: 'mend its LAN cable or gateway' };
    case 'peer-in-maintenance':
      return {
        why: `${peer} is in maintenance and asked to be left alone`,
        next: `wait until it ends; or, if ${peer} is powered off, run ${whenOff}`,
      };
  }
}
