// Waiting for a move that the daemon makes: tells each step as it happens, and ends with one clear sentence.
// It only looks; whether it waits or not changes nothing about the move.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseDuration } from '../config/duration.ts';
import type { HistoryEntry, OperatorWish, Status } from '../control/api.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import { usageError } from './arguments.ts';
import type { Arguments, Command, Context, OptionSpecs } from './command.ts';
import { flag, text } from './command.ts';
import { newNotesFinder, renderProgress, tailLimit } from './notes.ts';
import { fitting, printJson } from './output.ts';
import { openProgress, type ProgressView, underWayIn } from './progress.ts';
import { formatTook } from './time.ts';

/** `stuck` fails the wait when it is seen again and again, since a move passes through such states, too. */
export type Judgement =
  | { readonly kind: 'pending'; readonly waitingFor: string }
  | { readonly kind: 'done'; readonly message: string; readonly attention: string | null }
  | { readonly kind: 'stuck'; readonly message: string; readonly next: string };

export interface Move {
  readonly requests: readonly OperatorWish[];
  /** What the person typed and named, for the history. */
  readonly said?: string;
  readonly judge: (status: Status) => Judgement;
  /** The groups whose progress is shown; absent: all. */
  readonly groups?: readonly string[];
  /** What is known of it before it begins, for --json. */
  readonly about?: object;
}

export const waitOptions: OptionSpecs = {
  'no-wait': { type: 'boolean', help: 'return as soon as the daemon has accepted it' },
  timeout: { type: 'string', value: 'DURATION', help: 'how long to wait, e.g. 30s; default 120s' },
};

export const waitExitCodes: Readonly<Record<number, string>> = {
  0: 'done (with --no-wait: accepted)',
  1: 'refused or failed; the message says why and what to do',
  3: 'done, but a guest of the group was given up',
  69: 'no daemon answers at the control socket',
  75: 'not done in time, or interrupted; the move goes on',
  77: 'not allowed: run it as root',
};

const timeoutMsDefault = 120_000;
/** Looks in a row at a move that is stuck, after which it is given up. */
const stuckLooksMax = 20;

/** A move that is done. */
export interface Moved {
  readonly message: string;
  readonly attention: string | null;
  readonly tookMs: number;
  /** What the history of this node has of it. */
  readonly notes: readonly HistoryEntry[];
}

/** Asks the daemon for a move, waits until it is done, and prints the outcome. */
export async function runMove(
  context: Context,
  args: Arguments,
  command: Command,
  move: Move,
): Promise<number> {
  const { output } = context;
  const json = flag(args, 'json');
  const timeoutMs = timeoutFrom(args, command);
  const { about = {} } = move;
  const begun = await beginMove(context, move, json);
  if (flag(args, 'no-wait')) {
    if (json) printJson(output, { ...about, done: false, message: begun.accepted });
    return exitCodes.ok;
  }
  const moved = await context.interruptible((signal) => begun.wait({ timeoutMs, signal }));
  const { message, attention, tookMs } = moved;
  if (json) printJson(output, { ...about, done: true, ...moved });
  else output.line(fitting(`${message}; it took ${formatTook(tookMs)}`, output));
  if (attention === null) return exitCodes.ok;
  if (!json) output.problem(attention);
  return exitCodes.degraded;
}

/** The daemon has accepted it. */
export interface BegunMove {
  readonly accepted: string;
  /** Until it is done. `timeoutMs` undefined: by default. @throws BattitoError `move-stuck`, `not-done-in-time` */
  wait(patience: { readonly timeoutMs: number | undefined; readonly signal: AbortSignal }): Promise<Moved>;
}

