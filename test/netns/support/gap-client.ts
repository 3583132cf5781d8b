// A program that runs at the client: sends a datagram to ADDRESS port 7 every 5 ms and keeps when each answer
// came and from which host. Usage: gap-client.ts ADDRESS. Requests are JSON lines on stdin, each answered by a
// JSON line with the same `id` on stdout; the protocol's types and the caller are in gap.ts.
// All times are CLOCK_MONOTONIC in milliseconds.

import { createSocket } from 'node:dgram';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { monotonicMs } from '../../support.ts';
import type { GapRequest } from './gap.ts';
import { createGapRecord } from './gap-record.ts';

const intervalMs = 5;
const address = process.argv[2] ?? '127.0.0.1';
setPriority(-15); // It measures, so a busy machine must not look like an outage.

let record = createGapRecord(monotonicMs());
let waiting: { readonly id: number; readonly host: string }[] = [];

function reply(id: number, value: unknown): void {
  process.stdout.write(`${JSON.stringify({ id, value })}\n`);
}

function serve(request: GapRequest): void {
  switch (request.command) {
    case 'report':
      reply(request.id, record.report(monotonicMs()));
      return;
    case 'reset':
      record = createGapRecord(monotonicMs());
      reply(request.id, null);
      return;
    case 'wait':
      waiting.push({ id: request.id, host: request.host });
      return;
    case 'first-answer-after':
      reply(request.id, record.firstAnswerAfter(request.atMs, request.host));
      return;
  }
}

const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
socket.on('error', () => {}); // Unreachable is what we are here to measure.
socket.on('message', (message) => {
  const atMs = monotonicMs();
  const [, by = 'unnamed'] = message.toString('latin1').split(' ', 2);
  record.answered(atMs, by);
  if (waiting.length === 0) return;
  for (const { id, host } of waiting) if (host === by) reply(id, atMs);
  waiting = waiting.filter(({ host }) => host !== by);
});

let sequence = 0;
let nextMs = monotonicMs();

/** Sends what is due; a late timer does not shift those that follow, and after a stall nothing is sent twice. */
function pass(): void {
  const now = monotonicMs();
  record.sends(now);
  sequence += 1;
  socket.send(String(sequence), 7, address, () => {});
  nextMs += intervalMs * Math.max(1, Math.ceil((now - nextMs) / intervalMs));
  setTimeout(pass, Math.max(0, nextMs - monotonicMs()));
}

socket.bind(0, () => {
  pass();
  reply(0, 'ready');
});
createInterface({ input: process.stdin })
  .on('line', (line) => serve(JSON.parse(line) as GapRequest))
  .on('close', () => process.exit(0));
