// The key `drill`: what is drilled by itself, and when. Every `error` here says what is EXPECTED.

import { validateDetailed } from 'node-cron';
import { z } from 'zod';
import { duration, mapping } from './schema-parts.ts';

export const drillKinds = ['fence', 'handover'] as const;

const expectedSchedule = 'a schedule as crontab(5) writes it, such as "0 4 * * 0" (Sundays at four)';

const fieldNames: Readonly<Record<string, string>> = {
  second: 'second',
  minute: 'minute',
  hour: 'hour',
  dayOfMonth: 'day of the month',
  month: 'month',
  dayOfWeek: 'day of the week',
};

/** Which field of it is wrong, where that is known. */
function expects({ input }: { readonly input?: unknown }): string {
  if (typeof input !== 'string') return expectedSchedule;
  const named = validateDetailed(input).errors.flatMap(({ field, value }) => {
    const name = fieldNames[field];
    return name === undefined ? [] : [`${value ?? ''} is no ${name}`];
  });
  return named.length === 0 ? expectedSchedule : `${expectedSchedule}; ${named.join(', ')}`;
}

export const drill = mapping({
  schedule: z
    .string({ error: expectedSchedule })
    .refine((text) => validateDetailed(text).valid, { error: expects })
    .describe('When, in the local time of the host, as crontab(5) writes it: "0 4 * * 0".'),
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
