// Reads what `virsh event --all --loop --timestamp` prints. Pure.

/** One event, e.g. domain `mail`, event `lifecycle`, detail `Started Booted`. */
export interface LibvirtEvent {
  readonly domain: string;
  readonly event: string;
  /** What virsh says about it on the same line; empty for events that go on over several lines. */
  readonly detail: string;
}

/**
 * `2026-01-02 03:04:05.678+0000: event 'lifecycle' for domain 'mail': Started Booted`; libvirt before 8.0 has no
 * quotes around the name. Undefined for what is no first line of an event.
 */
export function parseEventLine(line: string): LibvirtEvent | undefined {
  const [, event, rest] =
    /^(?:\d[-\d]+ [\d:.]+[+-]\d{4}: )?event '([^']+)' for domain (.*)$/.exec(line) ?? [];
  if (event === undefined || rest === undefined) return undefined;
  const [, quoted, bare, detail = ''] = /^(?:'(.*?)'|(.*?)):(?: (.*))?$/.exec(rest) ?? [];
  const domain = quoted ?? bare;
  return domain === undefined || domain === '' ? undefined : { domain, event, detail: detail.trim() };
}

/** Whether the domain's definition was made, changed or taken away. */
export function isDefinitionEvent({ event, detail }: LibvirtEvent): boolean {
  if (event === 'definition-file') return true;
  return event === 'lifecycle' && /^(Defined|Undefined)\b/.test(detail);
}
