// How a drill ends that may not begin, and what of a drill is kept.

import type { CommandNote } from '../../control/api.ts';
import type { DrillObstacle } from '../../control/drill.ts';
import { BattitoError } from '../../errors.ts';
import type { Context } from '../command.ts';

export function drillRefused({ message, next }: DrillObstacle): BattitoError {
  return new BattitoError('drill-refused', `no drill now, and nothing was touched: ${message}`, { next });
}

/** Writes it into the history, and tells where that is not possible. */
export async function keep({ client, output }: Context, json: boolean, note: CommandNote): Promise<void> {
  try {
    await client.note(note);
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    if (!json) output.problem(`not in the history: ${error.message}`);
  }
}
