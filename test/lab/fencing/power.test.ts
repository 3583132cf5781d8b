// A BMC for each node (fence_ipmilan in the nodes, ipmi_sim outside) that pulls the plug of its virtual machine: a silent
// node is off before anything of it is started elsewhere; a device that is away, or lies, starts nothing.

import type { ExecutionContext } from 'ava';
import type { Bmcs } from '../../netns/support/bmc.ts';
import type { Cluster } from '../support/cluster.ts';
import { noted, notes, type PoweredCluster, useBmcs } from '../support/fenced.ts';
import type { Lab } from '../support/lab.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

/** The group runs on the primary. */
async function usePower(t: ExecutionContext, lab: Lab): Promise<PoweredCluster> {
  const powered = await useBmcs(t, lab);
  t.is((await powered.cluster.status(lab.secondary)).tier, 'fenced');
  return powered;
}

/** The survivor has switched the other node off before it took over, and runs what was on the disk. */
async function takenOver(
  t: ExecutionContext,
  { cluster, bmcs }: PoweredCluster,
  counted: number,
): Promise<void> {
  const { primary, secondary } = cluster.lab;
  await cluster.runsOn(secondary);
  t.is(primary.power(), 'off');
  t.true((await cluster.startedFrom(secondary)) >= counted, 'nothing is lost');
  t.is(await cluster.answersFrom(), 'secondary');
  t.is(bmcs.says('secondary'), 'on');
  t.is(bmcs.failure, null);
  const codes = (await notes(secondary)).map(({ code }) => code);
  t.true(codes.lastIndexOf('fenced') < codes.indexOf('take-over'), codes.join(' '));
}

const hang = (cluster: Cluster) =>
  cluster.lab.primary.run('systemctl kill --kill-whom=main --signal=STOP battito');

labTest('all links cut: the active node is switched off, exactly one survives', async (t, lab) => {
  const { primary, secondary } = lab;
  const powered = await usePower(t, lab);
  const { cluster, bmcs } = powered;
  const watch = startStopwatch(t);
  const counted = await cluster.counts(primary);
  await cluster.cutOff(primary);
  watch.restart('every cable of the active node is cut');
  await noted(secondary, 'fencing');
  watch.lap('the device is asked');
  await noted(secondary, 'fenced');
  watch.lap('it is off');
  t.deepEqual(bmcs.told, [{ host: 'primary', to: 'off' }]);
  await takenOver(t, powered, counted);
  watch.lap('the guest counts on the other node');
});

labTest('power loss: the device says off, and the other node takes over', async (t, lab) => {
  const { primary, secondary } = lab;
  const powered = await usePower(t, lab);
  const { cluster, bmcs } = powered;
  const watch = startStopwatch(t);
  const counted = await cluster.counts(primary);
  await primary.powerOff();
  bmcs.sees('primary', 'off');
  watch.restart('the active node has no power');
  await noted(secondary, 'fenced');
  watch.lap('its device was read');
  t.deepEqual(bmcs.told, [], 'what is off needs no telling');
  await takenOver(t, powered, counted);
  watch.lap('the guest counts on the other node');
});

labTest('freeze and thaw: the frozen node never writes again', async (t, lab) => {
  const { primary, secondary } = lab;
  const powered = await usePower(t, lab);
  const { cluster, bmcs } = powered;
  const watch = startStopwatch(t);
  const counted = await cluster.counts(primary);
  await primary.freeze();
  watch.restart('the active node stands still');
  await noted(secondary, 'fenced');
  watch.lap('it is off');
  t.deepEqual(bmcs.told, [{ host: 'primary', to: 'off' }]);
  await t.throwsAsync(() => primary.thaw(), { message: /switched off/ }, 'there is nothing left to thaw');
  await takenOver(t, powered, counted);
  watch.lap('the guest counts on the other node');
  t.is((await cluster.shown(secondary)).filter(({ what }) => what === 'start').length, 1);
});

