// The only clock that decides anything: CLOCK_MONOTONIC, comparable between processes of one host.

/** Milliseconds, with fractions. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
