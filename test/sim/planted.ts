// The list of planted defects: each one line of the core that is wrong, and where it is likely to show first. Here those in
// proof, freezing and verdicts; the others are in the files beside it.

import type { Defect } from './defects.ts';
import { data } from './planted-data.ts';
import { agreement, connections, doing, packets } from './planted-doing.ts';
import { guests } from './planted-guests.ts';
import { migration } from './planted-live.ts';
import type { Variant } from './schedule.ts';

const evidence: readonly Variant[] = ['evidence'];
const device: readonly Variant[] = ['fenced-device'];
const lease: readonly Variant[] = ['fenced-lease'];
const anywhere: readonly Variant[] = [];

const proof: readonly Defect[] = [
  {
    name: 'takeover-without-proof',
    what: 'the fenced tier takes over from a dead peer without waiting for proof',
    file: 'facts.ts',
    find: "peerInMaintenance(state) || tierOf(state.policy) === 'fenced')",
    replace: 'peerInMaintenance(state))',
    variants: device,
  },
  {
    name: 'fence-failure-is-success',
    what: 'a device that failed is taken to have powered the peer off',
    file: 'fencing.ts',
    find: "const tookMs = state.now - (state.fence.askedAt ?? state.now);\n  if (outcome.kind === 'done') {",
    replace: 'const tookMs = state.now - (state.fence.askedAt ?? state.now);\n  {',
    variants: device,
  },
  {
    name: 'fence-unknown-is-success',
    what: 'a device that did not answer in time is taken to have powered the peer off',
    file: 'fencing.ts',
    find: "const tookMs = state.now - (state.fence.askedAt ?? state.now);\n  if (outcome.kind === 'done') {",
    replace:
      "const tookMs = state.now - (state.fence.askedAt ?? state.now);\n  if (outcome.kind !== 'failed') {",
    variants: device,
  },
  {
    name: 'confirmation-outlives-return',
    what: "the operator's word that the peer is off holds also when it is heard again",
    file: 'membership.ts',
    find: 'confirmedOff: false,',
    replace: 'confirmedOff: peer.confirmedOff,',
    variants: anywhere,
  },
  {
    name: 'cut-off-after-a-goodbye',
    what: 'a node that runs by the goodbye of its peer, without the lease, goes on when it is cut off from all',
    file: 'facts.ts',
    find: 'if (isAway && !mayMissReturn(state)) return true;',
    replace: 'if (isAway) return true;',
    variants: lease,
  },
  {
    name: 'lease-never-ends',
    what: 'a lease once held is taken to be held for ever',
    file: 'safeguards.ts',
    find: 'return state.lease.validUntil !== null && state.now < state.lease.validUntil;',
    replace: 'return state.lease.validUntil !== null;',
    variants: lease,
  },
  {
    name: 'lease-counted-from-answer',
    what: 'the lease is counted from when the answer came, and to its very end',
    file: 'safeguards.ts',
    find: 'validUntil: lease.askedAt + ttlMs * leaseShare,',
    replace: 'validUntil: now + ttlMs * 1.6,',
    variants: ['witnessed'],
  },
  {
    name: 'watchdog-not-waited-for',
    what: "a taker with the lease does not wait for the peer's watchdog",
    file: 'safeguards.ts',
    find: 'return Math.max(contactEnds, heldSince) + watchdogMs * watchdogShare + pausingMs(state.policy);',
    replace: 'return Math.max(contactEnds, heldSince);',
    variants: lease,
  },
  {
    name: 'watchdog-always-fed',
    what: 'the watchdog is fed although the node may not run what it cannot stop',
    file: 'fencing.ts',
    find: 'return hasRight(state) || state.groups.every(isHarmless);',
    replace: 'return true;',
    variants: lease,
  },
];

