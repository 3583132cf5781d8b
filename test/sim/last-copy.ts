// Rule S13: the only copy of a disk that is left is not marked as the older one.

import type { ResourceState } from '../../daemon/core/resource.ts';
import type { GroupState } from '../../daemon/core/state.ts';
import type { Checker, Context } from './checkers.ts';

/** A mirror that it has, and whose IO stands still until something is known of the other copy. */
const stillWaits = ({ storage, outdatings }: ResourceState) =>
  storage !== null &&
  storage.disk !== 'diskless' &&
  (outdatings.length > 0 || storage.suspended === 'fencing');

/** Its disks are gone wherever it has lost the mirror: the copies of the peer are all that is left of them. */
function hasLostAll({ resources }: GroupState): boolean {
  const apart = resources.filter(({ storage }) => storage !== null && storage.connection !== 'connected');
  return (
    apart.length > 0 &&
    apart.every(({ storage }) => storage?.disk === 'diskless') &&
    !resources.some(stillWaits)
  );
}

/**
 * S13. A node whose own disks have failed does not ask its peer to mark its copies as the older ones: DRBD goes on with no
 * copy that is older than what its users have seen, so nothing could be read any more.
 */
export function lastCopyKept({ report }: Context): Checker {
  return {
    rule: 'S13',
    stepped({ at, side, before, after }) {
      const content = after.sentContent;
      if (content === null || content === before.sentContent) return;
      for (const { name, wantsOutdated } of content.groups) {
        const group = wantsOutdated ? after.groups.find(({ policy }) => policy.name === name) : undefined;
        if (group !== undefined && hasLostAll(group))
          report(
            'S13',
            at,
            side,
            `${name}: the peer is asked to mark the only copies left as the older ones`,
          );
      }
    },
  };
}
