// Does deadtime fit what the heartbeats of the last days were like? Pure: what the running daemon has counted, in words.

import { formatDuration } from '../../config/duration.ts';
import type { GapsView, Status } from '../../control/api.ts';
import { formatSpan } from '../time.ts';
import { type Finding, type Reporter, reporter } from './finding.ts';

/** Deadtime is to be this many times the longest gap: in quiet days one sees less than on the day that counts. */
const marginWanted = 3;
/** Less than this, of all links together, says nothing yet: at a keepalive of 200 ms, some minutes. */
const gapsNeeded = 2000;
/** A silence of more deadtimes than this is a cut: no deadtime is meant to bear it. */
const longCut = 5;

export function checkGaps({ gaps, timings }: Pick<Status, 'gaps' | 'timings'>): readonly Finding[] {
  const report = reporter('deadtime');
  const { deadtimeMs } = timings;
  const seen = gaps.links.reduce((total, { count }) => total + count, 0);
  const deadtime = formatDuration(deadtimeMs);
  if (seen < gapsNeeded) {
    report.info(`too few heartbeats were heard until now to say whether a deadtime of ${deadtime} fits`);
    return report.findings;
  }
  const during = gaps.days === 1 ? 'in one day' : `in ${gaps.days} days`;
  for (const { name, count, largestMs, usualMs, cuts } of gaps.links) {
    if (count === 0) continue;
    const times = deadtimeMs / Math.max(1, largestMs);
    const gap = `largest gap on ${name} ${during}: ${largestMs} ms, nearly all within ${usualMs} ms`;
    if (times >= marginWanted)
      report.ok(`${gap}; deadtime ${deadtime} leaves ${Math.floor(times)} times that`);
    else {
      report.warning(
        'deadtime-tight',
        `${gap}; deadtime ${deadtime} is only ${times.toFixed(1)} times that`,
        mend(largestMs),
      );
    }
    if (cuts.count > 0) {
      report.info(
        `${name} was silent for longer than deadtime ${timesOf(cuts)} ${during}: a cut, if it was that link alone`,
      );
    }
  }
  tellSilences(report, gaps, deadtimeMs, during);
  return report.findings;
}

function tellSilences(report: Reporter, gaps: GapsView, deadtimeMs: number, during: string): void {
  const { silences, stalls } = gaps;
  if (silences.count > 0) {
    const isShort = silences.longestMs <= longCut * deadtimeMs;
    report.warning(
      'deadtime-exceeded',
      `nothing was heard on any link for longer than deadtime ${timesOf(silences)} ${during}, although the peer went on: all cables were cut, it stood still, or deadtime is too short`,
      isShort ? mend(silences.longestMs) : 'battito incident   # what it was',
    );
  }
  if (stalls.count > 0) {
    report.info(
      `this daemon itself did not get to run ${timesOf(stalls)} ${during}; that is not held against the peer`,
    );
  }
}

const timesOf = ({ count, longestMs }: { readonly count: number; readonly longestMs: number }) =>
  `${count === 1 ? 'once' : `${count} times, the longest`} for ${formatSpan(longestMs)}`;

/** In whole seconds, as people set it. */
const mend = (gapMs: number) =>
  `deadtime: ${Math.ceil((marginWanted * gapMs) / 1000)}s   # under heartbeat, on both nodes; then systemctl reload battito`;
