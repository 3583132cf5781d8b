// Runbooks as shells run them: clean for shellcheck, the same in dash and bash, touching nothing in a dry run, and on a
// host of stubs doing step by step what they should, also when they are run again, refused or answered wrongly.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { exitCodes } from '../../daemon/errors.ts';
import { runbookKinds } from '../../daemon/runbook/runbook.ts';
import { temporaryDirectory } from '../support.ts';
import { run } from './fixtures/cli/terminal.ts';
import { configOf, createRunbookHost, runbookOf } from './support/runbook-host.ts';

const addressOnly = `groups:
  office: { preferred: primary, addresses: [192.168.1.1/24 dev br0] }
`;
const mirrored = `groups:
  office:
    preferred: primary
    addresses: [192.168.1.1/24 dev br0]
    drbd: [r0]
    filesystems: [{ device: /dev/drbd0, mount: /srv/guests }]
    guests:
      - { name: mail, driver: qemu, memory: 1G, accel: tcg, disk: /srv/guests/mail.qcow2, network: { bridge: br0, mac: "52:54:00:12:34:56" } }
`;
const domains = `groups:
  office:
    preferred: primary
    drbd: [r1, r2]
    guests:
      - { name: web, after: [dns] }
      - { name: dns, priority: 10, readiness: tcp 192.168.1.10:53, start-delay: 3s }
      - { name: files, readiness: agent, priority: 5 }
`;
const twoGroups = `groups:
  office: { preferred: primary, addresses: [192.168.1.1/24 dev br0], drbd: [r0] }
  shop: { preferred: secondary, addresses: [192.168.1.4/24 dev br0], drbd: [r1] }
`;
/** The disk of its guest is on storage that both hosts see. */
const sharedAndMirrored = `groups:
  office: { preferred: primary, guests: [{ name: mail }] }
  shop: { preferred: secondary, addresses: [192.168.1.4/24 dev br0], drbd: [r1] }
`;
const sixth = `groups:
  office: { preferred: primary, addresses: ["fd00:1::1/64 dev br0"] }
`;
/** All that names may hold: what a shell would take for its own. */
const odd = `groups:
  office:
    preferred: primary
    addresses: ["192.168.1.1/24 dev e$(id)';"]
    drbd: [r0]
    filesystems:
      - { device: "/dev/vg/it's \`id\`", mount: '/srv/a "b" $HOME \\', options: "noatime;id" }
      - { device: /dev/drbd1, mount: '/srv/a "b" $HOME \\/-rf *' }
    guests:
      - { name: a.b_c-d, driver: qemu, memory: 64M, disk: "/srv/$(id) 'x',y.raw", serial: "/srv/\`id\`" }
`;
const fenced = `fencing:
  devices: { pdu: { agent: fence_apc_snmp, options: { ip: 10.0.9.4 }, plugs: { primary: "1", secondary: "2" } } }
  nodes: { primary: [[pdu]], secondary: [[pdu]] }
${addressOnly}`;

const all = { addressOnly, mirrored, domains, twoGroups, sixth, odd, fenced };

const off = 'primary\ny\n';

for (const [name, text] of Object.entries(all)) {
  test(`${name}: every runbook is clean for shellcheck and is read by dash and bash alike`, (t) => {
    const directory = temporaryDirectory(t);
    const files = runbookKinds.map((kind) => {
      const file = join(directory, `${kind}.sh`);
      writeFileSync(file, runbookOf(kind, configOf(text)));
      return file;
    });
    const { status, stdout } = spawnSync('shellcheck', ['-s', 'sh', ...files], { encoding: 'utf8' });
    t.is(status, 0, stdout);
    for (const file of files) {
      t.is(spawnSync('dash', ['-n', file]).status, 0);
      t.is(spawnSync('bash', ['--posix', '-n', file]).status, 0);
    }
  });

  test(`${name}: a dry run shows every command, calls none, asks nothing, and needs nobody's answer`, (t) => {
    const host = createRunbookHost(t, configOf(text));
    host.set('daemon');
    for (const kind of runbookKinds) {
      const dry = host.run(kind, ['--dry-run']);
      t.is(dry.exitCode, 0, dry.said);
      t.is(host.read('calls'), '', dry.said);
      t.deepEqual(host.run(kind, ['--dry-run'], '', 'bash --posix'), dry);
      t.snapshot(
        dry.said.replaceAll(host.directory, 'DIRECTORY').replaceAll(/(bt\w+)-[0-9a-f]{6}/g, '$1-TAP'),
        kind,
      );
    }
  });
}

