// Planted defects in how guests go to the other node while they run.

import type { Defect } from './defects.ts';
import type { Variant } from './schedule.ts';

const anywhere: readonly Variant[] = [];
const fenced: readonly Variant[] = ['fenced-device'];

export const migration: readonly Defect[] = [
  {
    name: 'incoming-taken-for-paused',
    what: 'a guest that has come in and was not let go of goes on',
    file: 'migration.ts',
    find: "wanted === 'as-it-is' || isInvited(state, facts, own) ? null : 'reject';",
    replace: "wanted === 'as-it-is' || isInvited(state, facts, own) ? null : 'resume';",
    variants: anywhere,
  },
  {
    name: 'incoming-kept',
    what: 'what has come in and was not let go of is kept for ever',
    file: 'migration.ts',
    find: "wanted === 'as-it-is' || isInvited(state, facts, own) ? null : 'reject';",
    replace: 'null;',
    variants: anywhere,
  },
  {
    name: 'two-primaries-left-open',
    what: 'a device may be primary on both nodes for ever',
    file: 'migration.ts',
    find: "return paired && isSeen && !areBoth && isNext ? 'forbid-two' : undefined;",
    replace: 'return paired && isSeen && areBoth && isNext && storage === null ? null : undefined;',
    variants: anywhere,
  },
  {
    name: 'giver-stays-the-writer',
    what: 'a node whose guests have gone on at the peer takes its own copies for the newest',
    file: 'ledger.ts',
    find: 'const writer = isPeerWriting(state, group) ? peer : known.writer;',
    replace: 'const writer = known.writer;',
    variants: fenced,
  },
  {
    name: 'wish-forgotten',
    what: 'guests go as they are configured, whatever the operator wants this once',
    file: 'claims.ts',
    find: 'const handoverBy = isStillToGo(state, group, pushSince) ? group.handoverBy : null;',
    replace: 'const handoverBy = null;',
    variants: anywhere,
  },
  {
    name: 'migrates-for-ever',
    what: 'a guest whose migration has failed is neither saved nor shut down',
    file: 'migration.ts',
    find: 'guest.operation !== null || guest.migrationFailed || guest.failures > 0)',
    replace: 'guest.operation !== null || guest.failures > 0)',
    variants: anywhere,
  },
  {
    name: 'waits-unconnected',
    what: 'a device that cannot be promoted yet is not connected again, so it never can be',
    file: 'operations.ts',
    find: "(moving === 'start' && policy.kind === 'drbd' && !mayBringUp(next, current, policy, facts));",
    replace: 'false;',
    variants: ['fenced-both'],
  },
];
