// Lets a process of its own make each attempt. What resolves names, encrypts and talks to servers that hang would
// otherwise share the few helper threads of the daemon, on which its state is written: a name server that does not answer
// must not hold a takeover back. Under systemd that process has a unit of its own, as the daemon's has too few rights for
// a mail system or for a script of the operator.
// Guarantees: never rejects; ends by its deadline with all that it has started.

import { randomUUID } from 'node:crypto';
import type { NotifyChannelConfig } from '../config/config.ts';
import { type AgentEnd, runAgentProcess } from '../drivers/fence/agent-process.ts';
import { type Delivery, deliverySchema, type Message } from './message.ts';

export type Send = (message: Message, channel: NotifyChannelConfig) => Promise<Delivery>;

export interface SenderOptions {
  /** This program: its runtime, the runtime's options, and its main file. */
  readonly program: readonly [string, ...string[]];
  /** Where the configuration is, as the command line has it. */
  readonly options: readonly string[];
  /** Does systemd run this daemon? */
  readonly inUnit: boolean;
  readonly signal: AbortSignal;
}

/** For a start on a busy host, and for the end of what was to end. */
const graceMs = 30_000;

export function createSender({ program, options, inUnit, signal }: SenderOptions): Send {
  const [runtime, ...args] = program;
  return async (message, channel) => {
    const words = [...args, 'notify', 'send', channel.name, '--json', ...options];
    const limitMs = channel.timeoutMs + graceMs;
    const input = JSON.stringify({ message, channel });
    const run = (file: string, argv: readonly string[]) =>
      runAgentProcess({ program: file, args: argv, input, timeoutMs: limitMs, signal });
    const unit = ['--quiet', '--pipe', '--wait', '--collect', `--unit=battito-notify-${randomUUID()}`];
    const about = ['--description=A notification of Battito', `--property=RuntimeMaxSec=${limitMs / 1000}`];
    if (inUnit) {
      const end = await run('systemd-run', [...unit, ...about, '--', runtime, ...words]);
      const isRefused = end.startError !== null || (end.stdout === '' && /^Failed to /m.test(end.stderr));
      if (!isRefused) return outcomeOf(end);
    }
    return outcomeOf(await run(runtime, words));
  };
}

function outcomeOf({ stdout, stderr, cutOff, startError, exitCode }: AgentEnd): Delivery {
  const next = 'battito notify test';
  try {
    const read = deliverySchema.safeParse(JSON.parse(stdout));
    if (read.success) return read.data;
    const error = (JSON.parse(stdout) as { error?: { message?: string; next?: string | null } }).error;
    if (error !== undefined) return { kind: 'later', message: error.message ?? '', next: error.next ?? next };
  } catch {
    // It did not come to say anything.
  }
  if (cutOff === 'deadline') return { kind: 'later', message: 'not done in time', next };
  if (cutOff === 'signal') return { kind: 'later', message: 'the daemon ends', next };
  const why = startError ?? (stderr.trim().split('\n')[0] || `exit code ${exitCode}`);
  return { kind: 'later', message: `the process that sends could not do so: ${why}`, next };
}