test('a takeover: data, file system, address, guest; run again it does nothing more but tell the neighbours', (t) => {
  const host = createRunbookHost(t, configOf(mirrored));
  const first = host.run('takeover', [], off);
  t.is(first.exitCode, 0, first.said);
  t.regex(first.said, /BEFORE primary gets power again, here: systemctl start battito/);
  const words = host.ran().map((call) => call.slice(0, 3).join(' '));
  t.deepEqual(
    words.map((line) => line.replace(/ -name.*/, '')),
    [
      'modprobe drbd',
      'drbdadm disconnect r0',
      'drbdadm primary r0',
      'drbdadm connect r0',
      'mount -w -t',
      'ip address add',
      'arping -q -U',
      'arping -q -A',
      'qemu-system-x86_64',
      'ip link set',
    ],
  );
  t.false(host.ran().flat().includes('-S'), 'a halted guest would wait for somebody who speaks QMP');
  const done = host.ran().length;
  const again = host.run('takeover', [], off);
  t.is(again.exitCode, 0, again.said);
  const more = host
    .ran()
    .slice(done)
    .map((call) => call.slice(0, 3).join(' '));
  t.deepEqual(more, ['modprobe drbd', 'arping -q -U', 'arping -q -A', 'ip link set']);
});

const assertStopped = (
  t: ExecutionContext,
  { exitCode, said }: { exitCode: number | null; said: string },
  why: RegExp,
) => {
  t.is(exitCode, 1, said);
  t.regex(said, why);
  t.regex(said, /next: \S/);
};

test('it refuses while the daemon runs, in a unit or by hand, and says what to do instead', (t) => {
  for (const mark of ['daemon', 'unit']) {
    const host = createRunbookHost(t, configOf(mirrored));
    // The unit is only asked for where systemd runs.
    if (mark === 'unit' && !statSync('/run/systemd/system', { throwIfNoEntry: false })) continue;
    host.set(mark);
    for (const kind of runbookKinds) {
      const refused = host.run(kind, ['--yes'], off);
      assertStopped(t, refused, /STOP: the daemon of Battito runs here/);
      t.deepEqual(host.ran(), []);
    }
    t.regex(
      host.run('takeover').said,
      /next: .*battito takeover.*fence confirm primary.*systemctl stop battito/,
    );
    t.regex(host.run('standby').said, /next: .*battito standby/);
  }
});

test('it refuses on another host, and words that it does not know', (t) => {
  const host = createRunbookHost(t, configOf(mirrored));
  const wrong = host.run('takeover', ['--force'], off);
  t.is(wrong.exitCode, 64);
  t.regex(wrong.said, /not understood, nothing was touched: --force\nUsage: sh takeover.sh/);
  t.is(host.run('standby', ['offic']).exitCode, 64);
  t.is(host.run('takeover', ['--help']).exitCode, 0);
  host.set('addresses', '2: br0    inet 192.168.1.2/24 scope global br0\n');
  assertStopped(t, host.run('takeover', [], off), /this host does not have 192.168.1.3/);
  t.deepEqual(host.ran(), []);
});

test('a peer that answers is not taken over from; nor one that DRBD is connected to', (t) => {
  const host = createRunbookHost(t, configOf(mirrored));
  host.set('peer-lives');
  assertStopped(t, host.run('takeover', ['--yes'], off), /primary answers at 192.168.1.2/);
  host.unset('peer-lives');
  host.set('cstate', 'Connected\n');
  assertStopped(
    t,
    host.run('takeover', ['--yes'], off),
    /DRBD is connected to primary for r0: primary lives/,
  );
  t.is(host.read('slept').split('\n').length - 1, 30, 'DRBD has half a minute to notice');
  host.set('cstate', 'SyncTarget\n');
  assertStopped(t, host.run('takeover', ['--yes'], off), /DRBD is connected/);
  t.deepEqual(host.ran(), []);
});

