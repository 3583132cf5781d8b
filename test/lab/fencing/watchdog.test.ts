// softdog in both nodes and a witness outside: a daemon that hangs has its host reset, one that is stopped has not.

import type { ExecutionContext } from 'ava';
import { type Cluster, useCluster } from '../support/cluster.ts';
import type { Lab } from '../support/lab.ts';
import type { LabNode } from '../support/node.ts';
import { outsiderAddresses } from '../support/plan.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

/** An emulated host on a busy processor may stand still for some seconds without anything being wrong. */
const timeoutS = 20;
/** One member of etcd, on the gateway. */
const client = `http://${outsiderAddresses.gateway}:2379`;
const moreConfig = `watchdog: { timeout: ${timeoutS}s }
witness: { endpoints: ["${client}"], ttl: 20s }
`;

async function startWitness(t: ExecutionContext, lab: Lab): Promise<void> {
  const start = `ip link set lo up; folder=$(mktemp -d); setsid etcd --data-dir "$folder/data" \
    --listen-client-urls ${client} --advertise-client-urls ${client} >"$folder/log" 2>&1 & echo "$! $folder"`;
  const { stdout } = await lab.outside('gateway', ['sh', '-c', start]);
  const [pid = '', folder = ''] = stdout.trim().split(' ');
  t.regex(pid, /^[0-9]+$/);
  t.teardown(async () => void (await lab.outside('gateway', ['sh', '-c', `kill ${pid}; rm -rf ${folder}`])));
}

/** The group runs on the primary, whose watchdog is armed. */
async function useWatchdogs(t: ExecutionContext, lab: Lab): Promise<Cluster> {
  await startWitness(t, lab);
  const cluster = await useCluster(lab, { start: false });
  await lab.both((node) =>
    node.run(
      `modprobe softdog && echo softdog >/etc/modules-load.d/battito.conf && cat >>/etc/battito/battito.yaml`,
      { input: moreConfig },
    ),
  );
  await lab.both((node) => node.run('drbdadm up r0 && drbdadm wait-connect r0'));
  await lab.both((node) => node.run('systemctl start battito'));
  await cluster.settled('primary');
  await cluster.says(lab.primary, 'armed', ({ watchdog }) => watchdog?.armed === true);
  t.is(await kernelSays(lab.primary), `active ${timeoutS}`);
  t.is((await cluster.status(lab.secondary)).watchdog?.armed, false, 'who holds nothing needs none');
  return cluster;
}

const kernelSays = async (node: LabNode) =>
  (await node.run('cd /sys/class/watchdog/watchdog0 && echo $(cat state timeout)')).trim();

const bootOf = async (node: LabNode) => (await node.run('cat /proc/sys/kernel/random/boot_id')).trim();

labTest('daemon hung (SIGSTOP) with the watchdog armed: node resets, peer takes over', async (t, lab) => {
  const { primary, secondary } = lab;
  const cluster = await useWatchdogs(t, lab);
  const watch = startStopwatch(t);
  await cluster.counts(primary);
  await primary.rebooting(async () => {
    await primary.run('systemctl kill --kill-whom=main --signal=STOP battito');
    watch.restart('the daemon stands still');
  });
  watch.lap('its host has been reset, and has booted');
  await cluster.runsOn(secondary);
  watch.lap('the guest counts on the other node');
  t.true((await cluster.startedFrom(secondary)) >= (await cluster.lastCount(primary)), 'no copy ran on');
  const codes = (await cluster.history(secondary)).map(({ code }) => code);
  t.true(codes.includes('peer-fenced'), codes.join(' '));
  await cluster.settled('secondary');
  t.true(await cluster.holdsNothing(primary));
  t.notRegex(await cluster.kernelLog(secondary), /Split-Brain detected, dropping connection/);
});

labTest('daemon stopped cleanly: no reset', async (t, lab) => {
  const { primary, secondary } = lab;
  const cluster = await useWatchdogs(t, lab);
  const boot = await bootOf(primary);
  await primary.run('systemctl stop battito');
  await cluster.runsOn(secondary);
  t.is(await kernelSays(primary), `inactive ${timeoutS}`);
  // What is not to happen can only be waited for.
  await primary.run(`sleep ${2 * timeoutS}`, { timeoutMs: 200_000 });
  t.is(await bootOf(primary), boot);
});

labTest('daemon killed with the watchdog armed: the next one feeds it, no reset', async (t, lab) => {
  const { primary } = lab;
  const cluster = await useWatchdogs(t, lab);
  const boot = await bootOf(primary);
  const { daemon } = await cluster.status(primary);
  await primary.run('systemctl kill --kill-whom=main --signal=KILL battito');
  await cluster.says(
    primary,
    'another daemon is active and has armed it',
    (status) => status.daemon.pid !== daemon.pid && status.watchdog?.armed === true,
  );
  await primary.run(`sleep ${2 * timeoutS}`, { timeoutMs: 200_000 });
  t.is(await bootOf(primary), boot);
  await cluster.settled('primary');
});