const freezing: readonly Defect[] = [
  {
    name: 'freezes-too-late',
    what: 'an owner that is cut off freezes only after its peer may have taken over',
    file: 'membership.ts',
    find: 'const afterMs = state.peer.contactAt === null ? warntimeMs : freezeAfterMs;',
    replace: 'const afterMs = freezeAfterMs * 2;',
    variants: evidence,
  },
  {
    name: 'never-freezes',
    what: 'an owner that is cut off goes on',
    file: 'facts.ts',
    find: 'return isUnheard(state) && isCutOff(state);',
    replace: 'return false;',
    variants: evidence,
  },
  {
    name: 'never-freezes-without-lease',
    what: 'an owner without contact and lease goes on',
    file: 'facts.ts',
    find: 'return !hasRight(state) && contactAgeMs(state) >= state.policy.timings.warntimeMs;',
    replace: 'return false;',
    variants: ['witnessed'],
  },
  {
    name: 'address-kept-on-freeze',
    what: 'a frozen node keeps its addresses',
    file: 'operations.ts',
    find: "return policy.kind === 'address' ? 'destroy' : 'freeze';",
    replace: "return policy.kind === 'address' ? null : 'freeze';",
    variants: lease,
  },
  {
    name: 'freeze-ends-by-itself',
    what: 'a frozen node goes on as soon as it sees the outside again, whatever the peer did meanwhile',
    file: 'transitions.ts',
    find: 'when: (f) => f.granted && !f.outranked && !f.superseded && !f.inMaintenance,',
    replace:
      "when: (f) => !f.outranked && !f.superseded && !f.inMaintenance && (f.granted || (!f.mustFreeze && f.verdict !== 'fenced' && !f.grantOutstanding && !f.mustLeaveAlone)),",
    variants: evidence,
  },
  {
    name: 'restart-on-heal',
    what: 'what was frozen is thrown away and started afresh after a heal, although the peer did not take over',
    file: 'transitions.ts',
    find: "to: 'starting',\n    when: (f) => f.granted && !f.outranked && !f.superseded && !f.inMaintenance,",
    replace:
      "to: 'stopping',\n    stop: 'discard',\n    when: (f) => f.granted && !f.outranked && !f.superseded && !f.inMaintenance,",
    variants: evidence,
  },
  {
    name: 'restarts-what-it-finds',
    what: 'a daemon that starts shuts down what it finds running, and starts it again',
    file: 'transitions.ts',
    find: "to: 'active',\n    when: (f) => f.allLookedAt && f.isRunning",
    replace: "to: 'stopping',\n    stop: 'leave',\n    when: (f) => f.allLookedAt && f.isRunning",
    variants: evidence,
  },
  {
    name: 'ends-what-it-cannot-record',
    what: 'a guest that was found running is ended, since that it is owned cannot be written down',
    file: 'safeguards.ts',
    find: ' && !runsGuest(group);',
    replace: ';',
    variants: ['fenced-both'],
  },
  {
    name: 'off-for-ever',
    what: 'a peer that was off once is taken to hold nothing, whatever it says since',
    file: 'membership.ts',
    find: '      wasOff: false,\n      contactAt,',
    replace: '      contactAt,',
    variants: ['fenced-device', 'fenced-lease', 'fenced-both'],
  },
  {
    name: 'off-is-forgotten',
    what: 'a peer that was off is taken to hold what it said before, once its host answers again',
    file: 'verdict.ts',
    find: "const wasOff = verdict.kind === 'fenced' || (state.peer.wasOff && !neverWasOff(state));",
    replace: 'const wasOff = neverWasOff(state) && false;',
    variants: ['fenced-device', 'fenced-lease', 'fenced-both'],
  },
  {
    name: 'mounted-is-harmless',
    what: 'the watchdog is fed while a file system writes on, since what it stands on could not be held back',
    file: 'fencing.ts',
    find: "return isSuspended || status?.kind === 'paused' || status?.kind === 'down' || !isMounted(group, id);",
    replace: 'return isSuspended || !isSuspended || isMounted(group, id);',
    variants: ['fenced-lease'],
  },
  {
    name: 'untold-is-not-adopted',
    what: 'a running group is not adopted, and so never frozen, while it cannot be told of one of its guests whether it runs',
    file: 'facts.ts',
    find: 'allLookedAt: statuses.every((kind) => kind !== undefined),',
    replace: "allLookedAt: statuses.every((kind) => kind !== undefined && kind !== 'unknown'),",
    variants: evidence,
  },
  {
    name: 'untold-is-running',
    what: 'a group of which nothing can be told is taken to run here, so a host that has just booted starts the rest of it',
    file: 'facts.ts',
    find: 'return counted.some(({ status }) => isInUse(status?.kind));',
    replace: "return counted.some(({ status }) => isInUse(status?.kind) || status?.kind === 'unknown');",
    variants: ['fenced-device', 'fenced-lease'],
  },
  {
    name: 'sole-for-ever',
    what: 'an owner that was once alone never freezes again',
    file: 'ledger.ts',
    find: "if (state.verdict.kind === 'alive') return false;",
    replace: 'if (known.sole) return true;',
    variants: evidence,
  },
];