test('that the peer is off wants its name, which neither a yes nor --yes nor no answer gives', (t) => {
  const host = createRunbookHost(t, configOf(mirrored));
  for (const answer of ['', 'y\n', 'yes\n', 'secondary\n', 'primary \ty\n']) {
    assertStopped(t, host.run('takeover', ['--yes'], answer), /nobody has said that primary is off/);
  }
  t.deepEqual(host.ran(), []);
  const left = host.run('takeover', [], 'primary\nn\n');
  t.regex(left.said, /left as it is/);
  t.deepEqual(host.ran(), []);
  t.is(host.run('takeover', ['--yes'], 'primary\n').exitCode, 0);
});

test('where the fence-peer handler has no daemon to ask, DRBD goes on without it after a question, never by force', (t) => {
  const host = createRunbookHost(t, configOf(mirrored));
  host.set('fencing');
  const no = host.run('takeover', [], `${off}n\n`);
  assertStopped(t, no, /r0 is not primary here/);
  t.deepEqual(host.ran().at(-1), ['drbdadm', 'connect', 'r0'], 'its peer can come back to it');
  t.is(host.read('mounts'), '');
  const yes = host.run('takeover', [], `${off}y\n`);
  t.is(yes.exitCode, 0, yes.said);
  t.true(host.ran().some((call) => call.includes('--fencing=dont-care')));
  t.regex(yes.said, /3\. Once both copies are UpToDate, here: for r in r0; do drbdadm adjust \$r; done/);
  t.false(host.ran().flat().includes('--force'));
});

test('an old copy, or half of one, wants its word, and is told what is lost', (t) => {
  const sayings = {
    Outdated: /all that primary has written since is LOST/,
    Inconsistent: /only half of one/,
  };
  for (const [disk, told] of Object.entries(sayings)) {
    const host = createRunbookHost(t, configOf(mirrored));
    host.set('dstate', `${disk}/DUnknown\n`);
    for (const answer of ['', 'y\n', 'force\n', 'force r1\n']) {
      const refused = host.run('takeover', ['--yes'], `primary\n${answer}`);
      assertStopped(t, refused, /r0 is not primary here/);
      t.regex(refused.said, told);
    }
    t.false(host.ran().flat().includes('--force'));
    const forced = host.run('takeover', ['--yes'], 'primary\nforce r0\n');
    t.is(forced.exitCode, 0, forced.said);
    t.true(host.ran().some((call) => call.join(' ') === 'drbdadm primary --force r0'));
  }
  const host = createRunbookHost(t, configOf(mirrored));
  host.set('dstate', 'Diskless/DUnknown\n');
  host.set('fencing');
  const diskless = host.run('takeover', [], `${off}n\nforce r0\n`);
  assertStopped(t, diskless, /r0 is not primary here/);
  t.false(host.ran().flat().includes('--force'), 'without a disk there is nothing to force');
});

test('a mirror that came up only half, with neither disk nor network, is brought up, and is no living peer', (t) => {
  const host = createRunbookHost(t, configOf(mirrored));
  // As drbdadm of 8.4 has it: one that is up, stands alone, and has no disk.
  for (const what of ['role', 'cstate', 'dstate']) {
    host.set(`${what}-up`, host.read(what));
    host.set(what, 'Unconfigured\n');
  }
  const { exitCode, said } = host.run('takeover', [], off);
  t.is(exitCode, 0, said);
  t.notRegex(said, /still has a connection|lives/);
  t.deepEqual(host.ran().filter(([tool]) => tool === 'drbdadm')[0], ['drbdadm', 'up', 'r0']);
});

test('an address that another host answers for is not brought up beside it', (t) => {
  const host = createRunbookHost(t, configOf(addressOnly));
  host.set('address-elsewhere');
  assertStopped(
    t,
    host.run('takeover', [], off),
    /another host answers for 192.168.1.1.*\nnext: find it by its MAC address: arping -D/,
  );
  t.deepEqual(host.ran(), []);
});

