// What stands in the way of a drill: a pair that is not well, or a group that is not settled. A drill moves the work of
// an office for no need, so it is made only where nothing is wrong. Pure readings of a status.

import type { GroupView, NodeView, ResourceView, Status } from './api.ts';
import { storageText } from './storage.ts';

/** What is in the way, where, and what a person does next. */
export interface DrillObstacle {
  readonly message: string;
  readonly next: string;
  /** A person has asked for it: nobody need be told loudly. */
  readonly isDeliberate: boolean;
}

const obstacle = (message: string, next: string, isDeliberate = false): DrillObstacle => ({
  message,
  next,
  isDeliberate,
});

/** Of both nodes together; null: none. */
export function pairObstacle(status: Status): DrillObstacle | null {
  const { self, peer, verdict, attention } = status;
  if (self.leaving) return obstacle(`the daemon on ${self.name} is stopping`, 'start it again first', true);
  const node =
    nodeObstacle(self, '') ?? (verdict.kind === 'alive' ? nodeObstacle(peer, `on ${peer.name}: `) : null);
  if (node !== null) return node;
  if (verdict.kind !== 'alive') {
    const next = attention[0]?.next ?? `\`battito status\` says more; then run the drill again`;
    return obstacle(`${peer.name} is ${verdict.kind}: a drill needs both nodes`, next);
  }
  const alarm = attention.find(({ severity }) => severity === 'alarm');
  return alarm === undefined ? null : obstacle(alarm.message, alarm.next);
}

function nodeObstacle(node: NodeView, where: string): DrillObstacle | null {
  if (node.maintenanceMs > 0)
    return obstacle(`${node.name} is in maintenance`, `${where}battito maintenance off`, true);
  if (node.standby) return obstacle(`${node.name} is in standby`, `${where}battito standby off`, true);
  return null;
}

/** Why a group cannot go there and back; null: it can. */
export function handoverObstacle(status: Status, group: GroupView): DrillObstacle | null {
  const { self, peer } = status;
  const there = group.peer;
  const isHere = group.phase === 'active' && there?.phase === 'stopped';
  const isThere = group.phase === 'stopped' && there?.phase === 'active';
  if (!isHere && !isThere) return unsettled(status, group);
  const given = group.resources.find(({ quarantined }) => quarantined !== null);
  if (given !== undefined)
    return obstacle(
      `${given.id} of ${group.name} is given up on ${self.name}: ${given.quarantined}`,
      `mend the cause, then run \`battito retry ${group.name}\``,
    );
  if ((there?.quarantined ?? 0) > 0)
    return obstacle(
      `a part of ${group.name} is given up on ${peer.name}`,
      `\`battito status\` on ${peer.name} says which; mend it, then there: battito retry ${group.name}`,
    );
  for (const [willing, name] of [
    [group.willing, self.name],
    [there?.willing, peer.name],
  ] as const) {
    if (willing === false)
      return obstacle(`${name} could not run ${group.name} now`, `\`battito status\` on ${name} says why`);
  }
  return mirrorObstacle(group);
}

/** The words for a group that is on its way, or in doubt. */
export function unsettled({ self, peer }: Status, group: GroupView): DrillObstacle {
  const there = group.peer?.phase ?? 'unknown';
  return obstacle(
    `${group.name} is not settled: it is ${group.phase} on ${self.name} and ${there} on ${peer.name}`,
    '`battito status` says what it waits for; run the drill again when that is over',
  );
}

/** Null: both copies of each disk are the same. */
export function mirrorObstacle({ name, resources }: GroupView): DrillObstacle | null {
  const disk = resources.find((resource) => resource.kind === 'drbd' && !isInStep(resource));
  if (disk === undefined) return null;
  const { trouble } = disk;
  if (trouble !== null) return obstacle(`the mirror of ${name} is not well: ${trouble.what}`, trouble.next);
  const state = storageText(disk.id, disk.storage, disk.resync);
  return obstacle(
    `the mirror of ${name} is not in step: ${state}`,
    disk.resync === null
      ? '`battito status` says what mends it; run the drill again when both copies are up to date'
      : 'run the drill again when the resync has ended; `battito status` shows how far it is',
  );
}

function isInStep({ storage, trouble }: ResourceView): boolean {
  if (trouble !== null || storage === null || storage.connection !== 'connected' || storage.resync !== null)
    return false;
  return storage.disk === 'up-to-date' && storage.peerDisk === 'up-to-date';
}

/** Why the peer may not be switched off in a drill: all has to run here, and the peer has to hold nothing at all. */
export function takeoverObstacle(status: Status): DrillObstacle | null {
  const { peer } = status;
  const pair = pairObstacle(status);
  if (pair !== null) return pair;
  for (const group of status.groups) {
    const there = group.peer;
    if (group.runsOn === peer.name || there?.phase === 'active')
      return obstacle(
        `${peer.name} runs ${group.name}: only a node that holds nothing is switched off in a drill`,
        `bring it here first: battito takeover ${group.name}; or run the drill on ${peer.name}`,
      );
    if (group.phase !== 'active' || there?.phase !== 'stopped' || there.up > 0)
      return unsettled(status, group);
    if (group.failback === 'automatic' && group.preferred === peer.name)
      return obstacle(
        `${group.name} is about to go back to ${peer.name}: its failback is automatic`,
        `run the drill on ${peer.name} when it has, or set \`failback: manual\``,
      );
    const rest = handoverObstacle(status, group);
    if (rest !== null) return rest;
  }
  return null;
}