/** Asks the daemon for a move; `silent`: without telling how it goes on. */
export async function beginMove(context: Context, move: Move, silent: boolean): Promise<BegunMove> {
  const { client, output } = context;
  const fresh = newNotesFinder();
  fresh(await client.history(tailLimit));
  const startedAt = performance.now();
  let accepted = '';
  for (const request of move.requests) {
    accepted = await client.request(request, move.said);
    if (!silent) output.line(fitting(accepted, output));
  }
  return {
    accepted,
    async wait({ timeoutMs, signal }) {
      const notes: HistoryEntry[] = [];
      const progress = silent ? null : openProgress(output);
      const tell = (entries: readonly HistoryEntry[], several: boolean) => {
        notes.push(...entries);
        for (const entry of progress === null ? [] : entries) {
          const line = renderProgress(entry, output.look(), several, output.isTerminal);
          if (line !== null) progress?.tell(line);
        }
      };
      try {
        const watched = { startedAt, timeoutMs, signal, fresh, tell, progress };
        const { message, attention } = await watch(context, move, watched);
        return { message, attention, tookMs: Math.round(performance.now() - startedAt), notes };
      } finally {
        progress?.close();
      }
    },
  };
}

interface Watch {
  readonly startedAt: number;
  /** Undefined: by default, and anew whenever it moves on. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal;
  readonly fresh: ReturnType<typeof newNotesFinder>;
  readonly tell: (entries: readonly HistoryEntry[], several: boolean) => void;
  /** Null: nothing is told. */
  readonly progress: ProgressView | null;
}

async function watch(context: Context, { judge, groups }: Move, watched: Watch) {
  const { client, pollMs } = context;
  const { timeoutMs = timeoutMsDefault } = watched;
  let stuckLooks = 0;
  let patientFrom = watched.startedAt;
  let far = '';
  for (;;) {
    const status = await client.status();
    watched.tell(watched.fresh(await client.history(tailLimit)), status.groups.length > 1);
    const judgement = judge(status);
    if (judgement.kind === 'done') return judgement;
    stuckLooks = judgement.kind === 'stuck' ? stuckLooks + 1 : 0;
    if (judgement.kind === 'stuck' && stuckLooks >= stuckLooksMax) {
      throw new BattitoError('move-stuck', judgement.message, { next: judgement.next });
    }
    const waitingFor = judgement.kind === 'stuck' ? judgement.message : judgement.waitingFor;
    const items = underWayIn(status, groups ?? status.groups.map(({ name }) => name));
    watched.progress?.show(items, waitingFor);
    const farNow = items
      .flatMap(({ key, measure }) => (measure === null ? [] : [`${key} ${measure}`]))
      .join();
    if (farNow !== '' && farNow !== far && watched.timeoutMs === undefined) patientFrom = performance.now();
    far = farNow;
    if (performance.now() - patientFrom >= timeoutMs) {
      const tookMs = watched.timeoutMs ?? performance.now() - watched.startedAt;
      throw unfinished(`not done after ${formatTook(tookMs)}: ${waitingFor}`, status);
    }
    await sleep(pollMs, undefined, { signal: watched.signal }).catch(() => {}); // Interrupted: said below.
    if (watched.signal.aborted) throw unfinished(`no longer waiting: ${waitingFor}`, null);
  }
}

function unfinished(message: string, status: Status | null): BattitoError {
  const [worst] = status?.attention ?? [];
  const look = worst === undefined ? 'look with `battito status`' : `${worst.message}: ${worst.next}`;
  return new BattitoError('not-done-in-time', message, {
    exitCode: exitCodes.timedOut,
    next: `the move goes on; ${look}`,
  });
}

/** Said before the daemon is asked anything. @throws BattitoError `usage` */
export function checkWaitOptions(args: Arguments, command: Command): void {
  const timeoutMs = timeoutFrom(args, command);
  if (flag(args, 'no-wait') && timeoutMs !== undefined)
    throw usageError('--no-wait does not wait: it does not go with --timeout', command);
}

export function timeoutFrom(args: Arguments, command: Command): number | undefined {
  const given = text(args, 'timeout');
  if (given === undefined) return undefined;
  const timeoutMs = parseDuration(given);
  if (timeoutMs === undefined) {
    throw usageError(`--timeout takes a duration such as 30s or 2m, not "${given}"`, command);
  }
  return timeoutMs;
}
