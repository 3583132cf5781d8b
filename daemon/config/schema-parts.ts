// The pieces of which the schema is made: texts with a pattern, names, durations, mappings.
// Every `error` says what is EXPECTED; problem.ts makes the sentence.

import * as z from 'zod';
import { durationPattern, formatDuration, parseDuration } from './duration.ts';
import { interfacePattern, pathPattern } from './values.ts';

/** Longest duration that any key takes; well below the limit of timers (2^31 ms). */
const durationMaxMs = 168 * 3_600_000;

export const expectedName =
  'a name of letters, digits, dots, dashes and underscores (at most 31, a letter or digit first)';
export const expectedNodeName = expectedName.replace('31', '63');

export function text(expected: string, pattern: RegExp) {
  return z.string({ error: expected }).regex(pattern, { error: expected });
}

/** As `text`, for names: `7` and `true` are names too, only YAML does not take them for text. */
export function nameText(expected: string, pattern: RegExp) {
  const error = ({ input }: { readonly input?: unknown }) =>
    typeof input === 'number' || typeof input === 'boolean' ? `${expected}, in quotes` : expected;
  return z.string({ error }).regex(pattern, { error: expected });
}

/** A text that `parse` understands; the parsed value is what the configuration holds. */
export function parsed<Value>(expected: string, pattern: RegExp, parse: (text: string) => Value | undefined) {
  return text(expected, pattern)
    .refine((value) => parse(value) !== undefined, { error: expected })
    .transform((value) => parse(value) as Value);
}

export function duration(durationMinMs = 0) {
  const within = (value: string) => {
    const durationMs = parseDuration(value) ?? durationMinMs;
    return durationMs >= durationMinMs && durationMs <= durationMaxMs;
  };
  const range = `from ${formatDuration(durationMinMs)} to ${formatDuration(durationMaxMs)}`;
  return text('a duration such as 200ms or 2s', durationPattern)
    .refine(within, { error: `a duration ${range}` })
    .transform((value) => parseDuration(value) as number);
}

export function mapping<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, { error: `a mapping with the keys ${Object.keys(shape).join(', ')}` });
}

/** Names are checked in check.ts: zod does not look into the value of a record's wrong key. */
export function named<Item extends z.ZodType>(expected: string, pattern: RegExp, item: Item) {
  return z
    .record(z.string(), item, { error: expected })
    .meta({ propertyNames: { type: 'string', pattern: pattern.source } });
}

export function wholeNumber(expected: string, min: number, max: number) {
  return z.int({ error: expected }).min(min, { error: expected }).max(max, { error: expected });
}

export const interfaceName = text(
  'the name of a network interface such as eth0 (at most 15 characters)',
  interfacePattern,
);
export const absolutePath = text('an absolute path', pathPattern);

/** As `text`, where what is expected depends on what is found; `expects` says it, null when it is met. */
export function explained(
  expected: string,
  pattern: RegExp,
  expects: (text: string) => string | null,
): z.ZodString {
  const error = ({ input }: { readonly input?: unknown }) =>
    (typeof input === 'string' ? expects(input) : null) ?? expected;
  return z
    .string({ error })
    .regex(pattern, { error })
    .refine((found) => expects(found) === null, { error });
}

/** As `absolutePath`, where more is expected of a path than its form. */
export const explainedPath = (expects: (path: string) => string | null) =>
  explained('an absolute path', pathPattern, expects);
