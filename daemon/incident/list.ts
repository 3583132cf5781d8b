// Finds the incidents in a journal: takeovers, freezes, refusals, alarms, stalls, daemons that ended without a word.
//
// The rule. An incident begins with the first note of severity warning or alarm, and takes in every note from then on,
// until all groups are settled (observing, stopped or active) and no warning or alarm has come for twice the deadtime,
// at least ten seconds. It ends with its last warning or alarm, or with the group that settled last, if that is later.
// A daemon that ends closes it too; one that ends without having said so is an incident itself.

import type { Note, Severity } from '../core/events.ts';
import type { PhaseKind } from '../core/heartbeat.ts';
import { type Transition, transitions } from '../core/transitions.ts';
import type { Code } from '../why/explanations.ts';
import { type Place, type Visitor, wallMs } from './read.ts';

export type IncidentKind =
  | 'takeover'
  | 'freeze'
  | 'gave-way'
  | 'refusal'
  | 'crash'
  | 'alarm'
  | 'stall'
  | 'failure'
  | 'warning';

export interface TimedNote {
  readonly at: number;
  readonly time: string;
  readonly note: Note;
}

export interface Incident {
  /** From 1, oldest first, in this journal. */
  readonly number: number;
  readonly kind: IncidentKind;
  readonly severity: Severity;
  readonly groups: readonly string[];
  readonly startedAt: string;
  readonly endedAt: string;
  readonly durationMs: number;
  /** `settled`; `open`: the journal ends before it does; `cut-short`: the daemon ended first. */
  readonly outcome: 'settled' | 'open' | 'cut-short';
  /** What each group that it touched had come to. */
  readonly phases: Readonly<Record<string, PhaseKind>>;
  readonly summary: string;
  /** Of a takeover: from the peer's last packet until the group was up, milliseconds. */
  readonly outageMs: number | null;
  readonly notes: readonly TimedNote[];
  /** When it was by the monotonic clock of a boot. */
  readonly span: {
    readonly boot: string;
    readonly start: number;
    readonly end: number;
    /** The peer's last packet before it; null: none was heard. */
    readonly lastHeardAt: number | null;
  };
}

export interface IncidentFinder extends Visitor {
  readonly incidents: () => readonly Incident[];
  /** The one that goes on; null: none does. */
  readonly open: () => Incident | null;
  /** Ends the one that goes on as `open`. `continues`: whatever is noted next is told as another one. */
  readonly cut: (continues: boolean) => void;
  /** The incidents found so far, which are forgotten. */
  readonly take: () => readonly Incident[];
}

interface Draft {
  readonly boot: string;
  readonly notes: TimedNote[];
  readonly lastHeardAt: number | null;
  readonly touched: Map<string, PhaseKind>;
  readonly startWallMs: number;
  endAt: number;
  outageMs: number | null;
  /** The peer's last packet when the takeover of a group began. */
  readonly takeovers: Map<string, number | null>;
}

const quietMsMin = 10_000;

const rules: ReadonlyMap<string, Transition> = new Map(transitions.map((row) => [row.id, row]));
const settledPhases: readonly PhaseKind[] = ['observing', 'stopped', 'active'];

/** Code of the note for a daemon that ended without a word; of the journal's reader, not of the core. */
export const endedAbruptly = 'ended-abruptly' satisfies Code;

/** Ask it for its incidents after the reading. */
export function createIncidentFinder(): IncidentFinder {
  let found: Incident[] = [];
  let count = 0;
  let continued = false;
  let open: Draft | null = null;
  let phases = new Map<string, PhaseKind>();
  let run: number | null = null;
  let exited = true;
  let quietMs = quietMsMin;
  let last: { place: Place; at: number } | null = null;
  let lastHeardAt: number | null = null;

  const close = (outcome: Incident['outcome']) => {
    if (open !== null) found.push(finish(open, ++count, outcome));
    open = null;
  };

  const take = (note: Note, at: number, place: Place) => {
    if (open === null && note.severity === 'info' && !continued) return;
    continued = false;
    open ??= beginDraft(place, at, lastHeardAt);
    addNote(open, { note, at, time: new Date(wallMs(place, at)).toISOString() }, phases, lastHeardAt);
  };

  const passTime = (at: number) => {
    const isSettled = [...phases.values()].every((phase) => settledPhases.includes(phase));
    if (open !== null && isSettled && at - open.endAt > quietMs) close('settled');
  };

  /** The run that is over did not say that it ends. */
  const tellCrash = () => {
    if (last === null || exited) return;
    take(crashNote(), last.at, last.place);
    close('cut-short');
  };

  return {
    segment(place) {
      const { state } = place.header;
      if (run !== null && run !== state.incarnation) {
        tellCrash();
        close('cut-short');
        lastHeardAt = null;
      }
      run = state.incarnation;
      exited = false;
      quietMs = Math.max(quietMsMin, 2 * state.policy.timings.deadtimeMs);
      phases = new Map(state.groups.map(({ policy, phase }) => [policy.name, phase.kind]));
      last = { place, at: place.header.monotonicMs };
    },
    event(event, place) {
      passTime(event.at);
      if (event.kind === 'heartbeat-received') lastHeardAt = event.at;
      last = { place, at: event.at };
    },
    effects(effects, place) {
      const at = last?.at ?? place.header.monotonicMs;
      for (const effect of effects) {
        if (effect.kind === 'exit') exited = true;
        if (effect.kind !== 'note') continue;
        const rule = rules.get(effect.note.code);
        if (effect.note.group !== null && rule !== undefined) phases.set(effect.note.group, rule.to);
        take(effect.note, at, place);
      }
    },
    ended() {
      close(exited ? 'cut-short' : 'open');
    },
    incidents: () => found,
    open: () => (open === null ? null : finish(open, count + 1, 'open')),
    cut(continues) {
      continued = continues;
      close('open');
    },
    take() {
      const taken = found;
      found = [];
      return taken;
    },
  };
}

