// A figure: what was measured, its samples, and the target it is held against. Only data and text.

import { stripVTControlCharacters, styleText } from 'node:util';
import { markdownTable } from './markdown.ts';

export type Unit = 'ms' | '%' | 'MB' | '/s' | 'bytes' | 'bytes/s' | 'µs' | 'x' | '';

/** `max`: the largest sample that is still within the target. `below`: the smallest that is not. */
export type Target = { readonly max: number } | { readonly below: number };

export interface FigureOptions {
  readonly target?: Target;
  /** A word on how it was measured, or on what was odd. */
  readonly remark?: string;
}

export interface Figure extends FigureOptions {
  /** Stable, kebab-case; the name in the JSON output. */
  readonly id: string;
  readonly label: string;
  readonly unit: Unit;
  /** In the order they were measured; null: could not be measured. */
  readonly samples: readonly (number | null)[];
}

export interface Section {
  readonly id: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  /** What the figures were made from, row by row, where that is worth seeing. */
  readonly table?: Table;
  /** An SVG of the same. */
  readonly plot?: string;
}

export interface Table {
  readonly heads: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function figure(
  id: string,
  label: string,
  unit: Unit,
  samples: readonly (number | null)[],
  options: FigureOptions = {},
): Figure {
  return { id, label, unit, samples, ...options };
}

/** null when not one sample could be taken. */
export function summarise(samples: readonly (number | null)[]): Summary | null {
  const sorted = samples.filter((sample) => sample !== null).sort((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) return null;
  const upper = sorted[Math.floor(sorted.length / 2)] ?? max;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? min;
  return { median: (lower + upper) / 2, min, max };
}

/** Every sample counts, not the median: null when there is no target, or a sample is missing. */
export function isWithin({ samples, target }: Figure): boolean | null {
  const summary = summarise(samples);
  if (target === undefined || summary === null || samples.includes(null)) return null;
  return 'max' in target ? summary.max <= target.max : summary.max < target.below;
}

export function isMeasured({ samples }: Figure): boolean {
  return samples.length > 0 && !samples.includes(null);
}

/** What a program reads: the samples, their summary, and the target. */
export function figureJson(item: Figure): Record<string, unknown> {
  const { id, label, unit, samples, target, remark } = item;
  const rounded = samples.map((sample) => (sample === null ? null : round(sample)));
  const summary = summarise(rounded);
  return {
    id,
    label,
    unit,
    ...(summary ?? { median: null, min: null, max: null }),
    samples: rounded,
    target: target ?? null,
    within: isWithin(item),
    ...(remark === undefined ? {} : { remark }),
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** Three significant digits, and never more than three decimals. */
export function formatValue(value: number, unit: Unit): string {
  const decimals = Number.isInteger(value)
    ? 0
    : Math.min(3, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))));
  const text = value.toFixed(unit === 'ms' ? Math.min(1, decimals) : decimals);
  return unit === '' ? text : `${text}${unit === '%' || unit === '/s' ? '' : ' '}${unit}`;
}

/** One section as lines of a table: label, median [min..max], target, whether it was met. */
export function renderSection({ title, figures, table }: Section, colour: boolean): string {
  const rows = figures.map((item) => [
    item.label,
    measured(item),
    item.target === undefined ? '' : targetText(item.target, item.unit),
    paint(verdict(item), colour),
    item.remark ?? '',
  ]);
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...rows.map((row) => stripVTControlCharacters(row[column] ?? '').length)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - visible(cell))))
      .join('  ')
      .trimEnd(),
  );
  const rest = table === undefined ? [] : ['', renderTable(table)];
  return [title, ...lines.map((line) => `  ${line}`), ...rest].join('\n');
}

/** `plotFile`: where its plot is, if it has one. */
export function sectionAsMarkdown({ title, figures, table, plot }: Section, plotFile: string): string {
  const rows = figures.map((item) => [
    item.label.trim(),
    measured(item),
    item.target === undefined ? '' : targetText(item.target, item.unit),
    verdict(item),
    item.remark ?? '',
  ]);
  const parts = [`## ${title}`, markdownTable([['figure', 'measured', 'target', '', 'remark'], ...rows])];
  if (table !== undefined) parts.push(renderTable(table));
  if (plot !== undefined) parts.push(`![${title}](${plotFile})`);
  return parts.join('\n\n');
}

const renderTable = ({ heads, rows }: Table): string =>
  markdownTable([heads, ...rows.map((row) => row.map(String))]);

function visible(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

function measured({ samples, unit }: Figure): string {
  const summary = summarise(samples);
  if (summary === null) return 'not measured';
  const { median, min, max } = summary;
  if (samples.length === 1) return formatValue(median, unit);
  return `${formatValue(median, unit)} [${formatValue(min, unit)} .. ${formatValue(max, unit)}]`;
}

function targetText(target: Target, unit: Unit): string {
  return 'max' in target ? `<= ${formatValue(target.max, unit)}` : `< ${formatValue(target.below, unit)}`;
}

function verdict(item: Figure): string {
  if (!isMeasured(item)) return 'not measured';
  const within = isWithin(item);
  if (within === null) return '';
  return within ? 'within target' : 'over target';
}

function paint(text: string, colour: boolean): string {
  if (!colour || text === '') return text;
  return styleText(text === 'within target' ? 'green' : 'red', text, { validateStream: false });
}
