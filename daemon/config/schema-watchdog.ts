// The key `watchdog`: which device resets this host, and after how long without a feed.

import type * as z from 'zod';
import { durationPattern, formatDuration, parseDuration } from './duration.ts';
import { absolutePath, mapping, text } from './schema-parts.ts';

export const defaultWatchdog = { device: '/dev/watchdog', timeout: '5s' } as const;

/** Devices count whole seconds. More than ten minutes is longer than anybody waits for a takeover. */
const timeoutMinMs = 2000;
const timeoutMaxMs = 600_000;
const expected = `whole seconds from ${formatDuration(timeoutMinMs)} to ${formatDuration(timeoutMaxMs)}, such as 5s`;

const timeout = text(expected, durationPattern)
  .refine(
    (value) => {
      const ms = parseDuration(value) ?? 0;
      return ms >= timeoutMinMs && ms <= timeoutMaxMs && ms % 1000 === 0;
    },
    { error: expected },
  )
  .transform((value) => parseDuration(value) as number);

export const watchdog = mapping({
  device: absolutePath
    .default(defaultWatchdog.device)
    .describe('Device of the watchdog, such as /dev/watchdog1; the same on both nodes.'),
  timeout: timeout
    .prefault(defaultWatchdog.timeout)
    .describe(
      'After this long without a feed the host is reset; whole seconds, at least deadtime. The peer waits a little more than twice as long.',
    ),
});

/** What the file says, as the rest of the program sees it. */
export function toWatchdog(file: z.output<typeof watchdog> | undefined) {
  return file === undefined ? null : { device: file.device, timeoutMs: file.timeout };
}
