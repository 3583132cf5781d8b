// What may kill a mutant. A unit test is one; so is a batch of seeded schedules of the simulator.

/** Something that passes on the unmutated core. On a mutant, whatever it throws kills that mutant. */
export interface Killer {
  /** For people: what noticed the mutant. Unique. */
  readonly name: string;
  /** Must be deterministic: same core, same result, same order of calls into it. */
  run(): void | Promise<void>;
}

export interface ScheduleOptions {
  readonly name: string;
  readonly firstSeed: number;
  readonly count: number;
  /** Seeds in one killer: fewer means that a mutant meets fewer schedules that never reach it. */
  readonly batch: number;
}

/** Killers from a simulator: seeds `firstSeed` and on, in batches. What a run returns or throws kills. */
export function scheduleKillers(
  violationsOf: (seed: number) => readonly string[],
  { name, firstSeed, count, batch }: ScheduleOptions,
): readonly Killer[] {
  return Array.from({ length: Math.ceil(count / batch) }, (_, index) => {
    const from = firstSeed + index * batch;
    const until = Math.min(from + batch, firstSeed + count);
    return {
      name: `${name}, seeds ${from} to ${until - 1}`,
      run() {
        for (let seed = from; seed < until; seed += 1) {
          const [violation] = violationsOf(seed);
          if (violation !== undefined) throw new Error(`seed ${seed}: ${violation}`);
        }
      },
    };
  });
}