test('where the program that asks is missing, that is said, and what was not asked', (t) => {
  const host = createRunbookHost(t, configOf(addressOnly));
  host.remove('arping');
  const { said } = host.run('takeover', [], off);
  t.regex(said, /arping is missing, so nobody has asked whether primary answers at 192\.168\.1\.2 on br0/);
  t.regex(said, /arping is missing, so nobody has asked whether another host has 192\.168\.1\.1\/24/);
});

test('an announcement that was still on its way is no answer', (t) => {
  const host = createRunbookHost(t, configOf(addressOnly));
  host.set('announced');
  const { exitCode, said } = host.run('takeover', [], off);
  t.is(exitCode, 0, said);
});

test('what is mounted where the file system should be stops it, and it goes on from there', (t) => {
  const host = createRunbookHost(t, configOf(mirrored));
  host.set('mounts', '/dev/sdb1 /srv/guests\n');
  assertStopped(t, host.run('takeover', [], off), /STOP: \/srv\/guests is not mounted/);
  t.false(host.ran().some(([tool]) => tool === 'mount' || tool === 'qemu-system-x86_64'));
  host.set('mounts');
  t.is(host.run('takeover', [], off).exitCode, 0);
  const promotions = host.ran().filter((call) => call.join(' ') === 'drbdadm primary r0');
  t.is(promotions.length, 1);
});

test('domains: the definition both nodes agreed on, in order of priority, and one that fails does not keep the rest', (t) => {
  const host = createRunbookHost(t, configOf(domains));
  mkdirSync(join(host.directory, 'definitions'));
  for (const name of ['web', 'dns'])
    host.set(`definitions/${name}.xml`, `<domain>${name} of the peer</domain>\n`);
  host.set('domain-dns', 'shut off\n');
  host.set('xml-dns', '<domain>old</domain>\n');
  host.set('domain-files', 'shut off\n');
  host.set('broken-files');
  const first = host.run('takeover', [], off);
  t.is(first.exitCode, 1, first.said);
  t.regex(first.said, /Not running: files\. Mend what is said above, then run this script again/);
  const virsh = () =>
    host
      .ran()
      .filter(([tool]) => tool === 'virsh' || tool === 'timeout')
      .map(([tool, ...words]) => (tool === 'virsh' ? words.join(' ') : 'wait'))
      .map((line) => line.replaceAll(`${host.directory}/`, ''));
  t.deepEqual(virsh(), [
    'define definitions/dns.xml',
    'start dns --force-boot',
    'wait',
    'start files --force-boot',
    'define definitions/web.xml',
    'start web --force-boot',
  ]);
  t.is(host.read('definitions/dns.xml.replaced'), '<domain>old</domain>\n', 'what was there is kept');
  t.is(statSync(join(host.directory, 'definitions/dns.xml.replaced')).mode & 0o777, 0o600);
  t.is(host.read('definitions/web.xml.replaced'), '');
  host.unset('broken-files');
  const again = host.run('takeover', [], off);
  t.is(again.exitCode, 0, again.said);
  t.deepEqual(virsh().slice(6), ['wait', 'start files --force-boot', 'wait'], 'web comes after both');
});

test('domains that were made anew or renamed on the peer take the place of what libvirt still has', (t) => {
  const host = createRunbookHost(t, configOf(domains));
  mkdirSync(join(host.directory, 'definitions'));
  for (const name of ['web', 'dns']) host.set(`definitions/${name}.xml`, `<uuid>new-${name}</uuid>\n`);
  host.set('domain-dns', 'shut off\n');
  host.set('xml-dns', '<uuid>removed</uuid>\n');
  host.set('domain-www', 'shut off\n');
  host.set('xml-www', '<uuid>new-web</uuid>\n');
  host.set('domain-files', 'shut off\n');
  const run = host.run('takeover', [], off);
  t.is(run.exitCode, 0, run.said);
  const virsh = host
    .ran()
    .filter(([tool]) => tool === 'virsh')
    .map(([, ...words]) => words.join(' ').replaceAll(`${host.directory}/`, ''));
  t.deepEqual(virsh, [
    'undefine dns --managed-save --snapshots-metadata --checkpoints-metadata --keep-nvram --keep-tpm',
    'define definitions/dns.xml',
    'start dns --force-boot',
    'start files --force-boot',
    'domrename new-web web',
    'define definitions/web.xml',
    'start web --force-boot',
  ]);
  t.is(host.read('definitions/dns.xml.replaced'), '<uuid>removed</uuid>\n');
});

