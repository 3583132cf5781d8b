// Durations as written in the configuration: a whole number and a unit, `200ms`, `2s`, `1m`, `1h`.
// Pure: text to milliseconds and back, nothing else. No fractions and no compound forms.

const unitsMs = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

/** What a duration looks like; also the pattern in the JSON Schema. */
export const durationPattern = /^[0-9]{1,12}(ms|s|m|h)$/;

/** Milliseconds, or `undefined` when the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  const unit = durationPattern.exec(text)?.[1];
  if (unit === undefined) {
    return undefined;
  }
  const durationMs = Number.parseInt(text, 10) * unitsMs[unit as keyof typeof unitsMs];
  return Number.isSafeInteger(durationMs) ? durationMs : undefined;
}

/**
 * The shortest exact text: 60000 is `1m`, 1500 is `1500ms`. `parseDuration` gives the number back.
 *
 * @param durationMs a whole number, not negative
 */
export function formatDuration(durationMs: number): string {
  for (const [unit, unitMs] of Object.entries(unitsMs)) {
    if (durationMs > 0 && durationMs % unitMs === 0) {
      return `${durationMs / unitMs}${unit}`;
    }
  }
  return `${durationMs}${durationMs === 0 ? 's' : 'ms'}`;
}
