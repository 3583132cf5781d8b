// Planted defects in what two nodes agree on, and in what a node does.

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
    find: 'peerMayHoldRest: !peerGone && !wasOff && (report === null || report.holdsRest),',
    replace: 'peerMayHoldRest: !peerGone && report === null,',
    variants: evidence,
  },
  {
    name: 'generation-not-raised',
    what: 'a takeover keeps the generation that the peer had',
    file: 'machine.ts',
    find: 'return known + (group.dataAccepted ? overruled : 1);',
    replace: 'return known;',
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
    find: 'now - outside.fewerSince >= steadyMs',
    replace: 'now >= outside.fewerSince',
    variants: anywhere,
  },
];
