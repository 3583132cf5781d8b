// When something is due: node-cron, by the host's local time.

import { schedule } from 'node-cron';

export interface CronTimes {
  /** Null: never again. */
  next(): Date | null;
  stop(): void;
}

/** Calls `due` at its times; `missed` instead, when this process did not get to run then. */
export type CronClock = (
  pattern: string,
  calls: { readonly due: () => void; readonly missed: (at: Date) => void },
) => CronTimes;

/** What node-cron would print itself goes nowhere: what is missed is told where the rest is. */
const silent = { info() {}, warn() {}, error() {}, debug() {} };

export const cronClock: CronClock = (pattern, { due, missed }) => {
  const task = schedule(pattern, due, { unref: true, logger: silent });
  task.on('execution:missed', ({ date }) => missed(date));
  return {
    next: () => task.getNextRun(),
    stop() {
      void task.destroy();
    },
  };
};
