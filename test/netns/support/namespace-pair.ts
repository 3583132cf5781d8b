// Two network namespaces joined by a cable (`eth0` on both sides), and the drivers running inside one of them.
// Everything is released when the test ends, however it ends.

import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import type { Request, WorkerEvent } from './driver-worker.ts';
import { newPrefix, releaseNow, removeLeftovers } from './namespaces.ts';

const deadlineMs = 60_000;
const without = (capability: string) => [
  ...['setpriv', '--bounding-set', `-${capability}`, '--inh-caps', `-${capability}`],
];
const workerFile = fileURLToPath(new URL('driver-worker.ts', import.meta.url));

export interface NamespaceHost {
  readonly name: string;
  readonly mac: string;
  /** Runs a command inside; throws when it fails. */
  run(...argv: readonly string[]): string;
  startDrivers(options?: DriverHostOptions): DriverHost;
}

export interface DriverHostOptions {
  /** Replaces PATH, to hide commands. */
  readonly searchPath?: string;
  /** A capability that it does not have. */
  readonly without?: 'net_admin' | 'net_raw';
}

export interface DriverHost {
  readonly events: readonly WorkerEvent[];
  // biome-ignore lint/suspicious/noExplicitAny: what the driver returned, after JSON
  ask(request: Request): Promise<any>;
  /** Waits for the first event at or after index `from` that fits, and gives its index. */
  until(what: string, fits: (event: WorkerEvent) => boolean, from?: number): Promise<number>;
  /** Command lines of the running children, by process id. */
  children(): ReadonlyMap<number, string>;
  stop(): Promise<void>;
}

export interface NamespacePair {
  readonly left: NamespaceHost;
  readonly right: NamespaceHost;
}

/** A serial test with a fresh pair. Without root it is skipped, and fails where CI is set. */
export function pairTest(
  title: string,
  body: (t: ExecutionContext, pair: NamespacePair) => Promise<void>,
): void {
  if (process.getuid?.() !== 0) {
    const { CI: inCi } = process.env;
    if (inCi === undefined) test.skip(`${title} (NOT RUN: needs root)`, () => {});
    else test(title, (t) => t.fail('network namespaces need root'));
    return;
  }
  test.serial(title, async (t) => {
    t.timeout(4 * deadlineMs);
    const workers: DriverHost[] = [];
    const prefix = newPrefix();
    const names = [`${prefix}-left`, `${prefix}-right`] as const;
    const release = () => releaseNow(names, []);
    removeLeftovers();
    process.once('exit', release);
    try {
      const pair = createPair(names, workers);
      await body(t, pair);
    } finally {
      await Promise.all(workers.map((worker) => worker.stop()));
      release();
      process.off('exit', release);
    }
  });
}

function ip(...args: readonly string[]): string {
  return execFileSync('ip', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: deadlineMs,
  });
}

function createPair(names: readonly [string, string], workers: DriverHost[]): NamespacePair {
  const [left, right] = names;
  for (const name of names) ip('netns', 'add', name);
  ip('link', 'add', 'eth0', 'netns', left, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', right);
  for (const [number, name] of names.entries()) {
    ip('-n', name, 'link', 'set', 'lo', 'up');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
    ip('-n', name, 'address', 'add', `10.9.0.${number + 1}/24`, 'dev', 'eth0');
    ip('-n', name, 'address', 'add', `fd00:9::${number + 1}/64`, 'dev', 'eth0', 'nodad');
  }
  return { left: createHost(left, workers), right: createHost(right, workers) };
}

function createHost(name: string, workers: DriverHost[]): NamespaceHost {
  const [link] = JSON.parse(ip('-n', name, '-j', 'link', 'show', 'dev', 'eth0'));
  return {
    name,
    mac: link.address,
    run: (...argv) => ip('netns', 'exec', name, ...argv),
    startDrivers(options = {}) {
      const env = {
        ...process.env,
        ...(options.searchPath === undefined ? {} : { PATH: options.searchPath }),
      };
      const ipFile = execFileSync('which', ['ip'], { encoding: 'utf8' }).trim();
      const child = fork(workerFile, [], {
        execPath: ipFile,
        execArgv: [
          'netns',
          'exec',
          name,
          ...(options.without === undefined ? [] : without(options.without)),
          process.execPath,
        ],
        env,
      });
      const worker = driverHost(child);
      workers.push(worker);
      return worker;
    },
  };
}

function driverHost(child: ChildProcess): DriverHost {
  const events: WorkerEvent[] = [];
  const replies = new Map<number, (value: unknown) => void>();
  const waiting = new Set<() => void>();
  let lastId = 0;
  const gone = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  child.on('message', (message: WorkerEvent | { readonly reply: number; readonly value: unknown }) => {
    if ('reply' in message) {
      replies.get(message.reply)?.(message.value);
      return;
    }
    events.push(message);
    for (const look of [...waiting]) look();
  });

  function withDeadline<T>(what: string, start: (resolve: (value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const tail = events.slice(-20).map((event) => JSON.stringify(event));
        reject(new Error(`waited in vain for ${what}; last events:\n${tail.join('\n')}`));
      }, deadlineMs);
      start((value) => {
        clearTimeout(timer);
        resolve(value);
      });
    });
  }

  return {
    events,
    ask(request) {
      lastId += 1;
      const id = lastId;
      return withDeadline(`the reply to ${request.kind}`, (resolve) => {
        replies.set(id, resolve);
        child.send({ id, request });
      });
    },
    until(what, fits, from = 0) {
      return withDeadline(what, (resolve) => {
        const look = () => {
          const index = events.findIndex((event, position) => position >= from && fits(event));
          if (index < 0) return;
          waiting.delete(look);
          resolve(index);
        };
        waiting.add(look);
        look();
      });
    },
    children() {
      const { pid } = child;
      const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
      const pids = list === '' ? [] : list.split(' ').map(Number);
      return new Map(pids.map((childPid) => [childPid, commandLine(childPid)]));
    },
    async stop() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return ''; // It ended in between.
  }
}

/** Looks again and again until `look` gives something; for what nobody reports, such as a neighbour's cache. */
export async function eventually<T>(what: string, look: () => T | undefined): Promise<T> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
