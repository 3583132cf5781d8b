// Asks by ARP: a short arping(8) for each round, since it takes whole seconds only as an interval; rounds overlap
// when answers stay out.
// Guarantees: an answer is never invented; `unanswered` only while the own interface could carry the question.

import { arpingOnce, parseArpingLine } from '../arping.ts';
import { describeEnd, startLineProcess } from '../line-process.ts';
import { afterReading, interfaceObstacle, type ProbeRun, patienceMsMax, type ReportResult } from './run.ts';

/** `interface` needs an IPv4 address of its own to ask from. */
export interface ArpTarget {
  readonly kind: 'arp';
  readonly address: string;
  readonly interface: string;
}

export function startArpRounds(target: ArpTarget, intervalMs: number, report: ReportResult): ProbeRun {
  const rounds = new Set<ProbeRun>();

  function round(): void {
    const obstacle = interfaceObstacle(target.interface);
    if (obstacle !== undefined) {
      report({ kind: 'failed', message: obstacle });
      return;
    }
    const mine = startArpRound(target, Math.min(intervalMs, patienceMsMax), report, () =>
      rounds.delete(mine),
    );
    rounds.add(mine);
  }

  const timer = setInterval(round, intervalMs);
  const firstTimer = setImmediate(round); // Results never come from within setPace().
  return {
    async stop() {
      clearImmediate(firstTimer);
      clearInterval(timer);
      await Promise.all([...rounds].map((mine) => mine.stop()));
    },
  };
}

function startArpRound(
  target: ArpTarget,
  patienceMs: number,
  report: ReportResult,
  onOver: () => void,
): ProbeRun {
  const argv = arpingOnce(target.address, target.interface);
  let over = false;
  let settled = false; // Answered, or reported as unanswered or failed.

  const child = startLineProcess(argv, {
    onLine(line) {
      const reply = parseArpingLine(line);
      if (reply?.address !== target.address) return;
      settled = true;
      report({ kind: 'answered', mac: reply.mac });
    },
    onEnd(end) {
      over = true;
      clearTimeout(timer);
      onOver();
      if (settled) return;
      settled = true;
      // Exit 1 without a word is silence; everything else means that the question was not asked.
      if (end.exitCode === 1 && end.stderr === '') reportSilence();
      else report({ kind: 'failed', message: describeEnd(argv, end) });
    },
  });
  const timer = setTimeout(
    afterReading(() => {
      if (over || settled) return;
      settled = true;
      reportSilence();
    }),
    patienceMs,
  );
  function reportSilence(): void {
    const obstacle = interfaceObstacle(target.interface);
    report(obstacle === undefined ? { kind: 'unanswered' } : { kind: 'failed', message: obstacle });
  }
  return {
    stop() {
      over = true;
      clearTimeout(timer);
      return child.stop();
    },
  };
}