test('a definition that was mended here between two runs stays as it was mended', (t) => {
  const host = createRunbookHost(t, configOf(domains));
  mkdirSync(join(host.directory, 'definitions'));
  for (const file of ['definitions/dns.xml', 'xml-dns'])
    host.set(file, '<domain>with a disc that is not here</domain>\n');
  host.set('domain-dns', 'shut off\n');
  for (const name of ['web', 'files']) host.set(`domain-${name}`, 'running\n');
  host.set('broken-dns');
  t.is(host.run('takeover', [], off).exitCode, 1);
  host.set('xml-dns', '<domain>without it</domain>\n');
  host.unset('broken-dns');
  const again = host.run('takeover', [], off);
  t.is(again.exitCode, 0, again.said);
  t.is(host.read('xml-dns'), '<domain>without it</domain>\n');
  t.is(host.read('domain-dns'), 'running\n');
  const newer = '<domain>of another day</domain>\n';
  host.set('definitions/dns.xml', newer);
  host.set('domain-dns', 'shut off\n');
  t.is(host.run('takeover', [], off).exitCode, 0);
  t.is(host.read('xml-dns'), newer, 'what both nodes have agreed on since is defined');
});

test('a guest that could not be put on its bridge is put there by the next run', (t) => {
  const host = createRunbookHost(t, configOf(mirrored));
  host.set('no-bridge');
  for (let time = 0; time < 2; time += 1) {
    const alone = host.run('takeover', [], off);
    t.is(alone.exitCode, 1, alone.said);
    t.regex(alone.said, /mail is up, but without its network/);
  }
  host.unset('no-bridge');
  t.is(host.run('takeover', [], off).exitCode, 0);
  t.is(host.ran().filter(([tool]) => tool === 'qemu-system-x86_64').length, 1);
});

test('a frozen guest is not one that runs', (t) => {
  const host = createRunbookHost(t, configOf(mirrored));
  t.is(host.run('takeover', [], off).exitCode, 0);
  host.set('halted');
  const frozen = host.run('takeover', [], off);
  t.is(frozen.exitCode, 1, frozen.said);
  t.regex(frozen.said, /mail is there, but frozen: .*newer/);
  t.regex(frozen.said, /Not running: mail\./);
  t.is(host.ran().filter(([tool]) => tool === 'qemu-system-x86_64').length, 1, 'no second one is started');
});

test('a standby: addresses first, guests, file systems, data; again it does nothing', (t) => {
  const host = createRunbookHost(t, configOf(mirrored));
  t.is(host.run('takeover', [], off).exitCode, 0);
  const before = host.ran().length;
  const down = host.run('standby', [], 'y\n');
  t.is(down.exitCode, 0, down.said);
  const words = host
    .ran()
    .slice(before)
    .map((call) => call.slice(0, 3).join(' '));
  t.deepEqual(words, ['sysctl -q -w', 'ip address del', 'umount /srv/guests', 'drbdadm secondary r0']);
  t.regex(host.read('qmp'), /system_powerdown/);
  const done = host.ran().length;
  t.is(host.run('standby', ['--yes']).exitCode, 0);
  t.is(host.ran().length, done);
  host.set('mounts', '/dev/drbd0 /srv/guests\n');
  host.set('busy');
  assertStopped(t, host.run('standby', ['--yes']), /\/srv\/guests is in use/);
  t.deepEqual(host.ran().at(-1), ['fuser', '-vm', '/srv/guests']);
});

