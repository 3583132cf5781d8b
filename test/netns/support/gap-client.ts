// A program that runs at the client: sends a datagram to ADDRESS port 7 every 5 ms and keeps when each answer
// came and from which host. Usage: gap-client.ts ADDRESS. Requests are JSON lines on stdin, each answered by a
// JSON line with the same `id` on stdout; the protocol's types and the caller are in gap.ts.
// All times are CLOCK_MONOTONIC in milliseconds.

import { createSocket } from 'node:dgram';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { monotonicMs } from '../../support.ts';
import type { GapReport, GapRequest } from './gap.ts';

const intervalMs = 5;
const address = process.argv[2] ?? '127.0.0.1';
setPriority(-15); // It measures, so a busy machine must not look like an outage.

interface Answer {
  readonly atMs: number;
  readonly by: string;
}

interface Measurement {
  readonly startedAtMs: number;
  sent: number;
  longestGapMs: number;
  longestGapStartedAtMs: number;
  longestOwnStallMs: number;
  readonly answers: Answer[];
}

function newMeasurement(): Measurement {
  const now = monotonicMs();
  return {
    startedAtMs: now,
    sent: 0,
    longestGapMs: 0,
    longestGapStartedAtMs: now,
    longestOwnStallMs: 0,
    answers: [],
  };
}

let record = newMeasurement();
let waiting: { readonly id: number; readonly host: string }[] = [];

function reply(id: number, value: unknown): void {
  process.stdout.write(`${JSON.stringify({ id, value })}\n`);
}

function noteGap(untilMs: number): void {
  const sinceMs = record.answers.at(-1)?.atMs ?? record.startedAtMs;
  if (untilMs - sinceMs <= record.longestGapMs) return;
  record.longestGapMs = untilMs - sinceMs;
  record.longestGapStartedAtMs = sinceMs;
}

function report(): GapReport {
  noteGap(monotonicMs());
  const answeredBy: { [host: string]: number } = {};
  const firstAnswerAtMs: { [host: string]: number } = {};
  for (const { atMs, by } of record.answers) {
    answeredBy[by] = (answeredBy[by] ?? 0) + 1;
    firstAnswerAtMs[by] ??= atMs;
  }
  const { startedAtMs, sent, longestGapMs, longestGapStartedAtMs, longestOwnStallMs } = record;
  return {
    startedAtMs,
    sent,
    answered: record.answers.length,
    longestGapMs,
    longestGapStartedAtMs,
    longestOwnStallMs,
    answeredBy,
    firstAnswerAtMs,
    lastAnsweredBy: record.answers.at(-1)?.by ?? null,
  };
}

function serve(request: GapRequest): void {
  switch (request.command) {
    case 'report':
      reply(request.id, report());
      return;
    case 'reset':
      record = newMeasurement();
      reply(request.id, null);
      return;
    case 'wait':
      waiting.push({ id: request.id, host: request.host });
      return;
    case 'first-answer-after': {
      const found = record.answers.find(
        ({ atMs, by }) => atMs >= request.atMs && (request.host === null || by === request.host),
      );
      reply(request.id, found?.atMs ?? null);
      return;
    }
  }
}

const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
socket.on('error', () => {}); // Unreachable is what we are here to measure.
socket.on('message', (message) => {
  const atMs = monotonicMs();
  const [, by = 'unnamed'] = message.toString('latin1').split(' ', 2);
  noteGap(atMs);
  record.answers.push({ atMs, by });
  if (waiting.length === 0) return;
  for (const { id, host } of waiting) if (host === by) reply(id, atMs);
  waiting = waiting.filter(({ host }) => host !== by);
});

let sequence = 0;
let nextMs = monotonicMs();
let lastPassMs = nextMs;

/** Sends what is due; a late timer does not shift those that follow, and after a stall nothing is sent twice. */
function pass(): void {
  const now = monotonicMs();
  record.longestOwnStallMs = Math.max(record.longestOwnStallMs, now - lastPassMs);
  lastPassMs = now;
  sequence += 1;
  record.sent += 1;
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
