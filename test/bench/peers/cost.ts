// What a peer costs on the host that has the address while nothing happens, and whether it holds still on a busy machine.

import { setTimeout as sleep } from 'node:timers/promises';
import { output } from '../../netns/support/namespaces.ts';
import { monotonicMs } from '../../support.ts';
import { loops, spinning } from '../load.ts';
import { type ProcessUse, processUse } from '../proc.ts';
import { takings } from './outcome.ts';
import type { Stage } from './stage.ts';

export interface Cost {
  /** All its processes, each as if no other ran the same program. */
  readonly pssMb: number;
  /** Of one core. */
  readonly cpuPercent: number;
  /** Sent on both cables. */
  readonly packetsPerSecond: number;
  readonly bytesPerSecond: number;
}

export interface UnderLoad {
  readonly loops: number;
  readonly takeovers: number;
  /** At the client, which runs before everything else. */
  readonly longestGapMs: number;
}

const host = 'primary';

export async function measureCost(stage: Stage, seconds: number): Promise<Cost> {
  const before = await look(stage);
  await sleep(seconds * 1000);
  const after = await look(stage);
  const elapsed = (after.atMs - before.atMs) / 1000;
  const cpuMs = (uses: readonly ProcessUse[]) =>
    uses.reduce((sum, use) => sum + use.cpuMs + use.endedCpuMs, 0);
  return {
    pssMb: after.uses.reduce((sum, { alonePssMb }) => sum + alonePssMb, 0),
    cpuPercent: Math.max(0, cpuMs(after.uses) - cpuMs(before.uses)) / 10 / elapsed,
    packetsPerSecond: (after.packets - before.packets) / elapsed,
    bytesPerSecond: (after.bytes - before.bytes) / elapsed,
  };
}

async function look(stage: Stage) {
  const uses = (await stage.pids(host)).flatMap((pid) => processUse(pid) ?? []);
  const text = await output(['ip', '-n', stage.network.namespace(host), '-s', '-j', 'link', 'show']);
  const links = JSON.parse(text) as readonly {
    readonly ifname: string;
    readonly stats64: { readonly tx: { readonly packets: number; readonly bytes: number } };
  }[];
  const cables = links.filter(({ ifname }) => ifname === 'eth0' || ifname === 'eth1');
  return {
    atMs: monotonicMs(),
    uses,
    packets: cables.reduce((sum, { stats64 }) => sum + stats64.tx.packets, 0),
    bytes: cables.reduce((sum, { stats64 }) => sum + stats64.tx.bytes, 0),
  };
}

export async function measureUnderLoad(stage: Stage, seconds: number): Promise<UnderLoad> {
  await stage.client.reset();
  const fromMs = Date.now();
  await spinning(seconds * 1000);
  const { longestGapMs } = await stage.client.report();
  const stretch = { fromMs, untilMs: Date.now() };
  return { loops, takeovers: takings(await stage.watch.history(), stretch), longestGapMs };
}
