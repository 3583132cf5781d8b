// What a person has to put right: a split brain, a device that somebody holds open.

import type { ResolveFacts } from '../../../daemon/cli/drbd/resolve-facts.ts';
import { type Cluster, mountPoint, useCluster } from '../support/cluster.ts';
import { mirrorDevice, mirrorIs } from '../support/mirror.ts';
import type { LabNode } from '../support/node.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

/** What a node shows of both copies, once its peer has said how much it wrote; DRBD is asked for that now and then. */
async function parted(cluster: Cluster, node: LabNode) {
  await cluster.says(node, 'how much its peer wrote', ({ groups }) =>
    (groups[0]?.peerRemarks?.disks ?? []).some(({ changedKib }) => (changedKib ?? 0) > 0),
  );
  const text = await node.run('battito drbd resolve r0');
  const facts = JSON.parse(await node.run('battito drbd resolve r0 --json')) as ResolveFacts;
  return { text, natural: facts.natural.node, copy: facts.peer.copy };
}

labTest(
  'a split brain made by hand: an alarm; `drbd resolve` heals it without a restart of the guest',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useCluster(lab);
    const watch = startStopwatch(t);
    const before = await cluster.held(primary);
    await lab.both((node) => node.run('battito maintenance on --for 30m'));
    const record = 'drbdsetup events2 all >/run/events2';
    await lab.both((node) => node.run(['systemd-run', '--quiet', '--collect', 'sh', '-c', record]));
    await lab.both((node) => node.run('drbdadm disk-options --fencing=dont-care r0'));
    await lab.both((node) => node.run('drbdadm disconnect r0'));
    await secondary.run(
      `drbdadm primary --force r0 && dd if=/dev/urandom of=${mirrorDevice} bs=4k count=1 seek=20000 oflag=direct status=none && drbdadm secondary r0`,
    );
    await cluster.counts(primary);
    await lab.both((node) => node.run('drbdadm connect r0'));
    await lab.both((node) => mirrorIs(node, { connection: 'StandAlone' }));
    watch.restart('both stand alone');
    await lab.both((node) => node.run('battito maintenance off'));
    await lab.both((node) =>
      cluster.says(node, 'an alarm about the split brain', ({ attention }) =>
        attention.some(({ severity, code }) => severity === 'alarm' && code === 'storage-standalone'),
      ),
    );
    watch.lap('both nodes say so');
    // What the driver takes for standing alone: 8.4 forgets the connection, or says so.
    const events = await primary.run('cat /run/events2');
    t.log(events.split('\n').filter((line) => / connection /.test(line)));
    t.regex(events, /^(destroy|change) connection name:r0 .*(conn-name|connection:StandAlone)/m);
    t.log(await cluster.complaints(primary));
    t.log(await cluster.complaints(secondary));
    t.regex(await cluster.kernelLog(primary), /Split-Brain detected/);
    await cluster.counts(primary);
    t.deepEqual(await cluster.held(primary), before);

    const inUse = await primary.tryRun('battito drbd resolve r0 --discard-here --yes');
    t.not(inUse.exitCode, 0, 'not where it is in use');
    t.log(inUse.stderr);
    const here = await parted(cluster, secondary);
    t.log(here.text);
    t.like(here, { natural: 'secondary', copy: { role: 'primary', disk: 'up-to-date' } });
    t.true((here.copy?.aloneForMs ?? 0) > 0, 'since when the primary writes alone');
    t.is(here.copy?.guests?.[0]?.status, 'up');
    t.true((here.copy?.guests?.[0]?.upForMs ?? 0) > 0, 'since when its guest is up');
    const there = await parted(cluster, primary);
    t.log(there.text);
    t.like(there, { natural: 'secondary', copy: { role: 'secondary', disk: 'up-to-date' } });
    t.is(there.copy?.guests?.[0]?.status, 'down');
    for (const { text } of [here, there]) t.notRegex(text, /the same command there shows/);
    watch.restart('the secondary gives up what it wrote');
    t.log(await secondary.run('battito drbd resolve r0 --discard-here --yes', { timeoutMs: 240_000 }));
    await cluster.settled('primary');
    watch.lap('in step');
    t.deepEqual(await cluster.held(primary), before, 'the same guest, address, mount and role');
    t.is((await cluster.shown(primary)).filter(({ what }) => what === 'start').length, 1);
    t.deepEqual(await cluster.complaints(primary), []);
  },
);

labTest(
  'a file held open at a handover: its holder is named, the handover is undone and the guest is back, no reboot; ' +
    'let go of, the next handover comes to its end',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useCluster(lab);
    const watch = startStopwatch(t);
    const counted = await cluster.counts(primary);
    const boot = await primary.run('cat /proc/sys/kernel/random/boot_id');
    await primary.run(
      `systemd-run --quiet --unit=holder sh -c 'exec 9<${mountPoint}/counter.raw; exec sleep 100000'`,
    );
    const pid = (await primary.run('systemctl show -P MainPID holder')).trim();
    watch.restart('a file of it is held open');
    const moved = await primary.tryRun('battito handover --timeout 8m', { timeoutMs: 500_000 });
    watch.lap('the handover has failed');
    t.log(moved.stderr);
    t.not(moved.exitCode, 0);
    t.regex(moved.stderr, new RegExp(`was undone, primary runs it: .*\\b${pid}\\b`));
    await cluster.settled('primary');
    watch.lap('active again, the guest counts');
    t.true((await cluster.startedFrom(primary)) >= counted);
    t.true(await cluster.holdsNothing(secondary), 'nothing was started where the data are not');
    t.regex((await cluster.complaints(primary)).join('\n'), /taken-back: .*battito handover/);
    t.is(await primary.run('cat /proc/sys/kernel/random/boot_id'), boot);

    await primary.run('systemctl stop holder');
    watch.restart('let go of');
    await cluster.handOver(primary);
    await cluster.settled('secondary');
    watch.lap('handed over');
    t.true(await cluster.holdsNothing(primary));
  },
);
