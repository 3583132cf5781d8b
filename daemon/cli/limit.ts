// How long something is to last that ends by itself: maintenance, standby.

import { parseDuration } from '../config/duration.ts';
import { usageError } from './arguments.ts';
import { type Arguments, type Command, text } from './command.ts';

/** As the control API takes it. */
const durationMsMax = 7 * 24 * 3_600_000;

/** `--for DURATION`; undefined: not given. @throws BattitoError `usage` */
export function limitFrom(args: Arguments, command: Command): number | undefined {
  const given = text(args, 'for');
  if (given === undefined) return undefined;
  const durationMs = parseDuration(given);
  if (durationMs === undefined || durationMs === 0) {
    const example = `battito ${command.name} on --for 1h`;
    throw usageError(
      `${command.name} on needs --for with a duration such as 30m or 2h, not "${given}"`,
      command,
      example,
    );
  }
  if (durationMs > durationMsMax)
    throw usageError(`${command.name} lasts at most 7 days (168h), not ${given}`, command);
  return durationMs;
}
