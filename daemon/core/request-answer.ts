// An answer to an operator, and which groups a request means.

import type { RefusalCode } from './codes.ts';
import type { RequestAnswer } from './events.ts';
import type { GroupName } from './policy.ts';
import type { GroupState, State } from './state.ts';

export interface Answered {
  readonly state: State;
  readonly answer: RequestAnswer;
}

/** What stands in the way, by its code and in words, and what to do next. */
export type Refusal = readonly [RefusalCode, string, string];

export const accepted = (state: State, message: string): Answered => ({
  state,
  answer: { kind: 'accepted', message },
});
export const refused = (state: State, code: RefusalCode, message: string, next: string): Answered => ({
  state,
  answer: { kind: 'refused', code, message, next },
});

export const meant = (group: GroupState, names: readonly GroupName[]) =>
  names.length === 0 || names.includes(group.policy.name);

export const holdsIt = (group: GroupState) =>
  group.phase.kind === 'active' || group.phase.kind === 'starting';