labTest(
  'fence device unreachable: nothing is started, there is an alarm, and fence confirm releases it',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const { cluster, bmcs } = await usePower(t, lab);
    const watch = startStopwatch(t);
    const counted = await cluster.counts(primary);
    await bmcs.unplug('primary');
    await primary.powerOff();
    watch.restart('the active node has no power, nor has its device');
    t.regex(await noted(secondary, 'fence-failed'), /^primary could not be powered off: bmc-primary: /);
    watch.lap('it could not be switched off');
    await cluster.phaseIs(secondary, 'blocked');
    t.regex((await cluster.complaints(secondary)).join('\n'), /battito fence confirm primary/);
    t.true(await cluster.holdsNothing(secondary), 'it waits');
    const told = await secondary.run('battito fence confirm primary --yes --timeout 6m', {
      timeoutMs: 400_000,
    });
    t.log(told.trim());
    t.regex(told, /because the operator says so/);
    await cluster.runsOn(secondary);
    watch.lap('confirmed by a person: the guest counts on the other node');
    t.true((await cluster.startedFrom(secondary)) >= counted);
    t.deepEqual(bmcs.told, []);
  },
);

labTest(
  'fence says ok while the node lives: its status, and its answers, give it away, and nothing is started',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const powered = await usePower(t, lab);
    const { cluster, bmcs } = powered;
    const watch = startStopwatch(t);
    const counted = await cluster.counts(primary);
    bmcs.mode('primary', 'ignores');
    await hang(cluster);
    watch.restart('the active daemon hangs, and the device does not do what it is told');
    t.regex(
      await noted(secondary, 'fence-failed'),
      /bmc-primary .*; its status says on|bmc-primary .* but its status says on/,
    );
    watch.lap('its status says on');
    await cluster.phaseIs(secondary, 'blocked');
    bmcs.mode('primary', 'lies');
    watch.restart('the device says off, and the node has its power');
    await noted(secondary, 'fence-belied');
    watch.lap('the node answers');
    t.is(bmcs.says('primary'), 'off');
    t.is(primary.power(), 'on');
    t.true(await cluster.holdsNothing(secondary));
    await cluster.counts(primary);

    bmcs.mode('primary', 'obeys');
    bmcs.sees('primary', 'on');
    watch.restart('it does what it is told');
    await takenOver(t, powered, counted);
    watch.lap('the guest counts on the other node');
    t.deepEqual(bmcs.told, [{ host: 'primary', to: 'off' }]);
  },
);

labTest('both nodes try to fence each other: one wins, no loop', async (t, lab) => {
  const { primary, secondary } = lab;
  const { cluster, bmcs } = await usePower(t, lab);
  const watch = startStopwatch(t);
  const before = await cluster.held(primary);
  await lab.part();
  watch.restart('the nodes are parted, and both have a way to the devices');
  await noted(primary, 'fenced');
  watch.lap('the other one is off');
  const off = [{ host: 'secondary', to: 'off' }] satisfies Bmcs['told'];
  t.deepEqual(bmcs.told, off);
  t.is(secondary.power(), 'off');
  await cluster.counts(primary);
  watch.lap('the guest counts on');
  t.deepEqual(await cluster.held(primary), before, 'nothing has moved');

  await lab.unite();
  t.log((await primary.run('battito fence on secondary', { timeoutMs: 300_000 })).trim());
  await secondary.booted();
  watch.restart('united, and switched on again');
  await cluster.settled('primary');
  watch.lap('a standby, and in step');
  t.deepEqual(bmcs.told, [...off, { host: 'secondary', to: 'on' }]);
  t.deepEqual(await cluster.held(primary), before);
  t.is(bmcs.failure, null);
  const codes = (await notes(primary)).map(({ code }) => code);
  t.false(codes.includes('fence-belied'), 'whoever is switched on again proves no device a liar');
});
