// Planted defects in how guests go to the other node while they run.

import type { Defect } from './defects.ts';
import type { Variant } from './schedule.ts';

const anywhere: readonly Variant[] = [];
const fenced: readonly Variant[] = ['fenced-device'];

export const migration: readonly Defect[] = [
  {
    name: 'promotes-uninvited',
    what: 'a device is promoted beside that of the peer, and stays so, also where the peer has not invited to it',
    file: 'migration.ts',
    find: 'isBeside(facts) && facts.report?.inviting === true && isHeard(state);',
    replace: 'isBeside(facts) && isHeard(state);',
    variants: anywhere,
  },
  {
    name: 'incoming-taken-for-paused',
    what: 'a guest that has come in and was not let go of goes on',
    file: 'migration.ts',
    find: "wanted === 'as-it-is' || isInvited(state, facts) ? null : 'reject';",
    replace: "wanted === 'as-it-is' || isInvited(state, facts) ? null : 'resume';",
    variants: anywhere,
  },
  {
    name: 'incoming-kept',
    what: 'what has come in and was not let go of is kept for ever',
    file: 'migration.ts',
    find: "wanted === 'as-it-is' || isInvited(state, facts) ? null : 'reject';",
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
    name: 'stands-beside-for-ever',
    what: 'a device that was promoted for a guest which does not come is not demoted',
    file: 'migration.ts',
    find: "standsIdle(group, resource))\n    return 'stop';",
    replace: 'standsIdle(group, resource))\n    return undefined;',
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
    name: 'writer-before-it-writes',
    what: 'a device that stands beside that of the peer counts as the newest copy',
    file: 'ledger.ts',
    find: 'const writer = hasPromoted(group) && !isBeside(facts) ? self : known.writer;',
    replace: 'const writer = hasPromoted(group) ? self : known.writer;',
    variants: fenced,
  },
  {
    name: 'idle-copy-is-ahead',
    what: 'a copy that nobody writes to any more counts as written to without its mirror',
    file: 'migration.ts',
    find: 'return user !== undefined && isDown(user);',
    replace: 'return user === undefined;',
    variants: fenced,
  },
  {
    name: 'migrates-for-ever',
    what: 'a guest whose migration has failed is neither saved nor shut down',
    file: 'migration.ts',
    find: 'guest.operation !== null || guest.migrationFailed || guest.failures > 0)',
    replace: 'guest.operation !== null || guest.failures > 0)',
    variants: anywhere,
  },
];
