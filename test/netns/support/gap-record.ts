// What a measuring client keeps: when each answer came and from whom, the longest time without one, and how late the
// client itself was. Pure; all times are CLOCK_MONOTONIC in milliseconds, given by the caller.

import type { GapReport } from './gap.ts';

export interface GapRecord {
  /** A datagram is about to be sent; the time since the one before is the client's own doing. */
  sends(atMs: number): void;
  answered(atMs: number, by: string): void;
  /** When the first answer at or after `atMs` came, from that host or, with null, from any. */
  firstAnswerAfter(atMs: number, host: string | null): number | null;
  report(nowMs: number): GapReport;
}

interface Answer {
  readonly atMs: number;
  readonly by: string;
}

export function createGapRecord(startedAtMs: number): GapRecord {
  const answers: Answer[] = [];
  let sent = 0;
  let lastSendMs = startedAtMs;
  let longestOwnStallMs = 0;
  let longestGapMs = 0;
  let longestGapStartedAtMs = startedAtMs;

  const noteGap = (untilMs: number): void => {
    const sinceMs = answers.at(-1)?.atMs ?? startedAtMs;
    if (untilMs - sinceMs <= longestGapMs) return;
    longestGapMs = untilMs - sinceMs;
    longestGapStartedAtMs = sinceMs;
  };

  return {
    sends(atMs) {
      longestOwnStallMs = Math.max(longestOwnStallMs, atMs - lastSendMs);
      lastSendMs = atMs;
      sent += 1;
    },
    answered(atMs, by) {
      noteGap(atMs);
      answers.push({ atMs, by });
    },
    firstAnswerAfter: (atMs, host) =>
      answers.find((answer) => answer.atMs >= atMs && (host === null || answer.by === host))?.atMs ?? null,
    report(nowMs) {
      noteGap(nowMs);
      const answeredBy: { [host: string]: number } = {};
      const firstAnswerAtMs: { [host: string]: number } = {};
      for (const { atMs, by } of answers) {
        answeredBy[by] = (answeredBy[by] ?? 0) + 1;
        firstAnswerAtMs[by] ??= atMs;
      }
      return {
        startedAtMs,
        sent,
        answered: answers.length,
        longestGapMs,
        longestGapStartedAtMs,
        longestOwnStallMs,
        answeredBy,
        firstAnswerAtMs,
        lastAnsweredBy: answers.at(-1)?.by ?? null,
      };
    },
  };
}
