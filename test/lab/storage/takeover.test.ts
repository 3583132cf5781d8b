// A host loses its power with everything on it: the other one takes over, and what returns is a standby.

import { useCluster } from '../support/cluster.ts';
import { readMirror } from '../support/mirror.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

labTest(
  'power loss of the active host: the survivor promotes, mounts, takes the address, and the guest counts on; ' +
    'the lost host returns as a standby and is resynced by itself [ci]',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useCluster(lab);
    const watch = startStopwatch(t);
    const counted = await cluster.counts(primary);
    t.is(await cluster.answersFrom(), 'primary');

    await primary.powerOff();
    watch.restart('the active host lost its power');
    await cluster.says(secondary, 'active', ({ groups }) => groups[0]?.phase === 'active');
    watch.lap('active on the survivor');
    t.is(await cluster.answersFrom(), 'secondary');
    await cluster.runsOn(secondary);
    watch.lap('the guest counts');
    const from = await cluster.startedFrom(secondary);
    t.true(from >= counted, `it had counted to ${counted} at least, and went on from ${from}`);
    t.regex(await cluster.kernelLog(secondary), /EXT4-fs \(drbd0\): (recovery complete|.*journal)/);
    t.like(await readMirror(secondary), { connection: 'WFConnection', roles: 'Primary/Unknown' });
    t.like(await cluster.held(secondary), { address: true, mounted: true, primary: true });

    const pid = (await cluster.held(secondary)).guestPid;
    watch.restart('the lost host is switched on');
    await primary.powerOn();
    watch.lap('it has booted');
    await cluster.settled('secondary');
    watch.lap('it is a standby, and in step');
    t.true(await cluster.holdsNothing(primary));
    t.is((await cluster.held(secondary)).guestPid, pid, 'nothing else has moved');
    t.is(await cluster.answersFrom(), 'secondary');
    t.regex(await cluster.kernelLog(primary), /drbd r0\/0|block drbd0: .*SyncTarget/);
    const { attention } = await cluster.status(secondary);
    t.deepEqual(
      attention.filter(({ severity }) => severity !== 'info'),
      [],
      'no longer degraded',
    );
  },
);
