// By which way a guest goes to the other node in a handover: as it is configured or as the operator wants it this once;
// where it cannot, by the next one, and it is said why.

import type { Effect } from './events.ts';
import { note } from './notes.ts';
import { type GuestPolicy, type HandoverMode, handoverModes } from './policy.ts';
import { guestNameOf } from './resource.ts';
import type { GroupState } from './state.ts';

/** `cannot`: what it was to go by before that, and why it does not. */
export interface Way {
  readonly mode: HandoverMode;
  readonly cannot: readonly { readonly mode: HandoverMode; readonly why: string }[];
}

const unable = { live: 'nothing is known of its disks', save: 'nothing is known of its disks' };

/** `wished`: the operator's word; null: there is none. */
export function wayOf(guest: GuestPolicy | undefined, wished: HandoverMode | null): Way {
  const wanted = wished ?? guest?.handover ?? 'shutdown';
  const cannot: { mode: HandoverMode; why: string }[] = [];
  for (const mode of handoverModes.slice(handoverModes.indexOf(wanted))) {
    const why = mode === 'shutdown' ? null : (guest?.cannot ?? unable)[mode];
    if (why === null) return { mode, cannot };
    cannot.push({ mode, why });
  }
  throw new Error('a guest can always be shut down');
}

/** Also one that was to go while it runs, and could not. */
export function mayBeSaved(guest: GuestPolicy | undefined, wished: HandoverMode | null): boolean {
  return guest?.saveMs != null && guest.cannot.save === null && wayOf(guest, wished).mode !== 'shutdown';
}

const wayText: Readonly<Record<HandoverMode, string>> = {
  live: 'moved while it runs',
  save: 'saved',
  shutdown: 'shut down',
};

export const describeMode = (mode: HandoverMode): string => wayText[mode];

/** Of each guest that does not go as it was to: how it goes, and why. */
export function detoursOf({ policy }: GroupState, wished: HandoverMode | null): readonly string[] {
  return policy.resources.flatMap(({ id, kind, guest }) => {
    const { mode, cannot } = wayOf(guest, wished);
    if (kind !== 'guest' || cannot.length === 0) return [];
    const reasons = cannot.map((one) => `not ${wayText[one.mode]}: ${one.why}`);
    return [`${guestNameOf(id)} is ${wayText[mode]}, ${reasons.join('; ')}`];
  });
}

/** Said when they go. */
export function noteDetours(group: GroupState, emit: (effect: Effect) => void): void {
  for (const detour of detoursOf(group, group.handoverBy))
    emit(note('warning', 'handover-otherwise', group, detour));
}
