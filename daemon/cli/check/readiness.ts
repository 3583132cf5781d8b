// How ready both nodes are for a takeover, by what `battito check` has found: a number to watch, and one word that
// counts. Pure.

import { lossesMax, type Readiness, type ReadinessLoss } from '../../control/schedule.ts';
import { type Look, paint } from '../output.ts';
import { hanging } from '../status/picture.ts';
import { type Finding, merged } from './finding.ts';

/** What each takes off a hundred. */
const blockPoints = 30;
const warningPoints = 5;
const textMax = 600;

export interface Checked {
  readonly findings: readonly Finding[];
  /** Names of the nodes that were checked. */
  readonly nodes: readonly string[];
  /** Node where it was asked for. */
  readonly by: string;
  /** ISO 8601. */
  readonly at: string;
}

/** Worst first. What both nodes have alike counts once. */
export function readinessOf({ findings, nodes, by, at }: Checked): Readiness {
  const all = merged(findings)
    .flatMap(lossOf)
    .toSorted((a, b) => b.points - a.points);
  const points = all.reduce((sum, loss) => sum + loss.points, 0);
  return {
    ...{ at, by, nodes: [...nodes] },
    score: Math.max(0, 100 - points),
    ready: all.every(({ blocks }) => !blocks),
    losses: all.slice(0, lossesMax),
  };
}

function lossOf({ level, blocks, node, area, message, mend }: Finding): ReadinessLoss[] {
  const isBlock = level === 'problem' || blocks === true;
  if (!isBlock && level !== 'warning') return [];
  return [
    {
      ...{
        node: node ?? null,
        area,
        message: message.slice(0, textMax),
        mend: mend?.slice(0, textMax) ?? null,
      },
      ...{ points: isBlock ? blockPoints : warningPoints, blocks: isBlock },
    },
  ];
}

/** `READY` or not, the number, and what each finding took off it. */
export function renderReadiness({ score, ready, losses, nodes }: Readiness, look: Look): string {
  const whose = nodes.length === 1 ? `${nodes[0]} alone` : nodes.join(' and ');
  const word = ready ? 'ready for a takeover' : 'NOT READY: a takeover would fail, or not be tried';
  const rows = losses.map(({ points, node, area, message, blocks }) => {
    const label = `  -${String(points).padEnd(3)} `;
    const lines = hanging(label, `${node === null ? '' : `${node}, `}${area}: ${message}`, look.columns);
    return lines.map((line) => paint(look, blocks ? 'red' : 'yellow', line)).join('\n');
  });
  const heading = `readiness of ${whose}: ${score} of 100, ${word}`;
  return [paint(look, ready ? 'green' : 'red', heading), ...rows].join('\n');
}
