// DRBD's questions about the peer's copy: its fence-peer handler asks over the control socket and waits, the core
// answers. Guarantees: an answer reaches whoever still waits for it, once; nobody waits in the core's way.

import type { OutdatingAnswer } from '../core/events.ts';
import type { GroupPolicy } from '../core/policy.ts';
import type { Loop } from './loop.ts';
import { drbdId } from './policy.ts';

export interface Outdatings {
  /** Resolves when the core has an answer; null at once: no group has this resource. */
  ask(resource: string): Promise<OutdatingAnswer | null>;
  answer(id: number, answer: OutdatingAnswer): void;
}

export function createOutdatings(groups: readonly GroupPolicy[], post: Loop['post']): Outdatings {
  const waiting = new Map<number, (answer: OutdatingAnswer) => void>();
  let nextId = 1;
  return {
    ask(name) {
      const resource = drbdId(name);
      const group = groups.find(({ resources }) => resources.some(({ id }) => id === resource));
      if (group === undefined) return Promise.resolve(null);
      const id = nextId++;
      return new Promise((resolve) => {
        waiting.set(id, resolve);
        post({ kind: 'outdating-requested', group: group.name, resource, id });
      });
    },
    answer(id, answer) {
      waiting.get(id)?.(answer);
      waiting.delete(id);
    },
  };
}
