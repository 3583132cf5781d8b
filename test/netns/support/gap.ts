// Measures for how long an address does not answer: the client program and the hosts' echo responders,
// started and asked from a test.

import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { waitFor } from '../../support.ts';
import type { HostName } from './hosts.ts';
import type { TestNetwork } from './network.ts';
import type { HostProcess } from './processes.ts';

/** What happened since the start or the last reset. Times are CLOCK_MONOTONIC in milliseconds. */
export interface GapReport {
  readonly startedAtMs: number;
  readonly sent: number;
  readonly answered: number;
  /** Between two consecutive answers; the start counts as one, and so does now. */
  readonly longestGapMs: number;
  /** When the last answer before the longest gap came. */
  readonly longestGapStartedAtMs: number;
  /** The longest time between two sends: a gap much beyond 5 ms may be the client's own. */
  readonly longestOwnStallMs: number;
  readonly answeredBy: { readonly [host: string]: number };
  readonly firstAnswerAtMs: { readonly [host: string]: number };
  readonly lastAnsweredBy: string | null;
}

export type GapCommand =
  | { readonly command: 'report' }
  | { readonly command: 'reset' }
  | { readonly command: 'wait'; readonly host: string }
  | { readonly command: 'first-answer-after'; readonly atMs: number; readonly host: string | null };
export type GapRequest = GapCommand & { readonly id: number };

const replyTimeoutMs = 60_000;

export interface MeasuringOptions {
  /** Before every ordinary process (SCHED_FIFO): it stands for the network, or measures. */
  readonly realtime?: boolean;
}

const programOf = (file: string, { realtime }: MeasuringOptions): string[] => [
  ...(realtime === true ? ['chrt', '--fifo', '50'] : []),
  process.execPath,
  join(import.meta.dirname, file),
];

/** Starts the responder of a host; returns when it is bound. It dies with the host's power like any process. */
export async function startEcho(
  network: TestNetwork,
  host: HostName,
  options: MeasuringOptions = {},
): Promise<HostProcess> {
  const echo = network.spawnOn(host, [...programOf('echo-server.ts', options), host]);
  await waitFor(`the echo responder of ${host} is ready`, () => {
    if (echo.stderrText() !== '') throw new Error(echo.stderrText());
    return echo.stdoutText().startsWith('ready');
  });
  return echo;
}

export class GapClient {
  readonly #process: HostProcess;
  readonly #pending = new Map<number, (value: unknown) => void>();
  #lastId = 0;

  private constructor(client: HostProcess) {
    this.#process = client;
    if (client.child.stdout === null) throw new TypeError('the client has no output');
    createInterface({ input: client.child.stdout }).on('line', (line) => {
      const { id, value } = JSON.parse(line) as { readonly id: number; readonly value: unknown };
      this.#pending.get(id)?.(value);
      this.#pending.delete(id);
    });
  }

  /** Starts sending to `address`; returns when the first datagram is out. Waiting for an answer is up to the caller. */
  static async start(
    network: TestNetwork,
    address: string,
    options: MeasuringOptions = {},
  ): Promise<GapClient> {
    const argv = [...programOf('gap-client.ts', options), address];
    const client = new GapClient(network.spawnOn('client', argv));
    await client.#reply(0, 'ready', replyTimeoutMs);
    return client;
  }

  async #reply(id: number, what: string, timeoutMs: number): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, resolve);
    const timer = setTimeout(
      () => reject(new Error(`the client did not say within ${timeoutMs} ms: ${what}`)),
      timeoutMs,
    );
    void this.#process.exited.then(() =>
      reject(new Error(`the client ended: ${this.#process.stderrText()}`)),
    );
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  #ask(command: GapCommand, timeoutMs = replyTimeoutMs): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    const request: GapRequest = { id, ...command };
    const reply = this.#reply(id, JSON.stringify(command), timeoutMs);
    this.#process.child.stdin?.write(`${JSON.stringify(request)}\n`);
    return reply;
  }

  /** Waits for the next answer from that host, and returns its time. */
  async waitForAnswerFrom(host: HostName, timeoutMs = replyTimeoutMs): Promise<number> {
    return (await this.#ask({ command: 'wait', host }, timeoutMs)) as number;
  }

  /** Forgets everything; the gap counts from now. */
  async reset(): Promise<void> {
    await this.#ask({ command: 'reset' });
  }

  async report(): Promise<GapReport> {
    return (await this.#ask({ command: 'report' })) as GapReport;
  }

  /** When the first answer at or after `atMs` came, from that host or from any; null when none has come. */
  async firstAnswerAfter(atMs: number, host: HostName | null = null): Promise<number | null> {
    return (await this.#ask({ command: 'first-answer-after', atMs, host })) as number | null;
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}
