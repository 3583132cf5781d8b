// A cluster of the tier `fenced`, with real parts: a BMC for each node (OpenIPMI's ipmi_sim) that pulls the plug of its
// virtual machine, or softdog in the nodes and etcd outside of them.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { HistoryEntry } from '../../../daemon/control/api.ts';
import { Bmcs } from '../../netns/support/bmc.ts';
import { waitFor } from '../../support.ts';
import { type Cluster, useCluster } from './cluster.ts';
import { counterInstallation } from './installations.ts';
import type { Installation } from './installed.ts';
import type { Lab } from './lab.ts';
import type { LabNode } from './node.ts';
import { LabWitness, outsideFolder, spawnAtGateway } from './outside.ts';
import { outsiderAddresses } from './plan.ts';

/** A host that only stood still for some seconds is not to be switched off for it. */
const installation: Installation = {
  ...counterInstallation,
  timings: 'keepalive: 1s\n  warntime: 6s\n  deadtime: 15s\n  initdead: 60s',
  slowHosts: true,
};

const configFile = '/etc/battito/battito.yaml';
const secretsFile = '/etc/battito/fence-secrets';

/** The group runs on the primary. @param more of the configuration */
async function useFenced(
  lab: Lab,
  more: string,
  prepare: (node: LabNode) => Promise<unknown>,
): Promise<Cluster> {
  const cluster = await useCluster(lab, { start: false, installation });
  await lab.both(prepare);
  await lab.both((node) => node.run(`cat >>${configFile}`, { input: more }));
  const up = cluster.mirrors.map(({ name }) => `drbdadm up ${name} && drbdadm wait-connect ${name}`);
  await lab.both((node) => node.run(up.join(' && ')));
  await lab.both((node) => node.run('systemctl start battito'));
  await cluster.settled('primary');
  return cluster;
}

export const notes = async (node: LabNode) =>
  (await node.ask('/v1/history?limit=500')) as readonly HistoryEntry[];

/** Waits until the daemon has noted this; returns what it says. */
export async function noted(node: LabNode, code: string): Promise<string> {
  const found = await waitFor(
    `${node.name} notes ${code}`,
    async () => {
      const entries = await notes(node);
      const seen = entries.find((entry) => entry.code === code);
      if (seen === undefined) throw new Error(entries.map((entry) => entry.code).join(' '));
      return seen;
    },
    { timeoutMs: 600_000, intervalMs: 2000 },
  );
  return found.message;
}

// ---- a watchdog in each node, and a witness ----

/** An emulated host on a busy processor may stand still for some seconds without anything being wrong. */
export const watchdogTimeoutS = 20;

export interface WitnessedCluster {
  readonly cluster: Cluster;
  readonly witness: LabWitness;
}

export async function useWatchdogs(
  t: ExecutionContext,
  lab: Lab,
  timeoutS = watchdogTimeoutS,
): Promise<WitnessedCluster> {
  const witness = await LabWitness.begin(t, lab);
  const more = `watchdog: { timeout: ${timeoutS}s }\nwitness: { endpoints: ["${witness.endpoint}"], ttl: 20s }\n`;
  const load = 'modprobe softdog && echo softdog >/etc/modules-load.d/battito.conf';
  const cluster = await useFenced(lab, more, (node) => node.run(load));
  await cluster.says(lab.primary, 'armed', ({ watchdog }) => watchdog?.armed === true);
  // A witness that is new lends nothing at first; and of a lease that was never renewed a frozen node cannot tell whether
  // nobody else has had it.
  let leftBefore = Infinity;
  await cluster.says(lab.primary, 'it has renewed the lease', ({ witness: seen }) => {
    const leftMs = seen?.holder === 'primary' ? (seen.leftMs ?? Infinity) : Infinity;
    const isRenewed = leftMs < Infinity && leftMs > leftBefore;
    leftBefore = leftMs;
    return isRenewed;
  });
  return { cluster, witness };
}

// ---- a BMC for each node ----

/** An agent is a Python program and starts slowly on an emulated host; a shot has to be over before the other one's. */
const times = { delay: '120s', timeout: '5m', powerTimeout: 20 } as const;

export interface PoweredCluster {
  readonly cluster: Cluster;
  readonly bmcs: Bmcs;
}

export async function useBmcs(t: ExecutionContext, lab: Lab): Promise<PoweredCluster> {
  const folder = outsideFolder(t, lab, 'bmc');
  const logFolder = join(folder, 'logs');
  mkdirSync(logFolder);
  const bmcs = await Bmcs.start({
    folder,
    logFolder,
    address: outsiderAddresses.gateway,
    spawn: (argv, logFile) => spawnAtGateway(lab, argv, logFile),
    run: (argv) => lab.outside('gateway', argv),
    powerOff: (name) => lab.node(name).powerOff(),
    powerOn: (name) => lab.node(name).beginBoot(),
  });
  t.teardown(() => bmcs.close());
  const cluster = await useFenced(lab, bmcs.configText(times, secretsFile), async (node) => {
    await node.writeFile(secretsFile, bmcs.secretsText, '0600');
    // A daemon that hangs is to be dealt with by its peer, however long that takes.
    await node.writeFile(
      '/etc/systemd/system/battito.service.d/no-watchdog.conf',
      '[Service]\nWatchdogSec=0\n',
    );
    await node.run('systemctl daemon-reload');
  });
  return { cluster, bmcs };
}
