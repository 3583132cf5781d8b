// DRBD's questions about the peer's copy: its fence-peer handler asks over the control socket and waits, the core
// answers. Guarantees: an answer reaches whoever still waits for it, once; nobody waits in the core's way; who has
// given up is forgotten.

import type { OutdatingAnswer } from '../../core/events.ts';
import type { GroupPolicy } from '../../core/policy.ts';
import type { Loop } from '../loop.ts';
import { drbdId } from '../policy.ts';

export interface Outdatings {
  /**
   * Resolves when the core has an answer, which it does not always have; null at once: no group has this resource.
   * `gone`: nobody waits any more, and nothing is kept of it.
   */
  ask(resource: string, gone: AbortSignal): Promise<OutdatingAnswer | null>;
  answer(id: number, answer: OutdatingAnswer): void;
}

export function createOutdatings(groups: readonly GroupPolicy[], post: Loop['post']): Outdatings {
  const waiting = new Map<number, (answer: OutdatingAnswer) => void>();
  let nextId = 1;
  return {
    ask(name, gone) {
      const resource = drbdId(name);
      const group = groups.find(({ resources }) => resources.some(({ id }) => id === resource));
      if (group === undefined) return Promise.resolve(null);
      const id = nextId++;
      return new Promise((resolve) => {
        waiting.set(id, resolve);
        gone.addEventListener('abort', () => waiting.delete(id), { once: true });
        post({ kind: 'outdating-requested', group: group.name, resource, id });
      });
    },
    answer(id, answer) {
      waiting.get(id)?.(answer);
      waiting.delete(id);
    },
  };
}
