// Runs one program that speaks as a fence agent does: what it is told goes to its standard input, never into its argv.
// Guarantees: it ends by the deadline with all that it has started, so that nothing is switched later, behind our back;
// never rejects.

import { type ChildProcess, spawn } from 'node:child_process';

export interface AgentEnd {
  /** Null: killed, by its deadline, by `signal` or by somebody else; or never started. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly cutOff: 'deadline' | 'signal' | null;
  /** Why it could not be started, e.g. `ENOENT`. */
  readonly startError: string | null;
}

export interface AgentRun {
  readonly program: string;
  /** Nothing secret. */
  readonly args?: readonly string[];
  readonly input: string;
  /** On top of what every agent has. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** What it has started may go on when it has ended by itself. */
  readonly leavesChildren?: boolean;
}

const outputCharactersMax = 256 * 1024;
/** What has been killed and hangs in the kernel is not waited for. */
const goneWithinMs = 1000;

/** Where the distributions have their agents, whatever the PATH of the person who asks. */
const path = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(':');

export function runAgentProcess({
  program,
  args = [],
  input,
  env = {},
  timeoutMs,
  signal,
  leavesChildren = false,
}: AgentRun): Promise<AgentEnd> {
  const said = { stdout: '', stderr: '' };
  let cutOff: AgentEnd['cutOff'] = null;
  const ended = (exitCode: number | null, startError: string | null = null): AgentEnd => ({
    exitCode: cutOff === null ? exitCode : null,
    ...said,
    cutOff,
    startError,
  });
  if (signal.aborted) {
    cutOff = 'signal';
    return Promise.resolve(ended(null));
  }
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      // In a group of its own: a signal of the terminal is not for it, and one to the group ends all of it.
      const environment = {
        ...env,
        PATH: path,
        LC_ALL: 'C',
        HOME: process.env['HOME'] ?? '/root',
        PYTHONWARNINGS: 'ignore',
      };
      child = spawn(program, [...args], { detached: true, env: environment, stdio: 'pipe' });
    } catch (error) {
      resolve(ended(null, (error as NodeJS.ErrnoException).code ?? String(error)));
      return;
    }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (part: string) => {
        said[name] = (said[name] + part).slice(0, outputCharactersMax);
      });
    }
    const finish = (end: AgentEnd) => {
      clearTimeout(timer);
      clearTimeout(giveUp);
      signal.removeEventListener('abort', abort);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve(end);
    };
    let giveUp: NodeJS.Timeout | undefined;
    const cut = (why: 'deadline' | 'signal') => {
      cutOff ??= why;
      killGroup(child);
      giveUp ??= setTimeout(() => finish(ended(null)), goneWithinMs);
    };
    const abort = () => cut('signal');
    const timer = setTimeout(() => cut('deadline'), timeoutMs);
    signal.addEventListener('abort', abort, { once: true });
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) finish(ended(null, error.code ?? error.message));
    });
    // What it has left behind must not switch anything later, nor keep us waiting for the end of its output.
    child.on('exit', () => {
      if (!leavesChildren) killGroup(child);
      giveUp ??= setTimeout(() => finish(ended(child.exitCode)), goneWithinMs);
    });
    child.on('close', (exitCode) => finish(ended(exitCode)));
    child.stdin?.on('error', () => {}); // One that ends before it has read its input says so by its exit code.
    child.stdin?.end(input);
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it is gone already.
  }
}
