// The host's local time in the parts that node-cron asks `Intl.DateTimeFormat` for. In the bundle node-cron has this one:
// for the other the runtime reads tables of 5 MB (docs/decisions/0024-memory-of-the-daemon.md).

interface Part {
  readonly type: string;
  readonly value: string;
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

const twoDigits = (count: number) => String(count).padStart(2, '0');

export class LocalCalendar {
  /** @throws Error when it is asked for another language, or another time zone than the host's */
  constructor(locale: string, options: { readonly timeZone?: string }) {
    if (locale === 'en-US' && options.timeZone === undefined) return;
    throw new Error(
      `no calendar of ${locale}, ${options.timeZone ?? 'local time'}: the program has en-US, local time`,
    );
  }

  /** Every part there is, whichever were asked for. */
  formatToParts(date: Date): readonly Part[] {
    return [
      { type: 'weekday', value: weekdays[date.getDay()] ?? '' },
      { type: 'month', value: twoDigits(date.getMonth() + 1) },
      { type: 'day', value: twoDigits(date.getDate()) },
      { type: 'year', value: String(date.getFullYear()) },
      { type: 'hour', value: twoDigits(date.getHours()) },
      { type: 'minute', value: twoDigits(date.getMinutes()) },
      { type: 'second', value: twoDigits(date.getSeconds()) },
      { type: 'timeZoneName', value: offsetName(-date.getTimezoneOffset()) },
    ];
  }
}

/** Such as `GMT+0`, `GMT-3:30`. */
function offsetName(eastMinutes: number): string {
  const minutes = Math.abs(eastMinutes);
  const rest = minutes % 60 === 0 ? '' : `:${twoDigits(minutes % 60)}`;
  return `GMT${eastMinutes < 0 ? '-' : '+'}${Math.floor(minutes / 60)}${rest}`;
}
