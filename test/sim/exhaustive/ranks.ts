// Numbers that are only ever compared, renamed to their ranks: packets and claims of each node, its runs,
// revisions of each ledger. And the lowest generation that anything in the world speaks of.

import type { Ledger } from '../../../daemon/core/events.ts';
import type { Grant, HeartbeatContent } from '../../../daemon/core/heartbeat.ts';
import type { State } from '../../../daemon/core/state.ts';
import { gridMs, type Host, type HostIndex, hostIndexes, type World } from './model.ts';

interface Ranks {
  readonly values: Float64Array;
  count: number;
}

const empty = (): Ranks => ({ values: new Float64Array(64), count: 0 });
const packets = [empty(), empty()] as const;
const claims = [empty(), empty()] as const;
const revisions = [empty(), empty()] as const;
const runs = [empty(), empty()] as const;
let lowestGeneration = 0;
let current: World | null = null;

/** A packet's number within its sender's runs. */
const span = 1e6;

function add({ values, count }: Ranks, value: number): number {
  let place = count;
  while (place > 0 && (values[place - 1] as number) > value) place -= 1;
  if (place > 0 && values[place - 1] === value) return count;
  for (let at = count; at > place; at -= 1) values[at] = values[at - 1] as number;
  values[place] = value;
  return count + 1;
}

function find({ values, count }: Ranks, value: number): number {
  for (let at = 0; at < count; at += 1) if (values[at] === value) return at;
  throw new Error('a number that was not ranked');
}

const note = (ranks: Ranks, value: number): void => {
  ranks.count = add(ranks, value);
};

function notePacket(sender: HostIndex, incarnation: number, sequence: number): void {
  note(runs[sender], incarnation);
  if (sequence > 0) note(packets[sender], incarnation * span + sequence);
}

function noteGeneration(generation: number): void {
  if (generation > 0 && generation < lowestGeneration) lowestGeneration = generation;
}

function noteGrant({ incarnation, claim }: Grant, claimer: HostIndex): void {
  note(runs[claimer], incarnation);
  note(claims[claimer], claim);
}

function noteContent(content: HeartbeatContent | null, self: HostIndex): void {
  for (const { generation, claim, grant } of content?.groups ?? []) {
    noteGeneration(generation);
    if (claim !== null) note(claims[self], claim.id);
    if (grant !== null) noteGrant(grant, self === 0 ? 1 : 0);
  }
}

function noteLedger({ groups, peer }: Ledger, self: HostIndex): void {
  for (const { generation } of groups) noteGeneration(generation);
  if (peer !== null) notePacket(self === 0 ? 1 : 0, peer.incarnation, peer.sequence);
}

function noteState(state: State, self: HostIndex): void {
  const { peer, links, groups, ledger, persistedRevision, leftFrom } = state;
  const other = self === 0 ? 1 : 0;
  notePacket(other, peer.incarnation ?? 0, peer.lastSequence);
  for (const { lastSequence } of links) notePacket(other, peer.incarnation ?? 0, lastSequence);
  if (peer.echo !== null) notePacket(self, peer.echo.incarnation, peer.echo.sequence);
  if (peer.stranger !== null) notePacket(other, peer.stranger.incarnation, peer.stranger.sequence);
  noteContent(peer.content, other);
  noteLedger(ledger, self);
  note(revisions[self], persistedRevision);
  note(revisions[self], leftFrom);
  for (const { phase, grant, needsRevision, soleUntil } of groups) {
    if ('generation' in phase) noteGeneration(phase.generation);
    if ('claim' in phase) note(claims[self], phase.claim.id);
    if (phase.kind === 'frozen') note(runs[other], phase.peerRun ?? 0);
    if (grant !== null) noteGrant(grant, other);
    note(revisions[self], needsRevision);
    note(revisions[self], soleUntil);
  }
}

function noteHost({ state, writes, disk, incarnation }: Host, self: HostIndex): void {
  note(runs[self], incarnation);
  for (const { revision, ledger } of writes) {
    note(revisions[self], revision);
    noteLedger(ledger, self);
  }
  noteLedger(disk, self);
  if (state !== null) noteState(state, self);
}

/** Ranks all numbers of a world; the lowest generation in it is the answer. */
export function rank(world: World): number {
  current = world;
  lowestGeneration = Infinity;
  for (const self of hostIndexes) {
    packets[self].count = 0;
    claims[self].count = 0;
    revisions[self].count = 0;
    runs[self].count = 0;
  }
  for (const self of hostIndexes) {
    noteHost(world.hosts[self], self);
    for (const { incarnation, sequence, echo, content } of world.inFlight[self]) {
      const from = self === 0 ? 1 : 0;
      notePacket(from, incarnation, sequence);
      if (echo !== null) notePacket(self, echo.incarnation, echo.sequence);
      noteContent(content, from);
    }
  }
  return lowestGeneration;
}

export const rankOf = {
  packet: (sender: HostIndex, incarnation: number, sequence: number): number =>
    sequence === 0 ? -1 : find(packets[sender], incarnation * span + sequence),
  run: (sender: HostIndex, incarnation: number): number => find(runs[sender], incarnation),
  claim: (owner: HostIndex, id: number): number => find(claims[owner], id),
  revision: (owner: HostIndex, revision: number): number => find(revisions[owner], revision),
  /**
   * Of every packet that anybody may yet echo: how long ago it was sent. One that its sender has forgotten is as good
   * as an old one to it, once there has been any contact.
   */
  sentAges: (self: HostIndex, put: (value: number) => void, mostMs: number): void => {
    const state = current?.hosts[self].state ?? null;
    const first = state?.sent[0];
    const { values, count } = packets[self];
    for (let at = 0; at < count; at += 1) {
      const value = values[at] as number;
      if (state === null || first === undefined || Math.floor(value / span) !== state.incarnation) {
        put(-1);
        continue;
      }
      const sent = state.sent[(value % span) - first.sequence];
      const oldestMs = state.peer.contactAt === null ? -gridMs : mostMs;
      const ageMs = sent === undefined ? oldestMs : Math.min((current?.now ?? 0) - sent.at, mostMs);
      put(Math.ceil(ageMs / gridMs));
    }
  },
};
