// Is a connection to a TCP port accepted? A name is looked up anew for each question, by the rules of the host.
// Guarantees: an end at the deadline, with every socket closed. Must not: look names up with getaddrinfo(3) in this
// process, where a resolver that hangs takes the threads that the state file is written with.

import { connect, isIP } from 'node:net';
import { runCommand } from '../command.ts';
import type { ReadinessAnswer } from './readiness.ts';

export async function askTcp(
  host: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ReadinessAnswer> {
  const where = `${host} port ${port}`;
  const over = new AbortController();
  const deadline = AbortSignal.timeout(timeoutMs);
  const ending = AbortSignal.any([signal, deadline, over.signal]);
  const late = `within ${timeoutMs / 1000} s`;
  try {
    const addresses = isIP(host) === 0 ? await lookUp(host, timeoutMs, ending) : [host];
    if (addresses.length === 0) {
      const why = deadline.aborted ? `could not be looked up ${late}` : 'has no address';
      return { ready: false, why: `the name ${host} ${why}` };
    }
    await Promise.any(addresses.map((address) => accepted(address, port, ending)));
    return { ready: true, why: `${where} accepts connections` };
  } catch (error) {
    const why = deadline.aborted ? `no answer ${late}` : describe(error);
    return { ready: false, why: `${where}: ${why}` };
  } finally {
    over.abort();
  }
}

/** `getent ahosts`: a line for every address and kind of socket, the address first. Empty when there is none. */
async function lookUp(name: string, timeoutMs: number, signal: AbortSignal): Promise<readonly string[]> {
  const { stdout } = await runCommand(['getent', 'ahosts', name], { timeoutMs, signal });
  const addresses = stdout.split('\n').map((line) => line.split(/\s/)[0] ?? '');
  return [...new Set(addresses.filter((address) => isIP(address) !== 0))];
}

function accepted(host: string, port: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'the network is unreachable',
};

/** Of several addresses the first one's error: they seldom differ. */
function describe(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const code = (first as NodeJS.ErrnoException | undefined)?.code ?? '';
  return words[code] ?? (first instanceof Error ? first.message : String(first));
}
