// A world written down as a row of small numbers, one after the other; and its hash.

import { gridMs } from './model.ts';

const row = new Int32Array(1024);
let length = 0;
let now = 0;
let baseGeneration = 0;

export function beginRow(at: number, lowestGeneration: number): void {
  length = 0;
  now = at;
  baseGeneration = lowestGeneration - 1;
}

export function put(value: number): void {
  row[length] = value;
  length += 1;
}

export const flag = (value: boolean): void => put(value ? 1 : 0);

/** Steps since then, at most `most`; -1: never. */
export function age(at: number | null, mostMs: number): void {
  put(at === null ? -1 : Math.min(Math.ceil((now - at) / gridMs), Math.ceil(mostMs / gridMs) + 1));
}

/** Steps until it is due; 0: it is. -1: never. */
export function due(at: number | null): void {
  put(at === null ? -1 : Math.max(0, Math.ceil((at - now) / gridMs)));
}

/** The same of what still matters when it is past, for so long. */
export function until(at: number | null, least: number): void {
  put(at === null ? -99 : Math.max(least, Math.ceil((at - now) / gridMs)));
}

export const generation = (value: number): void => put(value === 0 ? 0 : value - baseGeneration);

export const side = (name: string | null): void => put(name === null ? 0 : name === 'primary' ? 1 : 2);

export interface Hash {
  low: number;
  high: number;
}

/** 64 bits. */
export function hashRow(hash: Hash): void {
  let low = 0x9e3779b9;
  let high = 0x85ebca6b;
  for (let at = 0; at < length; at += 1) {
    const value = row[at] as number;
    low = Math.imul(low ^ value, 0xcc9e2d51);
    low = (low << 15) | (low >>> 17);
    high = Math.imul(high ^ (value + at), 0x1b873593);
    high = (high << 13) | (high >>> 19);
    high = (high + low) | 0;
  }
  hash.low = mixed(low ^ length);
  hash.high = mixed(high);
}

function mixed(value: number): number {
  let a = value;
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b);
  a = Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return (a ^ (a >>> 16)) >>> 0;
}
