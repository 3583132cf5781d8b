// Every half hour of two years in the time zone of this process, by the calendar that node-cron has in the bundle and by
// the runtime's own one. Prints how many were compared, in which zone, and the first that differ.

import { LocalCalendar } from '../../../daemon/schedule/local-calendar.ts';

const zoned = new Intl.DateTimeFormat('en-US', {
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  weekday: 'short',
  hour12: false,
});
const offset = new Intl.DateTimeFormat('en-US', { timeZoneName: 'shortOffset' });
const ours = new LocalCalendar('en-US', {});
const stepMs = 1_799_999;

const differing: string[] = [];
let compared = 0;
for (let at = Date.UTC(2026, 0, 1); at < Date.UTC(2028, 0, 1); at += stepMs) {
  const date = new Date(at);
  const said = new Map(ours.formatToParts(date).map(({ type, value }) => [type, value]));
  for (const { type, value } of [...zoned.formatToParts(date), ...offset.formatToParts(date)]) {
    const number = Number(value);
    // Of hours and days both ways to write a number are read; midnight is hour 24 there.
    const expected = type === 'hour' ? number % 24 : Number.isNaN(number) ? value : number;
    const found = typeof expected === 'number' ? Number(said.get(type)) : said.get(type);
    if (type !== 'literal' && found !== expected)
      differing.push(`${date.toISOString()} ${type} ${found} ${value}`);
  }
  compared += 1;
}
const { timeZone } = zoned.resolvedOptions();
process.stdout.write(JSON.stringify({ timeZone, compared, differing: differing.slice(0, 5) }));
