// An address that this host has no longer is not announced: the peer may have it by then. What goes over the cable is what
// counts, so the neighbour writes down every packet that claims it.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import type { AddressConfig } from '../../daemon/config/config.ts';
import type { WorkerEvent } from './support/driver-worker.ts';
import { eventually, type NamespaceHost, pairTest } from './support/namespace-pair.ts';

const floating4: AddressConfig = { address: '10.9.0.50', prefix: 24, family: 4, interface: 'eth0' };
const floating6: AddressConfig = { address: 'fd00:9::50', prefix: 64, family: 6, interface: 'eth0' };
const done = { kind: 'done' };

/** ARP whose sender has the address, which a question of `arping -D` has not; neighbour advertisements of it. */
const filters = {
  4: 'arp and arp[14:4] = 0x0a090032',
  6: 'icmp6 and ip6[40] = 136 and src host fd00:9::50',
} as const;

/** Several announcements would fall into it. */
const silenceMs = 3000;
const announceRefreshMs = 200;

const isStatus = (kind: string) => (event: WorkerEvent) =>
  event.event === 'status' && event.value.kind === kind;

/** When each claim came, milliseconds since the epoch. Of all interfaces, so it goes on when one is made anew. */
async function keepClaims(
  t: ExecutionContext,
  host: NamespaceHost,
  family: 4 | 6,
): Promise<readonly number[]> {
  const words = ['tcpdump', '-i', 'any', '-p', '-n', '-l', '-tt', '--immediate-mode', filters[family]];
  const child = spawn('ip', ['netns', 'exec', host.name, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  const claims: number[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const atMs = Number.parseFloat(line) * 1000;
    if (atMs > 0) claims.push(atMs);
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await eventually('tcpdump listens', () => {
    if (child.exitCode !== null) throw new Error(said);
    return said.includes('listening on') || undefined;
  }).catch((error: unknown) => Promise.reject(new Error(`tcpdump: ${said}`, { cause: error })));
  return claims;
}

function remake(left: NamespaceHost, right: NamespaceHost): void {
  left.run('ip', 'link', 'del', 'eth0');
  const peer = ['peer', 'name', 'eth0', 'netns', right.name];
  left.run('ip', 'link', 'add', 'eth0', 'netns', left.name, 'type', 'veth', ...peer);
  right.run('ip', 'link', 'set', 'eth0', 'up');
  left.run('ip', 'link', 'set', 'eth0', 'up');
}

for (const config of [floating4, floating6]) {
  const cidr = `${config.address}/${config.prefix}`;
  const nodad = config.family === 6 ? ['nodad'] : [];

  for (const [title, takeAway] of [
    ['that somebody removed', (left) => left.run('ip', 'address', 'del', cidr, 'dev', 'eth0')],
    ['whose interface was made anew', remake],
  ] as readonly [string, (left: NamespaceHost, right: NamespaceHost) => void][]) {
    pairTest(
      `IPv${config.family}: an address ${title} is announced again only when it is back`,
      async (t, { left, right }) => {
        const claims = await keepClaims(t, right, config.family);
        const since = (fromMs: number) => claims.filter((atMs) => atMs > fromMs);
        const drivers = left.startDrivers();
        await drivers.ask({ kind: 'create-address', config, announceRefreshMs });
        t.deepEqual(await drivers.ask({ kind: 'perform', action: 'start' }), done);
        const up = await drivers.until('up', isStatus('up'));
        await eventually('it is announced', () => claims.length > 2 || undefined);

        takeAway(left, right);
        const down = await drivers.until('down', isStatus('down'), up);
        const downAtMs = Date.now();
        await sleep(silenceMs);
        t.deepEqual(since(downAtMs), []);

        left.run('ip', 'address', 'add', cidr, 'dev', 'eth0', ...nodad);
        await drivers.until('up again', isStatus('up'), down);
        const upAtMs = Date.now();
        await eventually('it is announced again', () => since(upAtMs).length > 2 || undefined);
      },
    );
  }
}
