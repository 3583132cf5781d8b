// Watches what the core notes, collects it to incidents by the rule of `battito incident`, and tells each one once: when
// its groups have settled, or stand still until somebody does something, or when it goes on for too long. Then, when
// nothing needs a person any more, that all is well again.

import * as z from 'zod';
import type { NotifyConfig } from '../config/config.ts';
import type { Attention } from '../control/api.ts';
import type { Event, Note } from '../core/events.ts';
import type { State } from '../core/state.ts';
import { journalFormat, type SegmentHeader } from '../incident/format.ts';
import { createIncidentFinder, type Incident } from '../incident/list.ts';
import type { Place } from '../incident/read.ts';
import type { Message } from './message.ts';
import { isForPeer, type PeerSight } from './mutual.ts';
import { repetitionKey, type Teller, tellIncident, tellRecovery, tellRepeats } from './story.ts';

const rank = z.enum(['warning', 'alarm']);
const repeated = z.object({
  subject: z.string(),
  summary: z.string(),
  rank,
  since: z.string(),
  last: z.string(),
  count: z.number(),
});
const trouble = z.object({ since: z.string(), rank, told: z.array(z.string()) });
export const watchSchema = z.object({
  repeats: z.record(z.string(), repeated),
  trouble: trouble.nullable(),
});
export type WatchRecord = z.output<typeof watchSchema>;

export interface IncidentWatch {
  /** An event, and the state that it meets. */
  event(event: Event, state: State): void;
  note(note: Note): void;
  /** To be called every second or so. */
  look(): void;
  record(): WatchRecord;
  /** What goes on is told as far as it is known. */
  close(): void;
}

export interface WatchOptions extends Teller {
  readonly known: WatchRecord | null;
  readonly config: () => Pick<NotifyConfig, 'repeatAfterMs' | 'collectMs'>;
  /** What needs a person now. */
  readonly attention: () => readonly Attention[];
  readonly tell: (message: Message) => void;
  readonly newId: () => string;
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
}

const quietMsMin = 10_000;
const attentionEveryMs = 5000;
/** An alarm that stands for so long and was in no incident is told as one. */
const untoldMs = 60_000;
/** A warning that stands for so long while all else is well is how things are. */
const usualAfterMs = 5 * 60_000;
const toldMax = 20;
const repeatsMax = 200;

/** Somebody wants it so; or it is of this very part. */
const deliberate: readonly string[] = [
  'standby',
  'maintenance',
  'peer-standby',
  'peer-maintenance',
  'notify-failed',
];
const standstill: readonly string[] = ['blocked', 'frozen'];
const inTransit: readonly string[] = ['observing', 'claiming', 'starting', 'stopping'];

