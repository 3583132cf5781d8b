// What neighbours are told of an address, byte by byte; that they heed it is seen in network namespaces (address.test.ts).

import test from 'ava';
import {
  gratuitousArp,
  neighbourAdvertisement,
  openNeighbours,
} from '../../daemon/drivers/address/neighbours.ts';

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
