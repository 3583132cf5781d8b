// What dd(1) of coreutils says of one read, as text alone.

export type ReadReport =
  /** `tookMs` is missing where dd's words are not understood; the read was done all the same. */
  | { readonly kind: 'read'; readonly tookMs?: number }
  /** dd succeeded and read nothing: beyond the end of the device. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failed'; readonly message: string };

/** `lines`: all that dd wrote, in English, its locale being C. */
export function parseReport(exitCode: number, lines: readonly string[]): ReadReport {
  const complaint = lines.find((line) => line.startsWith('dd: '));
  if (exitCode !== 0) {
    // `dd: error reading '/dev/drbd0': Input/output error`
    const what = complaint?.replace(/^dd: /, '') ?? lines.at(-1) ?? '';
    return { kind: 'failed', message: what === '' ? `dd ended with ${exitCode}` : what };
  }
  const summary = lines
    .map((line) => /^(?<bytes>\d+) bytes .*copied, (?<seconds>[\d.e+-]+) s\b/.exec(line)?.groups)
    .find((groups) => groups !== undefined);
  if (summary === undefined) return { kind: 'read' };
  if (Number(summary['bytes']) === 0) return { kind: 'nothing' };
  const tookMs = Number(summary['seconds']) * 1000;
  return Number.isFinite(tookMs) ? { kind: 'read', tookMs } : { kind: 'read' };
}
