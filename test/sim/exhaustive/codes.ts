// A move of the search as one number: its kind, whose it is, and a detail, so that millions of them can be kept.

import type { HostIndex } from './model.ts';

export const faultKinds = [
  'kill',
  'power-loss',
  'cut',
  'mend',
  'gateway',
  'fence',
  'arm',
  'witness',
  'lease',
  'request',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export const moveKinds = [
  'advance',
  'run',
  'deliver',
  'lose',
  'finish',
  'persist',
  'observe',
  'boot',
  'skip',
  ...faultKinds,
] as const;
export type MoveKind = (typeof moveKinds)[number];

export type Move = number;

export const moveOf = (kind: MoveKind, host: HostIndex = 0, detail = 0): Move =>
  moveKinds.indexOf(kind) * 64 + host * 32 + detail;

export const kindOf = (move: Move): MoveKind => moveKinds[move >> 6] as MoveKind;
export const hostOf = (move: Move): HostIndex => ((move >> 5) & 1) as HostIndex;
export const detailOf = (move: Move): number => move & 31;

/** Of the first host, without a detail. */
export const code = Object.fromEntries(moveKinds.map((kind) => [kind, moveOf(kind)])) as Record<
  MoveKind,
  Move
>;

/** The detail of an operation's end. `lost`: nobody knows, and it did, or did not, take effect. */
export const endings = ['done', 'failed', 'lost-done', 'lost-not-done'] as const;
