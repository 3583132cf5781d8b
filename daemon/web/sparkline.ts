// The last hour of a link as a small picture: for each minute the longest silence between two heartbeats. Pure.

import type { Status } from '../control/api.ts';
import { formatTook } from '../incident/time.ts';
import { type Html, html } from './html.ts';

const heightMax = 24;
/** Shorter silences look all the same. */
const shortestMs = 10;

/** Heights are logarithmic: what matters is how far it was from deadtime, which is the line. */
export function sparkline(
  name: string,
  longestMs: readonly (number | null)[],
  { keepaliveMs, warntimeMs, deadtimeMs }: Status['timings'],
): Html {
  const floor = Math.min(shortestMs, keepaliveMs / 2);
  const heightOf = (ms: number) =>
    Math.min(
      heightMax,
      (Math.log(Math.max(ms, floor * 1.2) / floor) / Math.log((deadtimeMs * 2) / floor)) * heightMax,
    );
  const toneOf = (ms: number) => (ms >= deadtimeMs ? 'bad' : ms >= warntimeMs ? 'warn' : 'good');
  const count = longestMs.length;
  const bars = longestMs.map((ms, index) => {
    if (ms === null) return null;
    const height = heightOf(ms).toFixed(1);
    return html`<rect class="${toneOf(ms)}" x="${index + 0.1}" y="${heightMax - Number(height)}" width="0.8" height="${height}"/>`;
  });
  const heard = longestMs.filter((ms) => ms !== null);
  const line = heightMax - heightOf(deadtimeMs);
  const most =
    heard.length === 0
      ? 'nothing heard in the last hour'
      : `longest silence of the last hour ${formatTook(Math.max(...heard))}`;
  return html`<svg class="spark" role="img" aria-label="${name}: ${most}; deadtime is ${formatTook(deadtimeMs)}" viewBox="0 0 ${count} ${heightMax}" preserveAspectRatio="none">${bars}<line x1="0" x2="${count}" y1="${line.toFixed(1)}" y2="${line.toFixed(1)}"/></svg><span class="note">${most}</span>`;
}
