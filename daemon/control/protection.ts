// Why nothing would be taken over if a node failed now, whatever the reason: each with what mends it. Pure.

import { drbdNameOf } from '../core/resource.ts';
import type { GroupView, ResourceView, Status } from './api.ts';
import { disksInTheWay } from './storage.ts';
import { verdictWords } from './words.ts';

export interface ProtectionGap {
  readonly message: string;
  readonly next: string;
}

/** Empty: a failure of either node would be made good. */
export function protectionGaps(status: Status): readonly ProtectionGap[] {
  const { self, peer, verdict, tierLacks } = status;
  if (verdict.kind !== 'alive' && verdict.kind !== 'late') {
    const message = `${peer.name} is ${verdictWords(status).text}, so nobody takes over if ${self.name} fails`;
    return [{ message, next: `find out what happened to ${peer.name}; there: battito status` }];
  }
  const gaps: ProtectionGap[] = [self, peer].flatMap((node) => ofNode(node, node === self));
  const isDeliberate = gaps.length > 0;
  if (tierLacks !== null)
    gaps.push({ message: `a dead node could not be proved off: ${tierLacks}`, next: 'battito check' });
  return [...gaps, ...status.groups.flatMap((group) => ofGroup(group, status, isDeliberate))];
}

function ofNode(
  { name, standby, maintenanceMs, leaving }: Status['self'],
  isSelf: boolean,
): readonly ProtectionGap[] {
  const on = isSelf ? '' : `on ${name}: `;
  if (maintenanceMs > 0)
    return [
      { message: `${name} is in maintenance and looks after nothing`, next: `${on}battito maintenance off` },
    ];
  if (standby)
    return [{ message: `${name} is in standby and takes nothing over`, next: `${on}battito standby off` }];
  if (!leaving) return [];
  return [{ message: `the daemon of ${name} is stopping`, next: `${on}systemctl start battito` }];
}

/** `isDeliberate`: that a node takes nothing over is said already. */
function ofGroup(group: GroupView, status: Status, isDeliberate: boolean): readonly ProtectionGap[] {
  const { self, peer } = status;
  if (group.runsOn === null) return [];
  const spare = group.runsOn === self.name ? peer.name : self.name;
  const mirrors = group.resources.filter(isApart);
  if (mirrors.length > 0) {
    const names = mirrors.map(({ id }) => drbdNameOf(id)).join(', ');
    const state = disksInTheWay([{ ...group, resources: mirrors }]);
    const message = `${group.name} has no second copy that is up to date of ${names} (${state})`;
    return [{ message, next: `drbdadm status ${names}` }];
  }
  const isWilling = spare === self.name ? group.willing : (group.peer?.willing ?? true);
  if (isWilling || isDeliberate) return [];
  const message = `${spare} would not take ${group.name} over now`;
  return [{ message, next: `on ${spare}: battito check` }];
}

function isApart({ kind, storage }: ResourceView): boolean {
  if (kind !== 'drbd' || storage === null) return false;
  return (
    storage.connection !== 'connected' || storage.disk !== 'up-to-date' || storage.peerDisk !== 'up-to-date'
  );
}
