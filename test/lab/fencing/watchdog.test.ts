// softdog in both nodes and a witness outside: a daemon that hangs has its host reset, one that is stopped has not.

import type { ExecutionContext } from 'ava';
import type { Cluster } from '../support/cluster.ts';
import { notes, useWatchdogs, watchdogTimeoutS } from '../support/fenced.ts';
import type { Lab } from '../support/lab.ts';
import type { LabNode } from '../support/node.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

/** The group runs on the primary, whose watchdog is armed. */
async function useArmed(
  t: ExecutionContext,
  lab: Lab,
  timeoutS: number = watchdogTimeoutS,
): Promise<Cluster> {
  const { cluster } = await useWatchdogs(t, lab, timeoutS);
  t.is(await kernelSays(lab.primary), `active ${timeoutS}`);
  t.is((await cluster.status(lab.secondary)).watchdog?.armed, false, 'who holds nothing needs none');
  return cluster;
}

const kernelSays = async (node: LabNode) =>
  (await node.run('cd /sys/class/watchdog/watchdog0 && echo $(cat state timeout)')).trim();

const bootOf = async (node: LabNode) => (await node.run('cat /proc/sys/kernel/random/boot_id')).trim();

labTest('daemon hung (SIGSTOP) with the watchdog armed: node resets, peer takes over', async (t, lab) => {
  const { primary, secondary } = lab;
  const cluster = await useArmed(t, lab);
  const watch = startStopwatch(t);
  await cluster.counts(primary);
  // A host that boots faster than its peer may be sure of the reset would have the group again.
  await primary.endedByReset(async () => {
    await primary.run('systemctl kill --kill-whom=main --signal=STOP battito');
    watch.restart('the daemon stands still');
  });
  watch.lap('its host has been reset');
  await cluster.runsOn(secondary);
  watch.lap('the guest counts on the other node');
  const codes = (await notes(secondary)).map(({ code }) => code);
  t.true(codes.includes('peer-fenced'), codes.join(' '));
  await primary.powerOn();
  t.true((await cluster.startedFrom(secondary)) >= (await cluster.lastCount(primary)), 'no copy ran on');
  await cluster.settled('secondary');
  t.true(await cluster.holdsNothing(primary));
  t.notRegex(await cluster.kernelLog(secondary), /Split-Brain detected, dropping connection/);
});

labTest('daemon stopped cleanly: no reset', async (t, lab) => {
  const { primary, secondary } = lab;
  const cluster = await useArmed(t, lab);
  const boot = await bootOf(primary);
  await primary.run('systemctl stop battito');
  await cluster.runsOn(secondary);
  t.is(await kernelSays(primary), `inactive ${watchdogTimeoutS}`);
  // What is not to happen can only be waited for.
  await primary.run(`sleep ${2 * watchdogTimeoutS}`, { timeoutMs: 200_000 });
  t.is(await bootOf(primary), boot);
});

labTest('daemon killed with the watchdog armed: the next one feeds it, no reset', async (t, lab) => {
  const { primary } = lab;
  // On an emulated host a daemon takes ten seconds to be there again, and twice that where the machine is busy.
  const timeoutS = 60;
  const cluster = await useArmed(t, lab, timeoutS);
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

labTest('watchdog left running where nothing is held: the next daemon stops it, no reset', async (t, lab) => {
  const { secondary } = lab;
  const cluster = await useArmed(t, lab);
  const boot = await bootOf(secondary);
  // As a daemon leaves it that is killed while it lets its last guest go.
  await secondary.run('systemctl stop battito && printf 1 > /dev/watchdog');
  t.regex(await kernelSays(secondary), /^active /);
  await secondary.run('systemctl start battito');
  await secondary.run('until grep -q inactive /sys/class/watchdog/watchdog0/state; do sleep 0.2; done', {
    timeoutMs: 60_000,
  });
  await secondary.run(`sleep ${2 * watchdogTimeoutS}`, { timeoutMs: 200_000 });
  t.is(await bootOf(secondary), boot);
  await cluster.settled('primary');
});
