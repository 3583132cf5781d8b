// What the daemon says to its standard output, which the service manager keeps: pino's lines of JSON.

import type { Logger } from 'pino';
import { pino } from 'pino';

export function createLogger(node: string): { readonly logger: Logger; readonly flush: () => void } {
  // Asynchronous and bounded: a stdout that blocks costs log lines, not heartbeats.
  const destination = pino.destination({ dest: 1, sync: false, maxLength: 1024 * 1024 });
  destination.on('error', () => {}); // Nobody reads us any more; the history and the journal go on.
  const level = process.env['BATTITO_LOG_LEVEL'] ?? 'info';
  const logger = pino({ level, base: { node }, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  return { logger, flush: () => destination.flushSync() };
}
