// Every stable code that this program prints, with what it means. `Code` is what an error, a note or a warning may
// have, so that one without an explanation does not compile.

import type { NoteCode, RefusalCode } from '../core/codes.ts';
import type { Note } from '../core/events.ts';
import { ofChecks } from './checks.ts';
import { ofGuestChecks } from './checks-guests.ts';
import { ofConfig } from './config.ts';
import { ofErrors } from './errors.ts';
import { ofFiles } from './errors-files.ts';
import type { Explanation } from './explanation.ts';
import { ofGroups } from './groups.ts';
import { ofInit } from './init.ts';
import { ofMirror } from './mirror.ts';
import { ofPeer } from './peer.ts';
import { ofRefusals } from './refusals.ts';
import { ofResources } from './resources.ts';
import { ofSafeguards } from './safeguards.ts';
import { ofSchedule } from './schedule.ts';
import { ofWeb } from './web.ts';

/** Headings of the troubleshooting page, in its order. */
export const chapters = {
  'The other node, and the network': ofPeer,
  'Groups that do not start, or move': ofGroups,
  'Disks and guests': ofResources,
  'How DRBD is set up': ofMirror,
  'Fencing, witness, watchdog, drills, messages': ofSafeguards,
  'What battito check finds: the nodes': ofChecks,
  'What battito check finds: guests and disks': ofGuestChecks,
  'What runs by schedule': ofSchedule,
  'What was asked for is refused': ofRefusals,
  'Commands, and a daemon that does not start': ofErrors,
  'Keys, journals, imports, devices': ofFiles,
  'battito init': ofInit,
  'The web page': ofWeb,
  'The configuration': ofConfig,
} as const satisfies Readonly<Record<string, Readonly<Record<string, Explanation>>>>;

const all = {
  ...ofPeer,
  ...ofGroups,
  ...ofResources,
  ...ofMirror,
  ...ofSafeguards,
  ...ofChecks,
  ...ofGuestChecks,
  ...ofRefusals,
  ...ofErrors,
  ...ofFiles,
  ...ofInit,
  ...ofSchedule,
  ...ofWeb,
  ...ofConfig,
} as const satisfies Readonly<Record<NoteCode | RefusalCode, Explanation>>;

export type Code = keyof typeof all;

/** A note of the daemon itself. */
export type CodedNote = Note & { readonly code: Code };

export const explanations: Readonly<Record<Code, Explanation>> = all;

export function explanationOf(code: string): Explanation | undefined {
  return Object.hasOwn(all, code) ? explanations[code as Code] : undefined;
}
