// What the witness keeps for a pair, and what becomes of it when the lease is lent. Pure; any kind of witness can use it.

import { randomInt } from 'node:crypto';
import * as z from 'zod';
import type { LoneMarks } from '../driver.ts';

/**
 * `born`: a number that no other record of this cluster has, so that one that was lost and made anew is known for that.
 * `term`: how often the holder has changed, counted from `born`. `last`: who had it last; null: nobody yet. `alone`: the
 * groups that each node wrote to without their mirror.
 */
export interface WitnessRecord {
  readonly born: number;
  readonly term: number;
  readonly last: string | null;
  readonly alone: Readonly<Record<string, readonly string[]>>;
}

const schema = z.looseObject({
  born: z.int(),
  term: z.int(),
  last: z.string().nullable(),
  alone: z.record(z.string(), z.array(z.string())),
});

const bornMax = 2 ** 47;

/** A term is never the number of one before the record was lost: a node would take nobody to have had the lease since. */
export function newRecord(): WitnessRecord {
  const born = randomInt(1, bornMax);
  return { born, term: born, last: null, alone: {} };
}

/** Null: it is none of ours. */
export function parseRecord(text: string): WitnessRecord | null {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

export function formatRecord(record: WitnessRecord): string {
  return JSON.stringify(record);
}

/** The record once the lease is `holder`'s and the marks are made; the same object when nothing changes. */
export function lentTo(record: WitnessRecord, holder: string, { alone, same }: LoneMarks): WitnessRecord {
  const own = [...new Set([...aloneOf(record, holder), ...alone])];
  const marks = Object.entries({ ...record.alone, [holder]: own })
    .map(([node, groups]) => [node, groups.filter((group) => !same.includes(group))] as const)
    .filter(([, groups]) => groups.length > 0);
  const term = record.last === holder ? record.term : record.term + 1;
  const next = { ...record, term, last: holder, alone: Object.fromEntries(marks) };
  return formatRecord(next) === formatRecord(record) ? record : next;
}

export function aloneOf(record: WitnessRecord, node: string): readonly string[] {
  return record.alone[node] ?? [];
}
