// A configuration or a host that is not as it must be, on real DRBD with its own tools: the daemon and `battito check`
// each say it once, with what to do, and nothing is touched.

import { type Cluster, mountPoint, useCluster } from '../support/cluster.ts';
import type { LabNode } from '../support/node.ts';
import { nodePlans, otherNode } from '../support/plan.ts';
import { labTest } from '../support/use-lab.ts';

interface Row {
  /** The other node's half of the mirror is there, so that nothing but the row's fault is to be told. */
  readonly mirrored?: boolean;
  /** A command on the primary. */
  readonly spoil: string;
  /** What the daemon says: in its status, or where nothing depends on it yet in its log. */
  readonly daemon: RegExp;
  /** The one problem of storage that `battito check` finds, and what mends it. */
  readonly check: RegExp;
}

const edit = (from: string, to: string) => `sed -i 's|${from}|${to}|' /etc/battito/battito.yaml`;
const moduleFile = '$(modinfo -n drbd)';

const rows: Readonly<Record<string, Row>> = {
  'a resource that does not exist': {
    spoil: edit('drbd: .r0.', 'drbd: [r9]'),
    daemon: /r9: DRBD has no resource of this name for this host; drbdadm sh-resources shows the names/,
    check: /^DRBD has no resource r9 for this host \| drbdadm sh-resources /,
  },
  'a device that is no DRBD': {
    mirrored: true,
    spoil: edit('device: /dev/drbd0', 'device: /dev/vdb'),
    daemon: /\/dev\/vdb is not a device of DRBD, though its group has r0: .*past the mirror/,
    check: /^\/dev\/vdb is not a device of DRBD, though its group has r0: .* \| name a device of r0 /,
  },
  'drbd-utils that are missing': {
    spoil: 'mkdir /root/away && mv /usr/sbin/drbdadm /usr/sbin/drbdsetup /root/away',
    daemon: /drbd:r0: drbdadm and drbdsetup are not installed; apt-get install drbd-utils/,
    check: /^drbdadm and drbdsetup are not installed \| apt-get install drbd-utils$/,
  },
  'a module that cannot be loaded': {
    spoil: `modprobe -r drbd && rm ${moduleFile} && depmod`,
    daemon:
      /the kernel module of DRBD cannot be loaded: modprobe drbd: exit 1: .*; install a kernel that has it/,
    check: /^this kernel has no module drbd: .* \| install a kernel that has it /,
  },
};

/** Of nobody on the segment. */
const wrongAddress = '10.0.0.99';

/** What must be as before: settings, what is mounted, the data of the mirror's disk. */
async function footprint(node: LabNode): Promise<string> {
  const look = [
    'cat /etc/battito/* /etc/drbd.d/* | sha256sum',
    `findmnt -no SOURCE ${mountPoint} || echo nothing`,
    'head -c 64M /dev/vdb | sha256sum',
    'ip -brief address show',
  ];
  return await node.run(look.join('; '));
}

/** What `battito check` finds of disks, as `message | mend`. */
async function found(node: LabNode, level: 'problem' | 'warning'): Promise<readonly string[]> {
  const { stdout } = await node.tryRun('battito check --this-node --json');
  const { findings } = JSON.parse(stdout) as {
    findings: { area: string; level: string; message: string; mend: string | null }[];
  };
  const isMeant = (area: string) => ['DRBD', 'file systems', 'guests'].includes(area);
  return findings
    .filter((finding) => isMeant(finding.area) && finding.level === level)
    .map(({ message, mend }) => `${message} | ${mend}`);
}

async function said(cluster: Cluster, node: LabNode): Promise<string> {
  return [...(await cluster.complaints(node)), await cluster.log(node)].join('\n');
}

for (const [title, { mirrored = false, spoil, daemon, check }] of Object.entries(rows)) {
  labTest(`bad input: ${title}; one message each, and nothing is touched`, async (t, lab) => {
    const { primary } = lab;
    const cluster = await useCluster(lab, { start: false });
    await primary.run(spoil);
    if (mirrored) await lab.both((node) => node.run('drbdadm up r0 && drbdadm wait-connect r0'));
    const before = await footprint(primary);
    await primary.run('systemctl start battito');
    await cluster.says(primary, 'it answers', () => true);
    const heard = await primary.tryRun('sleep 5; systemctl is-active battito');
    t.is(heard.stdout.trim(), 'active', 'it goes on, and tries again');
    t.log(await cluster.complaints(primary));
    t.regex(await said(cluster, primary), daemon);
    const problems = await found(primary, 'problem');
    t.log(problems);
    t.is(problems.length, 1);
    t.regex(problems[0] ?? '', check);
    t.true(await cluster.holdsNothing(primary));
    t.is(await footprint(primary), before);
  });
}

labTest(
  'bad input: a wrong address of the peer; both daemons go on, and say what to compare',
  async (t, lab) => {
    const { primary } = lab;
    const cluster = await useCluster(lab, { start: false });
    // On both: DRBD 8.4 takes a connection from wherever it comes, so one right address would do.
    await lab.both((node) => {
      const { heartbeat } = nodePlans[otherNode(node.name)];
      return node.run(`sed -i 's|address ${heartbeat}:|address ${wrongAddress}:|' /etc/drbd.d/r0.res`);
    });
    const settings = 'cat /etc/battito/* /etc/drbd.d/* | sha256sum';
    const before = await primary.run(settings);
    await lab.both((node) => node.run('systemctl start battito'));
    await cluster.says(primary, 'not connected', ({ attention }) =>
      attention.some(({ code }) => code === 'unmirrored'),
    );
    const complaints = await cluster.complaints(primary);
    t.log(complaints);
    t.regex(
      complaints.join('\n'),
      /unmirrored: drbd:r0 is not connected to its mirror on secondary; .*compare the addresses in \/etc\/drbd\.d on both/,
    );
    const warnings = await found(primary, 'warning');
    t.log(warnings);
    t.regex(
      warnings.join('\n'),
      /^r0 is not connected to secondary at 10\.0\.0\.99 \(connecting\): nothing is mirrored \| .*ping -c 1 10\.0\.0\.99/m,
    );
    t.is(await primary.run(settings), before);
  },
);
