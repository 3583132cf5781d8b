// What of the guests' definitions needs a person: one that was edited on both nodes, and a name that two guests have. Pure.

import { shellQuote } from '../drivers/shell.ts';
import type { Attention } from './api.ts';
import { item } from './attention-item.ts';
import type { GuestDefinitions } from './guests.ts';

export function attentionOfDefinitions({
  guests,
  self,
  peer,
}: Pick<GuestDefinitions, 'guests' | 'self' | 'peer'>): readonly Attention[] {
  const nodes = [self, peer].sort().join('|');
  const taken = new Map<string, Attention>();
  const conflicts = guests.flatMap(({ name, state, inUse }) => {
    if (state !== 'conflict') return [];
    const what = `the definition of ${name} was edited on both nodes; a start uses ${inUse.node}'s`;
    const word = shellQuote(name);
    const next = `battito guests diff ${word}; then: battito guests keep ${word} --from ${nodes}`;
    return [item('warning', 'definitions-conflict', what, next)];
  });
  for (const { name } of guests.filter(({ state }) => state === 'name-taken')) {
    const what = `${name} is the name of two guests, each node made its own`;
    const next = `on the node of the one that is not wanted: virsh domrename, or virsh undefine; battito guests shows both`;
    taken.set(name, item('warning', 'guest-name-taken', what, next));
  }
  return [...conflicts, ...taken.values()];
}
