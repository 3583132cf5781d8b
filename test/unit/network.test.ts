// The parsers of the address, network and probe drivers, fed with recorded output: iproute2 6.1.0, iputils 20221126.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parseArpingLine } from '../../daemon/drivers/arping.ts';
import { parseInterfaces, readInterfaces } from '../../daemon/drivers/network.ts';
import { parsePingLine } from '../../daemon/drivers/ping.ts';
import { parseRouteDevice } from '../../daemon/drivers/probe/ping.ts';
import { temporaryDirectory } from '../support.ts';

// A veth in a namespace whose peer was set down, with addresses in several states.
const recorded = `[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536,"qdisc":"noqueue","operstate":"UNKNOWN","group":"default","txqlen":1000,"link_type":"loopback","address":"00:00:00:00:00:00","broadcast":"00:00:00:00:00:00","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host","label":"lo","valid_life_time":4294967295,"preferred_life_time":4294967295},{"family":"inet6","local":"::1","prefixlen":128,"scope":"host","valid_life_time":4294967295,"preferred_life_time":4294967295}]},{"ifindex":2,"link_index":2,"ifname":"eth0","flags":["NO-CARRIER","BROADCAST","MULTICAST","UP"],"mtu":1500,"qdisc":"noqueue","operstate":"DOWN","group":"default","txqlen":1000,"link_type":"ether","address":"56:f6:2c:85:36:a2","broadcast":"ff:ff:ff:ff:ff:ff","link_netnsid":0,"addr_info":[{"family":"inet6","local":"fd00::50","prefixlen":64,"scope":"global","nodad":true,"deprecated":true,"noprefixroute":true,"valid_life_time":4294967295,"preferred_life_time":0},{"family":"inet6","local":"fe80::54f6:2cff:fe85:36a2","prefixlen":64,"scope":"link","tentative":true,"valid_life_time":4294967295,"preferred_life_time":4294967295}]}]`;

test('Interfaces, carrier and addresses are read from recorded output', (t) => {
  const parsed = parseInterfaces(recorded);
  const plain = { tentative: false, dadFailed: false };
  t.deepEqual(parsed, {
    kind: 'parsed',
    interfaces: [
      {
        name: 'lo',
        index: 1,
        adminUp: true,
        carrier: true,
        mac: '00:00:00:00:00:00',
        addresses: [
          { address: '127.0.0.1', prefix: 8, family: 4, ...plain },
          { address: '::1', prefix: 128, family: 6, ...plain },
        ],
      },
      {
        name: 'eth0',
        index: 2,
        adminUp: true,
        carrier: false,
        mac: '56:f6:2c:85:36:a2',
        addresses: [
          { address: 'fd00::50', prefix: 64, family: 6, ...plain },
          {
            address: 'fe80::54f6:2cff:fe85:36a2',
            prefix: 64,
            family: 6,
            tentative: true,
            dadFailed: false,
          },
        ],
      },
    ],
  });
});

const minimal = { ifname: 'tun0', ifindex: 7, flags: ['POINTOPOINT', 'UP', 'LOWER_UP'] };

test('Fields that only describe may be missing, and unknown ones may be there', (t) => {
  t.deepEqual(parseInterfaces(JSON.stringify([{ ...minimal, wormhole: true }])), {
    kind: 'parsed',
    interfaces: [{ name: 'tun0', index: 7, adminUp: true, carrier: true, addresses: [] }],
  });
});

test('Empty objects, which stand for filtered interfaces, are passed over', (t) => {
  const parsed = parseInterfaces(JSON.stringify([{}, { ...minimal, addr_info: [{}] }, {}]));
  t.is(parsed.kind === 'parsed' ? parsed.interfaces.length : -1, 1);
});

test('A refused duplicate keeps its mark', (t) => {
  const info = { family: 'inet6', local: 'fd00::50', prefixlen: 64, dadfailed: true, tentative: true };
  const parsed = parseInterfaces(JSON.stringify([{ ...minimal, addr_info: [info] }]));
  t.like(parsed, { interfaces: [{ addresses: [{ dadFailed: true, tentative: true }] }] });
});

test('A bridge has the carrier of its ports that are not guests; without such a port, its own', (t) => {
  const bridge = { ...minimal, ifname: 'br0', linkinfo: { info_kind: 'bridge' } };
  const tap = {
    ...minimal,
    ifname: 'tap0',
    master: 'br0',
    linkinfo: { info_kind: 'tun', info_slave_kind: 'bridge' },
  };
  const card = { ...minimal, ifname: 'eth0', master: 'br0', linkinfo: { info_slave_kind: 'bridge' } };
  const bond = { ...minimal, ifname: 'bond0', master: 'br0', linkinfo: { info_kind: 'bond' } };
  const pulled = { ...card, flags: ['NO-CARRIER', 'UP'], operstate: 'DOWN' };
  const carrierOf = (...entries: readonly object[]) => {
    const parsed = parseInterfaces(JSON.stringify(entries));
    return parsed.kind === 'parsed' && parsed.interfaces.find(({ name }) => name === 'br0')?.carrier;
  };
  t.true(carrierOf(bridge, tap, card));
  t.false(carrierOf(bridge, tap, pulled));
  t.true(carrierOf(pulled, tap, bond, bridge));
  t.true(carrierOf(bridge, tap), 'guests only');
  t.true(carrierOf(bridge, { ...pulled, master: 'br1' }));
  t.false(carrierOf({ ...bridge, flags: ['UP'] }, card));
});

