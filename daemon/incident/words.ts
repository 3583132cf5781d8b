// The words in which what happened is told, on a terminal and in a message. Pure.

import type { Note } from '../core/events.ts';
import type { Incident } from './list.ts';
import { formatTook } from './time.ts';

export const marks = { info: '  ', warning: '! ', alarm: '!!' } as const;

/**
 * Control characters have no business in what another program or host said.
 * @returns the text with each of them replaced by `?`; line ends stay.
 */
export function harmless(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
  return text.replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '?');
}

export function oneLine(text: string): string {
  return harmless(text).replaceAll(/\s*\n\s*/g, '; ');
}

/** What a note says in a story: one of an operation is over. */
export function textOfNote({ code, message }: Pick<Note, 'code' | 'message'>): string {
  return code === 'operation-done' ? `${message}: done` : message;
}

export interface Line {
  readonly text: string;
  readonly next: string | null;
  readonly tookMs: number | null;
}

/** What it was, what it took, and what to do about it. */
export function storyOf({ text, tookMs, next }: Line): string {
  const took = tookMs === null ? '' : ` (took ${formatTook(tookMs)})`;
  return `${oneLine(text)}${took}${next === null ? '' : `; next: ${oneLine(next)}`}`;
}

/** Before or after the beginning of an incident: `-2.003 s`, `+0.412 s`. */
export function relative(ms: number): string {
  const rounded = Math.round(ms);
  return `${rounded < 0 ? '-' : '+'}${(Math.abs(rounded) / 1000).toFixed(3)} s`;
}

export function lengthOf({ outcome, durationMs }: Pick<Incident, 'outcome' | 'durationMs'>): string {
  if (outcome === 'open') return `${formatTook(durationMs)} so far`;
  return outcome === 'cut-short' ? 'cut short' : formatTook(durationMs);
}
