// So many of a kind of work at once at the most; what comes later waits for its turn, in order.

export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

export function atMost(count: number): InTurn {
  const waiting: (() => void)[] = [];
  let busy = 0;

  return async (work) => {
    if (busy >= count) await new Promise<void>((resolve) => waiting.push(resolve));
    else busy += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) busy -= 1;
      else next();
    }
  };
}
