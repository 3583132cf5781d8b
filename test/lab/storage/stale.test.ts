// Which copy may be promoted, on real DRBD: a stale one is refused with its reason, and the right one starts.

import { useCluster } from '../support/cluster.ts';
import { mirrorIs, readMirror } from '../support/mirror.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

labTest(
  'the replication link is cut while the LAN goes on: the standby marks itself as outdated and the guest counts on; ' +
    'when the primary loses its power, the standby refuses',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useCluster(lab);
    const watch = startStopwatch(t);
    await primary.cut('heartbeat');
    watch.restart('the replication link is cut');
    await mirrorIs(secondary, { disks: 'Outdated/DUnknown' });
    watch.lap('the standby has marked itself as outdated');
    await mirrorIs(primary, { roles: 'Primary/Unknown', disks: 'UpToDate/Outdated' });
    await cluster.counts(primary);
    watch.lap('the guest counts on');
    t.regex(await cluster.kernelLog(primary), /fence-peer r0 exit code 4 /);
    await cluster.runsOn(primary);
    t.true(await cluster.holdsNothing(secondary));
    const counted = await cluster.counts(primary);

    await primary.powerOff();
    watch.restart('the primary lost its power');
    await cluster.phaseIs(secondary, 'blocked');
    watch.lap('the standby refuses');
    const complaints = await cluster.complaints(secondary);
    t.log(complaints);
    t.regex(complaints.join('\n'), /drbd:r0 is outdated/);
    t.true(await cluster.holdsNothing(secondary));
    t.like(await readMirror(secondary), { disks: 'Outdated/DUnknown', roles: 'Secondary/Unknown' });

    await primary.mend('heartbeat');
    watch.restart('the primary is switched on, the link mended');
    await primary.powerOn();
    await cluster.settled('primary');
    watch.lap('active on the primary, the standby in step');
    t.true((await cluster.startedFrom(primary)) >= counted);
    t.true(await cluster.holdsNothing(secondary));
  },
);

labTest(
  'power loss in the middle of a resync of the standby: it refuses to promote Inconsistent data and says so; ' +
    'when the peer is back, work goes on there',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useCluster(lab);
    const watch = startStopwatch(t);
    await secondary.powerOff();
    await cluster.write(primary, 48);
    const counted = await cluster.counts(primary);
    await primary.run('drbdadm disk-options --c-plan-ahead=0 --resync-rate=512K r0');
    await secondary.beginBoot();
    await secondary.booted();
    await mirrorIs(secondary, { connection: 'SyncTarget' }, 'r0', 240_000);
    const refused = await secondary.tryRun('battito takeover', { timeoutMs: 120_000 });
    t.not(refused.exitCode, 0);
    t.log(refused.stdout + refused.stderr);
    t.regex(refused.stdout + refused.stderr, /up to date|Inconsistent|resync/);

    await primary.powerOff();
    watch.restart('the primary lost its power, in the middle of the resync');
    await cluster.phaseIs(secondary, 'blocked');
    watch.lap('the standby refuses');
    const complaints = await cluster.complaints(secondary);
    t.log(complaints);
    t.regex(complaints.join('\n'), /drbd:r0 is inconsistent/);
    t.like(await readMirror(secondary), { disks: 'Inconsistent/DUnknown', roles: 'Secondary/Unknown' });
    t.true(await cluster.holdsNothing(secondary));
    t.is(await cluster.answersFrom(), null);

    await primary.powerOn();
    watch.restart('the primary has booted again');
    await cluster.settled('primary');
    watch.lap('active on the primary, the standby in step');
    t.true((await cluster.startedFrom(primary)) >= counted);
  },
);

labTest(
  'both lose their power, and only the stale one returns: it does not promote and says what it knows; ' +
    'when both are back, the right one starts',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useCluster(lab);
    const watch = startStopwatch(t);
    await secondary.powerOff();
    await cluster.says(primary, 'the peer is gone', ({ verdict }) => verdict.kind === 'dead');
    const counted = await cluster.counts(primary, 10);
    await primary.powerOff();
    await secondary.powerOn();
    watch.restart('the stale one has booted alone');
    await cluster.phaseIs(secondary, 'blocked');
    watch.lap('it refuses');
    const complaints = await cluster.complaints(secondary);
    t.log(complaints);
    t.true(complaints.length > 0);
    t.true(await cluster.holdsNothing(secondary));
    t.is(await cluster.answersFrom(), null);
    await primary.powerOn();
    watch.restart('the last writer has booted');
    await cluster.settled('primary');
    watch.lap('active there, the stale one in step');
    t.true((await cluster.startedFrom(primary)) >= counted);
    t.true(await cluster.holdsNothing(secondary));
  },
);

labTest('both lose their power and both return: the last writer becomes active', async (t, lab) => {
  const { primary, secondary } = lab;
  const cluster = await useCluster(lab);
  const watch = startStopwatch(t);
  await cluster.handOver(primary);
  await cluster.settled('secondary');
  const counted = await cluster.counts(secondary);
  await lab.both((node) => node.powerOff());
  await lab.both((node) => node.powerOn());
  watch.restart('both have booted');
  await cluster.settled('secondary');
  watch.lap('active on the last writer, which is not the preferred one');
  t.true((await cluster.startedFrom(secondary)) >= counted);
  t.true(await cluster.holdsNothing(primary));
});
