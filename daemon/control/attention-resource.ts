// What needs a person about one resource, beside what its storage says: that it was given up, fails, or cannot be told.

import { explainLeftOut } from '../core/guests.ts';
import type { ResourceState } from '../core/resource.ts';
import type { GroupState, State } from '../core/state.ts';
import type { Attention } from './api.ts';
import { item } from './attention-item.ts';

/** The worst of it, if there is anything. */
export function attentionOfResource(
  state: State,
  group: GroupState,
  { id, quarantined, leftOut, lastError, status }: ResourceState,
): readonly Attention[] {
  const { name } = group.policy;
  const isWanted = group.phase.kind === 'starting' || group.phase.kind === 'active';
  if (quarantined !== null) {
    const next = `mend the cause, then: battito retry ${name}`;
    return [item('alarm', 'quarantined', `${id} is given up: ${quarantined}`, next)];
  }
  if (leftOut && isWanted) {
    const { what, next } = explainLeftOut(state, group, id);
    return [item('alarm', 'guest-left-out', what, next)];
  }
  if (status?.kind === 'failed') {
    const next = 'it is switched off and started again, not for ever';
    return [item('alarm', 'guest-failed', `${id}: ${status.message}`, next)];
  }
  if (lastError !== null) {
    const next = 'it is tried again; battito history shows each attempt';
    return [item('warning', 'operation-failed', `${id}: ${lastError}`, next)];
  }
  if (status?.kind === 'unknown') {
    const next = 'it is left alone until it can be told; look at its process and log';
    return [item('alarm', 'resource-unknown', `${id}: ${status.message}`, next)];
  }
  if (status?.kind === 'paused' && group.phase.kind === 'active') {
    const next = 'resume it, or stop it: it is then started again';
    return [item('warning', 'paused', `${id} is paused, by hand or after an IO error`, next)];
  }
  return [];
}
