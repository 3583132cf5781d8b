// Durations and times of day as a person reads them. Pure.

/** `0.4 s`, `12 s`, `3 min`, `2 h 5 min`, `3 days`: two places at most, never more than is known. */
export function formatSpan(spanMs: number): string {
  const tenths = Math.max(0, Math.floor(spanMs / 100));
  if (tenths < 100) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = Math.floor(tenths / 10);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  const named = days === 1 ? '1 day' : `${days} days`;
  return hours % 24 === 0 || days > 9 ? named : `${named} ${hours % 24} h`;
}

/** Time that is left, rounded up: a maintenance of one hour starts with `1 h`, not with `59 min`. */
export function formatRemaining(spanMs: number): string {
  return formatSpan(spanMs > 60_000 ? Math.ceil(spanMs / 60_000) * 60_000 : Math.ceil(spanMs / 1000) * 1000);
}

/** What something took: `412 ms`, `1.3 s`, `12 s`. */
export function formatTook(tookMs: number): string {
  return tookMs < 1000 ? `${Math.round(tookMs)} ms` : formatSpan(tookMs);
}

/** `2026-03-01 03:12:44.081` in local time; what cannot be read is shown as it came. */
export function formatTime(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  return `${date} ${clock}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}
