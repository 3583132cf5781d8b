// Planted defects in how guests start beside each other, go to the other node with their memory, and come back from a crash.

import type { Defect } from './defects.ts';
import type { Variant } from './schedule.ts';

const evidence: readonly Variant[] = ['evidence'];
const anywhere: readonly Variant[] = [];

export const guests: readonly Defect[] = [
  {
    name: 'guest-order-ignored',
    what: 'a guest waits for none of those that come before it',
    file: 'guests.ts',
    find: "return other.kind === 'guest' && (after.includes(other.id) || (other.guest?.priority ?? 0) > priority);",
    replace: "return other.kind !== 'guest' && after.includes(other.id) && priority > 0;",
    variants: anywhere,
  },
  {
    name: 'readiness-not-awaited',
    what: 'a guest that runs counts as ready, whatever was asked of it',
    file: 'guests.ts',
    find: 'const isReadyAt = readyMs === null ? statusSince : readyAt;',
    replace: 'const isReadyAt = readyMs === null ? statusSince : (readyAt ?? statusSince);',
    variants: anywhere,
  },
  {
    name: 'awaited-for-ever',
    what: 'a guest that never becomes ready is waited for without end',
    file: 'guests.ts',
    find: 'return isReadyAt === null ? statusSince + (readyMs ?? 0) :',
    replace: 'return isReadyAt === null ? Infinity :',
    variants: anywhere,
  },
  {
    name: 'memory-ignored',
    what: 'guests are started also where there is no memory for them',
    file: 'guests.ts',
    find: 'if (guest.memoryMiB <= freeMiB) freeMiB',
    replace: 'if (guest.memoryMiB >= 0) freeMiB',
    variants: anywhere,
  },
  {
    name: 'memory-of-starting-ignored',
    what: 'what is being started does not count as having memory yet',
    file: 'guests.ts',
    find: 'if (!isDown(resource)) {',
    replace: "if (resource.status?.kind === 'up') {",
    variants: anywhere,
  },
  {
    name: 'started-again-without-memory',
    what: 'what may have been started is started again though somebody else has taken its memory',
    file: 'guests.ts',
    find: '...(freeMiB < 0 ? startedAgain : [])',
    replace: '...(freeMiB < -Infinity ? startedAgain : [])',
    variants: anywhere,
  },
  {
    name: 'left-out-for-ever',
    what: 'a guest that was left out is not thought of again once there is memory',
    file: 'operations.ts',
    find: "if (action === 'start' && policy.guest !== undefined) {",
    replace: "if (action === 'start' && policy.guest !== undefined) {\n      if (resource.leftOut) continue;",
    variants: anywhere,
  },
  {
    name: 'saved-for-ever',
    what: 'a guest that cannot be saved is neither shut down nor switched off',
    file: 'operations.ts',
    find: "if (resource.failures > 1 || status === 'paused' || status === 'failed') return 'destroy';\n      return resource.failures === 0 && isSaved(policy, group)",
    replace:
      "if (isSaved(policy, group)) return 'save';\n      if (resource.failures > 1 || status === 'paused' || status === 'failed') return 'destroy';\n      return isSaved(policy, group)",
    variants: evidence,
  },
  {
    name: 'crashed-left-alone',
    what: 'a guest that has crashed is taken to be up',
    file: 'operations.ts',
    find: "      if (status === 'failed') return 'destroy';\n      return startsFrom",
    replace: '      return startsFrom',
    variants: evidence,
  },
];
