// What the kernel's own files say of a network interface. They wait for no disk, nor for whoever changes the network. And they
// start nothing: asked by ioctl(2) for a name that is not there, the kernel has a module looked for, and the caller waits
// for that process (dev_load in net/core/dev_ioctl.c). Source: Documentation/ABI/testing/sysfs-class-net.

import { readFileSync } from 'node:fs';
import { interfacePattern } from '../../config/values.ts';

const classFolder = '/sys/class/net';

export interface Hardware {
  /** The kernel's number of it. */
  readonly index: number;
  /** ARPHRD_*, linux/if_arp.h. */
  readonly type: number;
  /** As many bytes as its type has; none where it has no address. */
  readonly mac: Buffer;
}

/** Null: there is none, or it cannot be read. */
export function readIndex(name: string): number | null {
  try {
    return Number(read(name, 'ifindex', classFolder));
  } catch {
    return null;
  }
}

/**
 * The number comes first: it is of no use any more once the interface is made anew between two files.
 *
 * @param folder where the kernel's files are; tests give another one
 * @throws the system's error; `ENOENT`: there is none
 */
export function readHardware(name: string, folder = classFolder): Hardware {
  const index = Number(read(name, 'ifindex', folder));
  const type = Number(read(name, 'type', folder));
  return { index, type, mac: Buffer.from(read(name, 'address', folder).replaceAll(':', ''), 'hex') };
}

/** A configuration has only such names; no other one leads out of the folder. */
function read(name: string, file: 'ifindex' | 'type' | 'address', folder: string): string {
  if (!interfacePattern.test(name)) throw Object.assign(new Error('no such name'), { code: 'ENOENT' });
  return readFileSync(`${folder}/${name}/${file}`, 'utf8').trim();
}
