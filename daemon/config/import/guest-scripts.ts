// Which guests a script of resource.d starts, told by the virsh commands in it. Only read, never run.

import { basename } from 'node:path';

/** Names, or every guest that lies on the storage of the group. */
export type StartedGuests = readonly string[] | 'all';

export type ScriptMeaning =
  | { readonly kind: 'guests'; readonly guests: StartedGuests }
  /** It runs the emulator without libvirt. */
  | { readonly kind: 'qemu' }
  | { readonly kind: 'other' };

/** @param args of the script, before `start` */
export function guestsOfScript(script: string, args: readonly string[]): ScriptMeaning {
  const commands = script.split('\n').map((line) => line.replace(/(^|\s)#.*/s, ''));
  const operands = commands.flatMap((line) =>
    [...line.matchAll(/\bvirsh\b[^;&|]*?\s(?:start|create)\s+(?:--\S+\s+)*("[^"]*"|'[^']*'|[^\s;&|]+)/g)].map(
      ([, operand = '']) => operand.replaceAll(/["']/g, ''),
    ),
  );
  if (operands.length > 0) {
    const variable = operands.some((operand) => /[$`]/.test(operand));
    const named = operands
      .filter((operand) => !/[$`]/.test(operand))
      .map((operand) => basename(operand, '.xml'));
    // A variable stands for the arguments, or for guests that only the script knows.
    if (!variable) return { kind: 'guests', guests: [...new Set(named)] };
    const guests = args.map((arg) => basename(arg, '.xml'));
    return { kind: 'guests', guests: args.length === 0 ? 'all' : [...new Set([...named, ...guests])] };
  }
  const emulator = /(^|[\s/"'`(])(qemu-system-\w+|qemu-kvm|kvm)\s+(-|\$)/;
  return commands.some((line) => emulator.test(line)) ? { kind: 'qemu' } : { kind: 'other' };
}
