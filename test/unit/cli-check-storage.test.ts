// What `battito check` says of DRBD and of file systems, with DRBD's tools as a script: one clear line for each thing
// that would make a takeover fail, with what mends it, and nothing touched.

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { checkGuests } from '../../daemon/cli/check/guests.ts';
import type { Machine } from '../../daemon/cli/check/machine.ts';
import { checkStorage } from '../../daemon/cli/check/storage.ts';
import { parseConfig } from '../../daemon/config/load.ts';
import { type FakeDrbd, type FakeState, fakeDrbd } from './support/drbd-tools.ts';

const place = (name: string) => new URL(`fixtures/drbd/${name}`, import.meta.url).pathname;

const machine: Machine = {
  isRoot: true,
  addresses: ['192.168.1.2', '192.168.2.2'],
  interfaceView: () => ({ kind: 'missing', reason: 'not asked' }),
  hasProgram: () => true,
};

function configOf(group: string) {
  const parsed = parseConfig(
    `
cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat: { links: [{ interface: eth1 }], deadtime: 2s }
groups: { office: { preferred: primary, ${group} } }
`,
    'battito.yaml',
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

/** As the tools answer of a resource that is set up as config/drbd-r0.res has it. */
const answers = (dump = place('dump-8.4.txt')) => `case "$tool $*" in
  "drbdadm dump r0") cat "${dump}"; exit 0 ;;
  "drbdadm dump "*) echo "'$2' not defined in your config (for this host)." >&2; exit 1 ;;
  "drbdsetup show r0") exit 0 ;;
  "drbdadm sh-dev r0") exit 0 ;;
esac
`;

interface Case {
  readonly state?: Partial<FakeState>;
  readonly group?: string;
  readonly machine?: Partial<Machine>;
  /** Read before the usual answers. */
  readonly script?: string;
  readonly dump?: string;
  readonly prepare?: (fake: FakeDrbd) => Promise<void>;
}

/** Findings as `level: message | mend`, and a look at what was run: nothing that changes anything. */
async function checked(t: ExecutionContext, what: Case = {}): Promise<readonly string[]> {
  const fake = await fakeDrbd(t, what.state);
  await fake.override(`${what.script ?? ''}\n${answers(what.dump)}`);
  await what.prepare?.(fake);
  const findings = await checkStorage(
    configOf(what.group ?? 'drbd: [r0]'),
    'primary',
    { ...machine, ...what.machine },
    { procFile: fake.procFile },
  );
  const reading =
    /^(drbdadm (dump|sh-dev) \S+|drbdadm sh-resources|drbdsetup (show \S+|events2 --now all)|modinfo (-F version drbd|fs-\S+))$/;
  t.deepEqual(
    (await fake.allCalls()).filter((call) => !reading.test(call)),
    [],
    'nothing is touched',
  );
  return findings.map(({ level, message, mend }) => `${level}: ${message} | ${mend}`);
}

test.serial('a mirror that is well is one line', async (t) => {
  t.deepEqual(await checked(t), ['ok: r0: up to date and connected | null']);
});

test.serial('a configuration without disks starts no tool', async (t) => {
  const fake = await fakeDrbd(t);
  const config = configOf('addresses: [192.168.1.1/24 dev eth0]');
  t.deepEqual(await checkStorage(config, 'primary', machine, { procFile: fake.procFile }), []);
  t.deepEqual(await fake.allCalls(), []);
});

test.serial('a resource that does not exist', async (t) => {
  t.deepEqual(await checked(t, { group: 'drbd: [r9]' }), [
    'problem: DRBD has no resource r9 for this host | drbdadm sh-resources   # shows the names; /etc/drbd.d/*.res has them, with `on HOSTNAME` for each host',
  ]);
});

test.serial('drbd-utils that are missing are one line, however many resources there are', async (t) => {
  const found = await checked(t, {
    group: 'drbd: [r0, r1]',
    prepare: async (fake) => {
      for (const tool of ['drbdadm', 'drbdsetup']) await rm(join(fake.directory, tool));
    },
  });
  t.deepEqual(found, ['problem: drbdadm and drbdsetup are not installed | apt-get install drbd-utils']);
});

test.serial('a kernel without the module', async (t) => {
  const [first, ...others] = await checked(t, {
    script: '[[ $tool = modinfo ]] && { echo "modinfo: ERROR: Module drbd not found." >&2; exit 1; }',
    prepare: ({ procFile }) => rm(procFile),
  });
  t.deepEqual(others, []);
  t.regex(
    first ?? '',
    /^problem: this kernel has no module drbd: .*Module drbd not found.*\| install a kernel/,
  );
});

test.serial(
  'a module that is there, but not loaded, and a resource that is not up: the daemon does it',
  async (t) => {
    const found = await checked(t, { state: { UP: 'no' }, prepare: ({ procFile }) => rm(procFile) });
    t.deepEqual(found, [
      'warning: r0 is not up on this node; the daemon brings it up when it starts | drbdadm up r0',
    ]);
  },
);

test.serial('addresses that cannot be right', async (t) => {
  const [own] = await checked(t, { machine: { addresses: ['192.168.1.2'] } });
  t.is(
    own,
    'problem: no interface of this host has 192.168.2.2, the address of primary for r0: the mirror cannot be connected | ' +
      'ip address add 192.168.2.2/24 dev INTERFACE   # and make it permanent, or correct it under `on primary` in /etc/drbd.d/r0.res',
  );
});

test.serial('a peer whose address is one of this host', async (t) => {
  const [first] = await checked(t, { machine: { addresses: ['192.168.2.2', '192.168.2.3'] } });
  t.regex(
    first ?? '',
    /^problem: the address of secondary for r0, 192\.168\.2\.3, is one of this host: .*on secondary/,
  );
});

test.serial('a peer that is not met, with the address to look at', async (t) => {
  const found = await checked(t, { state: { CONN: 'Connecting', PEERDISK: 'DUnknown', REPL: 'Off' } });
  t.is(found.length, 1);
  t.regex(
    found[0] ?? '',
    /^warning: r0 is not connected to secondary at 192\.168\.2\.3 \(connecting\): nothing is mirrored \| .*ping -c 1 192\.168\.2\.3/,
  );
});

test.serial('copies that have parted', async (t) => {
  const found = await checked(t, { state: { CONN: 'StandAlone', PEERDISK: 'DUnknown', REPL: 'Off' } });
  t.deepEqual(found, [
    'warning: r0 stands alone: its two copies have parted, or it was disconnected by hand | battito drbd resolve r0',
  ]);
});

test.serial(
  'data that would be refused: a resync that runs is a warning, a disk that is gone a problem',
  async (t) => {
    const [resync] = await checked(t, { state: { DISK: 'Inconsistent', REPL: 'SyncTarget' } });
    t.regex(
      resync ?? '',
      /^warning: r0 could not be taken over here now: its disk is Inconsistent, the peer's is UpToDate/,
    );
  },
);

test.serial('a disk that is gone', async (t) => {
  t.deepEqual(await checked(t, { state: { DISK: 'Diskless' } }), [
    "problem: r0 could not be taken over here now: its disk is Diskless, the peer's is UpToDate, connected | mend the disk under it, then: drbdadm attach r0",
  ]);
});

test.serial('fencing, its handlers, and what a split brain would discard', async (t) => {
  const fake = await fakeDrbd(t);
  const dump = join(fake.directory, 'dump');
  const told = async (from: string, to: string) => {
    await writeFile(dump, (await readFile(place('dump-8.4.txt'), 'utf8')).replace(from, to));
    await fake.override(answers(dump));
    const findings = await checkStorage(configOf('drbd: [r0]'), 'primary', machine, fake);
    return findings.map(({ level, message, mend }) => `${level}: ${message} | ${mend}`);
  };
  const set = (setting: string) => `set \`${setting}\` in /etc/drbd.d/r0.res, then: drbdadm adjust r0`;
  const inFile = 'in the configuration of r0';
  t.deepEqual(await told('resource-and-stonith', 'dont-care'), [
    `problem: fencing ${inFile} is dont-care: a primary that loses its peer writes on at once, and both copies may be written to apart | ${set('fencing resource-and-stonith;')}`,
  ]);
  const [other] = await told('/usr/bin/battito drbd fence-peer', '/usr/lib/drbd/crm-fence-peer.sh');
  t.regex(
    other ?? '',
    /^problem: the fence-peer handler of r0 is \/usr\/lib\/drbd\/crm-fence-peer.sh, not Battito's/,
  );
  t.true(other?.endsWith(set('handlers { fence-peer "/usr/bin/battito drbd fence-peer"; }')));
  const [split] = await told('after-sb-1pri    disconnect', 'after-sb-1pri    discard-secondary');
  t.regex(split ?? '', /^problem: after a split brain r0 is set to discard-secondary by itself/);
});

test.serial('a handler that is not there', async (t) => {
  const [first] = await checked(t, { machine: { hasProgram: (name) => name !== '/usr/bin/battito' } });
  t.regex(first ?? '', /^problem: r0: its fence-peer handler \/usr\/bin\/battito is not there/);
});

const filesystemAt = (device: string, mount: string) =>
  `drbd: [r0], filesystems: [{ device: ${device}, mount: ${mount} }]`;

test.serial('a file system on what is no DRBD, or is not there', async (t) => {
  const fake = await fakeDrbd(t);
  await fake.override(answers());
  const mount = join(fake.directory, 'mount');
  await mkdir(mount);
  const told = async (device: string, group = filesystemAt(device, mount)) => {
    const findings = await checkStorage(configOf(group), 'primary', machine, fake);
    return findings
      .filter(({ area, message }) => area === 'file systems' && !message.includes('is not installed'))
      .map(({ level, message }) => `${level}: ${message}`);
  };
  t.deepEqual(await told('/dev/null'), [
    'problem: /dev/null is not a device of DRBD, though its group has r0: what is mounted from there goes past the mirror',
  ]);
  t.deepEqual(await told('/dev/vg9/nothing'), [
    `problem: there is no device /dev/vg9/nothing, to be mounted at ${mount}`,
  ]);
  t.deepEqual(await told('/dev/drbd98765'), [
    `warning: /dev/drbd98765, to be mounted at ${mount}, is not there as long as r0 is not up`,
  ]);
  t.deepEqual(await told('/dev/null', `filesystems: [{ device: /dev/null, mount: ${mount} }]`), [
    `ok: /dev/null at ${mount}`,
  ]);
});

test.serial('a guest on a disk that is no DRBD, in a group that has one', async (t) => {
  const told = async (group: string) => (await checked(t, { group })).filter((line) => line.includes('mail'));
  t.deepEqual(await told(`drbd: [r0], ${guestOn('/dev/null')}`), [
    'warning: mail: its disk /dev/null is not a device of DRBD, though its group has r0: what it writes there is not mirrored | drbdadm sh-dev r0   # shows the device; leave it if both nodes see the same /dev/null',
  ]);
  t.deepEqual(await told(guestOn('/dev/null')), []);
  t.deepEqual(await told(`drbd: [r0], ${guestOn('/srv/nowhere/mail.raw')}`), []);
});

const elsewhere = '/dev/drbd98764';
const twoResources = `case "$tool $*" in
  "drbdadm sh-dev r0") echo /dev/drbd98765; exit 0 ;;
  "drbdadm sh-resources") echo r0 r7; exit 0 ;;
  "drbdadm sh-dev r7") echo ${elsewhere}; exit 0 ;;
esac`;
const mountedAt = (device: string) => `filesystems: [{ device: ${device}, mount: /srv/nowhere }]`;
const guestOn = (file: string) =>
  `guests: [{ name: mail, driver: qemu, memory: 64M, disk: { file: ${file}, format: raw, locking: 'off' } }]`;

for (const [title, group, expected] of [
  [
    'a file system on a device of another resource',
    `drbd: [r0], ${mountedAt(elsewhere)}`,
    `problem: ${elsewhere} is no device of r0, which has /dev/drbd98765 (to be mounted at /srv/nowhere) | drbdadm sh-dev r0   # shows its devices; correct the device, or the list drbd, of group office`,
  ],
  [
    'a file system on another resource by its link, which is not there yet',
    `drbd: [r0], ${mountedAt('/dev/drbd/by-res/r7/0')}`,
    'problem: /dev/drbd/by-res/r7/0 is no device of r0, which has /dev/drbd98765 (to be mounted at /srv/nowhere) | drbdadm sh-dev r0   # shows its devices; correct the device, or the list drbd, of group office',
  ],
  [
    'a file system on DRBD in a group without a resource',
    mountedAt(elsewhere),
    `problem: ${elsewhere} is a device of r7, but group office has no \`drbd:\`, so nothing makes it primary (to be mounted at /srv/nowhere) | add \`drbd: [r7]\` to group office`,
  ],
  [
    'a file system on DRBD of which nobody knows the resource',
    mountedAt('/dev/drbd98763'),
    'problem: /dev/drbd98763 is a device of DRBD, but group office has no `drbd:`, so nothing makes it primary (to be mounted at /srv/nowhere) | add `drbd: [RESOURCE]` to group office; drbdadm sh-resources   # shows the names',
  ],
  [
    'a file system on a resource of another group',
    `${mountedAt('/dev/drbd98765')} }, files: { preferred: primary, drbd: [r0]`,
    'problem: /dev/drbd98765 is a device of r0, but group office has no `drbd:`, so nothing makes it primary (to be mounted at /srv/nowhere) | move what uses it to group files, which has r0',
  ],
  [
    'a guest on a device of another resource',
    `drbd: [r0], ${guestOn(elsewhere)}`,
    `problem: mail: ${elsewhere} is no device of r0, which has /dev/drbd98765 | drbdadm sh-dev r0   # shows its devices; correct the device, or the list drbd, of group office`,
  ],
  [
    'a guest on a device that is mounted, by another name',
    `drbd: [r0], ${mountedAt('/dev/drbd98765')}, ${guestOn('/dev/drbd/by-res/r0/0')}`,
    'problem: mail: its disk /dev/drbd/by-res/r0/0 is the same device as /dev/drbd98765, which is mounted at /srv/nowhere: one would destroy what the other has written | give mail a disk of its own in group office',
  ],
] as const) {
  test.serial(title, async (t) => {
    const found = await checked(t, { group, script: twoResources });
    t.is(
      found.filter((line) => line.includes(' device ') && line.startsWith('problem')).join('\n'),
      expected,
    );
  });
}

test.serial('a device of its own resource, also by the link, is no problem', async (t) => {
  for (const device of ['/dev/drbd98765', '/dev/drbd/by-res/r0/0']) {
    const found = await checked(t, {
      group: `drbd: [r0], ${mountedAt(device)}`,
      script: twoResources,
      state: { UP: 'no' },
    });
    t.deepEqual(
      found.filter((line) => line.includes(' device ')),
      [],
    );
    t.true(
      found.includes(
        `warning: ${device}, to be mounted at /srv/nowhere, is not there as long as r0 is not up | drbdadm up r0 && ls -l ${device}   # or correct \`device\` under filesystems`,
      ),
    );
  }
});

test.serial(
  'a device that is not there: every resource it may be of is named, unless one has a problem',
  async (t) => {
    const group = `drbd: [r0, r1], ${mountedAt('/dev/drbd/by-disk/sda1')}`;
    const both = `case "$tool $*" in
  "drbdadm dump r1") cat "${place('dump-8.4.txt')}"; exit 0 ;;
  "drbdsetup show r1"|"drbdadm sh-dev r1") exit 0 ;;
esac`;
    const missing = (lines: readonly string[]) =>
      lines.filter((line) => line.includes('is not there as long'));
    t.deepEqual(missing(await checked(t, { group, script: both, state: { UP: 'no' } })), [
      'warning: /dev/drbd/by-disk/sda1, to be mounted at /srv/nowhere, is not there as long as r0, r1 are not up | drbdadm up r0 r1 && ls -l /dev/drbd/by-disk/sda1   # or correct `device` under filesystems',
    ]);
    const bad = await checked(t, { group });
    t.true(bad.some((line) => line.startsWith('problem: DRBD has no resource r1 for this host')));
    t.deepEqual(missing(bad), [], 'that r1 has a problem is told');
  },
);

test.serial('a directory is not asked for where a mount of the group would hide it', async (t) => {
  const fake = await fakeDrbd(t);
  await fake.override(answers());
  const above = join(fake.directory, 'mount');
  await mkdir(above);
  const group = `filesystems: [{ device: /dev/null, mount: ${above} }, { device: /dev/zero, mount: ${above}/mail }]`;
  const mountinfo = join(fake.directory, 'mountinfo');
  const told = async (mounts: string) => {
    await writeFile(mountinfo, `22 1 8:1 / / rw - ext4 /dev/sda1 rw\n${mounts}`);
    const { procFile } = fake;
    const findings = await checkStorage(configOf(group), 'primary', machine, { procFile, mountinfo });
    return findings
      .filter(({ message }) => message.includes(`${above}/mail does`))
      .map(({ level, message, mend }) => `${level}: ${message} | ${mend}`);
  };
  t.deepEqual(await told(''), [
    `info: mount point ${above}/mail does not exist here, and is to be in the file system of ${above}, under which it lies | null`,
  ]);
  t.deepEqual(await told(`141 22 147:0 / ${above} rw - ext4 /dev/null rw\n`), [
    `problem: mount point ${above}/mail does not exist | mkdir ${above}/mail   # here, where ${above} is mounted`,
  ]);
});

test('where a group does not run its images are not to be seen, and are not missed', (t) => {
  const guest = '{ name: mail, driver: qemu, memory: 64M, accel: tcg, disk: /srv/nowhere/mail.raw }';
  const config = configOf(`filesystems: [{ device: /dev/drbd0, mount: /srv/nowhere }], guests: [${guest}]`);
  const levels = (mounted: boolean) =>
    checkGuests(config, 'primary', () => mounted).map(({ level, message }) => `${level}: ${message}`);
  t.deepEqual(levels(false).slice(0, 1), [
    'info: mail: /srv/nowhere/mail.raw is to be seen only where the group runs: /srv/nowhere is not mounted here',
  ]);
  t.deepEqual(levels(true), ['problem: mail: /srv/nowhere/mail.raw does not exist']);
});
