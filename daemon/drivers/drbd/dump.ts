// What DRBD's resources are now, asked once with a process of its own. Changes nothing.

import { applyEvent, type DrbdState, emptyState, parseEventLine } from './events2.ts';
import { runTool } from './run.ts';
import type { Trouble } from './types.ts';
import { troubleOf } from './view.ts';

const argv = ['drbdsetup', 'events2', '--now', 'all'];

/** Never rejects. */
export async function readDump(signal: AbortSignal): Promise<DrbdState | Trouble> {
  const result = await runTool(argv, signal);
  const state = result.stdout
    .split('\n')
    .reduce((sum, line) => applyEvent(sum, parseEventLine(line)), emptyState);
  return result.exitCode === 0 && state.complete ? state : troubleOf({ ...result, argv });
}