function beginDraft(place: Place, at: number, lastHeardAt: number | null): Draft {
  return {
    boot: place.header.boot,
    notes: [],
    lastHeardAt,
    touched: new Map(),
    startWallMs: wallMs(place, at),
    endAt: at,
    outageMs: null,
    takeovers: new Map(),
  };
}

/** `phases`: of the groups, with what the note says already in them. */
function addNote(
  draft: Draft,
  timed: TimedNote,
  phases: ReadonlyMap<string, PhaseKind>,
  lastHeardAt: number | null,
): void {
  const { note, at } = timed;
  draft.notes.push(timed);
  if (note.severity !== 'info' || rules.has(note.code)) draft.endAt = at;
  if (note.group === null) return;
  const phase = phases.get(note.group);
  if (phase !== undefined) draft.touched.set(note.group, phase);
  if (isTakeover(note)) draft.takeovers.set(note.group, lastHeardAt);
  const heardAt = draft.takeovers.get(note.group);
  if (rules.get(note.code)?.to === 'active' && heardAt != null) {
    draft.outageMs = Math.max(draft.outageMs ?? 0, at - heardAt);
  }
}

function isTakeover({ code, severity }: Note): boolean {
  const rule = rules.get(code);
  return rule?.from === 'stopped' && rule.to === 'starting' && severity !== 'info';
}

function crashNote(): Note {
  return {
    severity: 'alarm',
    code: endedAbruptly,
    group: null,
    message: 'the record ends here: this daemon or its host ended without a word',
    next: null,
    tookMs: null,
  };
}

function finish(draft: Draft, number: number, given: Incident['outcome']): Incident {
  const { notes, touched, endAt, boot, lastHeardAt } = draft;
  const start = notes[0]?.at ?? endAt;
  const isUnsettled = [...touched.values()].some((phase) => !settledPhases.includes(phase));
  const outcome = given === 'cut-short' && !isUnsettled && !hasCrash(notes) ? 'settled' : given;
  const kind = kindOf(notes);
  const severity = notes.some(({ note }) => note.severity === 'alarm') ? 'alarm' : 'warning';
  const span = { boot, start, end: endAt, lastHeardAt };
  const summary = summarise(kind, draft);
  const time = (at: number) => new Date(draft.startWallMs + at - start).toISOString();
  return {
    number,
    kind,
    severity,
    groups: [...touched.keys()],
    startedAt: time(start),
    endedAt: time(endAt),
    durationMs: endAt - start,
    outcome,
    phases: Object.fromEntries(touched),
    summary,
    outageMs: draft.outageMs,
    notes,
    span,
  };
}

const hasCrash = (notes: readonly TimedNote[]) => notes.some(({ note }) => note.code === endedAbruptly);

/** What an incident is called: by the gravest thing that happened in it, in this order. */
const kinds: readonly (readonly [IncidentKind, (note: Note) => boolean])[] = [
  ['takeover', isTakeover],
  ['freeze', ({ code }) => rules.get(code)?.to === 'frozen'],
  ['gave-way', ({ code }) => rules.get(code)?.to === 'stopping' && rules.get(code)?.severity !== 'info'],
  ['crash', ({ code }) => code === endedAbruptly],
  ['refusal', ({ code }) => rules.get(code)?.to === 'blocked' || code === 'request-refused'],
  ['alarm', ({ severity }) => severity === 'alarm'],
  ['stall', ({ code }) => code === 'stalled'],
  ['failure', ({ code }) => code === 'operation-failed' || code === 'resource-changed'],
];

function kindOf(notes: readonly TimedNote[]): IncidentKind {
  return kinds.find(([, fits]) => notes.some(({ note }) => fits(note)))?.[0] ?? 'warning';
}

/** The first note that made it what it is. */
export function tellingNote({ kind, notes }: Pick<Incident, 'kind' | 'notes'>): Note | undefined {
  const fits = kinds.find(([name]) => name === kind)?.[1] ?? (({ severity }) => severity !== 'info');
  return notes.find(({ note }) => fits(note))?.note ?? notes[0]?.note;
}

/** One line: what made it what it is, and what came of it. */
function summarise(kind: IncidentKind, { notes, touched, outageMs }: Draft): string {
  const telling = tellingNote({ kind, notes });
  const message = telling?.message ?? '';
  const ends = [...touched].map(([group, phase]) => `${group} is ${phase} here`).join(', ');
  if (kind === 'takeover') {
    const outage = outageMs === null ? '' : `, ${seconds(outageMs)} after the peer's last packet`;
    return `${message.replace(/^.*?: /, '')}: ${ends}${outage}`;
  }
  const isMove = telling !== undefined && rules.has(telling.code);
  return isMove && ends !== '' ? `${message.replace(/^.*?: /, '')}; ${ends}` : message;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}
