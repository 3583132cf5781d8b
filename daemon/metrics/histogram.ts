// Counts by class since the daemon started. It is fed where heartbeats arrive, so that observing allocates nothing.

export interface HistogramReading {
  /** Upper bounds, seconds, rising; what is longer than the last one is only in `count`. */
  readonly bounds: readonly number[];
  /** How many were at most as long as the bound of the same index. */
  readonly cumulative: readonly number[];
  readonly count: number;
  readonly sum: number;
  /** 0: there was none. */
  readonly longest: number;
}

export interface Histogram {
  observe(seconds: number): void;
  read(): HistogramReading;
}

export function createHistogram(bounds: readonly number[]): Histogram {
  const counts = new Float64Array(bounds.length + 1);
  let sum = 0;
  let longest = 0;
  return {
    observe(value) {
      let index = 0;
      while (index < bounds.length && value > (bounds[index] as number)) index += 1;
      counts[index] = (counts[index] as number) + 1;
      sum += value;
      longest = Math.max(longest, value);
    },
    read() {
      let below = 0;
      const cumulative = bounds.map((_, index) => {
        below += counts[index] as number;
        return below;
      });
      return { bounds, cumulative, count: below + (counts[bounds.length] as number), sum, longest };
    },
  };
}
