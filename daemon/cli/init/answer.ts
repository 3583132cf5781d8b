// What may be answered: each text becomes a value, or a sentence that says what is wrong with it. Pure.

import { isIPv4 } from 'node:net';
import { parseDuration } from '../../config/duration.ts';
import {
  canonicalHostAddress,
  isHostIPv4,
  mountExpected,
  parseFloatingAddress,
} from '../../config/values.ts';
import { nearestWord } from '../arguments.ts';
import { type HostAddress, inNetwork } from './facts.ts';

export type Answer<Value> = { readonly value: Value } | { readonly problem: string };

export type Reader<Value> = (text: string) => Answer<Value>;

/** The word for "there is none". */
export const noneWord = 'none';

export const matching =
  (pattern: RegExp, what: string): Reader<string> =>
  (text) =>
    pattern.test(text) ? { value: text } : { problem: `"${text}" is not ${what}` };

/** One of these words; `none` too where that is allowed. */
export const oneOf =
  (words: readonly string[], what: string): Reader<string> =>
  (text) => {
    if (words.includes(text)) return { value: text };
    const near = nearestWord(text, words);
    const hint = near === undefined ? `; there is ${words.join(', ')}` : `; did you mean ${near}?`;
    return { problem: `there is no ${what} "${text}"${words.length === 0 ? '' : hint}` };
  };

/** Several, with commas or blanks between them; `none` is an empty list. */
export const listOf =
  <Value>(reader: Reader<Value>): Reader<readonly Value[]> =>
  (text) => {
    const words = text.split(/[\s,]+/).filter(Boolean);
    if (words.length === 0) return { problem: `nothing is named; ${noneWord} is a word for that` };
    if (words.length === 1 && words[0] === noneWord) return { value: [] };
    const values: Value[] = [];
    for (const word of words) {
      const answer = reader(word);
      if ('problem' in answer) return answer;
      values.push(answer.value);
    }
    return { value: values };
  };

/** Addresses that are somebody's already, each with whose it is. */
export type Taken = ReadonlyMap<string, string>;

/** An own address of the other node. */
export const peerAddress =
  (own: HostAddress, lan: string, taken: Taken): Reader<string> =>
  (text) => {
    const network = `the network of ${own.address}/${own.prefix} on ${lan}`;
    if (!isHostIPv4(text))
      return { problem: `"${text}" is not an IPv4 address of a host, such as 192.168.1.3` };
    const owner = taken.get(text);
    if (owner !== undefined) return { problem: `${text} is ${owner}` };
    if (!inNetwork(text, own)) return { problem: `${text} is not in ${network}` };
    return edgeOf(text, own) ?? { value: text };
  };

/** `192.168.1.1`, `192.168.1.1/24`, or with `dev eth0`: always whole in the end. */
export const floatingAddress =
  (own: HostAddress, lan: string, taken: Taken): Reader<string> =>
  (text) => {
    const [, local = '', prefixText, device] = /^([^\s/]+)(?:\/(\d+))?(?:\s+dev\s+(\S+))?$/.exec(text) ?? [];
    const address = canonicalHostAddress(local);
    if (address === undefined) return { problem: `"${text}" is not an address such as 192.168.1.1` };
    const owner = taken.get(address);
    if (owner !== undefined) return { problem: `${address} is ${owner}; the floating address is one more` };
    if (device === undefined && isIPv4(address)) {
      if (!inNetwork(address, own)) {
        const whole = `${address}/${prefixText ?? own.prefix} dev INTERFACE`;
        return {
          problem: `${address} is not in the network of ${own.address}/${own.prefix} on ${lan}; if it is meant: ${whole}`,
        };
      }
      const edge = edgeOf(address, own);
      if (edge !== null) return edge;
    }
    if (prefixText === undefined && !isIPv4(address)) {
      return { problem: `${address} needs its prefix length, as in ${address}/64` };
    }
    const whole = `${address}/${prefixText ?? own.prefix} dev ${device ?? lan}`;
    return parseFloatingAddress(whole) === undefined
      ? { problem: `"${text}" is not an address such as 192.168.1.1/24 dev eth0` }
      : { value: whole };
  };

/** Several floating addresses; blanks belong to `dev NAME`, so that only a comma parts them. */
export const floatingAddresses =
  (own: HostAddress, lan: string, taken: Taken): Reader<readonly string[]> =>
  (text) => {
    if (text.trim() === noneWord) return { value: [] };
    const values: string[] = [];
    const seen = new Map(taken);
    for (const word of text.split(',').map((each) => each.trim())) {
      const answer = floatingAddress(own, lan, seen)(word);
      if ('problem' in answer) return answer;
      values.push(answer.value);
      seen.set(answer.value.split('/')[0] ?? '', 'named twice');
    }
    return { value: values };
  };

/** The first and the last address of a network are no host's. */
function edgeOf(text: string, { address, prefix }: HostAddress): { readonly problem: string } | null {
  if (prefix >= 31) return null;
  const host =
    Number(text.split('.').reduce((value, part) => value * 256 + Number(part), 0)) % 2 ** (32 - prefix);
  const last = 2 ** (32 - prefix) - 1;
  if (host !== 0 && host !== last) return null;
  const what = host === 0 ? 'the network itself' : 'the broadcast address';
  return { problem: `${text} is ${what} of ${address}/${prefix}, not an address of a host` };
}

/** What to ping beyond both nodes. */
export const pingTarget =
  (taken: Taken): Reader<string> =>
  (text) => {
    const address = canonicalHostAddress(text);
    if (address === undefined) return { problem: `"${text}" is not an address such as 192.168.1.254` };
    const owner = taken.get(address);
    return owner === undefined
      ? { value: address }
      : { problem: `${address} is ${owner}; it must be beyond both nodes` };
  };

/** null: not mounted by the group. */
export const mountPoint: Reader<string | null> = (text) => {
  if (text === noneWord) return { value: null };
  const expected = mountExpected(text);
  return expected === null ? { value: text } : { problem: `"${text}" should be ${expected}` };
};

const deadtimeMsMin = 500;

export const deadtime: Reader<number> = (text) => {
  const durationMs = parseDuration(text);
  if (durationMs === undefined) return { problem: `"${text}" is not a time such as 2s or 800ms` };
  return durationMs < deadtimeMsMin
    ? { problem: `${text} is too short: a host that is only busy would be given up; at least 500ms` }
    : { value: durationMs };
};

/** A wish for guests: `all`, `none`, or names. */
export type GuestWish = 'all' | readonly string[];

/** `stays`: the guests that libvirt has, each with why it cannot move; null: libvirt does not answer. */
export const guestWish =
  (stays: ReadonlyMap<string, string | null> | null, hasStorage: boolean): Reader<GuestWish> =>
  (text) => {
    if (text === 'all') {
      if (hasStorage) return { value: 'all' };
      return { problem: 'all means those on the storage of the group, and it has none: name them, or none' };
    }
    return listOf<string>((name) => {
      if (stays === null) return matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$/, 'a name of a guest')(name);
      const known = oneOf([...stays.keys()], 'guest')(name);
      const why = stays.get(name);
      return 'problem' in known || typeof why !== 'string'
        ? known
        : { problem: `${name} cannot move: ${why}` };
    })(text);
  };
