// What a metric is here: a family of samples, made anew for each answer from what is so at that moment. Nothing is
// registered and nothing is kept, so that a guest or a link that is gone is gone from the next answer.

import type { HistogramReading } from './histogram.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

interface Named {
  /** The whole name, with its unit and, of a counter, `_total`; of an info `_info`. */
  readonly name: string;
  readonly help: string;
}

export type Family = Named &
  (
    | { readonly kind: 'gauge' | 'counter' | 'info'; readonly samples: readonly Sample[] }
    | {
        readonly kind: 'histogram';
        readonly series: readonly { readonly labels: Labels; readonly reading: HistogramReading }[];
      }
  );

/** `[labels, value]`; null: it is not known, so there is no sample. */
export type Point = readonly [labels: Labels, value: number | boolean | null];

const samplesOf = (points: readonly Point[]): readonly Sample[] =>
  points.flatMap(([labels, value]) => (value === null ? [] : [{ labels, value: Number(value) }]));

export function gauge(name: string, help: string, points: readonly Point[]): Family {
  return { kind: 'gauge', name, help, samples: samplesOf(points) };
}

export function counter(name: string, help: string, points: readonly Point[]): Family {
  return { kind: 'counter', name, help, samples: samplesOf(points) };
}

/** Facts as labels; the value is always 1. */
export function info(name: string, help: string, labels: readonly Labels[]): Family {
  return { kind: 'info', name, help, samples: labels.map((each) => ({ labels: each, value: 1 })) };
}

/** One sample for each value that there could be: 1 for the one that is so. */
export function oneOf<T extends string>(
  label: string,
  values: readonly T[],
  current: T | null,
  labels: Labels = {},
): readonly Point[] {
  return values.map((value) => [{ ...labels, [label]: value }, value === current] as const);
}

export const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);
export const bytesOfKib = (kib: number | null): number | null => (kib === null ? null : kib * 1024);

/** The keys of a record that names every value of a union: the compiler sees that none is missing. */
export function every<T extends string>(record: Readonly<Record<T, true>>): readonly T[] {
  return Object.keys(record) as T[];
}
