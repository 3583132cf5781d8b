// The words of iputils' ping (20221126): what it prints, and its command lines.

import { isIPv6 } from 'node:net';

/** What one line of `ping -n` says about a request. */
export type PingLine =
  | { readonly kind: 'answered'; readonly sequence: number }
  | { readonly kind: 'unanswered'; readonly sequence: number }
  | { readonly kind: 'other' };

/** Errors that others send back (`From … Host Unreachable`) are `other`: -O reports those requests by itself. */
export function parsePingLine(line: string): PingLine {
  const answered = /^\d+ bytes from \S+ icmp_seq=(\d+) ttl=\d+ time=/.exec(line);
  if (answered !== null) return { kind: 'answered', sequence: Number(answered[1]) };
  const silent = /^no answer yet for icmp_seq=(\d+)/.exec(line);
  if (silent !== null) return { kind: 'unanswered', sequence: Number(silent[1]) };
  return { kind: 'other' };
}

/** Requests without end, each that stays without an answer told of (-O). */
export function pingOften(address: string, intervalMs: number): readonly string[] {
  return ['ping', family(address), '-n', '-O', '-i', (intervalMs / 1000).toFixed(3), address];
}

/** One request, over after the answer or when `seconds` have passed. */
export function pingOnce(address: string, seconds: number): readonly string[] {
  return ['ping', family(address), '-n', '-c', '1', '-W', String(seconds), address];
}

function family(address: string): '-4' | '-6' {
  return isIPv6(address) ? '-6' : '-4';
}
