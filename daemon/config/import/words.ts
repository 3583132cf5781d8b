// The small languages inside the lines of others: times, truth values, addresses with network and interface.
// Pure. `undefined` means "not one".

import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { interfacePattern, namePattern } from '../values.ts';

/** Heartbeat's times (cl_get_msec in its lib/clplumbing): a number, seconds unless a unit follows. Whole milliseconds. */
export function parseHeartbeatTime(text: string): number | undefined {
  const [, number, unit = 's'] =
    /^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|msec|us|usec|s|sec|m|min|h|hr)?$/i.exec(text) ?? [];
  if (number === undefined) return undefined;
  const factors: Readonly<Record<string, number>> = { ms: 1, us: 0.001, s: 1000, m: 60_000, h: 3_600_000 };
  const plain = unit.toLowerCase();
  const factor = factors[plain.slice(0, /^[mu]s/.test(plain) ? 2 : 1)] ?? 1000;
  const ms = Math.floor(Number(number) * factor + 0.5);
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** As Heartbeat's cl_str_to_boolean takes it. */
export function parseBoolean(text: string): boolean | undefined {
  if (/^(true|on|yes|y|1)$/i.test(text)) return true;
  return /^(false|off|no|n|0)$/i.test(text) ? false : undefined;
}

export interface WrittenAddress {
  readonly address: string;
  readonly prefix: number | null;
  readonly interface: string | null;
  /** Given, and of no use here. */
  readonly broadcast: string | null;
  /** Given, and left out: such as the label `eth0:0`. */
  readonly label: string | null;
}

/** `192.168.1.1`, `192.168.1.1/24/eth0`, `192.168.1.1/255.255.255.0/eth0:0/192.168.1.255`, `fd00::1/64/eth0`. */
export function parseHeartbeatAddress(text: string): WrittenAddress | undefined {
  const [address = '', ...parts] = text.split('/');
  if (!isIPv4(address) && !isIPv6(address)) return undefined;
  const mask = parts[0] ?? '';
  const prefix = mask === '' ? null : parsePrefix(mask, isIPv4(address) ? 32 : 128);
  // The mask may be left out before the interface.
  const rest = prefix === undefined ? parts : parts.slice(1);
  const broadcast = rest.find(isIPv4) ?? null;
  const names = rest.filter((part) => part !== '' && part !== broadcast);
  if (names.length > 1 || rest.length > 2) return undefined;
  const [name = null, alias] = names[0]?.split(':') ?? [];
  if (name !== null && !(interfacePattern.test(name) && /[a-z]/i.test(name))) return undefined;
  return {
    address,
    prefix: prefix ?? null,
    interface: name,
    broadcast,
    label: alias === undefined ? null : `${name}:${alias}`,
  };
}

/** `24` or `255.255.255.0`. */
export function parsePrefix(text: string, bitsMax: number): number | undefined {
  if (/^[0-9]{1,3}$/.test(text)) {
    const prefix = Number(text);
    return prefix >= 1 && prefix <= bitsMax ? prefix : undefined;
  }
  if (!isIPv4(text) || bitsMax !== 32) return undefined;
  const bits = text
    .split('.')
    .map((byte) => Number(byte).toString(2).padStart(8, '0'))
    .join('');
  return /^1+0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : undefined;
}

export function isInNetwork(address: string, network: string, prefix: number): boolean {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  if (isIPv4(network) !== (family === 'ipv4')) return false;
  const list = new BlockList();
  list.addSubnet(network, prefix, family);
  return list.check(address, family);
}

/** The interface of `eth0:1`, whose alias is not an interface of its own. */
export const withoutAlias = (name: string) => name.split(':')[0] ?? name;

/** The nearest text that may be the name of a cluster, group or guest; `otherwise` where nothing is left. */
export function asName(text: string, otherwise: string): string {
  const name = text
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 31);
  return namePattern.test(name) ? name : otherwise;
}
