// A guest on a DRBD device of its own goes to the other node while it runs; and what is left where that goes wrong.

import type { ExecutionContext } from 'ava';
import { patience } from '../support/cluster.ts';
import { type Domains, useDb } from '../support/domains.ts';
import { dbPort } from '../support/installations.ts';
import type { Lab } from '../support/lab.ts';
import type { LabNode } from '../support/node.ts';
import { lookAtGuest } from '../support/onlooker.ts';
import { type NodeName, otherNode } from '../support/plan.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

/** Whatever way it went: it is on one node alone, no count was made twice, and DRBD lets nobody in beside it. */
async function isOnceAt(at: NodeName, t: ExecutionContext, lab: Lab, cluster: Domains): Promise<void> {
  const { primary, secondary } = lab;
  const other = lab.node(otherNode(at));
  t.deepEqual(await cluster.present(other), []);
  t.deepEqual(await cluster.present(lab.node(at)), ['db']);
  t.true(await cluster.holdsNothing(other));
  for (const node of [primary, secondary]) t.false(await cluster.letsTwo(node), node.name);
  const shown = [...(await cluster.shown(primary, 'db')), ...(await cluster.shown(secondary, 'db'))];
  const counts = shown.filter(({ what }) => what === 'count').map(({ count }) => count);
  const steps = counts.slice(1).map((count, index) => count - (counts[index] ?? 0));
  const skipped = steps.filter((step) => step !== 1);
  // Of what it was showing as it moved each node may have a part of the line.
  t.true(skipped.length === 0 || (skipped.length === 1 && skipped[0] === 2), counts.join(' '));
}

/** What libvirt says of a migration that has begun. */
const isJob = /^Job type: +(Unbounded|Bounded)/m;

async function isMoving(node: LabNode): Promise<void> {
  await node.until('it is moving', 'virsh domjobinfo db 2>&1 || true', (text) => isJob.test(text), {
    ...patience,
    intervalMs: 100,
  });
}

/** The next way of a guest that could not be moved: its memory goes onto the group's file system. */
async function wasSaved(t: ExecutionContext, node: LabNode, cluster: Domains): Promise<void> {
  const history = (await cluster.history(node)).map(({ message }) => message);
  for (const message of history) t.log(message);
  // On a busy host libvirt may take longer to give it up than it is waited for.
  const said = /guest db could not be moved while it runs|migrate guest:db: unknown: it did not end/;
  t.true(history.some((message) => said.test(message)));
  t.true(history.includes('save guest:db'));
}

/** What it has shown besides counts: that it booted, or was told to stop. */
async function events(cluster: Domains, node: LabNode): Promise<readonly string[]> {
  return (await cluster.shown(node, 'db')).map(({ what }) => what).filter((what) => what !== 'count');
}

labTest(
  'handover: a guest with `handover: live` goes on at the other node without a boot, and its device is primary there ' +
    'alone afterwards',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useDb(lab);
    const onlooker = lookAtGuest(t, lab, dbPort);
    await onlooker.sees();
    const watch = startStopwatch(t);
    t.log((await cluster.handOver(primary)).trim());
    watch.lap('handed over');
    await cluster.settled('secondary');
    watch.lap('it counts on the other node');
    await onlooker.sees();
    t.log(`the longest gap that a client saw: ${onlooker.longestGap().text}`);

    await isOnceAt('secondary', t, lab, cluster);
    t.deepEqual(await events(cluster, primary), ['start'], 'it was never told to stop');
    t.deepEqual(await events(cluster, secondary), [], 'it did not boot');
    const done = (await cluster.history(primary)).map(({ message }) => message);
    t.true(done.includes('allow-two drbd:r1'), done.join('; '));
    t.true(done.includes('migrate guest:db'), done.join('; '));
  },
);

labTest(
  'a live migration that is called off: the guest is saved and goes on at the other node without a boot, one copy at any ' +
    'time, and its device is primary there alone',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useDb(lab);
    const onlooker = lookAtGuest(t, lab, dbPort);
    await onlooker.sees();
    await primary.run('virsh --quiet migrate-setspeed db 1');
    const watch = startStopwatch(t);
    const moving = cluster.handOver(primary);
    await isMoving(primary);
    await primary.run('virsh domjobabort db');
    watch.lap('it was called off');
    t.log((await moving).trim());
    watch.lap('handed over');
    await cluster.settled('secondary');
    watch.lap('it counts on the other node');
    t.log(`the longest gap that a client saw: ${onlooker.longestGap().text}`);

    await isOnceAt('secondary', t, lab, cluster);
    t.deepEqual(await events(cluster, primary), ['start'], 'it was never told to stop');
    t.deepEqual(await events(cluster, secondary), [], 'it did not boot');
    await wasSaved(t, primary, cluster);
  },
);

labTest(
  'the cable between the hosts is cut in the midst of a live migration: one copy at any time; once it is mended the guest ' +
    'goes on where it was without a boot, and its device is primary there alone',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useDb(lab);
    await primary.run('virsh --quiet migrate-setspeed db 1');
    const watch = startStopwatch(t);
    await primary.run('battito handover --no-wait');
    await isMoving(primary);
    await primary.cut('heartbeat');
    watch.restart('it was cut');
    await primary.until(
      'the move has ended',
      'virsh domjobinfo db 2>&1 || true',
      (text) => !isJob.test(text),
      patience,
    );
    watch.lap('the move has ended');
    const isNone = (text: string) => text.trim() === '';
    await secondary.until('nothing of it is there', 'virsh --quiet list --name', isNone, patience);
    watch.lap('nothing of it is on the other node');
    await primary.mend('heartbeat');
    watch.restart('it was mended');
    await cluster.settled('primary');
    watch.lap('it counts where its newest data are: the other node had declined them');
    await isOnceAt('primary', t, lab, cluster);
    // Its BIOS gives a write up that DRBD has held back for half a minute, and says so; it tries again.
    t.deepEqual(
      (await events(cluster, primary)).filter((what) => what !== 'fail'),
      ['start'],
      'it was never told to stop, and did not boot again',
    );
    t.deepEqual(await events(cluster, secondary), [], 'it did not boot there');
    await wasSaved(t, primary, cluster);
  },
);
