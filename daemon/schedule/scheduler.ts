// Does what is to be done at times. The clock says when; whether, and by which node, each task says itself.
// Guarantees: none twice at once, and of those that disks or guests notice one alone; one that is not done is kept with
// the reason; one that fails stands in the status until it succeeds; nothing here is waited for by what decides.

import type { Attention, Note } from '../control/api.ts';
import { item } from '../control/attention-item.ts';
import type { RunTaskAnswer, TaskName, TaskRun, TaskView } from '../control/schedule.ts';
import type { Code, CodedNote } from '../why/explanations.ts';
import type { CronClock, CronTimes } from './clock.ts';
import { emptyTask, type ScheduleRecord, type TaskRecord } from './record.ts';
import type { Outcome, Task } from './task.ts';

export interface Scheduler {
  /** To be called every second or so. */
  look(): void;
  run(name: TaskName): RunTaskAnswer;
  view(): readonly TaskView[];
  attention(): readonly Attention[];
  record(): ScheduleRecord['tasks'];
  close(): Promise<void>;
}

export interface SchedulerOptions {
  readonly tasks: readonly Task[];
  readonly known: ScheduleRecord['tasks'];
  readonly clock: CronClock;
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
  /** To the log and to the history. */
  readonly tell: (note: CodedNote) => void;
  /** Something is to be kept. */
  readonly save: () => void;
  /** What was missed while the daemon was off is made up for so long after its start. */
  readonly makeUpAfterMs?: number;
}

/** A daemon that was restarted at that moment has missed nothing. */
const missedByMs = 60_000;

/** What is told of a task. */
type What = 'begins' | TaskRun['result'];
const messageMax = 1000;

interface Running {
  readonly at: string;
  readonly sinceMs: number;
  readonly giveWay: AbortController;
  progress: string | null;
  readonly ended: Promise<void>;
}

interface Entry {
  readonly task: Task;
  kept: TaskRecord;
  cron: CronTimes | null;
  running: Running | null;
  makeUpAtMs: number | null;
}

