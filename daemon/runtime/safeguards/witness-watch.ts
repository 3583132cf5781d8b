// Asks the witness now and then also where the core does not: a standby that finds out only when it is to take over that
// it cannot reach the witness finds out too late. For people alone; no rule reads it.

import type { Logger } from 'pino';
import type { Witness } from '../../drivers/witness/witness.ts';

const everyMsMin = 5000;
const everyMsMax = 30_000;

/** Until it is closed; the first time at once. */
export function watchWitness(witness: Witness, ttlMs: number, logger: Logger): { close(): void } {
  const everyMs = Math.min(everyMsMax, Math.max(everyMsMin, ttlMs));
  let told: string | null = null;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;

  const look = async () => {
    await witness.look(Math.min(everyMs, ttlMs) / 2);
    if (isClosed) return;
    const { trouble, away } = witness.sight();
    const troubles = trouble === null ? away : [trouble];
    const message = troubles.map((one) => one.message).join('; ');
    if (message !== (told ?? '')) {
      if (message === '') logger.info('the witness answers');
      else logger.warn({ next: troubles[0]?.next }, `the witness: ${message}`);
    }
    told = message;
    timer = setTimeout(() => void look(), everyMs);
  };
  void look();
  return {
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
