// History notes as lines of text, and the finding of those that are new. Pure.

import type { HistoryEntry, Severity } from '../control/api.ts';
import { marks, oneLine, storyOf } from '../incident/words.ts';
import type { Colour, Look } from './output.ts';
import { paint } from './output.ts';
import { hanging } from './status/picture.ts';
import { formatTime, formatTook } from './time.ts';

export const severityColours: Readonly<Record<Severity, Colour | null>> = {
  info: null,
  warning: 'yellow',
  alarm: 'red',
};

/** Notes asked for at once when looking for new ones. */
export const tailLimit = 500;

/** One line for one note: local time, mark, group, message, what it took, what to do. */
export function renderNote(entry: HistoryEntry, groupColumns: number, look: Look): string {
  const { severity, group, message, tookMs, next } = entry;
  const story = storyOf({ text: message, tookMs, next });
  const text = `${marks[severity]} ${(group ?? '-').padEnd(groupColumns)}  ${story}`;
  return `${formatTime(entry.time)} ${paint(look, severityColours[severity], text)}`;
}

export function groupColumnsOf(entries: readonly HistoryEntry[]): number {
  return Math.max(1, ...entries.map(({ group }) => group?.length ?? 1));
}

const verbs: Readonly<Record<string, string>> = {
  start: 'started',
  stop: 'stopped',
  destroy: 'switched off',
  freeze: 'frozen',
  resume: 'resumed',
};

/** One step, while the operator waits; `wrapped`: in lines that fit. Null for what he knows already. */
export function renderProgress(
  entry: HistoryEntry,
  look: Look,
  showGroup: boolean,
  wrapped = false,
): string | null {
  if (entry.code === 'request-accepted' || entry.code === 'operator-said') return null;
  const said = doneText(entry) ?? entry.message;
  const group = showGroup && entry.group !== null ? `${entry.group}  ` : '';
  const took = entry.tookMs === null ? '' : `  ${formatTook(entry.tookMs)}`;
  const text = `${group}${oneLine(said)}${took}`;
  const isTooLong = wrapped && text.length + 2 > look.columns;
  const lines = isTooLong ? hanging('  ', text, look.columns) : [`  ${text}`];
  return lines.map((line) => paint(look, severityColours[entry.severity], line)).join('\n');
}

/** `guest:mail stopped`; null: it is no operation that is done. */
function doneText({ code, message }: HistoryEntry): string | null {
  const [action = '', resource, ...more] = message.split(' ');
  const verb = code === 'operation-done' && more.length === 0 ? verbs[action] : undefined;
  return verb === undefined || resource === undefined ? null : `${resource} ${verb}`;
}

/** A step of a move with its measured time; null: this is none. */
export function stepOf(entry: HistoryEntry): { readonly what: string; readonly tookMs: number } | null {
  if (entry.code !== 'operation-done' || entry.tookMs === null) return null;
  return { what: oneLine(doneText(entry) ?? entry.message), tookMs: entry.tookMs };
}

/** Gives, of each listing, the notes that the listing before did not have. Survives a restarted daemon. */
export function newNotesFinder(): (listing: readonly HistoryEntry[]) => readonly HistoryEntry[] {
  let last: HistoryEntry | null = null;
  return (listing) => {
    const known = last;
    last = listing.at(-1) ?? last;
    if (known === null) return listing;
    const identity = JSON.stringify(known);
    const index = listing.findLastIndex((entry) => JSON.stringify(entry) === identity);
    return index >= 0 ? listing.slice(index + 1) : listing.filter(({ time }) => time > known.time);
  };
}
