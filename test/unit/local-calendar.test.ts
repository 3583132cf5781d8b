// The calendar that node-cron has in the bundle says what the runtime's own one says.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { LocalCalendar } from '../../daemon/schedule/local-calendar.ts';

const comparison = join(import.meta.dirname, 'support/compare-calendars.ts');

for (const timeZone of [
  'UTC',
  'Europe/Berlin',
  'America/St_Johns',
  'Pacific/Chatham',
  'Europe/London',
  'Australia/Lord_Howe',
  'Pacific/Marquesas',
]) {
  test(`every half hour of two years in ${timeZone}`, (t) => {
    const env = { ...process.env, TZ: timeZone };
    const said = execFileSync(process.execPath, [comparison], { encoding: 'utf8', env });
    t.deepEqual(JSON.parse(said), { timeZone, compared: 35_041, differing: [] });
  });
}

test('another language, or another time zone than the one of the host, is refused', (t) => {
  t.throws(() => new LocalCalendar('de-DE', {}), { message: /no calendar of de-DE, local time/ });
  t.throws(() => new LocalCalendar('en-US', { timeZone: 'Asia/Tokyo' }), {
    message: /no calendar of en-US, Asia\/Tokyo/,
  });
});
