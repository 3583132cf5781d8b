// Runs one long-lived command and hands over its output line by line.
// Guarantees: argv, never a shell; bounded memory; after `stop()` is called nothing more is reported; never throws.
// A child whose daemon was killed gets SIGPIPE at its next line, so it does not outlive the daemon for long.

import { type ChildProcess, spawn } from 'node:child_process';
import type { Logger } from 'pino';

/** How the command ended by itself. `stderr` is the last of what it said there, trimmed. */
export interface LineProcessEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stderr: string;
  /** Set when the command could not be started at all, e.g. `ENOENT`. */
  readonly startError?: string;
}

export interface LineProcess {
  readonly pid: number | undefined;
  /** To its input; only where it was started with one. What it no longer reads is lost. */
  write(text: string): void;
  /** Kills it (SIGKILL) and resolves when it is gone. Idempotent; also right after it ended by itself. */
  stop(): Promise<void>;
}

const restartDelayMinMs = 100;
const restartDelayMaxMs = 5000;
const lineLengthMax = 64 * 1024;
const stderrLengthMax = 2048;

export interface LineProcessOptions {
  /** It is to be told things; else it finds its input empty. */
  readonly hasInput?: boolean;
}

/** `onEnd` is called once, unless `stop()` came first. */
export function startLineProcess(
  argv: readonly string[],
  handlers: { onLine(line: string): void; onEnd(end: LineProcessEnd): void },
  { hasInput = false }: LineProcessOptions = {},
): LineProcess {
  const [file, ...args] = argv;
  if (file === undefined) throw new TypeError('empty argv');
  let stopped = false;
  let ended = false;
  let stderr = '';
  let gone = (): void => {};
  const whenGone = new Promise<void>((resolve) => {
    gone = resolve;
  });
  function end(how: Omit<LineProcessEnd, 'stderr'>): void {
    if (ended) return;
    ended = true;
    gone();
    if (!stopped) handlers.onEnd({ ...how, stderr: stderr.trim() });
  }
  function failToStart(error: unknown): void {
    end({ exitCode: null, signal: null, startError: (error as NodeJS.ErrnoException).code ?? String(error) });
  }

  let child: ChildProcess | undefined;
  try {
    child = spawn(file, args, {
      stdio: [hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' }, // The parsers read English.
    });
  } catch (error) {
    setImmediate(failToStart, error); // Some errors are thrown, most are emitted; callers see one way.
  }
  child?.on('error', (error) => {
    if (child.pid === undefined) failToStart(error);
  });
  child?.stdin?.on('error', () => {}); // One that has ended says so by its end.
  child?.on('close', (exitCode, signal) => end({ exitCode, signal }));
  child?.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-stderrLengthMax);
  });
  const split = lineSplitter((line) => {
    if (!stopped) handlers.onLine(line);
  });
  child?.stdout?.setEncoding('utf8').on('data', split);

  return {
    pid: child?.pid,
    write(text) {
      child?.stdin?.write(text);
    },
    async stop() {
      stopped = true;
      child?.kill('SIGKILL');
      await whenGone;
    },
  };
}

/** Takes text in any pieces, gives whole lines; a line longer than the cap is cut into pieces of that length. */
function lineSplitter(onLine: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    if (rest.length > lineLengthMax) {
      onLine(rest);
      rest = '';
    }
  };
}

/** One line for a message: how a command that should have gone on came to an end. */
export function describeEnd(argv: readonly string[], end: LineProcessEnd): string {
  if (end.startError === 'ENOENT') return `${argv[0]} is not installed`;
  if (end.startError !== undefined) return `${argv[0]} could not be started (${end.startError})`;
  const said = end.stderr.split('\n').slice(-3).join('; ');
  const how = end.exitCode === null ? `was killed by ${end.signal}` : `ended with exit code ${end.exitCode}`;
  return said === '' ? `${argv.join(' ')} ${how}` : `${argv.join(' ')} ${how}: ${said}`;
}

export interface KeptProcessOptions {
  /** In the log, e.g. `ip monitor`. */
  readonly name: string;
  readonly logger: Logger;
  readonly onLine: (line: string) => void;
  /** A new one runs; what happened while nobody listened has to be looked for. */
  readonly onStart: () => void;
  /** Some end by themselves after so long, and are no news. */
  readonly endsAfterMs?: number;
  readonly hasInput?: boolean;
}

export interface KeptProcess {
  /** The one that runs; undefined: none at the moment. */
  current(): LineProcess | undefined;
  /** Kills it; the next one is started when it is gone. Resolves then. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** One of them at a time; a new one, after a growing pause, whenever it ends. */
export function keepRunning(argv: readonly string[], options: KeptProcessOptions): KeptProcess {
  const { name, logger, onLine, onStart, endsAfterMs = Infinity, hasInput = false } = options;
  let child: LineProcess | undefined;
  let restarting: Promise<void> | undefined;
  let delayMs = restartDelayMinMs;
  let restartTimer: NodeJS.Timeout | undefined;
  let closed = false;

  function start(): void {
    const startedMs = performance.now();
    const handlers = {
      onLine,
      onEnd(end: LineProcessEnd) {
        child = undefined;
        if (closed) return;
        const ranMs = performance.now() - startedMs;
        if (ranMs > endsAfterMs) return start();
        if (ranMs > restartDelayMaxMs) delayMs = restartDelayMinMs;
        logger.warn({ reason: describeEnd(argv, end), delayMs }, `${name} ended; starting it again`);
        restartTimer = setTimeout(start, delayMs);
        delayMs = Math.min(delayMs * 2, restartDelayMaxMs);
      },
    };
    child = startLineProcess(argv, handlers, { hasInput });
    onStart();
  }

  async function replace(stopping: LineProcess): Promise<void> {
    child = undefined;
    await stopping.stop();
    if (!closed) start();
  }

  start();
  return {
    current: () => child,
    restart() {
      if (child !== undefined) {
        restarting = replace(child).finally(() => {
          restarting = undefined;
        });
      }
      return restarting ?? Promise.resolve();
    },
    async close() {
      closed = true;
      clearTimeout(restartTimer);
      await Promise.all([child?.stop(), restarting]);
    },
  };
}
