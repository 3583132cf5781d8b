// keepalive, warntime, deadtime and initdead of ha.cf, with what Heartbeat takes where they are left out.

import { formatDuration } from '../duration.ts';
import { type Noted, noteOf, type TimingName } from './draft.ts';
import type { Directive } from './ha-cf.ts';
import type { Problems } from './source.ts';
import { parseHeartbeatTime } from './words.ts';

const keepaliveMinMs = 10;

export type Timings = Readonly<Record<TimingName, Noted<string>>>;

export function timingsOf(directives: readonly Directive[], problems: Problems): Timings {
  const read = (name: TimingName): Noted<number> | null => {
    const given = directives.findLast((directive) => directive.name === name);
    if (given === undefined) return null;
    const times = given.values.map(parseHeartbeatTime);
    const ms = times.every((time) => time !== undefined) ? times.at(-1) : undefined;
    if (ms !== undefined && ms > 0) return { value: ms, note: noteOf(given.place) };
    problems.add(
      given.place,
      `${name} takes a time such as 2, 0.5 or 500ms, not "${given.values.join(' ')}"`,
    );
    return null;
  };
  const byDefault = (value: number, what = "Heartbeat's default") => ({ value, note: what });
  const keepalive = read('keepalive') ?? byDefault(1000);
  const deadtime = read('deadtime') ?? byDefault(30_000);
  const warntime = read('warntime') ?? byDefault(deadtime.value / 2);
  const initdead = read('initdead') ?? byDefault(defaultInitdeadMs(deadtime.value));
  const place = (name: TimingName) => directives.findLast((directive) => directive.name === name)?.place;
  if (deadtime.value <= 2 * keepalive.value) {
    const message = `deadtime ${formatDuration(deadtime.value)} is not more than two keepalives of ${formatDuration(keepalive.value)}; Heartbeat does not start with that either`;
    problems.add(place('deadtime') ?? place('keepalive') ?? null, message);
  }
  if (initdead.value < deadtime.value) {
    const message = `initdead ${formatDuration(initdead.value)} is less than deadtime ${formatDuration(deadtime.value)}; Heartbeat does not start with that either`;
    problems.add(place('initdead') ?? place('deadtime') ?? null, message);
  }
  const twiceMs = 2 * Math.max(keepalive.value, keepaliveMinMs);
  const fits = warntime.value >= twiceMs && warntime.value < deadtime.value;
  const halfMs = Math.floor(deadtime.value / 2);
  const [adaptedMs, what] = halfMs >= twiceMs ? [halfMs, 'half of deadtime'] : [twiceMs, 'two keepalives'];
  const adapted = `${warntime.note}: ${what}, since ${formatDuration(warntime.value)} is not between two keepalives and deadtime`;
  return {
    keepalive:
      keepalive.value < keepaliveMinMs
        ? written({ value: keepaliveMinMs, note: `${keepalive.note}: the shortest that there is` })
        : written(keepalive),
    warntime: written(fits ? warntime : { value: adaptedMs, note: adapted }),
    deadtime: written(deadtime),
    initdead: written(initdead),
  };
}

const written = ({ value, note }: Noted<number>): Noted<string> => ({
  value: formatDuration(Math.round(value)),
  note,
});

/** As Heartbeat's init_config has it. */
function defaultInitdeadMs(deadtimeMs: number): number {
  if (deadtimeMs > 10_000) return deadtimeMs;
  return deadtimeMs < 6000 ? 12_000 : 2 * deadtimeMs;
}
