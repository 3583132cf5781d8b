// Time and chance of the modelled world: an agenda in order of (time, order of entry), and streams of numbers that
// follow from one seed. Both are the same everywhere; nothing here knows what is simulated.

/** Chance, as numbers from 0 to below 1. */
export type Chance = () => number;

/**
 * mulberry32 over a seed and the name of a stream, so that one part of the world that draws more numbers does not
 * change what the others see.
 */
export function chanceOf(seed: number, stream: string): Chance {
  let a = (seed ^ hash(stream)) >>> 0;
  const next = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  next(); // Near seeds begin alike.
  return next;
}

/** FNV-1a, 32 bits. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly act: (argument: never) => void;
  readonly argument: unknown;
}

/** Milliseconds throughout. `act` is called with `argument`, so that no closure is needed for each entry. */
export interface Agenda {
  now(): number;
  at<A>(time: number, act: (argument: A) => void, argument: A): void;
  later<A>(delayMs: number, act: (argument: A) => void, argument: A): void;
  /** Up to and with what is due at `until`; ends early, and with true, when `done` holds after an entry. */
  run(until: number, done: (() => boolean) | null): boolean;
}

export function createAgenda(start: number): Agenda {
  const heap: Entry[] = [];
  let now = start;
  let order = 0;

  const push = (entry: Entry) => {
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Entry;
      if (above.at < entry.at || (above.at === entry.at && above.order < entry.order)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  };

  const pop = (): Entry => {
    const first = heap[0] as Entry;
    const last = heap.pop() as Entry;
    const size = heap.length;
    if (size === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      let below = heap[child] as Entry;
      if (child + 1 < size) {
        const right = heap[child + 1] as Entry;
        if (right.at < below.at || (right.at === below.at && right.order < below.order)) {
          below = right;
          child += 1;
        }
      }
      if (last.at < below.at || (last.at === below.at && last.order < below.order)) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
    return first;
  };

  const at = <A>(time: number, act: (argument: A) => void, argument: A) => {
    push({ at: time > now ? time : now, order: order++, act: act as (argument: never) => void, argument });
  };

  return {
    now: () => now,
    at,
    later: (delayMs, act, argument) => at(now + delayMs, act, argument),
    run(until, done) {
      if (done?.() === true) return true;
      while (heap.length > 0 && (heap[0] as Entry).at <= until) {
        const { at: time, act, argument } = pop();
        now = time;
        act(argument as never);
        if (done?.()) return true;
      }
      if (until > now) now = until;
      return false;
    },
  };
}
