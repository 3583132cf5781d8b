// Planted defects in what two nodes agree on, in what a node does, and in which data it uses.

import type { Defect } from './defects.ts';
import type { Variant } from './schedule.ts';

const evidence: readonly Variant[] = ['evidence'];
const many: readonly Variant[] = ['evidence-many'];
const lease: readonly Variant[] = ['fenced-lease'];
const anywhere: readonly Variant[] = [];

export const packets: readonly Defect[] = [
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
    find: "return isNew || isLater(state, packet.echo ?? null) ? 'admitted' : 'stale-incarnation';",
    replace: "return 'admitted';",
    variants: anywhere,
  },
  {
    name: 'later-run-ignored',
    what: 'a run of the peer with a lower number is never listened to, although it has read what was sent since',
    file: 'membership.ts',
    find: "return isNew || isLater(state, packet.echo ?? null) ? 'admitted' : 'stale-incarnation';",
    replace: "return isNew ? 'admitted' : 'stale-incarnation';",
    variants: anywhere,
  },
  {
    name: 'strangers-not-echoed',
    what: 'a packet refused as of an earlier run is never echoed, so two later runs with lower numbers refuse each other',
    file: 'membership.ts',
    find: 'if (!isEchoed(state, reason)) return counted;',
    replace: 'if (state.now >= 0) return counted;',
    variants: lease,
  },
  {
    name: 'any-echo-is-later',
    what: 'a packet of a lower run counts as a later one also when it has read only what was sent before',
    file: 'membership.ts',
    find: 'return sent !== undefined && sent.at > Math.max(lastHeardAt ?? -Infinity, unprovenHeardAt ?? -Infinity);',
    replace: 'return sent !== undefined;',
    variants: anywhere,
  },
  {
    name: 'replays-after-restart',
    what: 'the newest packet in the ledger is not looked at after a restart',
    file: 'state.ts',
    find: '      incarnation: ledger.peer?.incarnation ?? null,\n      newestRun: ledger.peer?.newestRun ?? null,\n',
    replace: '',
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

export const agreement: readonly Defect[] = [
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

export const doing: readonly Defect[] = [
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
    find: "return status?.kind === 'down' && isLeftAlone && !inDoubt;",
    replace: "return (status?.kind === 'down' || status?.kind === 'unknown') && isLeftAlone;",
    variants: anywhere,
  },
  {
    name: 'timeout-is-done',
    what: 'an operation that did not end in time counts as done',
    file: 'outcomes.ts',
    find: "if (outcome.kind === 'done') {\n    const status",
    replace: "if (outcome.kind !== 'failed') {\n    const status",
    variants: anywhere,
  },
  {
    name: 'cancelled-is-down',
    what: 'what was cancelled on its way up counts as down',
    file: 'outcomes.ts',
    find: "? { kind: 'unknown' as const, message: outcome.message }",
    replace: "? { kind: 'down' as const }",
    variants: anywhere,
  },
  {
    name: 'stops-in-any-order',
    what: 'an orderly stop ends everything at once',
    file: 'operations.ts',
    find: "if (!inOrder.has(action) || group.phase.kind !== 'stopping') return true;",
    replace: "if (action !== 'outdate') return true;",
    variants: evidence,
  },
  {
    name: 'refusal-without-advice',
    what: 'a refusal does not say what to do',
    file: 'request-answer.ts',
    find: "answer: { kind: 'refused', code, message, next },",
    replace: "answer: { kind: 'refused', code, message, next: '' },",
    variants: anywhere,
  },
];

export const connections: readonly Defect[] = [
  {
    name: 'follows-every-gateway',
    what: 'a group is offered to a peer that reaches more gateways at this moment',
    file: 'connectivity.ts',
    find: 'now - outside.fewerSince >= steadyDeadtimes * policy.timings.deadtimeMs',
    replace: 'now >= outside.fewerSince',
    variants: anywhere,
  },
];

export const data: readonly Defect[] = [
  {
    name: 'unproven-data-used',
    what: 'a node that has met nobody since it started takes its data for the newest',
    file: 'eligibility.ts',
    find: 'return owner === state.policy.self && sole;',
    replace: 'return true;',
    variants: anywhere,
  },
  {
    name: 'record-not-corroborated',
    what: 'what the records of both nodes say is enough to use a copy that was not connected since, once the peer is away',
    file: 'storage.ts',
    find: 'return inSync || ledgerGroup(ledger, group.policy.name).sole;',
    replace: 'return true;',
    variants: ['fenced-device'],
  },
  {
    name: 'consistent-promoted',
    what: 'a Consistent copy is promoted, whoever wrote last and wherever its peer is',
    file: 'storage.ts',
    find: 'return isNewest && (ifPeerWereOff || peerCannotWrite(state, group));',
    replace: 'return true;',
    variants: anywhere,
  },
  {
    name: 'older-copy-used',
    what: 'an up-to-date copy is promoted also when the peer may have written without it',
    file: 'storage.ts',
    find: 'return isNewest || (inSync && !isMarked(state, group));',
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
    name: 'marks-alone-and-same',
    what: 'the witness is told of a group that it writes alone and that its copies are the same',
    file: 'fencing.ts',
    find: '!isAlone(group) && isMirrored(state, group)',
    replace: 'isMirrored(state, group)',
    variants: lease,
  },
  {
    name: 'lone-writes-forgotten',
    what: 'a node that was promoted without its mirror does not say so',
    file: 'storage.ts',
    find: 'return group.resources.some(({ aheadSince }) => aheadSince !== null);',
    replace: 'return false;',
    variants: evidence,
  },
  {
    name: 'writes-while-it-loses',
    what: 'a group that is being stopped goes on without its mirror as one that is run does, whoever has it next',
    file: 'storage.ts',
    find: "return phase.reason === 'handover' && verdict.kind === 'alive';",
    replace: 'return verdict !== null;',
    variants: [],
  },
  {
    name: 'silence-vouches',
    what: 'a peer that is silent is taken for one that hears, before it writes, that this node did: the witness is not told',
    file: 'storage.ts',
    find: "return isOff || verdict.kind === 'alive' || verdict.kind === 'departed';",
    replace: "return isOff || verdict.kind !== 'fenced';",
    variants: lease,
  },
  {
    name: 'half-begun-for-ever',
    what: 'a disk that fails while its group is being started is waited for, though DRBD can go on with the copy of the peer',
    file: 'operations.ts',
    find: 'if (!isPromotable(state, group, resource) && !goesOnByPeer(group, resource)) return false;',
    replace:
      "if (!isPromotable(state, group, resource) && !(goesOnByPeer(group, resource) && state.verdict.kind === 'listening')) return false;",
    variants: [],
  },
  {
    name: 'last-copy-outdated',
    what: 'an owner that has lost its own disk has the copy of the peer marked as the older one',
    file: 'storage.ts',
    find: "if (storage?.disk === 'diskless') return false;",
    replace: 'if (storage === undefined) return false;',
    variants: lease,
  },
  {
    name: 'outdated-without-proof',
    what: 'DRBD is told that the peer is out of the way although nothing is proven',
    file: 'storage.ts',
    find: "return loneMarkStands(state, group) ? 'unreachable' : null;",
    replace: "return 'unreachable';",
    variants: anywhere,
  },
  {
    name: 'witness-not-asked-after-freeze',
    what: 'what is frozen goes on by the word of a peer that has lost its record of what it wrote',
    file: 'resumption.ts',
    find: "return policy.witness !== null && phase.kind === 'frozen' && phase.peerRun !== peer.incarnation;",
    replace: 'return policy === undefined && peer === undefined && phase === undefined;',
    variants: lease,
  },
  {
    name: 'mounted-not-held-back',
    what: 'a file system that is mounted writes on beneath guests that stand still',
    file: 'operations.ts',
    find: 'return isMounted && guests.every((guest) => isStill(guest) && !isComingUp(guest));',
    replace: 'return false;',
    variants: evidence,
  },
];
