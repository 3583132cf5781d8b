// The key `drill`: what is drilled by itself, and when. Every `error` here says what is EXPECTED.

import * as z from 'zod';
import { crontab } from './schema-crontab.ts';
import { duration, mapping } from './schema-parts.ts';

export const drillKinds = ['fence', 'handover'] as const;

export const drill = mapping({
  schedule: crontab.describe('When, in the local time of the host, as crontab(5) writes it: "0 4 * * 0".'),
  kind: z
    .enum(drillKinds, { error: 'fence or handover' })
    .describe(
      'handover: the node that runs the first group hands every group over and back, which stops guests as any handover does; fence: each node does what `battito drill fence` does.',
    ),
  settled: duration()
    .prefault('10m')
    .describe('A group that has not been where it is for this long is not drilled.'),
});

/** What the file says, as the rest of the program sees it. */
export function toDrill(file: z.output<typeof drill> | undefined) {
  return file === undefined ? null : { schedule: file.schedule, kind: file.kind, settledMs: file.settled };
}
