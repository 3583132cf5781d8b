// The signals that a daemon is told things by.

import type { Logger } from 'pino';

export interface SignalActions {
  readonly stop: () => void;
  readonly stopAtOnce: () => void;
  readonly reload: () => void;
  readonly logger: Logger;
}

/** SIGTERM and SIGINT hand over; a second one ends at once and leaves everything as it is. SIGHUP reloads. */
export function catchSignals({ stop, stopAtOnce, reload: onReload, logger }: SignalActions): () => void {
  let asked = false;
  const onStop = (signal: NodeJS.Signals) => {
    if (asked) {
      logger.warn({ signal }, 'told to stop a second time: ends at once, everything is left as it is');
      return stopAtOnce();
    }
    asked = true;
    stop();
  };
  process.on('SIGTERM', onStop);
  process.on('SIGINT', onStop);
  process.on('SIGHUP', onReload);
  return () => {
    process.off('SIGTERM', onStop);
    process.off('SIGINT', onStop);
    process.off('SIGHUP', onReload);
  };
}
