// The address driver and the network monitor against a real kernel and a real neighbour.

import { setTimeout as sleep } from 'node:timers/promises';
import type { AddressConfig } from '../../daemon/config/config.ts';
import type { WorkerEvent } from './support/driver-worker.ts';
import { eventually, type NamespaceHost, pairTest } from './support/namespace-pair.ts';

const floating4: AddressConfig = { address: '10.9.0.50', prefix: 24, family: 4, interface: 'eth0' };
const floating6: AddressConfig = { address: 'fd00:9::50', prefix: 64, family: 6, interface: 'eth0' };
const done = { kind: 'done' };

const isStatus = (kind: string) => (event: WorkerEvent) =>
  event.event === 'status' && event.value.kind === kind;

function addressesOf(host: NamespaceHost): readonly string[] {
  const [entry] = JSON.parse(host.run('ip', '-j', 'addr', 'show', 'dev', 'eth0'));
  return entry.addr_info.map(
    (info: { local: string; prefixlen: number }) => `${info.local}/${info.prefixlen}`,
  );
}

function neighbourMac(host: NamespaceHost, address: string): string | undefined {
  return JSON.parse(host.run('ip', '-j', 'neigh', 'show', address, 'dev', 'eth0'))[0]?.lladdr;
}

for (const config of [floating4, floating6]) {
  const cidr = `${config.address}/${config.prefix}`;

  pairTest(`IPv${config.family}: start adds the address once, stop removes it once`, async (t, { left }) => {
    const drivers = left.startDrivers();
    await drivers.ask({ kind: 'create-address', config, announceRefreshMs: 30_000 });
    t.deepEqual(await drivers.ask({ kind: 'observe' }), { kind: 'down' });
    t.deepEqual(await drivers.ask({ kind: 'perform', action: 'start' }), done);
    t.deepEqual(await drivers.ask({ kind: 'observe' }), { kind: 'up' });
    t.deepEqual(await drivers.ask({ kind: 'perform', action: 'start' }), done);
    t.is(addressesOf(left).filter((address) => address === cidr).length, 1);
    t.deepEqual(await drivers.ask({ kind: 'perform', action: 'stop' }), done);
    t.deepEqual(await drivers.ask({ kind: 'observe' }), { kind: 'down' });
    t.deepEqual(await drivers.ask({ kind: 'perform', action: 'stop' }), done);
    t.false(addressesOf(left).includes(cidr));
  });

  pairTest(
    `IPv${config.family}: freeze takes the address away and resume brings it back`,
    async (t, { left }) => {
      const drivers = left.startDrivers();
      await drivers.ask({ kind: 'create-address', config, announceRefreshMs: 30_000 });
      await drivers.ask({ kind: 'perform', action: 'start' });
      const up = await drivers.until('up', isStatus('up'));
      t.deepEqual(await drivers.ask({ kind: 'perform', action: 'freeze' }), done);
      t.false(addressesOf(left).includes(cidr));
      const down = await drivers.until('down', isStatus('down'), up);
      t.deepEqual(await drivers.ask({ kind: 'perform', action: 'resume' }), done);
      t.true(addressesOf(left).includes(cidr));
      await drivers.until('up again', isStatus('up'), down);
    },
  );

  pairTest(
    `IPv${config.family}: a neighbour with a stale entry learns the new MAC address from the announcement`,
    async (t, { left, right }) => {
      const drivers = left.startDrivers();
      await drivers.ask({ kind: 'create-address', config, announceRefreshMs: 2000 });
      const stale = '02:00:00:00:00:99';
      right.run('ip', 'neigh', 'replace', config.address, 'lladdr', stale, 'dev', 'eth0', 'nud', 'stale');
      t.is(neighbourMac(right, config.address), stale);
      t.deepEqual(await drivers.ask({ kind: 'perform', action: 'start' }), done);
      const learned = await eventually('the new MAC address', () => {
        const mac = neighbourMac(right, config.address);
        return mac === stale ? undefined : (mac ?? 'none');
      });
      t.is(learned, left.mac);
      right.run('ping', '-n', '-c', '1', '-W', '10', config.address);
    },
  );

  pairTest(
    `IPv${config.family}: an address removed by someone else is reported down, and start puts it back`,
    async (t, { left }) => {
      const drivers = left.startDrivers();
      await drivers.ask({ kind: 'create-address', config, announceRefreshMs: 30_000 });
      const down = await drivers.until('the first status', isStatus('down'));
      await drivers.ask({ kind: 'perform', action: 'start' });
      const up = await drivers.until('up', isStatus('up'), down);
      left.run('ip', 'address', 'del', cidr, 'dev', 'eth0');
      const removed = await drivers.until('down after the removal', isStatus('down'), up);
      await drivers.ask({ kind: 'perform', action: 'start' });
      await drivers.until('up again', isStatus('up'), removed);
      const statuses = drivers.events
        .filter(({ event }) => event === 'status')
        .map(({ value }) => value.kind);
      t.deepEqual(statuses, ['down', 'up', 'down', 'up']);
      t.true(
        drivers.events.some(
          ({ event, value }) => event === 'log' && /removed by someone else/.test(value.msg),
        ),
      );
    },
  );

  pairTest(
    `IPv${config.family}: a missing interface fails by name and counts as down`,
    async (t, { left }) => {
      const drivers = left.startDrivers();
      const missing = { ...config, interface: 'eth7' };
      await drivers.ask({ kind: 'create-address', config: missing, announceRefreshMs: 30_000 });
      t.deepEqual(await drivers.ask({ kind: 'observe' }), { kind: 'down' });
      const outcome = await drivers.ask({ kind: 'perform', action: 'start' });
      t.is(outcome.kind, 'failed');
      t.is(outcome.code, 'interface-missing');
      t.regex(outcome.message, /eth7 does not exist/);
      t.deepEqual(await drivers.ask({ kind: 'perform', action: 'stop' }), done);
    },
  );
}

