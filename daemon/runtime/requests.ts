// What an operator asks for, on its way to the core and back; and standby for a limited time, which is two requests: one
// now, one of the daemon's own when the time is up. Its end is on disk before standby begins.

import { formatDuration } from '../config/duration.ts';
import type { OperatorWish, RequestAnswer } from '../control/api.ts';
import type { Event } from '../core/events.ts';
import type { CodedNote } from '../why/explanations.ts';
import type { Loop } from './loop.ts';
import type { StandbyEnd } from './standby-end.ts';

export interface RequestsOptions {
  readonly post: Loop['post'];
  /** Before guests are moved. */
  readonly prepare: () => Promise<void>;
  readonly isStandby: () => boolean;
  /** Known once the state directory is open. */
  readonly standbyEnd: () => StandbyEnd;
  readonly tell: (note: CodedNote) => void;
}

export interface Requests {
  ask(wish: OperatorWish): Promise<RequestAnswer>;
  answered(id: number, answer: RequestAnswer): void;
  /** From now on standby that was for a limited time is ended. */
  watchStandby(): void;
}

type CoreRequest = Extract<Event, { kind: 'operator-requested' }>['request'];

export function createRequests(options: RequestsOptions): Requests {
  const { post, prepare, isStandby, standbyEnd, tell } = options;
  const pending = new Map<number, (answer: RequestAnswer) => void>();
  let next = 1;

  const toCore = (request: CoreRequest) =>
    new Promise<RequestAnswer>((resolve) => {
      const id = next++;
      pending.set(id, resolve);
      post({ kind: 'operator-requested', id, request });
    });

  const standbyOn = async (wish: Extract<OperatorWish, { kind: 'standby' }>): Promise<RequestAnswer> => {
    const { forMs, ...request } = wish;
    if (forMs === undefined) {
      const answer = await toCore(request);
      if (answer.kind === 'accepted') await standbyEnd().set(null);
      return answer;
    }
    const before = isStandby() ? standbyEnd().leftMs() : null;
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
    answered(id, answer) {
      pending.get(id)?.(answer);
      pending.delete(id);
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
