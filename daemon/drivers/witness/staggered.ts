// The same thing tried in several places: one after the other, but none waited for to its end, so that a place that
// hangs costs a part of the time and not all of it.

/**
 * Begins the next attempt when the latest has failed or has taken `patienceMs`; the first that succeeds ends the others.
 * Rejects with the errors of all in an AggregateError, in the order of the attempts; or with the reason of `signal`.
 */
export async function staggered<T>(
  attempts: readonly ((signal: AbortSignal) => Promise<T>)[],
  patienceMs: number,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const errors: unknown[] = [];
  let begun = 0;
  let failed = 0;
  let timer: NodeJS.Timeout | undefined;

  const beginNext = () => {
    clearTimeout(timer);
    const index = begun;
    const attempt = attempts[index];
    if (attempt === undefined) return;
    begun += 1;
    timer = setTimeout(beginNext, patienceMs);
    attempt(either).then(resolve, (error: unknown) => {
      errors[index] = error;
      failed += 1;
      if (failed === attempts.length) reject(new AggregateError(errors));
      else if (index === begun - 1) beginNext();
    });
  };
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    beginNext();
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    over.abort();
  }
}
