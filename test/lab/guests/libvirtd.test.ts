// libvirtd hangs, or is dead: what is not known is not touched, and what is dead is started.

import { patience } from '../support/cluster.ts';
import { useDomains } from '../support/domains.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

labTest(
  'libvirtd of the active node hangs: an alarm, its guests are unknown and run on, nothing moves and nothing is started ' +
    'twice; once it goes on all is well',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useDomains(lab);
    const watch = startStopwatch(t);
    const before = await cluster.held(primary);
    t.is(before.guestPids.length, cluster.guests.length);
    await primary.run('kill -STOP $(pidof libvirtd)');
    watch.restart('libvirtd stands still');
    await cluster.says(primary, 'its guests are unknown', ({ groups }) =>
      groups[0]?.resources
        .filter(({ kind }) => kind === 'guest')
        .every(({ status, upForMs }) => status === 'unknown' && upForMs !== null),
    );
    watch.lap('its guests are unknown');
    const complaints = await cluster.complaints(primary);
    for (const line of complaints) t.log(line);
    for (const { name } of cluster.guests)
      t.true(
        complaints.some((line) => line.includes(`guest:${name}`) && /libvirtd does not answer/.test(line)),
        name,
      );
    for (const { name } of cluster.guests) await cluster.counts(primary, 10, name);
    watch.lap('they count on');
    t.is((await cluster.group(primary)).phase, 'active');
    t.deepEqual(await cluster.held(primary), before);
    t.true(await cluster.holdsNothing(secondary));

    await primary.run('kill -CONT $(pidof libvirtd)');
    watch.restart('libvirtd goes on');
    await cluster.settled('primary');
    watch.lap('all is well');
    t.deepEqual(await cluster.held(primary), before, 'the same guests');
    await cluster.says(primary, 'nothing is wrong', ({ attention }) =>
      attention.every(({ severity }) => severity === 'info'),
    );
    for (const { name } of cluster.guests) {
      const starts = (await cluster.shown(primary, name)).filter(({ what }) => what === 'start');
      t.is(starts.length, 1, name);
      t.deepEqual(await cluster.shown(secondary, name), []);
    }
    const codes = (await cluster.history(secondary)).map(({ code }) => code);
    t.false(codes.includes('take-over'));
  },
);

labTest(
  'libvirtd of the survivor is dead, with its sockets: a takeover starts it, then the guests [ci]',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useDomains(lab);
    const watch = startStopwatch(t);
    for (const { name } of cluster.guests) {
      await cluster.lists(secondary, 'stored', name, ({ definition }) => definition?.state === 'same');
    }
    const units = 'libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd.service';
    await secondary.run(`systemctl stop ${units}`);
    t.is((await secondary.tryRun('systemctl is-active libvirtd.service')).stdout.trim(), 'inactive');
    t.not((await secondary.tryRun('virsh -q uri')).exitCode, 0, 'nobody listens');
    await primary.powerOff();
    watch.restart('the active host lost its power');
    await cluster.runsOn(secondary);
    watch.lap('all guests count on the survivor');
    t.is((await secondary.run('systemctl is-active libvirtd.service')).trim(), 'active');
    t.deepEqual(await cluster.defined(secondary), ['db', 'dns', 'mail', 'web']);
    t.regex(await cluster.log(secondary), /libvirt is not there; its unit is started/);
  },
);

labTest(
  'libvirtd of the active node hangs, and then the host is cut off: its guests are frozen without libvirtd before the ' +
    'other node starts them, and ended once the nodes hear each other',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useDomains(lab);
    const watch = startStopwatch(t);
    for (const { name } of cluster.guests) {
      await cluster.lists(secondary, 'stored', name, ({ definition }) => definition?.state === 'same');
    }
    const { guestPids } = await cluster.held(primary);
    t.is(guestPids.length, cluster.guests.length);
    await primary.run('kill -STOP $(pidof libvirtd)');
    // A copy that was marked as the older one, for a cable that was slow, is rightly not taken over.
    await cluster.inStep('primary');
    await cluster.cutOff(primary);
    watch.restart('libvirtd stands still, and the host is cut off');
    await cluster.phaseIs(primary, 'frozen');
    watch.lap('the group is');
    // The phase comes first, then the half second that libvirt is given, then the signal.
    const areStopped = /^(T\S*\n){4}$/;
    const states = `ps -o stat= -p ${guestPids.join(',')}`;
    await primary.until('its guests are stopped', states, (text) => areStopped.test(text), patience);
    watch.lap('its guests are stopped by a signal');
    await cluster.runsOn(secondary);
    watch.lap('they count on the other node');
    for (const node of [primary, secondary]) {
      const said = (await cluster.log(node)).split('\n');
      for (const line of said.filter((one) => /frozen by SIGSTOP|"msg":"start guest/.test(one))) t.log(line);
    }
    await cluster.mend(primary);
    watch.restart('the cables are mended');
    await cluster.settled('secondary');
    watch.lap('the loser is a standby, and in step');
    t.true(await cluster.holdsNothing(primary), 'its copies were ended');
    for (const { name } of cluster.guests) {
      const last = await cluster.lastCount(primary, name);
      t.true((await cluster.startedFrom(secondary, name)) >= last, `${name} had counted to ${last}`);
    }
    await primary.run('kill -CONT $(pidof libvirtd)');
    await primary.until('nothing runs there', 'virsh --quiet list --name', (text) => text.trim() === '');
  },
);