test('a standby names what it has put down, and what still runs: the other node must not start that', (t) => {
  const host = createRunbookHost(t, configOf(sharedAndMirrored));
  host.set('domain-mail', 'running\n');
  const some = host.run('standby', [], 'n\ny\n');
  t.is(some.exitCode, 1, some.said);
  t.regex(some.said, /Nothing of shop runs on secondary any more/);
  t.regex(some.said, /takeover\.sh --from-standby shop,/);
  t.regex(some.said, /may still run on secondary: office\. It must NOT be started on primary/);
  t.is(host.read('domain-mail'), 'running\n');
  const one = host.run('standby', ['shop'], 'y\n');
  t.is(one.exitCode, 0, one.said);
  t.regex(one.said, /takeover\.sh --from-standby shop,/, 'nothing was said of the other group');
  const none = host.run('standby', [], '');
  t.is(none.exitCode, 1, none.said);
  t.notRegex(none.said, /from-standby|any more/);
  const there = host.run('takeover', ['--from-standby', 'shop'], 'primary\ny\n');
  t.regex(there.said, /Has the runbook standby of shop ended on primary without a complaint/);
});

test('a domain is shut down by its agent, else by ACPI; a libvirt that is silent is not taken for one that is off', (t) => {
  const host = createRunbookHost(t, configOf(domains));
  for (const name of ['web', 'dns', 'files']) host.set(`domain-${name}`, 'running\n');
  host.set('role', 'Primary/Unknown\n');
  const down = host.run('standby', ['--yes']);
  t.is(down.exitCode, 0, down.said);
  const names = host
    .ran()
    .filter(([tool, word]) => tool === 'virsh' && word === 'shutdown')
    .map((call) => call[2]);
  t.deepEqual([...new Set(names)], ['web', 'files', 'dns'], 'the last that started is the first');
  for (const how of ['is down', 'hangs']) {
    const silent = createRunbookHost(t, configOf(domains));
    if (how === 'hangs') silent.set('libvirt-hangs');
    else silent.unset('libvirt');
    silent.set('patience', '1');
    assertStopped(t, silent.run('standby', ['--yes']), /web still runs/);
    t.false(silent.ran().flat().includes('secondary'), how);
  }
});

test('from a peer that stands by: it may answer, and DRBD stays connected', (t) => {
  const host = createRunbookHost(t, configOf(mirrored));
  host.set('peer-lives');
  host.set('cstate', 'Connected\n');
  assertStopped(t, host.run('takeover', ['--from-standby', '--yes'], 'y\n'), /nobody has said so/);
  const taken = host.run('takeover', ['--from-standby'], off);
  t.is(taken.exitCode, 0, taken.said);
  t.false(host.ran().some(([tool, word]) => tool === 'drbdadm' && word === 'disconnect'));
});

test('the return: connected, resynced with percents, and the options of the files again', (t) => {
  const host = createRunbookHost(t, configOf(mirrored));
  host.set('role', 'Primary/Unknown\n');
  host.set('cstate', 'StandAlone\n');
  assertStopped(t, host.run('return', ['--yes']), /primary does not answer at 192.168.1.2/);
  host.set('peer-lives');
  host.set('dstate', 'UpToDate/Inconsistent\n');
  const back = host.run('return', [], 'y\n');
  t.is(back.exitCode, 0, back.said);
  t.regex(back.said, /41\.7%/);
  t.regex(back.said, /both copies are UpToDate/);
  t.deepEqual(
    host.ran().filter(([tool]) => tool === 'drbdadm'),
    [
      ['drbdadm', 'connect', 'r0'],
      ['drbdadm', 'adjust', 'r0'],
    ],
  );
  host.set('cstate', 'StandAlone\n');
  host.set('split');
  const parted = host.run('return', ['--yes']);
  assertStopped(t, parted, /have parted \(split brain\)/);
  t.regex(parted.said, /battito drbd resolve r0/);
});

test('the return does not wait for ever for a disk that is not there', (t) => {
  const host = createRunbookHost(t, configOf(mirrored));
  host.set('peer-lives');
  host.set('bare');
  host.set('cstate', 'Connected\n');
  host.set('dstate', 'UpToDate/Diskless\n');
  const bare = host.run('return', ['--yes']);
  assertStopped(t, bare, /r0 has no disk on one of the hosts.*UpToDate\/Diskless/);
  t.regex(bare.said, /next: .*drbdadm attach r0/);
});