pairTest(
  'Another host that adds the same address is noticed, our own kernel is not',
  async (t, { left, right }) => {
    const drivers = left.startDrivers();
    await drivers.ask({ kind: 'create-address', config: floating4, announceRefreshMs: 400 });
    await drivers.ask({ kind: 'perform', action: 'start' });
    await sleep(3000); // Several checks while we are alone.
    t.false(drivers.events.some(({ event }) => event === 'conflict'));
    right.run('ip', 'address', 'add', '10.9.0.50/24', 'dev', 'eth0');
    const index = await drivers.until('the conflict', ({ event }) => event === 'conflict');
    t.deepEqual(drivers.events[index]?.value, { mac: right.mac });
    await drivers.ask({ kind: 'close' });
    t.true(addressesOf(left).includes('10.9.0.50/24'), 'close leaves the address');
    await eventually('no child', () => drivers.children().size === 0 || undefined);
  },
);

pairTest('Without permission the failure says so', async (t, { left }) => {
  const drivers = left.startDrivers({ without: 'net_admin' });
  await drivers.ask({ kind: 'create-address', config: floating4, announceRefreshMs: 30_000 });
  const outcome = await drivers.ask({ kind: 'perform', action: 'start' });
  t.is(outcome.code, 'no-permission');
  t.regex(outcome.message, /ip address add 10\.9\.0\.50\/24 dev eth0.*CAP_NET_ADMIN/);
  t.deepEqual(await drivers.ask({ kind: 'observe' }), { kind: 'down' });
});

pairTest('What is shown for a dry run does the same as the driver', async (t, { left }) => {
  for (const config of [floating4, floating6]) {
    const drivers = left.startDrivers();
    await drivers.ask({ kind: 'create-address', config, announceRefreshMs: 30_000 });
    for (const [action, status] of [
      ['start', 'up'],
      ['stop', 'down'],
    ] as const) {
      const commands: readonly string[] = await drivers.ask({ kind: 'commands', action });
      for (const command of commands) left.run('sh', '-c', command);
      t.deepEqual(await drivers.ask({ kind: 'observe' }), { kind: status });
    }
  }
});

pairTest(
  'The host keeps its own addresses when the floating one, added first, is removed',
  async (t, { left }) => {
    const drivers = left.startDrivers();
    await drivers.ask({ kind: 'create-address', config: floating4, announceRefreshMs: 30_000 });
    left.run('ip', 'address', 'del', '10.9.0.1/24', 'dev', 'eth0');
    await drivers.ask({ kind: 'perform', action: 'start' });
    left.run('ip', 'address', 'add', '10.9.0.1/24', 'dev', 'eth0');
    t.deepEqual(await drivers.ask({ kind: 'perform', action: 'stop' }), done);
    t.true(addressesOf(left).includes('10.9.0.1/24'));
    t.false(addressesOf(left).includes('10.9.0.50/24'));
  },
);

pairTest('Stop also removes the address where it has another prefix', async (t, { left }) => {
  const drivers = left.startDrivers();
  await drivers.ask({ kind: 'create-address', config: floating4, announceRefreshMs: 30_000 });
  left.run('ip', 'address', 'add', '10.9.0.50/32', 'dev', 'eth0');
  t.deepEqual(await drivers.ask({ kind: 'observe' }), { kind: 'up' });
  t.deepEqual(await drivers.ask({ kind: 'perform', action: 'stop' }), done);
  t.false(addressesOf(left).some((address) => address.startsWith('10.9.0.50/')));
});

pairTest(
  'An address that duplicate address detection refused is down, and start repairs it',
  async (t, { left, right }) => {
    const drivers = left.startDrivers();
    await drivers.ask({ kind: 'create-address', config: floating6, announceRefreshMs: 30_000 });
    right.run('ip', 'address', 'add', 'fd00:9::50/64', 'dev', 'eth0', 'nodad');
    left.run('ip', 'address', 'add', 'fd00:9::50/64', 'dev', 'eth0');
    await eventually('dadfailed', () => /dadfailed/.test(left.run('ip', 'addr', 'show')) || undefined);
    t.deepEqual(await drivers.ask({ kind: 'observe' }), { kind: 'down' });
    right.run('ip', 'address', 'del', 'fd00:9::50/64', 'dev', 'eth0');
    t.deepEqual(await drivers.ask({ kind: 'perform', action: 'start' }), done);
    t.deepEqual(await drivers.ask({ kind: 'observe' }), { kind: 'up' });
  },
);

