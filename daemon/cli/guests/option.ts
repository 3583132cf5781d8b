// `--guests`: how guests go to the other node in one handover, whatever is configured.

import { type HandoverMode, handoverModes } from '../../core/policy.ts';
import { usageError } from '../arguments.ts';
import { type Arguments, type Command, text } from '../command.ts';

export const guestsOption = {
  type: 'string',
  value: handoverModes.join('|'),
  help: 'how guests go this once, whatever is configured: moved while they run, with their memory saved, or shut down; one that cannot goes by the next',
} as const;

/** For a request; nothing in it: each guest as it is configured. @throws BattitoError `usage` */
export function guestsFrom(args: Arguments, command: Command): { readonly guests?: HandoverMode } {
  const given = text(args, 'guests');
  if (given === undefined) return {};
  const guests = handoverModes.find((mode) => mode === given);
  if (guests === undefined)
    throw usageError(`--guests takes ${handoverModes.join(', ')}, not "${given}"`, command);
  return { guests };
}
