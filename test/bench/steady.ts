// What one daemon costs when nothing happens: processor, memory, wakeups, packets. Nobody asks it anything
// meanwhile, and no client sends.

import { setTimeout as sleep } from 'node:timers/promises';
import { type HostName, hostNames } from '../netns/support/hosts.ts';
import { output } from '../netns/support/namespaces.ts';
import type { Office } from '../netns/support/office.ts';
import { monotonicMs } from '../support.ts';
import type { Progress } from './failover.ts';
import { type Figure, figure, type Section } from './figures.ts';
import { type DaemonUse, useOf } from './proc.ts';

/** What the start left behind (address announcements, just-in-time compilation) is over by then. */
const settleMs = 10_000;
const cpuPercentBelow = 1;
const memoryMbBelow = 75;

interface Sample {
  readonly atMs: number;
  readonly use: DaemonUse;
  readonly heartbeats: number;
  readonly packets: number;
  readonly bytes: number;
}

export async function measureSteadyState(
  office: Office,
  seconds: number,
  progress: Progress,
): Promise<Section[]> {
  progress(`steady state for ${seconds} s`);
  await sleep(settleMs);
  const before = await Promise.all(hostNames.map((host) => sample(office, host)));
  await sleep(seconds * 1000);
  const after = await Promise.all(hostNames.map((host) => sample(office, host)));
  return hostNames.flatMap((host, index) => {
    const [first, last] = [before[index], after[index]];
    if (first === undefined || last === undefined) return [];
    const role = host === 'primary' ? 'active' : 'standby';
    return [
      { id: `steady-${role}`, title: `Steady state, ${role} (${seconds} s)`, figures: figures(first, last) },
    ];
  });
}

async function sample(office: Office, host: HostName): Promise<Sample> {
  const { links } = await office.status(host);
  const { packets, bytes } = await sentBy(office, host);
  const use = useOf(office.daemon(host).pid);
  return {
    atMs: monotonicMs(),
    use,
    heartbeats: links.reduce((sum, { sent }) => sum + sent, 0),
    packets,
    bytes,
  };
}

/** Everything that the host sent on its two cables: heartbeats, probes, announcements. */
async function sentBy(office: Office, host: HostName): Promise<{ packets: number; bytes: number }> {
  const text = await output(['ip', '-n', office.network.namespace(host), '-s', '-j', 'link', 'show']);
  const links = JSON.parse(text) as readonly {
    readonly ifname: string;
    readonly stats64: { readonly tx: { readonly packets: number; readonly bytes: number } };
  }[];
  const cables = links.filter(({ ifname }) => ifname === 'eth0' || ifname === 'eth1');
  return {
    packets: cables.reduce((sum, { stats64 }) => sum + stats64.tx.packets, 0),
    bytes: cables.reduce((sum, { stats64 }) => sum + stats64.tx.bytes, 0),
  };
}

function figures(first: Sample, last: Sample): Figure[] {
  const seconds = (last.atMs - first.atMs) / 1000;
  const perSecond = (pick: (sample: Sample) => number) => [(pick(last) - pick(first)) / seconds];
  const percent = (pick: (use: DaemonUse) => number) => [(pick(last.use) - pick(first.use)) / 10 / seconds];
  const { daemon, children } = last.use;
  const sum = (pick: (child: DaemonUse['daemon']) => number) =>
    children.reduce((total, child) => total + pick(child), 0);
  const names = children.map(({ name }) => name).join(', ');
  return [
    figure('cpu-percent', 'processor, of one core', '%', percent(allCpuMs), {
      target: { below: cpuPercentBelow },
      remark: 'with its children',
    }),
    figure(
      'cpu-daemon-percent',
      '  the daemon itself',
      '%',
      percent(({ daemon: own }) => own.cpuMs),
    ),
    figure(
      'cpu-children-percent',
      '  its children',
      '%',
      percent((use) => allCpuMs(use) - use.daemon.cpuMs),
    ),
    figure('alone-pss-mb', 'memory, PSS if alone', 'MB', [daemon.alonePssMb + sum(({ pssMb }) => pssMb)], {
      target: { below: memoryMbBelow },
      remark: 'with its children; as on a host with no other Node program',
    }),
    figure('pss-mb', 'memory, PSS here', 'MB', [daemon.pssMb + sum(({ pssMb }) => pssMb)], {
      remark: 'with its children; the program file is shared with the other daemon and the bench',
    }),
    figure('pss-children-mb', '  its children', 'MB', [sum(({ pssMb }) => pssMb)], { remark: names }),
    figure('rss-mb', 'memory, RSS of the daemon', 'MB', [daemon.rssMb], {
      remark: 'every shared page in full',
    }),
    figure('rss-children-mb', 'memory, RSS of its children', 'MB', [sum(({ rssMb }) => rssMb)]),
    figure(
      'wakeups',
      'wakeups of the daemon',
      '/s',
      perSecond(({ use }) => use.daemon.wakeups),
      { remark: 'voluntary context switches, all threads' },
    ),
    figure(
      'heartbeats',
      'heartbeats sent, all links',
      '/s',
      perSecond(({ heartbeats }) => heartbeats),
    ),
    figure(
      'packets',
      'packets sent, of any kind',
      '/s',
      perSecond(({ packets }) => packets),
    ),
    figure(
      'bytes',
      'bytes sent, of any kind',
      'bytes/s',
      perSecond(({ bytes }) => bytes),
    ),
  ];
}

/** The share of a child that ends is moved from the living to the ended, so the sum only grows by what was used. */
export function allCpuMs({ daemon, children }: DaemonUse): number {
  return children.reduce(
    (sum, child) => sum + child.cpuMs + child.endedCpuMs,
    daemon.cpuMs + daemon.endedCpuMs,
  );
}