pairTest(
  'Without a raw socket the address comes up, and the log says once why neighbours learn of it late',
  async (t, { left }) => {
    for (const config of [floating4, floating6]) {
      const drivers = left.startDrivers({ without: 'net_raw' });
      await drivers.ask({ kind: 'create-address', config, announceRefreshMs: 300 });
      t.deepEqual(await drivers.ask({ kind: 'perform', action: 'start' }), done);
      const isSaid = ({ event, value }: WorkerEvent) =>
        event === 'log' && /^neighbours are not told/.test(value.msg) && /CAP_NET_RAW/.test(value.reason);
      await drivers.until('the reason', isSaid);
      await sleep(1000);
      t.is(drivers.events.filter(isSaid).length, 1);
    }
  },
);

pairTest(
  'A cable that is pulled shows as lost carrier, and as carrier when it is back',
  async (t, { left, right }) => {
    const drivers = left.startDrivers();
    await drivers.ask({ kind: 'watch-network' });
    const hasCarrier = (wanted: boolean) => (event: WorkerEvent) =>
      event.event === 'network' &&
      event.value?.find(({ name }: { name: string }) => name === 'eth0')?.carrier === wanted;
    const first = await drivers.until('the first reading', hasCarrier(true));
    right.run('ip', 'link', 'set', 'eth0', 'down');
    const lost = await drivers.until('lost carrier', hasCarrier(false), first);
    right.run('ip', 'link', 'set', 'eth0', 'up');
    await drivers.until('carrier again', hasCarrier(true), lost);
    t.pass();
  },
);

pairTest('A killed ip monitor is started again and what was missed is read', async (t, { left }) => {
  const drivers = left.startDrivers();
  const monitors = () =>
    [...drivers.children()].filter(([, line]) => line.includes(' monitor ')).map(([pid]) => pid);
  await drivers.ask({ kind: 'watch-network' });
  await drivers.until('the first reading', ({ event }) => event === 'network');
  const old = await eventually('ip monitor', () => monitors()[0]);
  process.kill(old, 'SIGKILL');
  left.run('ip', 'address', 'add', '10.9.0.77/24', 'dev', 'eth0');
  await drivers.until(
    'the address that was added meanwhile',
    ({ event, value }) => event === 'network' && JSON.stringify(value).includes('10.9.0.77'),
  );
  const next = await eventually('a new ip monitor', () => monitors().find((pid) => pid !== old));
  t.not(next, old);
  const from = drivers.events.length;
  left.run('ip', 'address', 'del', '10.9.0.77/24', 'dev', 'eth0');
  await drivers.until(
    'the removal',
    ({ event, value }) => event === 'network' && !JSON.stringify(value).includes('10.9.0.77'),
    from,
  );
  await drivers.ask({ kind: 'close' });
  t.is(drivers.children().size, 0);
});

const batchOf = (drivers: { children(): ReadonlyMap<number, string> }): number | undefined =>
  [...drivers.children()].find(([, line]) => line.includes(' -batch '))?.[0];

for (const config of [floating4, floating6]) {
  pairTest(
    `IPv${config.family}: with an ip that hangs the address comes and goes all the same, and nothing comes later`,
    async (t, { left }) => {
      const drivers = left.startDrivers();
      await drivers.ask({ kind: 'create-address', config, announceRefreshMs: 30_000 });
      const cidr = `${config.address}/${config.prefix}`;
      for (const [action, isThere] of [
        ['start', true],
        ['stop', false],
      ] as const) {
        const hanging = await eventually('ip -batch', () => batchOf(drivers));
        process.kill(hanging, 'SIGSTOP');
        t.deepEqual(await drivers.ask({ kind: 'perform', action }), done);
        t.is(addressesOf(left).includes(cidr), isThere, action);
        t.false(drivers.children().has(hanging), 'it is gone, with what it was told');
      }
    },
  );
}

pairTest(
  'An interface that took the name of another one gets the address, the other does not',
  async (t, { left }) => {
    const drivers = left.startDrivers();
    await drivers.ask({ kind: 'create-address', config: floating4, announceRefreshMs: 30_000 });
    t.deepEqual(await drivers.ask({ kind: 'perform', action: 'start' }), done);
    t.deepEqual(await drivers.ask({ kind: 'perform', action: 'stop' }), done);
    left.run('ip', 'link', 'set', 'eth0', 'name', 'eth9');
    left.run('ip', 'link', 'add', 'eth0', 'type', 'bridge');
    left.run('ip', 'link', 'set', 'eth0', 'up');
    t.deepEqual(await drivers.ask({ kind: 'perform', action: 'start' }), done);
    t.true(addressesOf(left).includes('10.9.0.50/24'));
    t.false(left.run('ip', 'addr', 'show', 'dev', 'eth9').includes('10.9.0.50'));
  },
);