const verdicts: readonly Defect[] = [
  {
    name: 'outside-always-reachable',
    what: 'a node that is cut off itself does not know it',
    file: 'verdict.ts',
    find: 'if (leaseHasSettled(state)) return true;',
    replace: 'return true;',
    variants: evidence,
  },
  {
    name: 'own-stalls-are-silence',
    what: 'the time in which this daemon did not run counts as silence of its peer',
    file: 'membership.ts',
    find: 'return rawSilenceMs(state) - state.peer.forgivenMs;',
    replace: 'return rawSilenceMs(state);',
    variants: device,
  },
  {
    name: 'stalls-forgiven-for-ever',
    what: 'what a daemon once did not run is forgiven every later silence of the peer',
    file: 'membership.ts',
    find: 'forgivenMs: 0,',
    replace: '',
    variants: evidence,
  },
  {
    name: 'departure-never-said',
    what: 'a daemon leaves without a word of it',
    file: 'report.ts',
    find: 'leaving: saysGoodbye(state),',
    replace: 'leaving: false,',
    variants: evidence,
  },
  {
    name: 'signs-of-life-ignored',
    what: 'a host that answers is called dead when its daemon is silent',
    file: 'verdict.ts',
    find: "if (signs.length > 0) return { kind: 'unresponsive', signs };",
    replace: '',
    variants: evidence,
  },
  {
    name: 'maintenance-ignored',
    what: 'a peer that asked to be left alone is taken over from',
    file: 'facts.ts',
    find: 'return state.peerMaintenanceUntil !== null && state.now < state.peerMaintenanceUntil;',
    replace: 'return false;',
    variants: evidence,
  },
  {
    name: 'goodbye-ignored',
    what: 'a peer that said goodbye is waited for as if it had died',
    file: 'verdict.ts',
    find: "if (hasDeparted(peer) && !isBack) return { kind: 'departed' };",
    replace: '',
    variants: evidence,
  },
  {
    name: 'goodbye-taken-too-early',
    what: 'a peer that wants to leave counts as gone although it still runs things',
    file: 'verdict.ts',
    find: 'if (content === null || !content.leaving || !holdsNothing(content)) return false;',
    replace: 'if (content === null || !content.leaving) return false;',
    variants: evidence,
  },
  {
    name: 'leaves-before-release',
    what: 'a daemon leaves while its groups are still being let go',
    file: 'step.ts',
    find: 'if (unsettled || !holdsNothing(content) || state.persistedRevision < state.ledgerRevision) return state;',
    replace: 'if (state.persistedRevision < state.ledgerRevision) return state;',
    variants: evidence,
  },
];

export const plantedDefects: readonly Defect[] = [
  ...proof,
  ...freezing,
  ...verdicts,
  ...packets,
  ...agreement,
  ...doing,
  ...connections,
  ...data,
  ...guests,
  ...migration,
];
