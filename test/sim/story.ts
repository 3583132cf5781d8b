// The timeline of one schedule, for people: what was done to the world, what each node said and decided, and what the
// truth was. Times are relative to the world's beginning; the same schedule gives the same lines.

import type { State } from '../../daemon/core/state.ts';
import { formatAction } from '../../daemon/sim/action-text.ts';
import type { Trace } from '../../daemon/sim/trace.ts';
import { type Result, runSchedule } from './run.ts';
import { type Schedule, startMs } from './schedule.ts';

export interface StoryOptions {
  /** Also every operation, lease and change of a resource. */
  readonly detailed?: boolean;
}

export interface Story {
  readonly result: Result;
  readonly lines: readonly string[];
}

export function tell(schedule: Schedule, { detailed = false }: StoryOptions = {}): Story {
  const lines: string[] = [];
  const add = (at: number, who: string, text: string) => {
    lines.push(`${((at - startMs) / 1000).toFixed(3).padStart(8)}  ${who.padEnd(9)}  ${text}`);
  };
  const healing = { isOn: false };
  const listen = (trace: Trace) => {
    if (trace.kind === 'action') {
      const isRoutine = routine.has(trace.action.kind);
      if (!(healing.isOn && isRoutine) && !(trace.at === startMs && isRoutine))
        add(trace.at, 'world', formatAction(trace.action));
      return;
    }
    const line = lineOf(trace, detailed);
    if (line !== null) add(trace.at, 'side' in trace ? trace.side : 'world', line);
  };
  const mends = (at: number) => {
    healing.isOn = true;
    add(at, 'world', 'everything is mended');
  };
  const result = runSchedule(schedule, { listen, mends });
  for (const { rule, at, side, message, lastedMs } of result.violations) {
    const lasted = lastedMs === null ? '' : `, for ${lastedMs.toFixed(1)} ms`;
    add(at, side ?? 'world', `BROKEN ${rule}: ${message}${lasted}`);
  }
  return { result, lines };
}

/** What is mended at the end of every schedule, needed or not. */
const routine = new Set([
  'heal',
  'gateway',
  'way-out',
  'witness',
  'network',
  'mend',
  'fence-device',
  'state-disk',
  'drivers',
  'break',
]);

function lineOf(trace: Trace, detailed: boolean): string | null {
  switch (trace.kind) {
    case 'note':
      if (!detailed && trace.note.code === 'operation-done') return null;
      return `${trace.note.severity === 'info' ? '' : `${trace.note.severity}: `}${trace.note.message}`;
    case 'powered':
      return trace.on ? `has power (${trace.why})` : `has no power (${trace.why})`;
    case 'daemon':
      return trace.runs ? 'the daemon starts' : 'the daemon is gone';
    case 'address-conflict':
      return `${trace.resource} is ${trace.on ? 'on both hosts' : 'on one host at the most again'}`;
    case 'storage':
      return `both copies of ${trace.resource} ${trace.bothWritable ? '' : 'no longer '}take writes`;
    case 'restored':
      return `${trace.resource} goes on from its saved memory`;
    case 'running':
      return detailed || trace.resource.startsWith('guest:') ? `${trace.resource} is ${trace.running}` : null;
    default:
      return detailed ? detailOf(trace) : null;
  }
}

function detailOf(trace: Trace): string | null {
  switch (trace.kind) {
    case 'stepped':
      return phasesThatChanged(trace.before, trace.after);
    case 'promoted':
      return `${trace.resource} promoted, ${trace.disk}, newest ${trace.newest}, forced ${trace.forced}, peer fenced or outdated ${trace.peerFencedOrOutdated}`;
    case 'operation': {
      const { outcome } = trace;
      const end = typeof outcome === 'string' ? outcome : outcome.kind;
      return `${trace.action} ${trace.resource}: ${end}`;
    }
    case 'fencing':
      return `fencing: ${typeof trace.outcome === 'string' ? trace.outcome : trace.outcome.kind}`;
    case 'lease':
      return `the lease is with ${trace.holder ?? 'nobody'}, term ${trace.term}`;
    case 'ledger-on-disk':
      return `on disk: ${trace.ledger.groups.map((group) => `${group.name} ${group.generation} of ${group.owner}${group.sole ? ' sole' : ''}${group.frozen ? ' frozen' : ''}`).join(', ')}`;
    default:
      return null;
  }
}

function phasesThatChanged(before: State, after: State): string | null {
  const changes = after.groups.flatMap((group, index) => {
    const was = before.groups[index];
    if (was === undefined || was.phase.kind === group.phase.kind) return [];
    return [`${group.policy.name} ${was.phase.kind} -> ${group.phase.kind} (${group.rule})`];
  });
  return changes.length === 0 ? null : changes.join(', ');
}
