// Which addresses a link uses, from what is on its interface.

import test from 'ava';
import type { LinkConfig } from '../../daemon/config/config.ts';
import {
  broadcastAddress,
  type Endpoint,
  readInterface,
  resolveEndpoint,
} from '../../daemon/drivers/link/interface.ts';

const self = { name: 'primary', address: '192.168.1.2' };
const peer = { name: 'secondary', address: '192.168.1.3' };
const slash24 = '255.255.255.0';
const broadcast: LinkConfig = { mode: 'broadcast', interface: 'eth1', port: 694 };
const multicast: LinkConfig = { mode: 'multicast', interface: 'eth1', group: '239.1.1.1', port: 694 };
const unicast: LinkConfig = { mode: 'unicast', interface: 'eth0', addresses: {}, port: 694 };

function resolve(config: LinkConfig, ...addresses: ReadonlyArray<readonly [string, string]>): Endpoint {
  return resolveEndpoint(
    config,
    self,
    peer,
    addresses.map(([address, netmask]) => ({ address, netmask })),
  );
}

for (const [address, netmask, expected] of [
  ['192.168.1.2', '255.255.255.0', '192.168.1.255'],
  ['10.9.8.7', '255.0.0.0', '10.255.255.255'],
  ['172.16.5.130', '255.255.255.192', '172.16.5.191'],
  ['203.0.113.5', '255.255.255.252', '203.0.113.7'],
] as const) {
  test(`the broadcast address of ${address} under ${netmask} is ${expected}`, (t) => {
    t.is(broadcastAddress({ address, netmask }), expected);
  });
}

test('a broadcast link passes over addresses without a broadcast address', (t) => {
  t.deepEqual(
    resolve(
      broadcast,
      ['10.0.0.1', '255.255.255.255'],
      ['10.0.1.1', '255.255.255.254'],
      ['10.0.2.1', slash24],
      ['10.0.3.1', slash24],
    ),
    { kind: 'endpoint', bindAddress: '10.0.2.255', peerAddress: '10.0.2.255', interfaceAddress: '10.0.2.1' },
  );
  t.deepEqual(resolve(broadcast, ['10.0.0.1', '255.255.255.255']), {
    kind: 'none',
    reason: 'eth1 has no IPv4 address with a broadcast address',
  });
});

test('the node’s own LAN address goes before others on the interface', (t) => {
  for (const config of [broadcast, multicast]) {
    t.like(resolve(config, ['192.168.7.1', slash24], [self.address, slash24]), {
      interfaceAddress: self.address,
    });
  }
});

test('a multicast link binds to its group', (t) => {
  t.deepEqual(resolve(multicast, ['10.0.0.1', '255.255.255.255']), {
    kind: 'endpoint',
    bindAddress: '239.1.1.1',
    peerAddress: '239.1.1.1',
    interfaceAddress: '10.0.0.1',
  });
});

test('a unicast link uses the LAN addresses unless others are configured', (t) => {
  t.like(resolve(unicast, [self.address, slash24]), {
    bindAddress: self.address,
    peerAddress: peer.address,
  });
  const configured = { ...unicast, addresses: { primary: '10.0.0.2', secondary: '10.0.0.3' } };
  t.like(resolve(configured, ['10.0.0.2', slash24]), { bindAddress: '10.0.0.2', peerAddress: '10.0.0.3' });
});

test('a unicast link needs its own address on its interface', (t) => {
  t.deepEqual(resolve(unicast, ['192.168.1.1', slash24]), {
    kind: 'none',
    reason: 'eth0 does not have the address 192.168.1.2',
  });
});

test('an interface without addresses says so', (t) => {
  for (const config of [broadcast, multicast, unicast]) {
    t.deepEqual(resolve(config), { kind: 'none', reason: `${config.interface} has no IPv4 address` });
  }
});

test('the loopback interface is usable and an unknown one is missing', (t) => {
  const loopback = readInterface('lo');
  t.is(loopback.kind, 'usable');
  if (loopback.kind === 'usable') t.true(loopback.addresses.some(({ address }) => address === '127.0.0.1'));
  t.deepEqual(readInterface('nosuch0'), { kind: 'missing', reason: 'interface nosuch0 does not exist' });
});
