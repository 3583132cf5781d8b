// The daemon as a service of its host: killed, upgraded, shut down with it.

import { useCluster } from '../support/cluster.ts';
import { packageFile } from '../support/package.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

labTest(
  'the daemon is killed: systemd starts it again, it adopts what runs, nothing is touched',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useCluster(lab);
    const watch = startStopwatch(t);
    const before = await cluster.held(primary);
    const { daemon } = await cluster.status(primary);
    await primary.run('systemctl kill --kill-whom=main --signal=KILL battito');
    watch.restart('killed');
    await cluster.says(primary, 'another daemon is active', (status) => {
      return status.daemon.pid !== daemon.pid && status.groups[0]?.phase === 'active';
    });
    watch.lap('the next one is active');
    await cluster.settled('primary');
    t.deepEqual(await cluster.held(primary), before, 'the same guest, address, mount and role');
    t.is((await cluster.shown(primary)).filter(({ what }) => what === 'start').length, 1);
    t.true(await cluster.holdsNothing(secondary));
    const codes = (await cluster.history(primary)).map(({ code }) => code);
    t.true(codes.includes('found-running'), 'adopted');
  },
);

labTest(
  'a guest has a unit of its own, which ends with it, and which nothing that is done to the daemon touches',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useCluster(lab);
    const watch = startStopwatch(t);
    const unit = 'battito-guest-counter.scope';
    const unitPids = async () =>
      (await primary.run(`cat /sys/fs/cgroup/machine.slice/${unit}/cgroup.procs 2>/dev/null || true`)).trim();
    const state = async () => (await primary.tryRun(`systemctl is-active ${unit}`)).stdout.trim();
    const { guestPid } = await cluster.held(primary);
    t.is(await unitPids(), String(guestPid), 'QEMU, and nothing else');
    t.is(await state(), 'active');
    const properties = await primary.run(`systemctl show ${unit} --property=Before,After,Slice,CollectMode`);
    t.regex(properties, /^Slice=machine\.slice$/m);
    t.regex(properties, /^CollectMode=inactive-or-failed$/m);
    t.regex(properties, /^Before=.*\bbattito\.service\b/m);
    t.regex(properties, /^After=.*\blocal-fs\.target\b/m);
    const service = await primary.run('systemctl show battito --property=ControlGroup --value');
    const daemonPids = await primary.run(`cat /sys/fs/cgroup${service.trim()}/cgroup.procs`);
    t.false(daemonPids.split('\n').includes(String(guestPid)), 'it is not with the daemon');

    const { daemon } = await cluster.status(primary);
    await primary.run('systemctl kill --signal=KILL battito');
    watch.restart('everything in the unit of the daemon is killed');
    await cluster.says(primary, 'another daemon is active', (status) => {
      return status.daemon.pid !== daemon.pid && status.groups[0]?.phase === 'active';
    });
    watch.lap('the next one is active');
    await cluster.settled('primary');
    t.is((await cluster.held(primary)).guestPid, guestPid, 'the same guest');

    await cluster.handOver(primary);
    await cluster.settled('secondary');
    watch.lap('handed over');
    t.is(await state(), 'inactive', 'the unit has ended with its guest');
    t.is((await primary.run(`systemctl list-units --all --no-legend ${unit}`)).trim(), '', 'it is collected');
    t.is((await secondary.run(`systemctl is-active ${unit}`)).trim(), 'active');
  },
);

labTest(
  'the package is upgraded under maintenance while its node is active: no guest is touched, and it re-arms',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useCluster(lab);
    const watch = startStopwatch(t);
    const before = await cluster.held(primary);
    const { daemon } = await cluster.status(primary);
    const newer = await packageFile('+lab1');
    await primary.run('battito maintenance on --for 10m');
    watch.restart('maintenance is on');
    await primary.install(newer);
    watch.lap('installed');
    t.deepEqual(await cluster.held(primary), before, 'installing touches nothing');
    await primary.run('systemctl restart battito', { timeoutMs: 240_000 });
    await cluster.says(primary, 'the new one is active', (status) => {
      return status.daemon.pid !== daemon.pid && status.groups[0]?.phase === 'active';
    });
    t.regex(await primary.run(['dpkg-query', '-W', 'battito']), /[+]lab1$/m);
    watch.lap('the new daemon is active');
    t.deepEqual(await cluster.held(primary), before, 'restarting under maintenance touches nothing');
    await primary.run('battito maintenance off');
    await cluster.settled('primary');
    t.deepEqual(await cluster.held(primary), before);
    t.is((await cluster.status(primary)).self.maintenanceMs, 0);
    t.true(await cluster.holdsNothing(secondary));

    const counted = await cluster.counts(primary);
    await primary.powerOff();
    watch.restart('armed again: the active host lost its power');
    await cluster.runsOn(secondary);
    watch.lap('the guest counts on the survivor');
    t.true((await cluster.startedFrom(secondary)) >= counted);
  },
);

labTest(
  'the active host is shut down: the group is handed over before its guests are killed',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useCluster(lab);
    const watch = startStopwatch(t);
    const counted = await cluster.counts(primary);
    watch.restart('the power button');
    await primary.shutDown();
    watch.lap('it is off');
    await cluster.runsOn(secondary);
    watch.lap('the guest counts on the other node');
    const from = await cluster.startedFrom(secondary);
    t.true(from >= counted);
    const codes = (await cluster.history(secondary)).map(({ code }) => code);
    t.false(codes.includes('take-over'), 'handed over, not taken');
    t.notRegex(await cluster.kernelLog(secondary), /recovery complete/, 'it was unmounted in order');
    await primary.powerOn();
    t.deepEqual(
      (await cluster.shown(primary)).at(-1),
      { what: 'stop', count: from },
      'the guest was shut down',
    );
    await cluster.settled('secondary');
  },
);