export function createIncidentWatch(options: WatchOptions): IncidentWatch {
  const { cluster, node, config, attention, tell, newId, monotonicMs, wallMs } = options;
  const teller = { cluster, node };
  const finder = createIncidentFinder();
  const repeats = new Map(Object.entries(options.known?.repeats ?? {}));
  let unwell = options.known?.trouble ?? null;
  let state: State | null = null;
  let place: Place | null = null;
  let sight: (PeerSight & { readonly missedUs: boolean }) | null = null;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let wellLooks = 0;
  /** By code: since when it stands. */
  let standing = new Map<string, number>();
  /** Codes that were in a message, and stand. */
  let told = new Set<string>();
  /** Codes that stand again after it was told that all is well, and were only counted. */
  let hushed = new Set<string>();

  const clock = () => ({ time: new Date(wallMs()).toISOString(), monotonicMs: monotonicMs() });

  const begin = (met: State): Place => {
    const { software, self, peer } = met.policy;
    const about = { format: journalFormat, software, cluster, node: self, peer, boot: '', lost: 0 };
    const header: SegmentHeader = {
      kind: 'segment-started',
      because: 'start',
      ...clock(),
      ...about,
      state: met,
    };
    const begun = { header, clock: header };
    finder.segment?.(begun);
    return begun;
  };

  const take = (note: Note) => {
    if (place === null || state === null) return;
    if (note.severity !== 'info') sight ??= { missedUs: false, run: state.peer.incarnation };
    finder.effects?.([{ kind: 'note', note }], { ...place, clock: clock() });
  };

  /** A clock that was set back, perhaps by years, must not keep it from being told. */
  const isRecent = ({ since }: { readonly since: string }) =>
    Math.abs(wallMs() - Date.parse(since)) < config().repeatAfterMs;

  /** Worth somebody's coming. */
  const news = (items: readonly Attention[]) => {
    const now = monotonicMs();
    const isUsual = ({ severity, code }: Attention) =>
      severity === 'warning' && unwell === null && now - (standing.get(code) ?? now) > usualAfterMs;
    return items.filter((item) => !deliberate.includes(item.code) && !isUsual(item));
  };

  const standsFor = (code: string) => monotonicMs() - (standing.get(code) ?? monotonicMs());
  /** What is short is counted; of what lasts the last word must not be that all is well. */
  const lasts = ({ severity, code }: Attention) =>
    severity === 'alarm' && hushed.has(code) && standsFor(code) > usualAfterMs;

  const present = () =>
    attention().filter(({ code, severity }) => code !== 'notify-failed' && severity !== 'info');

  const handle = (incident: Incident) => {
    const seen = sight;
    sight = null;
    if (state !== null && seen !== null && isForPeer(incident, seen, state)) return;
    const items = present();
    const message = tellIncident(teller, newId(), incident, items, state?.policy.peer ?? null);
    const key = repetitionKey(incident);
    const before = key === null ? undefined : repeats.get(key);
    if (key !== null && before !== undefined && isRecent(before) && !items.some(lasts)) {
      if (unwell === null) hushed = new Set([...hushed, ...news(items).map(({ code }) => code)]);
      repeats.set(key, {
        ...before,
        count: before.count + 1,
        last: incident.startedAt,
        summary: message.summary,
      });
      return;
    }
    if (key !== null && config().repeatAfterMs > 0 && repeats.size < repeatsMax) {
      const { subject, summary, rank: weight, startedAt } = message;
      const since = new Date(wallMs()).toISOString();
      repeats.set(key, { subject, summary, rank: weight, since, last: startedAt, count: 0 });
    }
    const left = news(items);
    told = new Set([...told, ...left.map(({ code }) => code)]);
    hushed.clear();
    if (left.length > 0) {
      unwell = {
        since: unwell?.since ?? incident.startedAt,
        rank: unwell?.rank === 'alarm' ? 'alarm' : message.rank,
        told: [...(unwell?.told ?? []), message.summary].slice(-toldMax),
      };
    }
    wellLooks = 0;
    tell(before === undefined ? message : { ...message, repeats: before.count });
  };

  const handleFound = () => {
    for (const incident of finder.take()) handle(incident);
  };

  /** One that stands still, or goes on for too long, is told as it is. */
  const cutOpen = () => {
    const open = finder.open();
    if (open === null || state === null) return;
    const { timings } = state.policy;
    const now = monotonicMs();
    const moves = state.groups.some(({ phase }) => inTransit.includes(phase.kind));
    const isQuiet = now - open.span.end > Math.max(quietMsMin, 2 * timings.deadtimeMs);
    // One that has settled is ended by the finder's own rule.
    const isStuck = !moves && state.groups.some(({ phase }) => standstill.includes(phase.kind));
    const isTooLong = now - open.span.start > config().collectMs;
    if (isTooLong || (isStuck && isQuiet)) finder.cut(moves);
  };

  const lookAtAttention = () => {
    const now = monotonicMs();
    const items = present();
    standing = new Map(items.map(({ code }) => [code, standing.get(code) ?? now]));
    told = new Set([...told].filter((code) => standing.has(code)));
    hushed = new Set([...hushed].filter((code) => standing.has(code)));
    if (finder.open() !== null) return;
    const untold = items.find(
      (item) =>
        item.severity === 'alarm' &&
        !told.has(item.code) &&
        (hushed.has(item.code) ? lasts(item) : standsFor(item.code) > untoldMs),
    );
    if (untold !== undefined) {
      told.add(untold.code);
      const { code, message, next } = untold;
      return take({ severity: 'alarm', code, group: null, message, next, tookMs: null });
    }
    wellLooks = news(items).length === 0 ? wellLooks + 1 : 0;
    if (unwell === null || wellLooks < 3) return;
    tell(tellRecovery(teller, newId(), unwell, items, wallMs()));
    unwell = null;
  };

  const tellRepeated = () => {
    for (const [key, seen] of repeats) {
      if (isRecent(seen)) continue;
      repeats.delete(key);
      if (seen.count === 0) continue;
      tell(tellRepeats(teller, newId(), seen));
      const since = new Date(wallMs()).toISOString();
      repeats.set(key, { ...seen, since, count: 0 });
    }
  };

  return {
    event(event, met) {
      state = met;
      place ??= begin(met);
      if (sight !== null && event.kind === 'heartbeat-received' && event.content.hears.includes(false))
        sight = { ...sight, missedUs: true };
      finder.event?.(event, place);
    },
    note: take,
    look() {
      if (state === null) return;
      cutOpen();
      handleFound();
      if (monotonicMs() - lookedAt < attentionEveryMs) return;
      lookedAt = monotonicMs();
      lookAtAttention();
      tellRepeated();
    },
    record: () => ({ repeats: Object.fromEntries(repeats), trouble: unwell }),
    close() {
      finder.cut(false);
      handleFound();
    },
  };
}
