// Readings of an outside thing that are never made twice at once, and never answer with what was read too early.

export interface OneAtATime {
  /** Resolves after a reading that began after this call. */
  refresh(): Promise<void>;
  /** Resolves when none is under way. */
  settled(): Promise<void>;
}

/** `read` never rejects. */
export function oneAtATime(read: () => Promise<void>): OneAtATime {
  let reading: Promise<void> | undefined;
  let queued: Promise<void> | undefined;

  function refresh(): Promise<void> {
    if (reading === undefined) {
      reading = read().finally(() => {
        reading = undefined;
      });
      return reading;
    }
    queued ??= reading.then(() => {
      queued = undefined;
      return refresh();
    });
    return queued;
  }

  return { refresh, settled: () => reading ?? Promise.resolve() };
}
