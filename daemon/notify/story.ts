// One message tells the whole story: what happened, what was done, how long each step took, what to do now. Pure.

import type { Attention } from '../control/api.ts';
import { type Incident, tellingNote } from '../incident/list.ts';
import { formatSpan, formatTime } from '../incident/time.ts';
import { lengthOf, marks, oneLine, relative, storyOf, textOfNote } from '../incident/words.ts';
import { type Message, type MessageLine, type Rank, subjectOf } from './message.ts';

export interface Teller {
  readonly cluster: string;
  readonly node: string;
}

/** Lines of one section, and characters of the whole; the beginning and the end of what is longer are told. */
const linesMax = 120;
const textCharactersMax = 24_000;

/** Something was done to a group: never told as the repetition of something else. */
const deeds: readonly string[] = ['takeover', 'freeze', 'gave-way'];

/** Null: each one is told. */
export function repetitionKey(incident: Incident): string | null {
  if (deeds.includes(incident.kind)) return null;
  return [incident.kind, ...incident.groups.toSorted(), tellingNote(incident)?.code].join(' ');
}

/** `peer`: the name of the other node; null: nothing is known of it yet. */
export function tellIncident(
  teller: Teller,
  id: string,
  incident: Incident,
  attention: readonly Attention[],
  peer: string | null,
): Message {
  const { kind, groups, notes, span, startedAt, durationMs, outageMs, outcome } = incident;
  const lines = notes.map(
    ({ at, note }): MessageLine => ({
      atMs: Math.round(at - span.start),
      severity: note.severity,
      group: note.group,
      code: note.code,
      text: oneLine(textOfNote(note)),
      next: note.next,
      tookMs: note.tookMs,
    }),
  );
  const code = tellingNote(incident)?.code ?? kind;
  const what = groups.length > 0 ? groups.join(', ') : code;
  const isDeed = deeds.includes(kind);
  const summary = oneLine(
    kind === 'takeover' && peer !== null ? takenOver(teller, incident, peer) : incident.summary,
  );
  const text = [
    summary,
    ...(outcome === 'open' ? ['It is still going on.'] : []),
    '',
    ...facts(teller, [
      ['what', isDeed ? kind : `${kind} (${code})`],
      ['began', formatTime(startedAt)],
      ['lasted', lengthOf(incident)],
      ...(outageMs === null ? [] : ([['outage', formatSpan(outageMs)]] as const)),
      ...Object.entries(incident.phases).map(
        ([group, phase]) => [`group`, `${group} is ${phase} here`] as const,
      ),
    ]),
    ...section('What happened', folded(lines.filter((line) => !isStep(line))).map(pastText)),
    ...section('What was done, and how long it took', lines.filter(isStep).map(lineText)),
    ...whatNow(attention),
    ...readOn(teller),
  ];
  return {
    id,
    ...teller,
    ...{ kind, severity: incident.severity, groups: [...groups], startedAt, durationMs, outageMs },
    rank: incident.severity === 'alarm' || isDeed ? 'alarm' : 'warning',
    summary,
    subject: subjectOf(teller.cluster, kind, what, teller.node),
    text: render(text),
    lines: shortened(lines, (left) => ({ ...blankLine, text: left })),
    attention: [...attention],
    repeats: 0,
  };
}

/** Who has taken what from whom, and for how long nobody ran it. */
function takenOver({ node }: Teller, { groups, phases, outageMs }: Incident, peer: string): string {
  const pending = Object.entries(phases).filter(([, phase]) => phase !== 'active');
  const again = groups.length === 1 ? 'it was up again' : 'they were up again';
  const outage = outageMs === null ? '' : `; ${again} ${formatSpan(outageMs)} after ${peer} was heard last`;
  const rest = pending.map(([group, phase]) => `; ${group} is ${phase} here`).join('');
  return `${node} has taken over ${groups.join(', ')} from ${peer}${pending.length === 0 ? outage : rest}`;
}

const blankLine = {
  atMs: 0,
  severity: 'info',
  group: null,
  code: 'left-out',
  next: null,
  tookMs: null,
} as const;

const isStep = ({ code, tookMs }: MessageLine) => tookMs !== null || code.startsWith('operation-');

/** A busy host says it many times a minute, between what matters. */
const foldedCode = 'stalled';

function folded(lines: readonly MessageLine[]): readonly MessageLine[] {
  const count = lines.filter(({ code }) => code === foldedCode).length;
  const first = lines.findIndex(({ code }) => code === foldedCode);
  return lines.flatMap((line, index): readonly MessageLine[] => {
    if (line.code !== foldedCode || count === 1) return [line];
    return index === first ? [{ ...line, text: `${line.text} (so ${count} times in all)` }] : [];
  });
}

