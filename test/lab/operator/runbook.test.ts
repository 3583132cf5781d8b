// The runbooks at 3 a.m.: nothing of Battito runs any more, its program is gone, and there is no other runtime. Real
// DRBD asks a handler that is not there; libvirt has never heard of the guest.

import { useCluster } from '../support/cluster.ts';
import { webInstallation } from '../support/installations.ts';
import { fileMirror, mirrorIs } from '../support/mirror.ts';
import type { LabNode } from '../support/node.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

type Kind = 'takeover' | 'standby' | 'return';

const { name } = fileMirror;
const program = '/usr/lib/battito';
const scriptTimeoutMs = 900_000;
const fileOf = (kind: Kind) => `/var/lib/battito/runbook/${kind}.sh`;

/** What the script prints; `typed` is what the operator types. */
async function runbook(node: LabNode, words: string, typed = '') {
  const [kind = '', ...rest] = words.split(' ');
  const line = `sh ${fileOf(kind as Kind)} ${rest.join(' ')} 2>&1`;
  return await node.tryRun(line, { input: typed, timeoutMs: scriptTimeoutMs });
}

/** The daemon is not stopped in order: that would hand over. */
const loseBattito = (node: LabNode) =>
  node.run(
    `mv ${program} ${program}.lost && { systemctl kill -s KILL battito; systemctl disable --quiet --now battito; sync; }`,
  );

const bringBattitoBack = (node: LabNode) =>
  node.run(`mv ${program}.lost ${program} && systemctl enable --quiet --now battito`);

/** What DRBD is set to, not what its file says. */
const fencingOf = async (node: LabNode) =>
  /fencing\s+([\w-]+)/.exec(await node.run(`drbdsetup show ${name}`))?.[1] ?? 'dont-care';

labTest(
  'the runbooks, with the daemon dead and its program gone: takeover from a host without power, return, standby and ' +
    'takeover back; the daemons then adopt what runs',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useCluster(lab, { installation: webInstallation });
    const watch = startStopwatch(t);
    for (const node of [primary, secondary])
      await node.until('its runbook knows the guest', `cat ${fileOf('takeover')}`, (text) =>
        text.includes("'guest web'"),
      );
    const fencing = await fencingOf(secondary);
    t.is(fencing, 'resource-and-stonith');
    for (const node of [primary, secondary]) await loseBattito(node);
    for (const command of ['battito status', 'node --version'])
      t.not((await secondary.tryRun(command)).exitCode, 0, command);
    const counted = await cluster.counts(primary);

    const alive = await runbook(secondary, 'takeover --yes', 'primary\n');
    t.is(alive.exitCode, 1, alive.stdout);
    t.regex(alive.stdout, /STOP: primary answers at 192\.168\.1\.2/);
    t.true(await cluster.holdsNothing(secondary));

    await primary.powerOff();
    watch.restart('the active host lost its power');
    const dry = await runbook(secondary, 'takeover --dry-run');
    t.is(dry.exitCode, 0, dry.stdout);
    t.regex(dry.stdout, new RegExp(`^\\+ drbdadm primary ${name}$`, 'm'));
    t.true(await cluster.holdsNothing(secondary));

    const taken = await runbook(secondary, 'takeover', 'primary\ny\ny\n');
    watch.lap('the runbook has ended');
    t.is(taken.exitCode, 0, taken.stdout);
    t.regex(taken.stdout, /Let DRBD go on without asking, until drbdadm adjust r0 puts that back\?/);
    const { guestPid, ...held } = await cluster.held(secondary);
    t.like(held, { address: true, mounted: true, primary: true });
    t.is(await cluster.answersFrom(), 'secondary');
    await cluster.counts(secondary);
    watch.lap('the guest counts');
    t.true((await cluster.startedFrom(secondary)) >= counted, 'with its disk');
    t.is(await fencingOf(secondary), 'dont-care');

    const again = await runbook(secondary, 'takeover --yes', 'primary\n');
    t.is(again.exitCode, 0, again.stdout);
    t.deepEqual((await cluster.held(secondary)).guestPids, [guestPid], 'once more harms nothing');

    await primary.powerOn();
    watch.restart('the lost host is back');
    t.true(await cluster.holdsNothing(primary));
    await primary.run(`drbdadm role ${name} 2>/dev/null || drbdadm up ${name}`);
    const mirrored = await runbook(secondary, 'return', 'y\n');
    watch.lap('the runbook return has ended');
    t.is(mirrored.exitCode, 0, mirrored.stdout);
    t.regex(mirrored.stdout, /both copies are UpToDate/);
    await mirrorIs(secondary, { disks: 'UpToDate/UpToDate', roles: 'Primary/Secondary' });
    t.is(await fencingOf(secondary), fencing, 'as its file says');
    t.deepEqual((await cluster.held(secondary)).guestPids, [guestPid], 'the guest ran on');

    const later = await cluster.counts(secondary);
    const down = await runbook(secondary, 'standby', 'y\n');
    watch.lap('the runbook standby has ended');
    t.is(down.exitCode, 0, down.stdout);
    t.true(await cluster.holdsNothing(secondary));
    const back = await runbook(primary, 'takeover --from-standby', 'secondary\ny\n');
    watch.lap('the runbook takeover has ended on the other host');
    t.is(back.exitCode, 0, back.stdout);
    await cluster.counts(primary);
    t.true((await cluster.startedFrom(primary)) >= later, 'with its disk');

    const { guestPids } = await cluster.held(primary);
    t.is(guestPids.length, 1);
    await bringBattitoBack(primary);
    await bringBattitoBack(secondary);
    await cluster.settled('primary');
    watch.lap('the daemons have adopted what runs');
    t.deepEqual((await cluster.held(primary)).guestPids, guestPids, 'the same guest');
    t.true(await cluster.holdsNothing(secondary));
  },
);
