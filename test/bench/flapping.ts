// Does a real daemon grow while its links flap? Two of them, whose cables are pulled and put back without end, now and then
// both of a host for longer than deadtime, so that groups freeze, are taken over and come to rest again.

import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { cables, type HostName, hostNames } from '../netns/support/hosts.ts';
import type { Office } from '../netns/support/office.ts';
import { mulberry32 } from '../sim/example.ts';
import { monotonicMs } from '../support.ts';
import type { Progress } from './failover.ts';
import { type Figure, figure, type Section } from './figures.ts';
import { slopeOf } from './line.ts';
import { useOf } from './proc.ts';

/** The first minute is not counted: code is compiled, and what is bounded fills up. */
const warmupMs = 60_000;
const looks = 20;
/** Of the memory, in a minute. */
const risesMbMax = 0.1;

interface Look {
  readonly atMs: number;
  readonly heapMb: number;
  readonly files: number;
}

interface Flaps {
  one: number;
  all: number;
}

export async function measureFlapping(office: Office, seconds: number, progress: Progress): Promise<Section> {
  const flaps: Flaps = { one: 0, all: 0 };
  const chance = mulberry32(1);
  progress(`links that flap, for ${Math.round(warmupMs / 1000)} s and then for ${seconds} s`);
  await flapUntil(office, monotonicMs() + warmupMs, chance, flaps);
  const seen: Record<HostName, Look[]> = { primary: [], secondary: [] };
  const [startMs, startedWith] = [monotonicMs(), { ...flaps }];
  for (let look = 0; look <= looks; look += 1) {
    await flapUntil(office, startMs + (seconds * 1000 * look) / looks, chance, flaps);
    for (const host of hostNames) seen[host].push(lookAt(office.daemon(host).pid, startMs));
  }
  const [one, all] = [flaps.one - startedWith.one, flaps.all - startedWith.all];
  return {
    id: 'flapping',
    title: `Memory of two daemons over ${seconds} s of flapping links: one cable pulled ${one} times, both of a host ${all} times`,
    figures: hostNames.flatMap((host) => figuresOf(host, seen[host])),
    table: {
      heads: ['seconds', ...hostNames.flatMap((host) => [`${host}, MB`, `${host}, open files`])],
      rows: seen.primary.map((own, index) => {
        const other = seen.secondary[index] ?? own;
        const shown = [own, other].flatMap(({ heapMb, files }) => [heapMb.toFixed(1), files]);
        return [Math.round(own.atMs / 1000), ...shown];
      }),
    },
  };
}

function figuresOf(host: HostName, seen: readonly Look[]): readonly Figure[] {
  const rise = slopeOf(seen.map(({ atMs, heapMb }) => ({ x: atMs / 60_000, y: heapMb })));
  return [
    figure(
      `${host}-heap-mb`,
      `${host}, heap and stacks`,
      'MB',
      seen.map(({ heapMb }) => heapMb),
      { remark: 'anonymous memory of the daemon, without its children; collected when the runtime sees fit' },
    ),
    figure(`${host}-slope`, '  its rise in a minute', 'MB', [rise], { target: { max: risesMbMax } }),
    figure(
      `${host}-files`,
      '  open files',
      '',
      seen.map(({ files }) => files),
    ),
  ];
}

function lookAt(pid: number, startMs: number): Look {
  const { anonymousMb } = useOf(pid).daemon;
  return { atMs: monotonicMs() - startMs, heapMb: anonymousMb, files: readdirSync(`/proc/${pid}/fd`).length };
}

async function flapUntil(office: Office, endMs: number, chance: () => number, flaps: Flaps): Promise<void> {
  while (monotonicMs() < endMs) {
    const host = hostNames[chance() < 0.5 ? 0 : 1] ?? 'primary';
    const isAll = chance() < 0.2;
    const cut = isAll ? cables : [cables[chance() < 0.5 ? 0 : 1] ?? 'lan'];
    const how = chance() < 0.5 ? 'carrier' : 'silent';
    flaps[isAll ? 'all' : 'one'] += 1;
    for (const cable of cut) await office.network.cut(host, cable, how);
    await sleep(200 + chance() * (isAll ? 4000 : 1500));
    for (const cable of cut) await office.network.mend(host, cable, how);
    await sleep(300 + chance() * 2000);
  }
}
