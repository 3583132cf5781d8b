// Which of two nodes that hear each other tells of what both have seen. Whoever did something tells what it did; of what
// both merely saw, one tells: the node that runs something, else the first by name. In doubt both do. Pure.

import type { State } from '../core/state.ts';
import { transitions } from '../core/transitions.ts';
import type { Incident } from '../incident/list.ts';

/** What a node sees of its peer, which sees the same of it, if it does. */
const betweenBoth: readonly string[] = [
  'link-silent',
  'peer-dead',
  'peer-unresponsive',
  'peer-isolated',
  'peer-fenced',
];
/** What is so on both nodes, or on neither. */
const onBoth: readonly string[] = ['config-differs', 'nobody-runs-it', 'storage-standalone'];

const moves: ReadonlySet<string> = new Set(transitions.map(({ id }) => id));

/** What was learnt while the incident went on. */
export interface PeerSight {
  /** The peer said that it did not hear this node on some link. */
  readonly missedUs: boolean;
  /** Its incarnation when the incident began: another one knows nothing of it. */
  readonly run: number | null;
}

export function isForPeer({ notes }: Incident, sight: PeerSight, state: State): boolean {
  const { peer, verdict, groups, policy } = state;
  if (verdict.kind !== 'alive' || peer.content === null) return false;
  // It may be told of elsewhere there, or not at all.
  if (peer.content.configDigest !== policy.configDigest && !hasOnly(notes, ['config-differs'])) return false;
  if (peer.incarnation !== sight.run) return false;
  const acted = notes.some(({ note }) => moves.has(note.code) || note.code.startsWith('operation-'));
  const isMutual = hasOnly(notes, sight.missedUs ? [...betweenBoth, ...onBoth] : onBoth);
  if (acted || !isMutual) return false;
  const [here, there] = [
    runs(groups.map(({ phase }) => phase.kind)),
    runs(peer.content.groups.map((g) => g.phase)),
  ];
  return here === there ? policy.peer < policy.self : there;
}

function hasOnly(notes: Incident['notes'], codes: readonly string[]): boolean {
  return notes.every(({ note }) => note.severity === 'info' || codes.includes(note.code));
}

const runs = (phases: readonly string[]) =>
  phases.some((phase) => phase === 'active' || phase === 'starting');
