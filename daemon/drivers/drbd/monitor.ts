// The one source of truth about DRBD's resources: one long-lived `drbdsetup events2`, and what follows from it.
// Guarantees: nothing is told of a state before its dump is complete; after the stream has ended everything is rebuilt
// from the new one's dump; while there is none (for longer than a moment) everything is unknown, with the reason.
// Must not: change anything.

import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { readDump } from './dump.ts';
import { type DrbdState, emptyState, rememberWhy } from './events2.ts';
import { readDrbdKernel } from './kernel.ts';
import { outOfSyncOfJson, outOfSyncOfProc } from './out-of-sync.ts';
import { parseProcDrbd, parseStatusJson } from './progress.ts';
import { runTool } from './run.ts';
import { storageOf, wholePercent } from './status.ts';
import { createEventStream } from './stream.ts';
import type { DrbdView, ResyncProgress, Trouble } from './types.ts';
import { notReadYet, sameShape, sameView, viewOf } from './view.ts';

export interface DrbdMonitor {
  /** As the stream has it. */
  current(resource: string): DrbdView;
  /** Looks now, with a process of its own; for decisions, and for when there is no stream. Never rejects. */
  look(resource: string, signal: AbortSignal): Promise<DrbdView>;
  /** Calls `listener` when the resource is first known, and at every change; the result ends that. */
  subscribe(resource: string, listener: (view: DrbdView) => void): () => void;
  /** False: the stream did not show it within `timeoutMs`. Never rejects. */
  waitFor(
    resource: string,
    isSo: (view: DrbdView) => boolean,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<boolean>;
  /** The last that was seen of a resync that runs, at most a few seconds old. */
  resync(resource: string): ResyncProgress | null;
  /** Of a resource that is not connected: what its peer lacks, KiB, at most a few seconds old. Null: not known. */
  changedKib(resource: string): number | null;
  /** Null: no resync is under way, or nothing can be said. Never rejects. */
  progress(resource: string, signal: AbortSignal): Promise<ResyncProgress | null>;
  /** Something has changed (a module was loaded): a stream that is to be started again is started now. */
  nudge(): void;
  close(): Promise<void>;
}

export interface DrbdMonitorOptions {
  readonly logger: Logger;
  /** For tests; /proc/drbd when left out. */
  readonly procFile?: string;
  readonly restartDelayMsMin?: number;
  readonly restartDelayMsMax?: number;
  readonly dumpTimeoutMs?: number;
  readonly graceMs?: number;
}

/** A change of state comes as several lines; what lies between the first and the last never was. */
const settleMs = 5;
/** A stream that is back this soon has not been missed. */
const graceMsDefault = 500;
const progressEveryMs = 2000;
const progressTimeoutMs = 1000;
const changesEveryMs = 5000;
/** A look that differs from the stream for longer than this shows a stream that is stuck. */
const lagMsMax = 1000;

interface Subscription {
  readonly resource: string;
  readonly listener: (view: DrbdView) => void;
  told: DrbdView | undefined;
}

type Timer = 'settle' | 'grace' | 'lag' | 'progress' | 'changes';

export function createDrbdMonitor(options: DrbdMonitorOptions): DrbdMonitor {
  const { logger, procFile = '/proc/drbd', graceMs = graceMsDefault } = options;
  const subscriptions = new Set<Subscription>();
  const closing = new AbortController();
  const timers = new Map<Timer, NodeJS.Timeout>();
  /** Of the resyncs that run; the stream itself does not say them on 8.4. */
  const resyncs = new Map<string, ResyncProgress>();
  /** Of the resources that are not connected, by name. */
  const changes = new Map<string, number>();
  let live: DrbdState | null = null;
  /** The last that was seen, also while there is no stream. */
  let before: DrbdState = emptyState;
  let trouble: Trouble = notReadYet;

  function after(name: Timer, ms: number, act: () => void): void {
    if (closing.signal.aborted || timers.has(name)) return;
    const fire = () => {
      timers.delete(name);
      act();
    };
    timers.set(name, setTimeout(fire, ms));
  }

  const stream = createEventStream({
    logger,
    ...(options.restartDelayMsMin === undefined ? {} : { delayMsMin: options.restartDelayMsMin }),
    ...(options.restartDelayMsMax === undefined ? {} : { delayMsMax: options.restartDelayMsMax }),
    ...(options.dumpTimeoutMs === undefined ? {} : { dumpTimeoutMs: options.dumpTimeoutMs }),
    onState(state) {
      clearTimeout(timers.get('grace'));
      timers.delete('grace');
      live = rememberWhy(state, before);
      before = live;
      after('settle', settleMs, publish);
    },
    onLost(why) {
      trouble = why ?? notReadYet;
      after('grace', live === null ? 0 : graceMs, () => {
        live = null;
        publish();
      });
    },
  });

  const percentOf = (resource: string) => {
    const found = resyncs.get(resource);
    return found === undefined ? undefined : wholePercent(found.percent);
  };
  const current = (resource: string) => viewOf(live, trouble, resource, percentOf(resource));

  function publish(): void {
    for (const subscription of [...subscriptions]) {
      const { told, resource, listener } = subscription;
      const isTooEarly = told === undefined && live === null && trouble === notReadYet;
      const view = current(resource);
      if (isTooEarly || (told !== undefined && sameView(view, told))) continue;
      subscription.told = view;
      listener(view);
    }
    if (resyncing().length > 0) after('progress', progressEveryMs, () => void followResyncs());
    else resyncs.clear();
    if (unconnected().length === 0) changes.clear();
    else after('changes', changes.size === 0 ? 0 : changesEveryMs, () => void followChanges());
  }

  const resyncing = () =>
    [...(live?.resources ?? [])].filter(([, resource]) => storageOf(resource).resync !== null);

  async function followResyncs(): Promise<void> {
    for (const [resource] of resyncing()) {
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(progressTimeoutMs)]);
      const found = await progress(resource, signal);
      if (found !== null) resyncs.set(resource, found);
    }
    if (!closing.signal.aborted) publish();
  }

  const unconnected = () =>
    [...(live?.resources ?? [])].filter(([, resource]) => storageOf(resource).connection !== 'connected');

  async function followChanges(): Promise<void> {
    const names = unconnected().map(([resource]) => resource);
    for (const resource of [...changes.keys()]) if (!names.includes(resource)) changes.delete(resource);
    for (const resource of names) {
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(progressTimeoutMs)]);
      const found = await outOfSync(resource, signal);
      if (found === null) changes.delete(resource);
      else changes.set(resource, found);
    }
    if (unconnected().length > 0) after('changes', changesEveryMs, () => void followChanges());
  }

  async function outOfSync(resource: string, signal: AbortSignal): Promise<number | null> {
    const kernel = await readDrbdKernel(procFile);
    if (kernel.kind !== 'loaded') return null;
    if (kernel.generation === '9') {
      const result = await runTool(['drbdsetup', 'status', '--json', resource], signal);
      return outOfSyncOfJson(result.stdout, resource);
    }
    const minors = current(resource).detail?.minors ?? [];
    return outOfSyncOfProc(await readFile(procFile, 'utf8').catch(() => ''), minors);
  }

  async function progress(resource: string, signal: AbortSignal): Promise<ResyncProgress | null> {
    const { storage, detail } = current(resource);
    if (live !== null && storage.resync === null) return null;
    const kernel = await readDrbdKernel(procFile);
    if (kernel.kind !== 'loaded') return null;
    if (kernel.generation === '9') {
      const result = await runTool(['drbdsetup', 'status', '--json', resource], signal);
      return parseStatusJson(result.stdout, resource);
    }
    return parseProcDrbd(await readFile(procFile, 'utf8').catch(() => ''), detail?.minors ?? []);
  }

  async function dump(signal: AbortSignal): Promise<DrbdState | Trouble> {
    const found = await readDump(signal);
    return 'code' in found ? found : rememberWhy(found, before);
  }

  async function look(resource: string, signal: AbortSignal): Promise<DrbdView> {
    const found = await dump(signal);
    if ('code' in found) return viewOf(null, found, resource, undefined);
    const view = viewOf(found, trouble, resource, percentOf(resource));
    if (live !== null && !sameShape(view, current(resource))) {
      after('lag', lagMsMax, () => void replaceIfStuck(resource, view));
    }
    return view;
  }

  /** `seen` some time ago, and unchanged since; but the stream does not show it. */
  async function replaceIfStuck(resource: string, seen: DrbdView): Promise<void> {
    if (live === null || sameShape(seen, current(resource))) return;
    const found = await dump(AbortSignal.any([closing.signal, AbortSignal.timeout(lagMsMax)]));
    if ('code' in found || live === null || closing.signal.aborted) return;
    const isStuck =
      sameShape(viewOf(found, trouble, resource, undefined), seen) && !sameShape(seen, current(resource));
    if (isStuck) stream.replace('it does not show what is so');
  }

  function subscribe(resource: string, listener: (view: DrbdView) => void): () => void {
    const subscription: Subscription = { resource, listener, told: undefined };
    subscriptions.add(subscription);
    after('settle', settleMs, publish);
    return () => subscriptions.delete(subscription);
  }

  return {
    current,
    look,
    subscribe,
    resync: (resource) =>
      current(resource).storage.resync === null ? null : (resyncs.get(resource) ?? null),
    changedKib: (resource) =>
      current(resource).storage.connection === 'connected' ? null : (changes.get(resource) ?? null),
    progress,
    waitFor: (resource, isSo, { timeoutMs, signal }) =>
      new Promise((resolve) => {
        const stop = AbortSignal.any([signal, closing.signal, AbortSignal.timeout(timeoutMs)]);
        const end = (answer: boolean) => {
          unsubscribe();
          stop.removeEventListener('abort', onAbort);
          resolve(answer);
        };
        const onAbort = () => end(false);
        const unsubscribe = subscribe(resource, (view) => {
          if (isSo(view)) end(true);
        });
        if (isSo(current(resource))) end(true);
        else if (stop.aborted) end(false);
        else stop.addEventListener('abort', onAbort, { once: true });
      }),
    nudge: stream.nudge,
    async close() {
      closing.abort();
      subscriptions.clear();
      for (const timer of timers.values()) clearTimeout(timer);
      await stream.close();
    },
  };
}
