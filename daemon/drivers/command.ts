// Runs outside commands: an argv, never a shell, always with a deadline and an output cap.

import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';

/** How a command ended. `exitCode` is null when it was killed by a signal, its deadline or `signal`. */
export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Set when the command could not be started at all, e.g. `ENOENT`. */
  readonly startError?: string;
  readonly timedOut: boolean;
}

export interface CommandOptions {
  /** Milliseconds until the command is killed (SIGKILL). */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly input?: string;
  /** Called once it is a process. */
  readonly onSpawn?: (pid: number) => void;
  /** On top of the daemon's own, e.g. `LC_ALL` for what a parser reads. */
  readonly env?: Readonly<Record<string, string>>;
}

const outputCapBytes = 1024 * 1024;

/** Never rejects: whatever happens is in the result. */
export async function runCommand(argv: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const [file, ...args] = argv;
  if (file === undefined) throw new TypeError('empty argv');
  try {
    return await run(file, args, options);
  } catch (error) {
    // Most of what keeps a command from starting is told by its callback, the rest is thrown: EPERM, say, or E2BIG.
    const { code, message } = error as NodeJS.ErrnoException;
    return { exitCode: null, stdout: '', stderr: '', startError: code ?? message, timedOut: false };
  }
}

function run(file: string, args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      args,
      {
        timeout: options.timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: outputCapBytes,
        encoding: 'utf8',
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        ...(options.env === undefined ? {} : { env: { ...process.env, ...options.env } }),
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve({ exitCode: 0, stdout, stderr, timedOut: false });
        const code = error.code as string | number | undefined | null;
        if (typeof code === 'number') return resolve({ exitCode: code, stdout, stderr, timedOut: false });
        const started = child.pid !== undefined;
        const result = {
          exitCode: null,
          stdout,
          stderr,
          timedOut: error.killed === true,
          ...(started ? {} : { startError: String(code ?? error.message) }),
        };
        void (started ? untilGone(child) : Promise.resolve()).then(() => resolve(result));
      },
    );
    if (child.pid !== undefined) options.onSpawn?.(child.pid);
    if (options.input !== undefined) {
      child.stdin?.on('error', () => {}); // A command that ends before reading its input says so by its exit code.
      child.stdin?.end(options.input);
    }
  });
}

/** One that hangs in the kernel cannot be waited for. */
const goneWithinMs = 1000;

/** An abort is told before the process has ended: until then it may still fork what is looked for afterwards. */
async function untilGone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await once(child, 'exit', { signal: AbortSignal.timeout(goneWithinMs) }).catch(() => {});
}

/** One line for a message: why a command did not succeed. */
export function describeFailure(argv: readonly string[], result: CommandResult): string {
  const what = argv.join(' ');
  if (result.startError === 'ENOENT') return `${argv[0]} is not installed`;
  if (result.startError !== undefined) return `${what}: could not be started (${result.startError})`;
  if (result.timedOut) return `${what}: did not end in time`;
  const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(0, 3).join('; ');
  const how = result.exitCode === null ? 'was killed' : `exit ${result.exitCode}`;
  return said === '' ? `${what}: ${how}` : `${what}: ${how}: ${said}`;
}
