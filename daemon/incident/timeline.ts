// The timeline of one incident: the lines of this node's journal around it and, where the peer's journal is at hand,
// the peer's lines among them, at the moment at which they happened by this node's clock.

import { BattitoError } from '../errors.ts';
import type { Alignment } from './align.ts';
import type { Incident } from './list.ts';
import { collectPackets, matchPackets } from './packets.ts';
import { readJournal, type Visitor, wallMs } from './read.ts';
import { createTeller, type Told } from './teller.ts';

export interface TimelineEntry {
  /** Milliseconds since the incident began; negative: before. */
  readonly atMs: number;
  /** By this node's wall clock. */
  readonly time: string;
  readonly node: string;
  readonly severity: Told['severity'];
  readonly group: string | null;
  readonly code: string | null;
  readonly text: string;
  readonly next: string | null;
  readonly tookMs: number | null;
}

/** How the peer's times were laid on ours. */
export type Clocks =
  | { readonly kind: 'own' }
  | { readonly kind: 'packets'; readonly packets: number; readonly withinMs: number }
  /** No packets around it are in both journals. */
  | { readonly kind: 'wall-clocks' }
  /** The peer recorded nothing around it. */
  | { readonly kind: 'no-record' };

export interface Timeline {
  readonly incident: Incident;
  readonly node: string;
  readonly peer: string;
  readonly clocks: Clocks;
  readonly entries: readonly TimelineEntry[];
}

/** Before an incident and after it, milliseconds; what led to it is further back if the peer fell silent then. */
const marginMs = 5000;
const leadMsMax = 60_000;
/** Packets this far from an incident still say how its clocks stood. */
const packetsWithinMs = 30 * 60_000;

/**
 * Reads the journal again, and the peer's.
 * Throws BattitoError `journal-not-of-peer`, and what readJournal throws.
 */
export async function buildTimeline(
  incident: Incident,
  path: string,
  peerPath: string | null,
): Promise<Timeline> {
  const { boot, start, end, lastHeardAt } = incident.span;
  const isLead = lastHeardAt !== null && start - lastHeardAt < leadMsMax;
  const from = Math.min(start - marginMs, isLead ? lastHeardAt : start);
  const to = end + marginMs;
  const wallStart = Date.parse(incident.startedAt);
  const entries: TimelineEntry[] = [];
  const add = (told: Told, at: number) => {
    if (at >= from && at <= to) entries.push(entryOf(told, at - start, wallStart));
  };
  const packets = collectPackets(boot, start - packetsWithinMs, end + packetsWithinMs);
  const teller = createTeller((told) => {
    if (told.boot === boot) add(told, told.at);
  });
  const { first } = await readJournal(path, [packets, teller]);
  let clocks: Clocks = { kind: 'own' };
  if (peerPath !== null) {
    const matcher = matchPackets(packets.packets);
    await readJournal(peerPath, [guard(peerPath, first), matcher]);
    const aligner = createAligner(matcher.alignments(), (wall) => wall - wallStart + start, from, to);
    await readJournal(peerPath, [
      createTeller((told) => {
        const at = aligner.toOurs(told);
        add(told, at);
      }),
    ]);
    clocks = aligner.clocks();
  }
  entries.sort((a, b) => a.atMs - b.atMs);
  return { incident, node: first.node, peer: first.peer, clocks, entries };
}

function entryOf(told: Told, atMs: number, wallStart: number): TimelineEntry {
  const { node, severity, group, code, text, next, tookMs } = told;
  const time = new Date(wallStart + atMs).toISOString();
  return { atMs, time, node, severity, group, code, text, next, tookMs };
}

/** Another node's journal would make a story that never happened. */
function guard(
  path: string,
  ours: { readonly node: string; readonly peer: string; readonly cluster: string },
): Visitor {
  return {
    segment({ header }) {
      if (header.node === ours.peer && header.cluster === ours.cluster) return;
      throw new BattitoError(
        'journal-not-of-peer',
        `${path} is the journal of ${header.node} of cluster ${header.cluster}, not of ${ours.peer} of ${ours.cluster}`,
        { next: `on ${ours.peer}, run \`battito incident export FILE\`, and copy that file here` },
      );
    },
  };
}

function createAligner(
  alignments: ReadonlyMap<string, Alignment | null>,
  fromWall: (wallMs: number) => number,
  from: number,
  to: number,
) {
  const used = new Set<Alignment>();
  let usesWallClocks = false;
  let withinMs = 0;
  return {
    toOurs({ boot, at, place }: Told): number {
      const alignment = alignments.get(boot) ?? null;
      const aligned = alignment?.toOurs(at);
      const ours = aligned?.at ?? fromWall(wallMs(place, at));
      if (ours < from || ours > to) return ours;
      if (aligned === undefined || alignment === null) {
        usesWallClocks = true;
        return ours;
      }
      used.add(alignment);
      withinMs = Math.max(withinMs, aligned.withinMs);
      return ours;
    },
    clocks(): Clocks {
      if (usesWallClocks) return { kind: 'wall-clocks' };
      const packets = [...used].reduce((sum, alignment) => sum + alignment.packets, 0);
      return packets === 0 ? { kind: 'no-record' } : { kind: 'packets', packets, withinMs };
    },
  };
}
