// The text that Prometheus reads: its own format 0.0.4, and OpenMetrics 1.0 for who asks for that.
// https://prometheus.io/docs/instrumenting/exposition_formats/ and
// https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md

import type { Family, Labels } from './family.ts';

export type Format = 'prometheus' | 'openmetrics';

export const contentTypes: Readonly<Record<Format, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

const openMetricsType = 'application/openmetrics-text';

/** By the header `Accept`: OpenMetrics only where it is wished for at least as much as the plain one. */
export function formatFor(accept: string | undefined): Format {
  const wishes = (accept ?? '').split(',').map((part) => {
    const [type = '', ...parameters] = part.split(';').map((word) => word.trim().toLowerCase());
    const q = Number(parameters.find((word) => word.startsWith('q='))?.slice(2) ?? 1);
    const version = parameters.find((word) => word.startsWith('version='))?.slice(8) ?? '1.0.0';
    return { type, version, q: Number.isFinite(q) ? q : 0 };
  });
  const wish = (isIt: (each: (typeof wishes)[number]) => boolean) =>
    Math.max(0, ...wishes.filter(isIt).map(({ q }) => q));
  const open = wish(({ type, version }) => type === openMetricsType && version === '1.0.0');
  return open > 0 && open >= wish(({ type }) => type === 'text/plain') ? 'openmetrics' : 'prometheus';
}

export function renderFamilies(families: readonly Family[], format: Format): string {
  const lines = families.flatMap((family) => [...heading(family, format), ...sampleLines(family)]);
  if (format === 'openmetrics') lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}

function heading(family: Family, format: Format): readonly string[] {
  const isOpen = format === 'openmetrics';
  // In OpenMetrics the suffix is of the sample, not of the family.
  const name = isOpen ? family.name.replace(/(?<=.)_(?:total|info)$/, '') : family.name;
  const type = family.kind === 'info' && !isOpen ? 'gauge' : family.kind;
  // Only OpenMetrics escapes quotes here.
  const help = isOpen ? escapeLabel(family.help) : escapeHelp(family.help);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function sampleLines(family: Family): readonly string[] {
  const { name } = family;
  if (family.kind !== 'histogram')
    return family.samples.map(({ labels, value }) => `${name}${labelText(labels)} ${numberText(value)}`);
  return family.series.flatMap(({ labels, reading }) => {
    const { bounds, cumulative, count, sum } = reading;
    const bucket = (le: string, value: number) =>
      `${name}_bucket${labelText({ ...labels, le })} ${numberText(value)}`;
    return [
      ...bounds.map((bound, index) => bucket(boundText(bound), cumulative[index] ?? 0)),
      bucket('+Inf', count),
      `${name}_sum${labelText(labels)} ${numberText(sum)}`,
      `${name}_count${labelText(labels)} ${numberText(count)}`,
    ];
  });
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escapeHelp = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeLabel = (text: string) => escapeHelp(text).replaceAll('"', '\\"');

/** With a point, as OpenMetrics wants it: 1.0, not 1. */
const boundText = (bound: number) => (Number.isInteger(bound) ? bound.toFixed(1) : String(bound));

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}
