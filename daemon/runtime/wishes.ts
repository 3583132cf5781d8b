// What an operator asks for, on its way to the core and back; and standby for a limited time, which is two requests: one
// now, one of the daemon's own when the time is up. Its end is on disk before standby begins.

import { formatDuration } from '../config/duration.ts';
import type { OperatorWish, RequestAnswer } from '../control/api.ts';
import type { OperatorRequest } from '../core/events.ts';
import type { CodedNote } from '../why/explanations.ts';
import type { StandbyEnd } from './standby-end.ts';

export interface WishesOptions {
  /** Asks the core. */
  readonly toCore: (request: OperatorRequest) => Promise<RequestAnswer>;
  /** Before guests are moved. */
  readonly prepare: () => Promise<void>;
  readonly isStandby: () => boolean;
  /** Known once the state directory is open. */
  readonly standbyEnd: () => StandbyEnd;
  readonly tell: (note: CodedNote) => void;
}

export interface Wishes {
  ask(wish: OperatorWish): Promise<RequestAnswer>;
  /** From now on standby that was for a limited time is ended. */
  watchStandby(): void;
}

export function createWishes(options: WishesOptions): Wishes {
  const { toCore, prepare, isStandby, standbyEnd, tell } = options;

  const standbyOn = async (wish: Extract<OperatorWish, { kind: 'standby' }>): Promise<RequestAnswer> => {
    const { forMs, ...request } = wish;
    const before = isStandby() ? standbyEnd().leftMs() : null;
    if (forMs === undefined) {
      const answer = await toCore(request);
      if (answer.kind !== 'accepted') return answer;
      await standbyEnd().set(null);
      return before === null
        ? answer
        : { ...answer, message: `${answer.message}; it no longer ends by itself` };
    }
    try {
      await standbyEnd().set(forMs);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const message = `the end of standby cannot be written, so it does not begin: ${why}`;
      const mend = 'free space or mend the file system of the state directory';
      return { kind: 'refused', code: 'ledger-not-written', message, next: mend };
    }
    const answer = await toCore(request);
    if (answer.kind === 'accepted')
      return { ...answer, message: `${answer.message}; it ends by itself in ${formatDuration(forMs)}` };
    await standbyEnd().set(before);
    return answer;
  };

  const standbyOff = async (): Promise<RequestAnswer> => {
    const answer = await toCore({ kind: 'standby', on: false });
    if (answer.kind === 'accepted') await standbyEnd().set(null);
    return answer;
  };

  return {
    async ask(wish) {
      if (wish.kind === 'handover' || (wish.kind === 'standby' && wish.on)) await prepare();
      if (wish.kind !== 'standby') return toCore(wish);
      return wish.on ? standbyOn(wish) : standbyOff();
    },
    watchStandby() {
      standbyEnd().watch(() => {
        if (!isStandby()) return void standbyEnd().set(null);
        const message = 'the time of standby is up: this node may run groups again';
        tell({ severity: 'info', code: 'standby-ended', group: null, message, next: null, tookMs: null });
        void standbyOff();
      });
    },
  };
}
