// What pruning by age leaves of a row of records. Pure.

/**
 * `records`: in the order in which they came. Each is as new as the newest that came until then, since a clock that was
 * behind makes none older; one of a time to come tells of itself alone. What has no date that can be read is kept.
 * `dateOf`, `beforeMs`, `nowMs`: milliseconds since 1970.
 */
export function keptSince<Record>(
  records: readonly Record[],
  dateOf: (record: Record) => number,
  beforeMs: number,
  nowMs = Date.now(),
): readonly Record[] {
  let newestMs = -Infinity;
  return records.filter((record) => {
    const dateMs = dateOf(record);
    if (dateMs <= nowMs) newestMs = Math.max(newestMs, dateMs);
    return !(Math.max(dateMs, newestMs) < beforeMs);
  });
}
