// The words of iputils' arping: what it prints, and its command lines.
// Intervals are whole seconds in it (`-i 0.2` is refused), so faster rounds are separate processes.

/** A line that shows a live holder of an address. */
export interface ArpReply {
  readonly address: string;
  /** Lower case, colon separated. */
  readonly mac: string;
}

const replyPattern =
  /^(?:Unicast|Broadcast) (?:reply|request) from (\S+) \[([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})+)\]/;

/** `undefined` for every line that is not an answer. Format: arping(8), iputils 20221126. */
export function parseArpingLine(line: string): ArpReply | undefined {
  const match = replyPattern.exec(line);
  const address = match?.[1];
  const mac = match?.[2];
  return address === undefined || mac === undefined ? undefined : { address, mac: mac.toLowerCase() };
}

/** One question, over after the first answer or a second. */
export function arpingOnce(address: string, networkInterface: string): readonly string[] {
  return ['arping', '-b', '-f', '-c', '1', '-w', '1', '-I', networkInterface, address];
}

/** Asks, from 0.0.0.0, who else has `address`. The own kernel does not answer itself. */
export function arpingDuplicates(address: string, networkInterface: string): readonly string[] {
  return ['arping', '-D', '-c', '1', '-w', '1', '-I', networkInterface, address];
}

/** Two announcements a second apart: as a request (-U) and as a reply (-A), since hosts differ in what they heed. */
export function arpingAnnouncements(
  address: string,
  networkInterface: string,
): readonly (readonly string[])[] {
  return ['-U', '-A'].map((kind) => ['arping', '-q', kind, '-c', '2', '-I', networkInterface, address]);
}
