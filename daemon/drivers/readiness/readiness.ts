// Asks once whether a guest that runs is of use: its agent, a TCP port, or a ping, as configured.
// Guarantees: `ready` only after an answer; every question ends at its deadline. Must not: decide when to ask, or what
// follows from the answer.

import type { Logger } from 'pino';
import type { Readiness } from '../../config/config.ts';
import { describeFailure, runCommand } from '../command.ts';
import { assertNever } from '../never.ts';
import { parsePingLine, pingOnce } from '../ping.ts';
import { shellLine } from '../shell.ts';
import { askTcp } from './tcp.ts';

/** `why` is for people, in either case: what answered, or what kept it from answering. */
export interface ReadinessAnswer {
  readonly ready: boolean;
  readonly why: string;
}

export interface ReadinessProbe {
  /** One question. Never rejects; when `signal` aborts it ends at once, and says so. */
  isReady(signal: AbortSignal): Promise<ReadinessAnswer>;
  /** Waiting until it is ready, as shell commands; none when there is nothing to wait for. */
  commands(): readonly string[];
}

export interface ReadinessProbeOptions {
  /** Its name, for the log. */
  readonly guest: string;
  /** Does the guest's agent answer? It ends, however, when its signal aborts. Absent: the guest has no agent. */
  readonly agent?: (signal: AbortSignal) => Promise<boolean>;
  /** The same question as a shell command. */
  readonly agentCommand?: string;
  readonly logger: Logger;
}

const answerSeconds = 2;
const agentTimeoutMs = 5000;
/** ping(8) counts its seconds from the request on, and is started before that. */
const pingTimeoutMs = 5000;

export function createReadinessProbe(readiness: Readiness, options: ReadinessProbeOptions): ReadinessProbe {
  return {
    async isReady(signal) {
      const answer = signal.aborted ? undefined : await ask(readiness, options, signal);
      return signal.aborted || answer === undefined ? { ready: false, why: 'it is asked no more' } : answer;
    },
    commands: () => waitingLines(readiness, options.agentCommand),
  };
}

async function ask(
  readiness: Readiness,
  options: ReadinessProbeOptions,
  signal: AbortSignal,
): Promise<ReadinessAnswer> {
  switch (readiness.kind) {
    case 'none':
      return { ready: true, why: 'nothing is asked of it' };
    case 'tcp':
      return await askTcp(readiness.host, readiness.port, answerSeconds * 1000, signal);
    case 'ping':
      return await askPing(readiness.address, signal);
    case 'agent':
      return await askAgent(options, signal);
    default:
      return assertNever(readiness);
  }
}

async function askPing(address: string, signal: AbortSignal): Promise<ReadinessAnswer> {
  const argv = pingOnce(address, answerSeconds);
  const result = await runCommand(argv, { timeoutMs: pingTimeoutMs, signal });
  const answered = result.stdout.split('\n').some((line) => parsePingLine(line).kind === 'answered');
  if (answered) return { ready: true, why: `${address} answers ping` };
  // Exit 1 is an address that is silent, or that a router knows nothing of: ping(8).
  const why = result.exitCode === 1 ? `${address} does not answer ping` : describeFailure(argv, result);
  return { ready: false, why };
}

async function askAgent(options: ReadinessProbeOptions, signal: AbortSignal): Promise<ReadinessAnswer> {
  const { agent, guest, logger } = options;
  if (agent === undefined) {
    const why = 'it has no guest agent that could be asked: configure readiness tcp or ping';
    return { ready: false, why };
  }
  try {
    const answers = await agent(AbortSignal.any([signal, AbortSignal.timeout(agentTimeoutMs)]));
    return answers
      ? { ready: true, why: 'its guest agent answers' }
      : { ready: false, why: 'its guest agent does not answer' };
  } catch (error) {
    if (!signal.aborted) logger.debug({ err: error, guest }, 'the guest agent could not be asked');
    return {
      ready: false,
      why: `its guest agent could not be asked: ${error instanceof Error ? error.message : error}`,
    };
  }
}

/** Waiting until it is ready, as shell commands. bash opens `/dev/tcp/HOST/PORT` by itself, so that no other program is needed. */
export function waitingLines(readiness: Readiness, agentCommand: string | undefined): readonly string[] {
  switch (readiness.kind) {
    case 'none':
      return [];
    case 'tcp': {
      const connect = ['bash', '-c', '</dev/tcp/$0/$1', readiness.host, String(readiness.port)];
      return [waitFor(shellLine(['timeout', String(answerSeconds), ...connect]), readiness.timeoutMs)];
    }
    case 'ping':
      return [waitFor(shellLine(pingOnce(readiness.address, answerSeconds)), readiness.timeoutMs)];
    case 'agent':
      return agentCommand === undefined ? [] : [waitFor(agentCommand, readiness.timeoutMs)];
    default:
      return assertNever(readiness);
  }
}

/** At the end of its time the guests after it start all the same, so that is no failure. */
function waitFor(question: string, timeoutMs: number): string {
  const seconds = String(Math.ceil(timeoutMs / 1000));
  return `${shellLine(['timeout', seconds, 'sh', '-c', `until ${question}; do sleep 1; done`])} || true`;
}
