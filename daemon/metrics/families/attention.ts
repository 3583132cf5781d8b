// What needs a person now. The codes are those of the program, so that their number is bounded.

import type { Severity } from '../../control/api.ts';
import { every, type Family, gauge, type Point } from '../family.ts';
import type { MetricsSource } from '../metrics.ts';

export const severities = every<Severity>({ info: true, warning: true, alarm: true });

export function attentionFamilies({ status: { attention } }: MetricsSource): readonly Family[] {
  const counts = new Map<string, { readonly severity: Severity; readonly code: string; count: number }>();
  for (const { severity, code } of attention) {
    const key = `${severity} ${code}`;
    const known = counts.get(key) ?? { severity, code, count: 0 };
    counts.set(key, { ...known, count: known.count + 1 });
  }
  const byCode: readonly Point[] = [...counts.values()].map(({ severity, code, count }) => [
    { severity, code },
    count,
  ]);
  return [
    gauge(
      'battito_attention_items',
      'How many things need a person now, as `battito status` says them.',
      severities.map((severity) => [
        { severity },
        attention.filter((item) => item.severity === severity).length,
      ]),
    ),
    gauge(
      'battito_attention',
      'How many things of this kind need a person now; what is well has no sample.',
      byCode,
    ),
  ];
}
