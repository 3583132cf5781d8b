// The small language of `readiness`: `none`, `agent`, `tcp HOST:PORT`, `ping ADDRESS`.
// Pure: text to value, and what is expected of a text that is none. Nothing is resolved and nobody is asked.

import { isIPv6 } from 'node:net';
import { canonicalHostAddress } from './values.ts';

/** `Readiness` without its time, which is a key of its own. */
export type ReadinessForm =
  | { readonly kind: 'none' }
  | { readonly kind: 'agent' }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'ping'; readonly address: string };

/** What the text looks like; also the pattern in the JSON Schema. */
export const readinessPattern = /^(none|agent|tcp +\S+:[0-9]{1,5}|ping +[0-9A-Fa-f.:]+)$/;
export const readinessForms = 'none, agent, tcp HOST:PORT or ping ADDRESS, such as tcp 192.168.1.10:25';

const targetPattern = /^(?:\[([^\]]*)\]|([^:[\]]*)):([0-9]{1,5})$/;
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
/** RFC 1123; what ends in digits only would be an address. */
const hostNamePattern = new RegExp(`^(?=.{1,253}$)(?:${label}\\.)*(?![0-9]+$)${label}$`);

/** Undefined: not one. */
export function parseReadiness(text: string): ReadinessForm | undefined {
  if (readinessExpected(text) !== null) return undefined;
  const [kind, target = ''] = text.split(/ +/);
  switch (kind) {
    case 'agent':
      return { kind };
    case 'ping':
      return { kind, address: canonicalHostAddress(target) ?? target };
    case 'tcp': {
      const [, inBrackets, plain = '', port] = targetPattern.exec(target) ?? [];
      return { kind, host: canonicalHostAddress(inBrackets ?? plain) ?? plain, port: Number(port) };
    }
    default:
      return { kind: 'none' };
  }
}

/** What a text should be instead; null when it is one as it should be. */
export function readinessExpected(text: string): string | null {
  const [kind, target = '', ...rest] = text.split(/ +/);
  if (kind === 'tcp') return rest.length > 0 ? tcpForm : tcpExpected(target);
  if (kind === 'ping') {
    const isSound = canonicalHostAddress(target) !== undefined && rest.length === 0;
    return isSound ? null : 'ping and an IPv4 or IPv6 address, such as ping 192.168.1.10';
  }
  return text === 'none' || text === 'agent' ? null : readinessForms;
}

const tcpForm = 'tcp HOST:PORT, such as tcp 192.168.1.10:25';

function tcpExpected(target: string): string | null {
  const [, inBrackets, plain, port] = targetPattern.exec(target) ?? [];
  if (port === undefined) {
    return isIPv6(target) || /^[0-9A-Fa-f]*:.*:/.test(target)
      ? 'an IPv6 address in brackets, such as tcp [fd00::10]:25'
      : tcpForm;
  }
  if (Number(port) < 1 || Number(port) > 65_535) return `a port from 1 to 65535, such as tcp 192.168.1.10:25`;
  if (inBrackets !== undefined) {
    return isIPv6(inBrackets) && canonicalHostAddress(inBrackets) !== undefined
      ? null
      : 'an IPv6 address of one host in the brackets, such as tcp [fd00::10]:25';
  }
  const host = plain ?? '';
  const isSound = canonicalHostAddress(host) !== undefined || hostNamePattern.test(host);
  return isSound ? null : 'an address or a name of one host before the port, such as tcp 192.168.1.10:25';
}
