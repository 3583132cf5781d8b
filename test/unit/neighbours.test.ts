// What neighbours are told of an address, byte by byte; that they heed it is seen in network namespaces (address.test.ts).

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  createNeighbours,
  gratuitousArp,
  neighbourAdvertisement,
  openNeighbours,
} from '../../daemon/drivers/address/neighbours.ts';
import { temporaryDirectory } from '../support.ts';

const mac = Buffer.from('525400000002', 'hex');
const hex = (...words: readonly string[]) => words.join('').replaceAll(' ', '');

test('gratuitous ARP, as a request and as a reply', (t) => {
  const ip = Buffer.from([192, 168, 1, 1]);
  const [request, reply, ...more] = gratuitousArp(mac, ip).map((frame) => frame.toString('hex'));
  const header = 'ffffffffffff 525400000002 0806';
  t.is(
    request,
    hex(header, '0001 0800 06 04 0001', '525400000002 c0a80101', '000000000000 c0a80101'),
    'RFC 5227, 1.1: the target hardware address of a request is left out',
  );
  t.is(reply, hex(header, '0001 0800 06 04 0002', '525400000002 c0a80101', 'ffffffffffff c0a80101'));
  t.deepEqual(more, []);
});

test('an unsolicited neighbour advertisement', (t) => {
  const ip = Buffer.from('fd000001000000000000000000000001', 'hex');
  const frame = neighbourAdvertisement(mac, ip);
  const text = frame.toString('hex');
  t.true(text.startsWith(hex('333300000001 525400000002 86dd', '6 00 00000 0020 3a ff')), text);
  t.is(text.slice(44, 108), hex(ip.toString('hex'), `ff02${'0'.repeat(26)}01`));
  t.is(text.slice(108, 112), '8800');
  t.is(
    text.slice(116),
    hex('20000000', ip.toString('hex'), '02 01 525400000002'),
    'override; who is meant, and where',
  );
  // RFC 1071: with its checksum the sum of all words is all ones.
  const words = Buffer.concat([
    frame.subarray(22, 54),
    Buffer.from([0, 0, 0, 32, 0, 0, 0, 58]),
    frame.subarray(54),
  ]);
  let sum = 0;
  for (let at = 0; at < words.length; at += 2) sum += words.readUInt16BE(at);
  t.is((sum & 0xffff) + (sum >>> 16), 0xffff);
});

test('what cannot be told is said, and nothing is thrown', async (t) => {
  const neighbours = await openNeighbours();
  t.teardown(() => neighbours.close());
  const why = (address: string, family: 4 | 6, name: string) =>
    neighbours.tell({ address, family, interface: name });
  if (process.getuid?.() !== 0) {
    t.regex(why('10.0.0.1', 4, 'lo') ?? '', /CAP_NET_RAW/);
    return;
  }
  t.is(why('10.0.0.1', 4, 'lo'), 'lo is no Ethernet');
  t.is(why('10.0.0.1', 4, 'eth77'), 'there is no interface eth77');
  t.is(why('10.0.0.1', 4, 'a-name-that-is-too-long'), 'there is no interface a-name-that-is-too-long');
  t.is(why('10.0.0.300', 4, 'lo'), '10.0.0.300 is no address of IPv4');
  t.is(why('10.0.0.1', 6, 'lo'), '10.0.0.1 is no address of IPv6');
});

/** A kernel with one interface, and a libc whose sockets are what `sockets` says, one after the other. */
function stand(t: ExecutionContext, sockets: number[]) {
  const folder = temporaryDirectory(t);
  const interfaceFiles = (name: string, files: Readonly<Record<string, string>>) => {
    mkdirSync(join(folder, name), { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, file), `${text}\n`);
  };
  interfaceFiles('eth0', { ifindex: '7', type: '1', address: '52:54:00:00:00:02' });
  const calls: string[] = [];
  const libc = {
    socket: () => sockets.shift() ?? -1,
    sendto(socket: number, frame: Buffer, bytes: bigint, _flags: number, to: Buffer) {
      calls.push(`${socket} ${to.readInt32LE(4)} ${frame.subarray(6, 12).toString('hex')}`);
      return bytes;
    },
    close: (socket: number) => calls.push(`close ${socket}`),
    inet_pton: (_family: number, _text: Buffer, into: Buffer) => into.fill(1).length && 1,
  };
  const neighbours = createNeighbours(libc, folder);
  const tell = (name: string) => neighbours.tell({ address: '1.1.1.1', family: 4, interface: name });
  return { neighbours, tell, calls, folder, interfaceFiles };
}

test('the number and the MAC address are those that the kernel shows at that moment', (t) => {
  const { tell, calls, interfaceFiles } = stand(t, [5]);
  t.is(tell('eth0'), null);
  interfaceFiles('eth0', { ifindex: '8', address: '52:54:00:00:00:03' });
  t.is(tell('eth0'), null);
  const twice = (line: string) => [line, line];
  t.deepEqual(calls, [...twice('5 7 525400000002'), ...twice('5 8 525400000003')]);
});

test('a socket that is not to be had at first is asked for again, and only until there is one', (t) => {
  const { neighbours, tell, calls } = stand(t, [-1, -1, 5, 6]);
  t.regex(tell('eth0') ?? '', /^no raw socket/);
  t.is(tell('eth0'), null);
  t.is(tell('eth0'), null);
  neighbours.close();
  t.not(tell('eth0'), null);
  neighbours.close();
  t.deepEqual(calls, [...Array(4).fill('5 7 525400000002'), 'close 5']);
});

test('no name leads out of the folder of the interfaces, and what is no Ethernet is not told', (t) => {
  const { tell, calls, folder, interfaceFiles } = stand(t, [5]);
  const inner = join(folder, 'eth0');
  interfaceFiles('eth0/device', { ifindex: '9', type: '1', address: '52:54:00:00:00:09' });
  for (const name of ['eth0/device', '../eth0', '.', '..', '', 'eth0\0']) {
    t.is(tell(name), `there is no interface ${name}`);
  }
  interfaceFiles('ib0', { ifindex: '3', type: '32', address: Array(20).fill('00').join(':') });
  t.is(tell('ib0'), 'ib0 is no Ethernet');
  rmSync(join(inner, 'address'));
  mkdirSync(join(inner, 'address'));
  t.regex(tell('eth0') ?? '', /^eth0 cannot be read: EISDIR/);
  t.deepEqual(calls, []);
});