test('one of two groups', (t) => {
  const host = createRunbookHost(t, configOf(twoGroups));
  const one = host.run('takeover', ['shop'], off);
  t.is(one.exitCode, 0, one.said);
  t.false(host.ran().flat().includes('r0'));
  t.true(host.read('addresses').includes('192.168.1.4/24'));
  t.false(host.read('addresses').includes('192.168.1.1/24'));
});

test('whatever a name holds reaches the tools as it is, and no part of it is run', (t) => {
  const host = createRunbookHost(t, configOf(odd));
  // Mount points that can be made here.
  const inside = odd.replaceAll("mount: '/srv/a", `mount: '${host.directory}/a`);
  const here = createRunbookHost(t, configOf(inside));
  const taken = here.run('takeover', [], off);
  t.is(taken.exitCode, 0, taken.said);
  const mount = `${host.directory}/a "b" $HOME \\`;
  const calls = here.ran();
  t.deepEqual(
    calls.filter(([tool]) => tool === 'mount'),
    [
      ['mount', '-w', '-t', 'ext4', '-o', 'noatime;id', "/dev/vg/it's `id`", mount],
      ['mount', '-w', '-t', 'ext4', '-o', 'defaults', '/dev/drbd1', `${mount}/-rf *`],
    ],
  );
  t.deepEqual(
    calls.find(([tool]) => tool === 'ip'),
    ['ip', 'address', 'add', '192.168.1.1/24', 'dev', "e$(id)';"],
  );
  const qemu = calls.find(([tool]) => tool === 'qemu-system-x86_64') ?? [];
  t.true(qemu.some((word) => word.startsWith("file=/srv/$(id) 'x',,y.raw,")));
  t.true(qemu.some((word) => word.includes('path=/srv/`id`')));
});

test('the command writes it, mode 0700, asks no daemon, and says what is wrong', async (t) => {
  const directory = temporaryDirectory(t);
  const config = join(directory, 'battito.yaml');
  writeFileSync(config, readFileSync(join(import.meta.dirname, '../../config/battito.yaml'), 'utf8'));
  const battito = (...words: string[]) =>
    run(['runbook', '--config', config, '--node', 'secondary', '--state-dir', directory, ...words]);
  const shown = await battito();
  t.is(shown.exitCode, 0, shown.stderr);
  t.regex(shown.stdout, /^#!\/bin\/sh\n/);
  t.regex(shown.stdout, /# TAKEOVER by hand, cluster office, for secondary only\./);
  const file = join(directory, 'take over.sh');
  const written = await battito('takeover', '--output', file);
  t.is(written.exitCode, 0, written.stderr);
  t.true(written.stdout.includes(`next: sh '${file}' --dry-run`));
  t.is(readFileSync(file, 'utf8'), shown.stdout);
  t.is(statSync(file).mode & 0o777, 0o700);
  const json = JSON.parse((await battito('return', '--json')).stdout) as { kind: string; script: string };
  t.is(json.kind, 'return');
  t.regex(json.script, /RETURN by hand/);

  const wrong = await battito('take');
  t.is(wrong.exitCode, exitCodes.usage);
  t.regex(wrong.stderr, /there is no runbook "take"; there are: takeover, standby, return/);
  const folder = await battito('--output', directory);
  t.is(folder.exitCode, exitCodes.failed);
  t.regex(folder.stderr, /cannot be written to .*: it is not a file\nnext: /);
  const device = await battito('--output', '/dev/null');
  t.is(device.exitCode, exitCodes.failed);
  t.true(statSync('/dev/null').isCharacterDevice());
  const stranger = await run(['runbook', '--config', config, '--node', 'third']);
  t.is(stranger.exitCode, exitCodes.config);
  const none = await run(['runbook', '--config', join(directory, 'none.yaml')]);
  t.is(none.exitCode, exitCodes.config);
});
