// Lines on logarithmic axes, panel beside panel, as an SVG that needs nothing else. What is linear has the slope of the
// grey diagonal.

import type { Point } from './line.ts';

export interface Line {
  readonly label: string;
  readonly points: readonly Point[];
}

export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

const width = 360;
const height = 300;
const margin = { left: 56, right: 16, top: 34, bottom: 58 };
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7'];

interface Axis {
  readonly from: number;
  readonly to: number;
}

/** Whole powers of ten around all values, at least one decade. */
function axisOf(values: readonly number[]): Axis {
  const from = Math.floor(Math.log10(Math.min(...values)));
  return { from, to: Math.max(from + 1, Math.ceil(Math.log10(Math.max(...values)))) };
}

const decades = ({ from, to }: Axis): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Every value is above 0. A panel without any is left out. */
export function renderPlot(all: readonly Panel[]): string {
  const panels = all.filter(({ lines }) => lines.some(({ points }) => points.length > 0));
  const columns = Math.min(2, panels.length);
  const rows = Math.ceil(panels.length / columns);
  const [across, down] = [columns * width, rows * height];
  const drawn = panels.map((panel, index) => {
    const [x, y] = [(index % columns) * width, Math.floor(index / columns) * height];
    return `<g transform="translate(${x} ${y})">\n${panelOf(panel)}\n</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${across} ${down}" width="${across}" height="${down}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
${drawn.join('\n')}
</svg>
`;
}

function panelOf({ title, lines }: Panel): string {
  const points = lines.flatMap((line) => line.points);
  const [xAxis, yAxis] = [axisOf(points.map(({ x }) => x)), axisOf(points.map(({ y }) => y))];
  const [right, bottom] = [width - margin.right, height - margin.bottom];
  const along = (value: number, { from, to }: Axis, start: number, end: number) =>
    (start + ((Math.log10(value) - from) / (to - from)) * (end - start)).toFixed(1);
  const x = (value: number) => along(value, xAxis, margin.left, right);
  const y = (value: number) => along(value, yAxis, bottom, margin.top);
  const grid = [
    ...decades(xAxis).map((power) => {
      const at = x(10 ** power);
      return `<path d="M${at} ${margin.top}V${bottom}" stroke="#ddd"/><text x="${at}" y="${bottom + 16}" text-anchor="middle">${10 ** power}</text>`;
    }),
    ...decades(yAxis).map((power) => {
      const at = y(10 ** power);
      return `<path d="M${margin.left} ${at}H${right}" stroke="#ddd"/><text x="${margin.left - 6}" y="${at}" dy="4" text-anchor="end">${Number((10 ** power).toPrecision(1))}</text>`;
    }),
  ];
  const span = Math.min(xAxis.to - xAxis.from, yAxis.to - yAxis.from);
  const diagonal = `<path d="M${x(10 ** xAxis.from)} ${y(10 ** yAxis.from)}L${x(10 ** (xAxis.from + span))} ${y(10 ** (yAxis.from + span))}" stroke="#bbb" stroke-dasharray="4 3"/>`;
  const drawn = lines.map(({ label, points: own }, index) => {
    if (own.length === 0) return '';
    const colour = colours[index % colours.length];
    const path = own.map((point) => `${x(point.x)} ${y(point.y)}`).join('L');
    const dots = own.map((point) => `<circle cx="${x(point.x)}" cy="${y(point.y)}" r="3" fill="${colour}"/>`);
    const legend = `<text x="${margin.left + index * 96}" y="${bottom + 38}" fill="${colour}">${escaped(label)}</text>`;
    return `<path d="M${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>${dots.join('')}${legend}`;
  });
  const head = `<text x="${margin.left}" y="20" font-weight="bold">${escaped(title)}</text>`;
  return [head, ...grid, diagonal, ...drawn].join('\n');
}
