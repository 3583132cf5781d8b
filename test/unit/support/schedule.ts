// A scheduler whose clocks a test drives, and tasks that end when the test says so.

import type { Note } from '../../../daemon/control/api.ts';
import type { TaskName } from '../../../daemon/control/schedule.ts';
import type { ScheduleRecord } from '../../../daemon/schedule/record.ts';
import { createScheduler } from '../../../daemon/schedule/scheduler.ts';
import type { Outcome, Task, Turn } from '../../../daemon/schedule/task.ts';

/** Work that was begun in this turn of the loop has come as far as it can. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

export const startedMs = Date.parse('2026-03-01T03:00:00.000Z');
const hourMs = 3_600_000;

/** Each schedule is due an hour after it was looked at; `due` makes it so now. */
export function drivenScheduler(
  tasks: readonly Task[],
  {
    known = {},
    nowMs = startedMs,
  }: { readonly known?: ScheduleRecord['tasks']; readonly nowMs?: number } = {},
) {
  const told: Note[] = [];
  const time = { wallMs: nowMs };
  const calls = new Map<string, { due: () => void; missed: (at: Date) => void }>();
  let saves = 0;
  const scheduler = createScheduler({
    ...{ tasks, known, tell: (note) => void told.push(note) },
    wallMs: () => time.wallMs,
    monotonicMs: () => time.wallMs - nowMs,
    save: () => {
      saves += 1;
    },
    clock: (pattern, given) => {
      calls.set(pattern, given);
      return { next: () => new Date(time.wallMs + hourMs), stop: () => void calls.delete(pattern) };
    },
  });
  const callsOf = (name: TaskName) => {
    const pattern = tasks.find((task) => task.name === name)?.schedule;
    const found = calls.get(pattern ?? '');
    if (found === undefined) throw new Error(`nothing is due for ${name}`);
    return found;
  };
  return {
    scheduler,
    told,
    due: (name: TaskName) => callsOf(name).due(),
    missed: (name: TaskName, at: Date) => callsOf(name).missed(at),
    /** Patterns that are listened to. */
    clocks: () => [...calls.keys()],
    saves: () => saves,
    pass: (ms: number) => {
      time.wallMs += ms;
      scheduler.look();
    },
    viewOf: (name: TaskName) => {
      const found = scheduler.view().find((view) => view.name === name);
      if (found === undefined) throw new Error(`no ${name} in the view`);
      return found;
    },
  };
}

export interface DrivenTask {
  readonly task: Task;
  /** How often it was begun. */
  runs(): number;
  end(outcome: Outcome): Promise<void>;
  turn: Turn;
  givesWayTo: string | null;
  readonly signal: () => AbortSignal | undefined;
}

export function drivenTask(name: TaskName, changes: Partial<Task> = {}): DrivenTask {
  let runs = 0;
  let signal: AbortSignal | undefined;
  let resolve: (outcome: Outcome) => void = () => {};
  const driven: DrivenTask = {
    turn: { mine: true, obstacle: null },
    givesWayTo: null,
    runs: () => runs,
    signal: () => signal,
    async end(outcome) {
      resolve(outcome);
      await settled();
    },
    task: {
      ...{ name, title: `the ${name}`, schedule: `${name} schedule`, heavy: false, madeUp: false },
      turn: () => driven.turn,
      givesWayTo: () => driven.givesWayTo,
      run(given) {
        runs += 1;
        signal = given;
        return new Promise<Outcome>((end) => {
          resolve = end;
        });
      },
      ...changes,
    },
  };
  return driven;
}
