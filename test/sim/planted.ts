// The list of planted defects: each one line of the core that is wrong, and where it is likely to show first.

import type { Defect } from './defects.ts';
import type { Variant } from './schedule.ts';

const evidence: readonly Variant[] = ['evidence'];
const many: readonly Variant[] = ['evidence-many'];
const device: readonly Variant[] = ['fenced-device'];
const lease: readonly Variant[] = ['fenced-lease'];
const anywhere: readonly Variant[] = [];

const proof: readonly Defect[] = [
  {
    name: 'takeover-without-proof',
    what: 'the fenced tier takes over from a dead peer without waiting for proof',
    file: 'facts.ts',
    find: "if (kind !== 'dead' || peerInMaintenance(state) || tierOf(state.policy) === 'fenced') return false;",
    replace: "if (kind !== 'dead' || peerInMaintenance(state)) return false;",
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
    name: 'lease-not-needed',
    what: 'the time of the watchdog is waited, but nobody asks whether the lease is ours',
    file: 'safeguards.ts',
    find: '|| heldSince === null || !leaseIsValid(state)) return null;',
    replace: ') return null;',
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
    find: 'return Math.max(contactEnds, heldSince) + watchdog.timeoutMs * watchdogShare + pausingMs(state.policy);',
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
    find: 'return !hasRight(state) && contactAgeMs(state) >= freezeAfter(state);',
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
    file: 'membership.ts',
    find: 'if (leaseHasSettled(state)) return true;',
    replace: 'return true;',
    variants: evidence,
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
    find: 'leaving: state.leavingSince !== null && state.maintenanceUntil === null,',
    replace: 'leaving: false,',
    variants: evidence,
  },
  {
    name: 'signs-of-life-ignored',
    what: 'a host that answers is called dead when its daemon is silent',
    file: 'membership.ts',
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
    file: 'membership.ts',
    find: "if (peer.content?.leaving && holdsNothing(peer.content)) return { kind: 'departed' };",
    replace: '',
    variants: evidence,
  },
  {
    name: 'goodbye-taken-too-early',
    what: 'a peer that wants to leave counts as gone although it still runs things',
    file: 'membership.ts',
    find: "if (peer.content?.leaving && holdsNothing(peer.content)) return { kind: 'departed' };",
    replace: "if (peer.content?.leaving) return { kind: 'departed' };",
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

const packets: readonly Defect[] = [
  {
    name: 'replays-accepted',
    what: 'a packet that is not newer than the last one of its link is taken in',
    file: 'membership.ts',
    find: "return link !== undefined && packet.sequence > link.lastSequence ? 'admitted' : 'replayed';",
    replace: "return 'admitted';",
    variants: anywhere,
  },
  {
    name: 'old-incarnation-accepted',
    what: 'a packet of an earlier run of the peer is taken in',
    file: 'membership.ts',
    find: "if (packet.incarnation < known) return 'stale-incarnation';",
    replace: '',
    variants: anywhere,
  },
  {
    name: 'replays-after-restart',
    what: 'the newest packet in the ledger is not looked at after a restart',
    file: 'state.ts',
    find: 'peer: { ...silentPeer, incarnation: ledger.peer?.incarnation ?? null },',
    replace: 'peer: { ...silentPeer, incarnation: null },',
    variants: anywhere,
  },
  {
    name: 'unproven-peer-believed',
    what: 'whoever sends is taken for alive, also if it does not read us',
    file: 'membership.ts',
    find: 'const proven = peer.proven || packet.echo?.incarnation === state.incarnation;',
    replace: 'const proven = true;',
    variants: anywhere,
  },
];

const agreement: readonly Defect[] = [
  {
    name: 'starts-without-grant',
    what: 'a claim that the peer has not granted counts as granted',
    file: 'facts.ts',
    find: 'report?.grant?.incarnation === state.incarnation &&\n      report.grant.claim === claim.id &&\n      echoIsFresh(state),',
    replace: 'report !== null && report.grant === null,',
    variants: anywhere,
  },
  {
    name: 'claims-what-it-granted',
    what: 'a node that has granted a group claims it as well',
    file: 'transitions.ts',
    find: '  f.allDown &&\n  !f.grantOutstanding &&\n  (f.offeredToUs',
    replace: '  f.allDown &&\n  (f.offeredToUs',
    variants: anywhere,
  },
  {
    name: 'starts-before-release',
    what: 'guests are started while the peer still has its own',
    file: 'facts.ts',
    find: 'peerMayHoldRest: !peerGone && (report === null || report.holdsRest),',
    replace: 'peerMayHoldRest: !peerGone && report === null,',
    variants: evidence,
  },
  {
    name: 'generation-not-raised',
    what: 'a takeover keeps the generation that the peer had',
    file: 'machine.ts',
    find: '.generation, reported) + 1;',
    replace: '.generation, reported);',
    variants: anywhere,
  },
  {
    name: 'tie-kept-by-both',
    what: 'of two nodes with the same generation neither gives way',
    file: 'facts.ts',
    find: 'return report.generation > own || (report.generation === own && !isFirst);',
    replace: 'return report.generation > own;',
    variants: many,
  },
  {
    name: 'both-give-way',
    what: 'of two nodes that run the same group both give way',
    file: 'facts.ts',
    find: 'return report.generation > own || (report.generation === own && !isFirst);',
    replace: 'return report.generation !== own;',
    variants: many,
  },
  {
    name: 'yield-ignored',
    what: 'two nodes that run the same group keep doing so after a heal',
    file: 'transitions.ts',
    find: "id: 'yield',\n    from: 'active',\n    to: 'stopping',\n    when: (f) => f.outranked",
    replace:
      "id: 'yield',\n    from: 'active',\n    to: 'stopping',\n    when: (f) => f.outranked && f.unowned",
    variants: many,
  },
];

const doing: readonly Defect[] = [
  {
    name: 'acts-before-persisted',
    what: 'operations begin before the generation is on disk',
    file: 'operations.ts',
    find: 'if (group.needsRevision > state.persistedRevision || facts.unowned) return false;',
    replace: 'if (facts.unowned) return false;',
    variants: anywhere,
  },
  {
    name: 'unknown-is-down',
    what: 'what cannot be told counts as down',
    file: 'resource.ts',
    find: "return status?.kind === 'down' && operation === null && !inDoubt;",
    replace: "return (status?.kind === 'down' || status?.kind === 'unknown') && operation === null;",
    variants: anywhere,
  },
  {
    name: 'unknown-counts-as-observed',
    what: 'a daemon that starts takes what it cannot see for seen',
    file: 'facts.ts',
    find: "allObserved: statuses.every((kind) => kind !== undefined && kind !== 'unknown'),",
    replace: 'allObserved: true,',
    variants: anywhere,
  },
  {
    name: 'timeout-is-done',
    what: 'an operation that did not end in time counts as done',
    file: 'operations.ts',
    find: "if (outcome.kind === 'done') {\n    const status",
    replace: "if (outcome.kind !== 'failed') {\n    const status",
    variants: anywhere,
  },
  {
    name: 'cancelled-is-down',
    what: 'what was cancelled on its way up counts as down',
    file: 'operations.ts',
    find: "? { kind: 'unknown' as const, message: outcome.message }",
    replace: "? { kind: 'down' as const }",
    variants: anywhere,
  },
  {
    name: 'stops-in-any-order',
    what: 'an orderly stop ends everything at once',
    file: 'operations.ts',
    find: "if (action !== 'stop') return true;",
    replace: "if (action !== 'outdate') return true;",
    variants: evidence,
  },
  {
    name: 'refusal-without-advice',
    what: 'a refusal does not say what to do',
    file: 'requests.ts',
    find: "answer: { kind: 'refused', message, next },",
    replace: "answer: { kind: 'refused', message, next: '' },",
    variants: anywhere,
  },
];

const data: readonly Defect[] = [
  {
    name: 'unproven-data-used',
    what: 'a node that has met nobody since it started takes its data for the newest',
    file: 'facts.ts',
    find: 'return owner === state.policy.self && sole;',
    replace: 'return true;',
    variants: anywhere,
  },
  {
    name: 'older-copy-used',
    what: 'an up-to-date copy is promoted also when the peer may have written without it',
    file: 'storage.ts',
    find: 'return isLastWriter || inSync;',
    replace: 'return true;',
    variants: anywhere,
  },
  {
    name: 'always-forced',
    what: 'every promotion is forced',
    file: 'operations.ts',
    find: "forced: policy.kind === 'drbd' && action === 'start' && group.dataAccepted,",
    replace: "forced: policy.kind === 'drbd' && action === 'start',",
    variants: anywhere,
  },
  {
    name: 'lone-mark-not-awaited',
    what: 'writes go on alone before the witness has recorded it',
    file: 'storage.ts',
    find: 'return leaseIsValid(state) && state.lease.ownAlone.includes(group.policy.name);',
    replace: 'return leaseIsValid(state);',
    variants: lease,
  },
  {
    name: 'lone-writes-forgotten',
    what: 'a node that was promoted without its mirror does not say so',
    file: 'storage.ts',
    find: "ahead: !isHeard && (resource.ahead || storage.role === 'primary' || resource.storage?.role === 'primary'),",
    replace: 'ahead: false,',
    variants: lease,
  },
  {
    name: 'outdated-without-proof',
    what: 'DRBD is told that the peer is out of the way although nothing is proven',
    file: 'storage.ts',
    find: "return peerGone && state.policy.witness === null ? 'unreachable' : null;",
    replace: "return 'unreachable';",
    variants: lease,
  },
];

export const plantedDefects: readonly Defect[] = [
  ...proof,
  ...freezing,
  ...verdicts,
  ...packets,
  ...agreement,
  ...doing,
  ...data,
];
