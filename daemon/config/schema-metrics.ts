// The key `metrics`: where what is measured is written for node_exporter. Every `error` here says what is EXPECTED.

import type * as z from 'zod';
import { durationPattern, formatDuration, parseDuration } from './duration.ts';
import { explainedPath, mapping, text } from './schema-parts.ts';

/** Debian's node_exporter reads this directory; https://github.com/prometheus/node_exporter#textfile-collector */
export const defaultTextfile = '/var/lib/prometheus/node-exporter/battito.prom';

const intervalMinMs = 5000;
/** The alert rules of config/ take what is older than two minutes for a daemon that is gone. */
const intervalMaxMs = 60_000;
const expectedInterval = `a duration from ${formatDuration(intervalMinMs)} to ${formatDuration(intervalMaxMs)}, such as 15s`;
const expectedTextfile = `an absolute path that ends in .prom, such as ${defaultTextfile}`;

const interval = text(expectedInterval, durationPattern)
  .refine(
    (value) => {
      const ms = parseDuration(value) ?? 0;
      return ms >= intervalMinMs && ms <= intervalMaxMs;
    },
    { error: expectedInterval },
  )
  .transform((value) => parseDuration(value) as number);

export const metrics = mapping({
  textfile: explainedPath((path) => (/[^/]\.prom$/.test(path) ? null : expectedTextfile))
    .meta({ examples: [defaultTextfile] })
    .describe(
      'File for the textfile collector of node_exporter; its directory exists, and its name ends in .prom.',
    ),
  interval: interval.prefault('15s').describe('How often it is written; from 5s to 1m.'),
});

/** What the file says, as the rest of the program sees it. */
export function toMetrics(file: z.output<typeof metrics> | undefined) {
  return file === undefined ? null : { textfile: file.textfile, intervalMs: file.interval };
}
