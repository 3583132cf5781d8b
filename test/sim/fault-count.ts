// How many faults a schedule really came to: not every one that was drawn is carried out, and some are drawn alone.

import type { Action } from '../../daemon/sim/action.ts';
import { type Step, startMs } from './schedule.ts';

/** Does it make anything worse, other than by what a person asks of a daemon? */
export function isFault(action: Action): boolean {
  switch (action.kind) {
    case 'power-on':
    case 'start-daemon':
    case 'mend':
    case 'heal':
    case 'operator':
    case 'replace-disk':
      return false;
    case 'network':
      return action.loss > 0.1;
    case 'gateway':
      return action.condition === 'off';
    case 'way-out':
      return action.condition === 'shut';
    case 'witness':
      return action.condition !== 'up';
    case 'fence-device':
    case 'state-disk':
    case 'drivers':
      return action.condition !== 'ok';
    case 'break':
      return action.how !== 'ok';
    default:
      return true;
  }
}

/** These the evidence tier does not promise to survive, even alone. */
const isExcepted = ({ kind }: Action) => kind === 'pause-host' || kind === 'partition';

/** One physical cause may take several actions at one instant. */
const isSameCause = (a: Action, b: Action) =>
  a.kind === b.kind || (a.kind === 'state-file' && b.kind === 'kill-daemon');

export interface FaultCount {
  /** A step that is carried out, in order. */
  readonly see: (step: Step) => void;
  readonly count: () => number;
  /** No more than one, which began in a calm world, and none that is excepted. */
  readonly isSingle: () => boolean;
}

export function createFaultCount(): FaultCount {
  let last: Step | null = null;
  let count = 0;
  let isPromised = true;
  let isCalm = false;
  return {
    see(step) {
      isCalm ||= step.whenCalm === true;
      const { action, atMs } = step;
      const isOfBeginning = action.kind === 'power-loss' && atMs === startMs;
      if (isOfBeginning || !isFault(action)) return;
      const isOfLast = last?.atMs === atMs && isSameCause(last.action, action);
      last = step;
      if (isOfLast) return;
      count += 1;
      isPromised &&= isCalm && !isExcepted(action);
    },
    count: () => count,
    isSingle: () => count <= 1 && isPromised,
  };
}
