// Tells every neighbour on a segment which MAC address an address has here, by a raw socket: gratuitous ARP for IPv4 (RFC
// 5227, 3), an unsolicited neighbour advertisement for IPv6 (RFC 4861, 7.2.6). When the call returns the kernel has it, in the
// queue of the interface: no process is left that could hang and send it later. Asks nobody whether the address is here.
// Needs CAP_NET_RAW. The runtime has no such sockets, so libc is called directly, as for the service manager. Source:
// packet(7), inet_pton(3).

import type { AddressConfig } from '../../config/config.ts';
import { type Hardware, readHardware } from './interface-files.ts';

export interface Neighbours {
  /** @returns why they could not be told; null: they were. Never throws, and waits for nothing. */
  tell(address: Pick<AddressConfig, 'address' | 'family' | 'interface'>): string | null;
  close(): void;
}

/** What of libc is called, as the manual pages have it. Numbers of bytes are of 64 bits. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  sendto(
    ...call: [socket: number, frame: Buffer, bytes: bigint, flags: number, to: Buffer, toBytes: number]
  ): bigint;
  close(descriptor: number): number;
  inet_pton(family: number, text: Buffer, into: Buffer): number;
}

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const ARPHRD_ETHER = 1;

const families = { 4: { number: 2, bytes: 4 }, 6: { number: 10, bytes: 16 } } as const;
const etherTypes = { arp: 0x0806, ipv6: 0x86dd } as const;
const macBytes = 6;
const toAll = Buffer.alloc(macBytes, 0xff);
/** ff02::1 and its group on Ethernet (RFC 2464, 7). */
const allNodes = Buffer.from(`ff02${'00'.repeat(13)}01`, 'hex');
const allNodesMac = Buffer.from('333300000001', 'hex');

/** Where libc cannot be called, each telling says why. Never rejects. */
export async function openNeighbours(): Promise<Neighbours> {
  try {
    return createNeighbours(await loadLibc());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { tell: () => reason, close: () => {} };
  }
}

async function loadLibc(): Promise<Libc> {
  const { dlopen } = await import('node:ffi');
  return dlopen('libc.so.6', {
    socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    sendto: { arguments: ['int32', 'buffer', 'uint64', 'int32', 'buffer', 'uint32'], return: 'int64' },
    close: { arguments: ['int32'], return: 'int32' },
    inet_pton: { arguments: ['int32', 'buffer', 'buffer'], return: 'int32' },
  }).functions;
}

/**
 * One socket for as long as the daemon runs: to close it takes the kernel milliseconds (packet_release in
 * net/packet/af_packet.c waits for all processors). Where there can be none, each telling tries again.
 *
 * @param folder of the kernel's files, where it is not the kernel's own
 */
export function createNeighbours(libc: Libc, folder?: string): Neighbours {
  let socket = open();
  let closed = false;

  /** Of no protocol: it receives nothing. Negative: there is none. */
  function open(): number {
    return libc.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  }

  function bytesOf(address: string, family: 4 | 6): Buffer | null {
    const { number, bytes } = families[family];
    const into = Buffer.alloc(bytes);
    return libc.inet_pton(number, Buffer.from(`${address}\0`), into) === 1 ? into : null;
  }

  function send(frame: Buffer, index: number): boolean {
    const to = linkAddress(index, frame);
    const sent = libc.sendto(socket, frame, BigInt(frame.length), MSG_DONTWAIT, to, to.length);
    return Number(sent) === frame.length;
  }

  return {
    tell({ address, family, interface: name }) {
      const ip = bytesOf(address, family);
      if (ip === null) return `${address} is no address of IPv${family}`;
      if (closed) return 'the daemon has ended';
      if (socket < 0) socket = open();
      if (socket < 0) return 'no raw socket is to be had (needs root or CAP_NET_RAW, and a free descriptor)';
      const hardware = lookUp(name, folder);
      if (typeof hardware === 'string') return hardware;
      const { index, type, mac } = hardware;
      if (type !== ARPHRD_ETHER || mac.length !== macBytes) return `${name} is no Ethernet`;
      const frames = family === 4 ? gratuitousArp(mac, ip) : [neighbourAdvertisement(mac, ip)];
      return frames.every((frame) => send(frame, index)) ? null : `${name} does not send`;
    },
    close() {
      closed = true;
      if (socket >= 0) libc.close(socket);
      socket = -1;
    },
  };
}

/** Or why it cannot be told. */
function lookUp(name: string, folder: string | undefined): Hardware | string {
  try {
    return readHardware(name, folder);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? `there is no interface ${name}` : `${name} cannot be read: ${message}`;
  }
}

/** struct sockaddr_ll: by which interface a frame with a header of its own goes out, and of which protocol it is. */
function linkAddress(index: number, frame: Buffer): Buffer {
  const address = Buffer.alloc(20);
  address.set(new Uint8Array(Uint16Array.of(AF_PACKET).buffer), 0);
  address.set(frame.subarray(12, 14), 2);
  address.set(new Uint8Array(Int32Array.of(index).buffer), 4);
  return address;
}

/** As a request and as a reply, since hosts differ in what they heed. */
export function gratuitousArp(mac: Buffer, ip: Buffer): readonly Buffer[] {
  return [1, 2].map((operation) => {
    const head = Buffer.from([0, 1, 8, 0, macBytes, ip.length, 0, operation]);
    const target = operation === 1 ? Buffer.alloc(macBytes) : toAll;
    return ethernet(toAll, mac, etherTypes.arp, [head, mac, ip, target, ip]);
  });
}

/** From the address itself, to all nodes, with the override flag: who knew another MAC address replaces it. */
export function neighbourAdvertisement(mac: Buffer, ip: Buffer): Buffer {
  const override = Buffer.from([0x20, 0, 0, 0]);
  const linkLayer = Buffer.concat([Buffer.from([2, 1]), mac]);
  const message = Buffer.concat([Buffer.from([136, 0, 0, 0]), override, ip, linkLayer]);
  const pseudoHeader = Buffer.concat([ip, allNodes, Buffer.from([0, 0, 0, message.length, 0, 0, 0, 58])]);
  message.writeUInt16BE(checksum(Buffer.concat([pseudoHeader, message])), 2);
  const header = Buffer.from([0x60, 0, 0, 0, 0, message.length, 58, 255]);
  return ethernet(allNodesMac, mac, etherTypes.ipv6, [header, ip, allNodes, message]);
}

function ethernet(to: Buffer, from: Buffer, type: number, payload: readonly Buffer[]): Buffer {
  return Buffer.concat([to, from, Buffer.from([type >> 8, type & 0xff]), ...payload]);
}

/** RFC 1071, of an even number of bytes. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
