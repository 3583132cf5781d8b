// The whole of a status in one word. Pure.

import type { GroupView, Status } from './api.ts';
import { protectionGaps } from './protection.ts';
import type { Colour } from './words.ts';

/**
 * DOWN: a group runs nowhere, and nobody is about to start it. DEGRADED: it all runs, but not as it should.
 * UNPROTECTED: it runs as it should, and a failure would not be made good, be it by somebody's wish.
 */
export type Overall = 'OK' | 'UNPROTECTED' | 'DEGRADED' | 'DOWN';

const moving = new Set(['observing', 'claiming', 'starting', 'stopping']);

export function overallOf(status: Status): Overall {
  const isMoving = ({ phase, peer }: GroupView) =>
    moving.has(phase) || (peer !== null && moving.has(peer.phase));
  const unserved = status.groups.filter(({ runsOn, phase }) => runsOn === null && phase !== 'active');
  if (unserved.some((group) => !isMoving(group))) return 'DOWN';
  const urgent = status.attention.some(({ severity }) => severity !== 'info');
  const lost = status.groups.some(({ resources }) =>
    resources.some(({ quarantined }) => quarantined !== null),
  );
  const settled = !urgent && !lost && status.verdict.kind === 'alive';
  if (!settled || !status.groups.every((group) => isRunning(group, status))) return 'DEGRADED';
  return protectionGaps(status).length === 0 ? 'OK' : 'UNPROTECTED';
}

function isRunning({ phase, runsOn, peer }: GroupView, { self }: Status): boolean {
  return runsOn === null || runsOn === self.name ? phase === 'active' : peer?.phase === 'active';
}

export const overallColours: Readonly<Record<Overall, Colour>> = {
  OK: 'green',
  UNPROTECTED: 'yellow',
  DEGRADED: 'yellow',
  DOWN: 'alarm',
};