test('An interface that is set down has no carrier, whatever its flags say', (t) => {
  const parsed = parseInterfaces(JSON.stringify([{ ...minimal, operstate: 'LOWERLAYERDOWN' }]));
  t.like(parsed, { interfaces: [{ carrier: false }] });
});

const unparseable: Readonly<Record<string, string>> = {
  nothing: '',
  'a list that was broken off before its first interface': '[ ]\n',
  'a list of interfaces that were left out': '[{},{}]',
  'half of it': recorded.slice(0, 200),
  'an object': '{}',
  'a list of numbers': '[1]',
  'an interface without a name': JSON.stringify([{ ...minimal, ifname: undefined }]),
  'an interface without an index': JSON.stringify([{ ...minimal, ifindex: undefined }]),
  'an interface without flags': JSON.stringify([{ ...minimal, flags: undefined }]),
  'addresses that are no list': JSON.stringify([{ ...minimal, addr_info: 'none' }]),
  'an address without its prefix': JSON.stringify([
    { ...minimal, addr_info: [{ family: 'inet', local: '10.0.0.1' }] },
  ]),
};

for (const [what, json] of Object.entries(unparseable)) {
  test(`What cannot be told is not taken for an empty host: ${what}`, (t) => {
    const parsed = parseInterfaces(json);
    t.is(parsed.kind, 'unparseable');
    t.regex(parsed.kind === 'unparseable' ? parsed.message : '', /^ip -j -d addr show: ./);
  });
}

/** An `ip` that says these one after the other, the last one again and again; each ends with exit code 0. */
async function scriptedIp(t: ExecutionContext, answers: readonly string[]) {
  const directory = temporaryDirectory(t);
  await Promise.all(answers.map((text, index) => writeFile(join(directory, `${index + 1}`), text)));
  const script =
    'cd "$0"; echo >>calls; n=$(wc -l <calls); [ -e "$n" ] || n=$1; cat "$n"; [ -s "$n" ] || echo Dump terminated >&2';
  return {
    read: () => readInterfaces(['sh', '-c', script, directory, `${answers.length}`], { timeoutMs: 60_000 }),
    calls: async () => (await readFile(join(directory, 'calls'), 'utf8')).length,
  };
}

test('a list that the kernel broke off is asked for again', async (t) => {
  const ip = await scriptedIp(t, ['', recorded]);
  t.like(await ip.read(), { kind: 'parsed', interfaces: [{ name: 'lo' }, { name: 'eth0' }] });
  t.is(await ip.calls(), 2);
});

test('a list that is broken off each time is not known, and why is told', async (t) => {
  const ip = await scriptedIp(t, ['']);
  const read = await ip.read();
  t.is(read.kind, 'unparseable');
  t.regex(
    read.kind === 'unparseable' ? read.message : '',
    /^sh -c .*end of JSON input \(Dump terminated\)$/i,
  );
  t.is(await ip.calls(), 2);
});

test('one that fails, or does not end, is not asked again', async (t) => {
  const failing = await readInterfaces(['sh', '-c', 'echo no such device >&2; exit 1'], {
    timeoutMs: 60_000,
  });
  t.like(failing, { kind: 'failed', result: { exitCode: 1 } });
  const killed = await readInterfaces(['sh', '-c', 'kill -9 $$'], { timeoutMs: 60_000 });
  t.like(killed, { kind: 'failed', result: { exitCode: null } });
});

test('An ARP answer gives its address and MAC address', (t) => {
  t.deepEqual(parseArpingLine('Unicast reply from 10.9.0.2 [4E:2F:26:D7:AF:F8]  0.563ms'), {
    address: '10.9.0.2',
    mac: '4e:2f:26:d7:af:f8',
  });
});

for (const line of [
  'ARPING 10.9.0.2 from 10.9.0.1 eth0',
  'Sent 1 probes (1 broadcast(s))',
  'Received 0 response(s)',
  'Interface "eth0" is down',
  'Unicast reply from 10.9.0.2',
  '',
]) {
  test(`No ARP answer is made of "${line}"`, (t) => {
    t.is(parseArpingLine(line), undefined);
  });
}

const pingLines = {
  '64 bytes from 10.9.0.2: icmp_seq=1 ttl=64 time=0.344 ms': { kind: 'answered', sequence: 1 },
  '64 bytes from fd00::2: icmp_seq=12 ttl=64 time=0.050 ms': { kind: 'answered', sequence: 12 },
  'no answer yet for icmp_seq=6': { kind: 'unanswered', sequence: 6 },
  'PING 10.9.0.2 (10.9.0.2) 56(84) bytes of data.': { kind: 'other' },
  'From 10.9.0.1 icmp_seq=1 Destination Host Unreachable': { kind: 'other' },
  '64 bytes from 10.9.0.2: icmp_seq=1 ttl=64 (truncated)': { kind: 'other' },
  '': { kind: 'other' },
} as const;

for (const [line, expected] of Object.entries(pingLines)) {
  test(`ping's line "${line}" is read as ${expected.kind}`, (t) => {
    t.deepEqual(parsePingLine(line), expected);
  });
}

test('The outgoing interface is read from a route', (t) => {
  const json = '[{"dst":"10.9.0.2","dev":"eth0","prefsrc":"10.9.0.1","flags":[],"uid":0,"cache":[]}]';
  t.is(parseRouteDevice(json), 'eth0');
});

for (const json of ['', '[]', '{}', '[null]', '[{"type":"unreachable"}]']) {
  test(`No interface is read from the route ${json || '(nothing)'}`, (t) => {
    t.is(parseRouteDevice(json), undefined);
  });
}