const noted = ['warning', 'alarm'];

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { clock, wallMs, monotonicMs, tell, save, makeUpAfterMs = 5 * 60_000 } = options;
  let isClosed = false;
  const iso = (ms = wallMs()) => new Date(ms).toISOString();

  const entries = options.tasks.map((task): Entry => {
    const kept = options.known[task.name] ?? emptyTask;
    return { task, kept, cron: null, running: null, makeUpAtMs: null };
  });

  const note = ({ task }: Entry, what: What, severity: Note['severity'], text: string, more = {}) =>
    tell({
      ...{ severity, code: `${task.name}-${what}`, message: `${task.title} ${text}` },
      ...{ group: null, next: null, tookMs: null, ...more },
    });

  const keep = (entry: Entry, run: TaskRun) => {
    const isMade = run.result !== 'left-out' && run.result !== 'missed';
    entry.kept = { ...entry.kept, last: run, made: isMade ? run : entry.kept.made };
    save();
  };

  const plan = (entry: Entry) => {
    const next = entry.cron?.next() ?? null;
    const { schedule } = entry.task;
    const due = next === null || schedule === null ? null : { at: next.toISOString(), schedule };
    entry.kept = { ...entry.kept, due };
    save();
  };

  const notDone = (
    result: 'left-out' | 'missed',
    message: string,
    next: string | null,
    at = iso(),
  ): TaskRun => ({
    ...{ at, tookMs: null, result, message: message.slice(0, messageMax), next },
    ...{ code: null, severity: 'info' },
  });

  /** Why it cannot begin; null: it can. `isOurs` false: it need not be told. */
  const refusal = ({ task, running }: Entry) => {
    const wait = 'battito schedule   # shows what is under way';
    if (running !== null)
      return { isOurs: false, isDeliberate: true, message: 'it is under way already', next: wait };
    const other = entries.find((one) => task.heavy && one.task.heavy && one.running !== null);
    const turn = task.turn();
    if (!turn.mine) return { isOurs: false, isDeliberate: true, message: turn.message, next: turn.next };
    if (other !== undefined) {
      const message = `${other.task.title} is under way`;
      return { isOurs: true, isDeliberate: true, message, next: wait };
    }
    return turn.obstacle === null ? null : { isOurs: true, ...turn.obstacle };
  };

  const due = (entry: Entry) => {
    if (isClosed) return;
    plan(entry);
    const refused = refusal(entry);
    if (refused === null) return void begin(entry);
    // One that goes on for so long that it is due again is told of by what is under way.
    if (entry.running !== null) return;
    keep(entry, notDone('left-out', refused.message, refused.next));
    const { isOurs, isDeliberate, message, next } = refused;
    if (isOurs && entry.task.heavy)
      note(entry, 'left-out', isDeliberate ? 'info' : 'warning', `is left out: ${message}`, { next });
  };

  const missed = (entry: Entry, at: string, why: string) => {
    if (isClosed) return;
    const next = `battito schedule run ${entry.task.name}`;
    keep(entry, notDone('missed', why, next, at));
    if (entry.task.madeUp) entry.makeUpAtMs = monotonicMs() + makeUpAfterMs;
    else if (entry.task.heavy) note(entry, 'missed', 'info', `was missed: ${why}`, { next });
  };

  const begin = (entry: Entry): Running => {
    const { task } = entry;
    entry.makeUpAtMs = null;
    const giveWay = new AbortController();
    const ended = Promise.withResolvers<void>();
    const running: Running = {
      ...{ at: iso(), sinceMs: monotonicMs(), giveWay, progress: null, ended: ended.promise },
    };
    entry.running = running;
    if (task.heavy) note(entry, 'begins', 'info', 'begins');
    void task
      .run(giveWay.signal, (text) => {
        running.progress = text;
      })
      .catch((error: unknown): Outcome => {
        const message = `it broke: ${error instanceof Error ? error.message : String(error)}`;
        return {
          kind: 'failed',
          code: `${task.name}-failed`,
          severity: 'warning',
          message,
          next: 'battito history',
        };
      })
      .then((outcome) => {
        entry.running = null;
        // The daemon's own end is nobody's failure.
        if (!isClosed) settle(entry, running, outcome);
        ended.resolve();
      });
    return running;
  };

  const settle = (entry: Entry, { at, sinceMs }: Running, outcome: Outcome) => {
    const { kind, message } = outcome;
    const next = 'next' in outcome ? outcome.next : null;
    const tookMs = kind === 'left-out' ? null : Math.round(monotonicMs() - sinceMs);
    const [code, severity] = kind === 'failed' ? [outcome.code, outcome.severity] : [null, 'info' as const];
    const before = entry.kept.made;
    const cut = message.slice(0, messageMax);
    keep(entry, { at, tookMs, result: kind, message: cut, next, code, severity });
    const more = { next, tookMs };
    switch (kind) {
      case 'failed': {
        // What is small and fails again in the same way is told once.
        const isNews = entry.task.heavy || before?.result !== 'failed' || before.message !== cut;
        if (isNews) note(entry, 'failed', severity, `failed: ${message}`, more);
        return;
      }
      case 'done':
        if (entry.task.heavy || before?.result === 'failed')
          note(entry, 'done', 'info', `has succeeded${message === '' ? '' : `: ${message}`}`, more);
        return;
      case 'left-out':
        if (entry.task.heavy) note(entry, 'left-out', 'warning', `is left out: ${message}`, more);
        return;
      case 'interrupted':
        note(entry, 'interrupted', 'info', `gave way: ${message}`, more);
    }
  };

  for (const entry of entries) {
    const { schedule, name } = entry.task;
    const before = entry.kept.due;
    if (before !== null && before.schedule === schedule && wallMs() - Date.parse(before.at) > missedByMs)
      missed(entry, before.at, `the daemon did not run when it was due`);
    if (schedule !== null) {
      entry.cron = clock(schedule, {
        due: () => due(entry),
        missed: (at) => {
          missed(entry, at.toISOString(), 'the daemon did not get to run when it was due');
          plan(entry);
        },
      });
    }
    if (schedule !== null || options.known[name]?.due != null) plan(entry);
  }

  return {
    look() {
      for (const entry of entries) {
        const { task, running, makeUpAtMs } = entry;
        if (running !== null && !running.giveWay.signal.aborted) {
          const why = task.givesWayTo?.() ?? null;
          if (why !== null) running.giveWay.abort(why);
        }
        const againMs = running === null && task.schedule !== null ? (task.againAfterMs?.() ?? null) : null;
        const last = entry.kept.last;
        // Also where that was by a clock that was ahead.
        if (againMs !== null && Math.abs(wallMs() - Date.parse(last?.at ?? iso(0))) >= againMs) due(entry);
        if (makeUpAtMs === null || monotonicMs() < makeUpAtMs) continue;
        entry.makeUpAtMs = null;
        due(entry);
      }
    },
    run(name) {
      const entry = entries.find(({ task }) => task.name === name);
      if (entry === undefined) return { kind: 'refused', ...nothingToDo(name) };
      const refused = refusal(entry);
      if (refused !== null) return { kind: 'refused', message: refused.message, next: refused.next };
      return { kind: 'begun', at: begin(entry).at };
    },
    view: () =>
      entries.map(({ task, kept, cron, running }) => ({
        ...{ name: task.name, schedule: task.schedule, next: cron?.next()?.toISOString() ?? null },
        running:
          running === null
            ? null
            : { at: running.at, forMs: monotonicMs() - running.sinceMs, progress: running.progress },
        ...{ last: kept.last, made: kept.made },
      })),
    attention: () =>
      entries.flatMap(({ task, kept: { made } }) => {
        if (made?.result !== 'failed' || made.code === null || !noted.includes(made.severity)) return [];
        const next = made.next ?? `battito schedule run ${task.name}`;
        // Kept by this version or by another one.
        return [item(made.severity, made.code as Code, `${task.title} failed: ${made.message}`, next)];
      }),
    record: () => Object.fromEntries(entries.map(({ task, kept }) => [task.name, kept])),
    async close() {
      isClosed = true;
      for (const { cron, running } of entries) {
        cron?.stop();
        running?.giveWay.abort();
      }
      await Promise.all(entries.map(({ running }) => running?.ended));
    },
  };
}

function nothingToDo(name: TaskName): { readonly message: string; readonly next: string } {
  const why: Partial<Record<TaskName, readonly [string, string]>> = {
    drill: [
      'nothing is to be drilled by itself',
      'add `drill:` to the configuration, or: battito drill fence',
    ],
    verify: ['no group has a DRBD resource', 'name them under `drbd` of a group'],
    definitions: ['no group has guests of libvirt', 'battito help guests'],
    summary: ['nobody is told anything', 'add `notify:` to the configuration: man battito.yaml'],
  };
  const [message, next] = why[name] ?? ['there is nothing to do', 'battito schedule'];
  return { message, next };
}
