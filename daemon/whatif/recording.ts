// What is written down while the modelled world runs: notes, power, and who is served by what. It only listens.

import type { ResourceAction } from '../core/events.ts';
import type { ResourceId } from '../core/policy.ts';
import type { Side } from '../sim/action.ts';
import { formatAction, type HostNames } from '../sim/action-text.ts';
import type { Trace } from '../sim/trace.ts';
import type { TimelineEntry } from './report.ts';
import { createService, type Service } from './service.ts';

export interface Recording {
  readonly listen: (trace: Trace) => void;
  /** With times of the world. */
  entries(sinceMs: number): readonly TimelineEntry[];
  /** When a host was last switched on; -Infinity: never. */
  switchedOnAt(): number;
  readonly service: Service;
  /** Who began to start what, in order. */
  starts(
    sinceMs: number,
  ): readonly { readonly at: number; readonly side: Side; readonly resource: ResourceId }[];
}

const bringsUp = (action: ResourceAction) => action === 'start' || action === 'resume';

export function createRecording(names: HostNames): Recording {
  const entries: TimelineEntry[] = [];
  const begun: { at: number; side: Side; resource: ResourceId }[] = [];
  const service = createService();
  let switchedOnAt = -Infinity;
  const tell = (at: number, node: string | null, code: string, message: string) =>
    void entries.push({ atMs: at, node, severity: 'info', code, group: null, message, next: null });

  return {
    listen(trace) {
      const { at } = trace;
      service.listen(trace);
      switch (trace.kind) {
        case 'action':
          return tell(at, null, 'action', `what happens: ${formatAction(trace.action, names)}`);
        case 'operation': {
          if (trace.outcome !== 'started' || !bringsUp(trace.action)) return;
          begun.push({ at, side: trace.side, resource: trace.resource });
          return;
        }
        case 'powered': {
          if (trace.on) switchedOnAt = at;
          if (trace.why === 'fault' || trace.why === 'operator') return; // The action says it.
          const what = trace.on ? 'has power again' : 'loses power';
          return tell(at, names[trace.side], 'powered', `${what}: ${trace.why}`);
        }
        case 'daemon':
          return tell(
            at,
            names[trace.side],
            'daemon',
            trace.runs ? 'the daemon starts' : 'the daemon is gone',
          );
        case 'note': {
          const { severity, code, group, message, next } = trace.note;
          entries.push({ atMs: at, node: names[trace.side], severity, code, group, message, next });
          return;
        }
        default:
          return;
      }
    },
    entries: (sinceMs) => entries.filter(({ atMs }) => atMs >= sinceMs),
    switchedOnAt: () => switchedOnAt,
    service,
    starts: (sinceMs) => begun.filter(({ at }) => at >= sinceMs),
  };
}
