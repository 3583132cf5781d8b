// Both copies of a mirrored disk are compared, on real DRBD: what is the same, what a disk has changed behind DRBD's
// back, what mends it, and that a handover goes before it.

import type { TaskRun } from '../../../daemon/control/schedule.ts';
import { useCluster } from '../support/cluster.ts';
import { fileMirror } from '../support/mirror.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

const { name, backingDevice } = fileMirror;
/** An emulated node reads its whole disk. */
const verifyTimeoutMs = 600_000;
const verify = 'battito schedule run verify --json';

labTest(
  'verify: the node that writes to the disk compares both copies; what differs is an alarm with what mends it; a handover stops it',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useCluster(lab);
    const watch = startStopwatch(t);
    const ended = async () => {
      const { stdout } = await primary.tryRun(verify, { timeoutMs: verifyTimeoutMs });
      return JSON.parse(stdout) as TaskRun;
    };
    const alarms = async () =>
      (await cluster.status(primary)).attention.filter(({ code }) => code === 'drbd-out-of-sync');

    // Beside a guest that writes DRBD compares at 250 KiB/s, as it comes: a quarter of an hour for nothing.
    for (const node of [primary, secondary]) await node.run(`drbdadm disk-options --c-min-rate=100M ${name}`);
    const theirs = await secondary.tryRun('battito schedule run verify');
    t.regex(theirs.stderr, /left to primary, which writes to the disks/);
    const clean = await ended();
    watch.lap('compared');
    t.is(clean.result, 'done', clean.message);
    t.is(clean.message, `${name}: both copies are the same`);
    t.deepEqual(await alarms(), []);

    // Sixteen KiB in the middle of the copy that nobody reads until it is needed.
    await secondary.run(
      `dd if=/dev/urandom of=${backingDevice} bs=4k seek=4096 count=4 conv=notrunc,fsync oflag=direct status=none`,
    );
    const found = await ended();
    watch.lap('compared with a disk that has changed');
    t.is(found.result, 'failed');
    t.regex(found.message, new RegExp(`^the two copies differ \\(${name}: 16 KiB\\)`));
    const [alarm] = await alarms();
    t.is(alarm?.severity, 'alarm');
    const mend = /if this node's copy is the good one: (.*?) {3}#/.exec(alarm?.next ?? '')?.[1] ?? 'false';
    t.log(mend);
    await primary.run(mend);
    await cluster.settled('primary');
    watch.lap('mended by what the alarm says');
    t.is((await ended()).result, 'done');
    t.deepEqual(await alarms(), []);

    // So slow that it is under way for certain.
    await primary.run(`drbdadm disk-options --c-plan-ahead=0 --resync-rate=100K ${name}`);
    await primary.run('battito schedule run verify --no-wait');
    await cluster.says(primary, 'it is under way', ({ schedule }) =>
      schedule.some((task) => task.name === 'verify' && task.running !== null),
    );
    await cluster.handOver(primary);
    await cluster.settled('secondary');
    watch.lap('handed over');
    const gaveWay = await cluster.says(primary, 'it has given way', ({ schedule }) => {
      const task = schedule.find((one) => one.name === 'verify');
      return task?.running === null && task.made;
    });
    t.like(gaveWay, { result: 'interrupted' });
    t.true(await cluster.holdsNothing(primary));
  },
);