function lineText({ atMs, severity, group, ...line }: MessageLine): string {
  return `${relative(atMs).padStart(10)}  ${marks[severity]} ${group === null ? '' : `${group}: `}${storyOf(line)}`;
}

/** What was to be done at that moment may be wrong by now: what is right stands below. */
const pastText = (line: MessageLine) => lineText({ ...line, next: null });

export interface Trouble {
  /** When it began, ISO 8601. */
  readonly since: string;
  readonly rank: Rank;
  /** What was told of it. */
  readonly told: readonly string[];
}

export function tellRecovery(
  teller: Teller,
  id: string,
  { since, rank, told }: Trouble,
  attention: readonly Attention[],
  nowMs: number,
): Message {
  const durationMs = Math.max(0, nowMs - Date.parse(since));
  const summary = 'well again: what was told needs nobody any more';
  const text = [
    summary,
    '',
    ...facts(teller, [
      ['began', formatTime(since)],
      ['lasted', formatSpan(durationMs)],
    ]),
    ...section('What it was', told.map(oneLine)),
    ...(attention.length > 0 ? whatNow(attention) : []),
    ...readOn(teller),
  ];
  return { ...plain(teller, id, 'recovered', '', summary, text), rank, startedAt: since, durationMs };
}

export interface Repeated {
  readonly subject: string;
  readonly summary: string;
  readonly rank: Rank;
  /** When it was told, and when it came last, ISO 8601. */
  readonly since: string;
  readonly last: string;
  readonly count: number;
}

export function tellRepeats(teller: Teller, id: string, repeated: Repeated): Message {
  const { count, since, last, rank } = repeated;
  const times = count === 1 ? 'once' : `${count} times`;
  const summary = `again, ${times} more: ${repeated.summary}`;
  const text = [
    summary,
    '',
    ...facts(teller, [
      ['told', formatTime(since)],
      ['since', `${times} more, the last one ${formatTime(last)}`],
    ]),
    ...readOn(teller),
  ];
  const durationMs = Math.max(0, Date.parse(last) - Date.parse(since));
  const message = plain(teller, id, 'repeated', '', summary, text);
  return { ...message, subject: repeated.subject, rank, startedAt: since, durationMs, repeats: count };
}

export function tellTest(teller: Teller, id: string, nowMs: number): Message {
  const text = [
    `This is a test from ${teller.node}: whoever reads this will be told when something goes wrong.`,
    '',
    ...facts(teller, [['sent', formatTime(new Date(nowMs).toISOString())]]),
  ];
  const message = plain(teller, id, 'test', '', `a test from ${teller.node}`, text);
  return { ...message, startedAt: new Date(nowMs).toISOString() };
}

/** A message that is no incident. */
export function plain(
  teller: Teller,
  id: string,
  kind: string,
  what: string,
  summary: string,
  text: readonly string[],
): Message {
  return {
    id,
    ...teller,
    kind,
    severity: 'info',
    rank: 'alarm',
    groups: [],
    startedAt: '',
    durationMs: 0,
    outageMs: null,
    summary: oneLine(summary),
    subject: subjectOf(teller.cluster, kind, what, teller.node),
    text: render(text),
    lines: [],
    attention: [],
    repeats: 0,
  };
}

/** Names and values, the cluster and the node first. */
export function facts(
  { cluster, node }: Teller,
  rows: readonly (readonly [name: string, value: string])[],
): readonly string[] {
  return [['cluster', cluster] as const, ['node', node] as const, ...rows].map(
    ([name, value]) => `${name.padEnd(8)} ${value}`,
  );
}

/** Nothing where there are no lines. */
export function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...shortened(lines, (left) => `  ${left}`)];
}

export function whatNow(attention: readonly Attention[]): readonly string[] {
  if (attention.length === 0) return ['', 'What to do now: nothing.'];
  return [
    '',
    'What to do now:',
    ...attention.flatMap(({ severity, message, next }) => [
      `  ${marks[severity]} ${oneLine(message)}`,
      `     next: ${oneLine(next)}`,
    ]),
  ];
}

function readOn({ node }: Teller): readonly string[] {
  return ['', `On ${node}: battito status; battito incident show last`];
}

function shortened<T>(lines: readonly T[], left: (text: string) => T): T[] {
  if (lines.length <= linesMax) return [...lines];
  const half = linesMax / 2;
  return [...lines.slice(0, half), left(`(${lines.length - linesMax} more)`), ...lines.slice(-half)];
}

export function render(lines: readonly string[]): string {
  const text = `${lines.join('\n')}\n`;
  return text.length <= textCharactersMax ? text : `${text.slice(0, textCharactersMax)}\n(cut off here)\n`;
}
