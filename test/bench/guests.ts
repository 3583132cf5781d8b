// Twenty guests of a lost host: from the verdict to the last of them running on the survivor, and, on a host that has
// nothing else to do, one `virsh start` after the other. Each host has a libvirtd and processes of its own.

import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type HostName, hostNames } from '../netns/support/hosts.ts';
import { commandLine, Office } from '../netns/support/office.ts';
import type { HostProcess } from '../netns/support/processes.ts';
import { monotonicMs, waitFor } from '../support.ts';
import type { Progress } from './failover.ts';
import { figure, type Section } from './figures.ts';
import { notesIn, waitForNote } from './records.ts';

const guestsMax = 20;
const names = Array.from({ length: guestsMax }, (_, index) => `guest${String(index + 1).padStart(2, '0')}`);
/** Twenty emulators on a machine that does other things as well. */
const patience = { timeoutMs: 300_000, intervalMs: 250 };

/** As root, without the parts that need an init system, a security module or cgroups. */
const qemuConf = `security_driver = "none"
user = "root"
group = "root"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
remember_owner = 0
`;
const libvirtdConf = 'auth_unix_ro = "none"\nauth_unix_rw = "none"\n';

/** A host of its own: libvirt's places and /proc show nothing of the others. What it adopts is reaped by the shell. */
const hostScript = `set -e
mount -t tmpfs none /run
for place in /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt; do
  mkdir -p "$place" && mount -t tmpfs none "$place"
done
cp "$1/qemu.conf" /etc/libvirt/
libvirtd -f "$1/libvirtd.conf" &
until virsh -q -c qemu:///system domcapabilities >/dev/null 2>&1; do sleep 0.2; done
shift
if [ $# -gt 0 ]; then "$@" & fi
wait
`;

/** The least that libvirt starts: no disk, so that it waits in its BIOS. */
const xmlOf = (name: string) => `<domain type='qemu'>
  <name>${name}</name>
  <uuid>${randomUUID()}</uuid>
  <memory unit='MiB'>16</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator><memballoon model='none'/></devices>
</domain>
`;

const groupsText = `  office:
    preferred: primary
    addresses: [192.168.1.1/24 dev eth0]
    guests: [${names.join(', ')}]
`;

export async function measureGuests(progress: Progress): Promise<Section> {
  const office = await Office.open({ idle: true, groups: groupsText });
  try {
    return await measure(office, progress);
  } catch (error) {
    for (const host of hostNames) {
      const lines = (await office.log(host)).trim().split('\n').slice(-10);
      process.stderr.write(`${host}:\n${lines.join('\n')}\n`);
    }
    throw error;
  } finally {
    await office.close();
  }
}

async function measure(office: Office, progress: Progress): Promise<Section> {
  const conf = join(office.network.root, 'libvirt');
  await mkdir(conf);
  await writeFile(join(conf, 'qemu.conf'), qemuConf);
  await writeFile(join(conf, 'libvirtd.conf'), libvirtdConf);
  progress(`${guestsMax} guests on one host`);
  const started = new Map<HostName, HostProcess>();
  for (const host of hostNames) started.set(host, await startHost(office, host, { conf, isMember: true }));
  await define(office, 'primary', started.get('primary'));
  await waitFor('all guests run, and the other node has their definitions', () => isReady(office), patience);

  progress('takeover');
  await office.network.powerLoss('primary');
  const decidedMs = (await waitForNote(office, 'secondary', 'take-over', 0)).monotonicMs;
  const runningMs = await waitFor(
    'every guest is up',
    async () => {
      const notes = await notesIn(office, 'secondary', { fromMs: decidedMs });
      const starts = notes.filter(
        ({ code, message }) => code === 'operation-done' && /^start guest:/.test(message),
      );
      return starts.length >= guestsMax && Math.max(...starts.map((note) => note.monotonicMs));
    },
    patience,
  );
  await office.network.powerLoss('secondary');

  progress('one virsh start after the other');
  const alone = await startHost(office, 'secondary', { conf, isMember: false });
  await define(office, 'secondary', alone);
  const fromMs = monotonicMs();
  const loop = `for name in ${names.join(' ')}; do virsh -q -c qemu:///system start $name || exit 1; done`;
  await onHost(office, 'secondary', alone, ['sh', '-c', loop]);
  const loopMs = monotonicMs() - fromMs;
  return {
    id: 'guests',
    title: `${guestsMax} guests of libvirt`,
    figures: [
      figure('takeover-ms', 'verdict to the last one running', 'ms', [runningMs - decidedMs], {
        remark: 'with their definitions, which libvirt there did not have',
      }),
      figure('loop-ms', 'one virsh start after the other', 'ms', [loopMs]),
      figure('ratio', '  ours as a multiple of it', 'x', [(runningMs - decidedMs) / loopMs]),
    ],
  };
}

/** `isMember`: a daemon of Battito runs on it too. */
async function startHost(
  office: Office,
  host: HostName,
  { conf, isMember }: { readonly conf: string; readonly isMember: boolean },
): Promise<HostProcess> {
  const daemon = isMember ? [commandLine, ...office.arguments(host), 'daemon'] : [];
  const logFile = join(office.network.hosts[host].logsDir, 'daemon.log');
  const inner = ['sh', '-c', hostScript, 'sh', conf, ...daemon];
  const started = office.network.spawnOn(
    host,
    ['unshare', '--mount', '--pid', '--fork', '--mount-proc', ...inner],
    { logFile },
  );
  const isThere = isMember
    ? async () => (await office.status(host)).groups.length > 0
    : () => onHost(office, host, started, ['virsh', '-q', '-c', 'qemu:///system', 'uri']);
  await waitFor(`${host} answers`, isThere, patience);
  return started;
}

async function define(office: Office, host: HostName, on: HostProcess | undefined): Promise<void> {
  if (on === undefined) throw new Error(`${host} was not started`);
  for (const name of names) {
    const file = join(office.network.root, 'libvirt', `${name}.xml`);
    await writeFile(file, xmlOf(name));
    await onHost(office, host, on, ['virsh', '-q', '-c', 'qemu:///system', 'define', file]);
  }
}

async function onHost(office: Office, host: HostName, on: HostProcess, argv: readonly string[]) {
  const all = ['nsenter', `--target=${on.pid}`, '--mount', ...argv];
  const { exitCode, stderr } = await office.network.run(host, all, { timeoutMs: patience.timeoutMs });
  if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr.trim()}`);
  return true;
}

async function isReady(office: Office): Promise<boolean> {
  const [active, standby] = [await office.status('primary'), await office.status('secondary')];
  const guests = (active.groups[0]?.resources ?? []).filter(({ kind }) => kind === 'guest');
  if (guests.length < guestsMax || guests.some(({ status }) => status !== 'up')) {
    throw new Error(
      guests.map(({ id, status, lastError }) => `${id} ${status} ${lastError ?? ''}`).join('; '),
    );
  }
  const { stdout } = await office.battito('secondary', 'guests');
  const stored = names.filter((name) => new RegExp(`^${name} .*stored`, 'm').test(stdout));
  if (stored.length < guestsMax) throw new Error(`${stored.length} definitions are stored`);
  return standby.groups[0]?.phase === 'stopped' && standby.verdict.kind === 'alive';
}
