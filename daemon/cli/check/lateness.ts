// Can this machine keep the timings of the configuration? Pure: how late the running daemon was since its start, in words.

import { formatDuration } from '../../config/duration.ts';
import { deadtimeWithRoom, roomFor } from '../../config/timing-rules.ts';
import type { Status } from '../../control/api.ts';
import { type Finding, reporter } from './finding.ts';

/** Less often than this says nothing yet: at a keepalive of 200 ms, some minutes. */
const timesNeeded = 2000;
/** What is left is to be this many times what is usual: in a quiet hour one sees less than on the day that counts. */
const marginWanted = 3;

export function checkLateness(
  { lateness, timings }: Pick<Status, 'timings'> & { readonly lateness?: Status['lateness'] },
  asksOutside: boolean,
): readonly Finding[] {
  const report = reporter('lateness');
  if (lateness === undefined) return []; // A daemon from before an upgrade does not say.
  const { count, usualMs, longestMs } = lateness;
  if (count < timesNeeded) {
    report.info('the daemon has not run for long enough to say how late this machine lets it run');
    return report.findings;
  }
  const leftMs = Math.floor(roomFor(timings, asksOutside).ms);
  const deadtime = formatDuration(timings.deadtimeMs);
  const late = `this machine lets the daemon run up to ${usualMs} ms late (999 times of 1000; at the most ${longestMs} ms)`;
  const mend = () => {
    const enough = deadtimeWithRoom(timings, asksOutside, marginWanted * usualMs);
    return `deadtime: ${formatDuration(enough)}   # under heartbeat, on both nodes; then systemctl reload battito`;
  };
  if (usualMs >= leftMs) {
    const harm = 'a node that is well will take itself for cut off, or its peer for dead';
    report.problem(
      'machine-too-late',
      `${late}, and a deadtime of ${deadtime} bears less than ${leftMs} ms: ${harm}`,
      mend(),
    );
  } else if (usualMs * marginWanted > leftMs) {
    report.warning(
      'machine-late',
      `${late}; a deadtime of ${deadtime} bears ${leftMs} ms, which is little more`,
      mend(),
    );
  } else report.ok(`${late}; a deadtime of ${deadtime} bears ${leftMs} ms`);
  return report.findings;
}
