// The small languages inside configuration strings: names, addresses, interfaces, sizes.
// Pure parsers, shared by the schema and by the checks between keys. `undefined` means "not one".

import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import type { AddressConfig } from './config.ts';
import { normalPath } from './paths.ts';

/** What is said of all groups must fit into one heartbeat packet. */
export const groupsMax = 12;

/** Cluster, group and guest names: they become file names, QEMU names and words in commands. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$/;
/** Node names are host names, so they may be longer. */
export const nodeNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
/** What the kernel takes (dev_valid_name in net/core/dev.c), kept to printable ASCII. */
export const interfacePattern = /^(?!\.{1,2}$)[!-.0-9;-~]{1,15}$/;
export const macPattern = /^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$/;
/** An absolute path without control characters. */
export const pathPattern = /^\/[ -~\u00a0-\uffff]*[ -.0-~\u00a0-\uffff]$/;
export const sizePattern = /^[0-9]{1,9}[MG]$/;
/** What virsh -c takes for QEMU, on this host or through a transport; libvirt's own test driver has no machines. */
export const libvirtUriPattern = /^(qemu|test)(\+[a-z0-9]+)?:\/\/[!-~]+$/;
export const floatingAddressPattern = /^\s*[0-9A-Fa-f.:]+\/[0-9]{1,3}\s+dev\s+\S{1,15}\s*$/;

/** Mebibytes in `64M` or `1G`. */
export function parseSizeMiB(text: string): number | undefined {
  if (!sizePattern.test(text)) {
    return undefined;
  }
  const sizeMiB = Number.parseInt(text, 10) * (text.endsWith('G') ? 1024 : 1);
  return sizeMiB > 0 ? sizeMiB : undefined;
}

/** An address that one host can have: not 0.x, not multicast, not broadcast. */
export function isHostIPv4(text: string): boolean {
  const first = Number.parseInt(text, 10);
  return isIPv4(text) && first > 0 && first < 224;
}

export function isMulticastIPv4(text: string): boolean {
  const first = Number.parseInt(text, 10);
  return isIPv4(text) && first >= 224 && first < 240;
}

/** The form in which the kernel prints a host's address (`fe80::1`, lower case), so that texts compare. */
export function canonicalHostAddress(text: string): string | undefined {
  if (isHostIPv4(text)) {
    return text;
  }
  if (!isIPv6(text) || text.includes('%')) {
    return undefined;
  }
  const canonical = new SocketAddress({ address: text, family: 'ipv6' }).address;
  return canonical === '::' || canonical.startsWith('ff') ? undefined : canonical;
}

/** `192.168.1.1/24 dev eth0`, as ip-address(8) takes it; IPv6 alike. */
export function parseFloatingAddress(text: string): AddressConfig | undefined {
  const [local, dev, name, ...rest] = text.trim().split(/\s+/);
  const [host, prefixText, ...extra] = (local ?? '').split('/');
  const address = canonicalHostAddress(host ?? '');
  const prefix = /^[0-9]{1,3}$/.test(prefixText ?? '') ? Number(prefixText) : 0;
  if (address === undefined || dev !== 'dev' || name === undefined || !interfacePattern.test(name)) {
    return undefined;
  }
  const family = isIPv4(address) ? 4 : 6;
  if (prefix < 1 || prefix > (family === 4 ? 32 : 128) || rest.length > 0 || extra.length > 0) {
    return undefined;
  }
  return { address, prefix, family, interface: name };
}

/** A card's address: unicast and not all zeros. Lower case. */
export function parseMac(text: string): string | undefined {
  const mac = text.toLowerCase();
  const unicast = macPattern.test(text) && Number.parseInt(mac.slice(0, 2), 16) % 2 === 0;
  return unicast && mac !== '00:00:00:00:00:00' ? mac : undefined;
}

/** What a block device should be given as instead; null when it is a path as it should be. */
export function deviceExpected(text: string): string | null {
  const tag = /^([A-Za-z]+)=/.exec(text)?.[1];
  if (tag !== undefined) return `a device such as /dev/drbd0, not a ${tag.toUpperCase()}`;
  return pathPattern.test(text) ? null : 'an absolute path';
}

/** What a system cannot do without, or what this daemon keeps: hidden under a mount, it would be gone. */
const systemDirectories = [
  '/ /bin /boot /boot/efi /etc /etc/battito /etc/drbd.d /etc/systemd /home /lib /lib32 /lib64 /root /sbin /tmp',
  '/run /run/battito /run/lock /run/systemd /run/user /usr /usr/bin /usr/lib /usr/local /usr/sbin /usr/share',
  '/var /var/cache /var/lib /var/lib/battito /var/lib/drbd /var/lib/systemd /var/log /var/log/battito',
  '/var/log/journal /var/run /var/spool /var/tmp',
].flatMap((line) => line.split(' '));

/** What a mount point should be instead; null when it is one as it should be. */
export function mountExpected(text: string): string | null {
  if (!text.startsWith('/')) return 'an absolute path';
  if (text.split('/').includes('..')) return 'a path without ".."';
  const place = normalPath(text);
  if (systemDirectories.includes(place) || /^\/(dev|proc|sys)(\/|$)/.test(place)) {
    return 'a directory of its own such as /srv/guests, not one of the system';
  }
  if (text.endsWith('/')) return 'a path without a slash at its end';
  return pathPattern.test(text) ? null : 'an absolute path';
}
