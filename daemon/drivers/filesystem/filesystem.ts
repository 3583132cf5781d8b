// One filesystem of a group on this host: checked, mounted, watched, unmounted.
// Guarantees: every action is idempotent and ends by its deadline; what the kernel shows decides, not what a command
// said; a command that its disk holds up is never run a second time beside the first. Must not decide who mounts.
// Source: mount(8), umount(8), fsck(8), findmnt(8), proc(5).

import type { Logger } from 'pino';
import type { BasicAction, Outcome, ResourceDriver, ResourceStatus } from '../driver.ts';
import { assertNever } from '../never.ts';
import { shellLine } from '../shell.ts';
import { type FilesystemConfig, type Finding, judge, type Target } from './judge.ts';
import type { MountMonitor } from './mounts.ts';
import { type CommandRunner, createCommandRunner } from './runner.ts';
import { fsckArgv, mountArgv, startFilesystem } from './start.ts';
import { patienceOfDestroy, patienceOfStop, stopFilesystem, unmountArgv } from './stop.ts';
import { createTargetFinder, isStillRun } from './target.ts';

export type { FilesystemConfig } from './judge.ts';

export interface FilesystemDriverOptions {
  readonly mounts: MountMonitor;
  readonly logger: Logger;
  /** The status as the monitor sees it, once when first known and then only when it changes. */
  readonly onStatus: (status: ResourceStatus) => void;
}

/** Everything an operation on one filesystem needs. */
export interface Filesystem {
  readonly config: FilesystemConfig;
  readonly runner: CommandRunner;
  readonly logger: Logger;
  findTarget(): Promise<Target>;
  /** Reads the mounts anew. */
  look(): Promise<Finding>;
}

const done: Outcome = { kind: 'done' };

export function createFilesystemDriver(
  config: FilesystemConfig,
  options: FilesystemDriverOptions,
): ResourceDriver {
  const { mounts, onStatus } = options;
  const logger = options.logger.child({ filesystem: config.mount, device: config.device });
  const findTarget = createTargetFinder(config);
  const runner = createCommandRunner(() => void mounts.refresh().then(evaluate));
  let reported: ResourceStatus | undefined;
  let changing = 0; // Actions under way: what was seen before they ended is out of date.
  let epoch = 0;
  let evaluating = false;
  let again = false;
  let tail: Promise<unknown> = Promise.resolve();
  let closed = false;

  async function find(): Promise<Finding> {
    const target = await findTarget();
    const snapshot = mounts.current();
    if (snapshot === undefined)
      return { kind: 'unreadable', message: 'the mounts of this host cannot be read' };
    const finding = judge(config, target, snapshot);
    if (finding.kind !== 'unmounted' || !(await isStillRun(config, target))) return finding;
    const message = `${config.device} is not mounted here, but its filesystem still runs: mounted in another mount namespace, or not done with unmounting`;
    return { kind: 'wrong', code: 'filesystem-still-run', message };
  }

  const filesystem: Filesystem = {
    config,
    runner,
    logger,
    findTarget,
    async look() {
      await mounts.refresh();
      return await find();
    },
  };

  async function status(): Promise<ResourceStatus> {
    const hanging = runner.hanging();
    return hanging === undefined ? statusOf(await find()) : { kind: 'unknown', message: hanging };
  }

  async function evaluate(): Promise<void> {
    again = true;
    if (evaluating) return;
    evaluating = true;
    while (again && !closed && changing === 0) {
      again = false;
      if (mounts.current() === undefined && reported === undefined) break; // Nothing was read yet.
      const seenIn = epoch;
      const seen = await status();
      if (!closed && changing === 0 && seenIn === epoch) report(seen);
    }
    evaluating = false;
  }

  function report(seen: ResourceStatus): void {
    if (JSON.stringify(seen) === JSON.stringify(reported)) return;
    if (seen.kind === 'unknown')
      logger.warn({ reason: seen.message }, 'the filesystem is not as it should be');
    reported = seen;
    onStatus(seen);
  }

  async function carryOut(action: BasicAction, signal: AbortSignal): Promise<Outcome> {
    try {
      signal.throwIfAborted();
      return await actions[action](filesystem, signal);
    } catch (error) {
      if (!signal.aborted) logger.error({ err: error, action }, 'an operation on the filesystem broke off');
      const why = signal.aborted ? 'aborted' : String(error);
      return { kind: 'unknown', message: `filesystem ${config.mount}: ${action}: ${why}` };
    }
  }

  const unsubscribe = mounts.subscribe(() => void evaluate());
  void evaluate();

  return {
    async observe(signal) {
      signal.throwIfAborted();
      await mounts.refresh();
      const seen = await status();
      signal.throwIfAborted();
      return seen;
    },
    perform(action, signal) {
      changing += 1;
      epoch += 1;
      const outcome = tail.then(() => carryOut(action, signal));
      tail = outcome
        .then(() => mounts.refresh())
        .finally(() => {
          changing -= 1;
          void evaluate();
        });
      return outcome;
    },
    commands: (action) => commandLines(config, action),
    async close() {
      closed = true;
      unsubscribe();
    },
  };
}

/**
 * Freezing has nothing to do: whoever writes to it is paused above, and DRBD's IO suspended below where that is
 * stronger. (`fsfreeze` would first write everything out, and wait for ever on a disk that hangs.) So a frozen
 * filesystem is seen as `up`, and as nothing changed that is not reported either.
 */
const actions: Readonly<
  Record<BasicAction, (filesystem: Filesystem, signal: AbortSignal) => Promise<Outcome>>
> = {
  start: startFilesystem,
  stop: (filesystem, signal) => stopFilesystem(filesystem, signal, patienceOfStop),
  destroy: (filesystem, signal) => stopFilesystem(filesystem, signal, patienceOfDestroy),
  freeze: async () => done,
  resume: async (filesystem) => {
    const finding = await filesystem.look();
    if (finding.kind === 'mounted') return done;
    if (finding.kind === 'unreadable') return { kind: 'unknown', message: finding.message };
    if (finding.kind === 'wrong') return { kind: 'failed', code: finding.code, message: finding.message };
    const message = `${filesystem.config.mount} is not mounted, so there is nothing to resume`;
    return { kind: 'failed', code: 'filesystem-not-mounted', message };
  },
};

function statusOf(finding: Finding): ResourceStatus {
  switch (finding.kind) {
    case 'unmounted':
      return { kind: 'down' };
    case 'mounted':
      return { kind: 'up' };
    case 'wrong':
    case 'unreadable':
      return { kind: 'unknown', message: finding.message };
    default:
      return assertNever(finding);
  }
}

function commandLines(config: FilesystemConfig, action: BasicAction): readonly string[] {
  switch (action) {
    case 'start': {
      const check = `${shellLine(fsckArgv(config))} || [ $? -eq 1 ]`; // 1: repaired.
      return [...(config.fsck ? [check] : []), shellLine(mountArgv(config))];
    }
    case 'stop':
    case 'destroy':
      return [shellLine(unmountArgv(config.mount))];
    case 'freeze':
    case 'resume':
      return [];
    default:
      return assertNever(action);
  }
}
