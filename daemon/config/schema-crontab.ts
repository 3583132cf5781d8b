// Times as crontab(5) writes them. Every `error` here says what is EXPECTED.

import { validateDetailed } from 'node-cron';
import { z } from 'zod';

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
const explains =
  (expected: string) =>
  ({ input }: { readonly input?: unknown }): string => {
    if (typeof input !== 'string') return expected;
    const named = validateDetailed(input).errors.flatMap(({ field, value }) => {
      const name = fieldNames[field];
      return name === undefined ? [] : [`${value ?? ''} is no ${name}`];
    });
    return named.length === 0 ? expected : `${expected}; ${named.join(', ')}`;
  };

const isSchedule = (text: string) => validateDetailed(text).valid;

export const crontab = z
  .string({ error: expectedSchedule })
  .refine(isSchedule, { error: explains(expectedSchedule) });

const orOff = `${expectedSchedule}, or off`;

/** As `crontab`, or the word off, which is null then. */
export const crontabOrOff = z
  .string({ error: orOff })
  .refine((text) => text === 'off' || isSchedule(text), { error: explains(orOff) })
  .transform((text) => (text === 'off' ? null : text));
