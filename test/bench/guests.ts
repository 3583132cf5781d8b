// Many guests of a lost host: from the verdict to the last of them running on the survivor, as many at once as the daemon
// starts by itself and one after the other, and, on a host that has nothing else to do, one `virsh start` after the other.
// Each host has a libvirtd and processes of its own.

import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type HostName, hostNames } from '../netns/support/hosts.ts';
import { ownPlaces, qemuConf } from '../netns/support/libvirt-places.ts';
import { commandLine, Office, type OfficeOptions } from '../netns/support/office.ts';
import type { HostProcess } from '../netns/support/processes.ts';
import { monotonicMs, waitFor } from '../support.ts';
import type { Progress } from './failover.ts';
import { type Figure, figure, type Section } from './figures.ts';
import { notesIn, waitForNote } from './records.ts';

export const guestsDefault: readonly number[] = [1, 10, 50];

const namesOf = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `guest${String(index + 1).padStart(2, '0')}`);
/** Many emulators on a machine that does other things as well. */
const patience = { timeoutMs: 600_000, intervalMs: 250 };

const libvirtdConf = 'auth_unix_ro = "none"\nauth_unix_rw = "none"\n';

/** A host of its own: libvirt's places and /proc show nothing of the others. What it adopts is reaped by the shell. */
const hostScript = `${ownPlaces}libvirtd -f "$1/libvirtd.conf" &
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

const groupsText = (names: readonly string[]) => `  office:
    preferred: primary
    addresses: [192.168.1.1/24 dev eth0]
    guests: [${names.join(', ')}]
`;

interface Stage {
  readonly office: Office;
  /** With the configuration of libvirt. */
  readonly conf: string;
  readonly names: readonly string[];
}

export async function measureGuests(counts: readonly number[], progress: Progress): Promise<Section> {
  const figures: Figure[] = [];
  for (const count of counts) figures.push(...(await measureCount(count, progress)));
  return { id: 'guests', title: 'Guests of libvirt, verdict to the last one running', figures };
}

async function measureCount(count: number, progress: Progress): Promise<readonly Figure[]> {
  const names = namesOf(count);
  progress(`${count} guests, as many at once as the daemon starts by itself`);
  const ours = await onStage(names, {}, takeOver);
  progress(`${count} guests, one after the other`);
  const sequentially = await onStage(names, { start: '{ parallel: 1 }' }, takeOver);
  progress(`${count} guests, virsh start in a loop`);
  const loop = await onStage(names, {}, startInLoop);
  const word = count === 1 ? 'guest' : 'guests';
  return [
    figure(`takeover-${count}-ms`, `${count} ${word}, taken over`, 'ms', [ours], {
      remark: 'with their definitions, which libvirt there did not have',
    }),
    figure(`sequential-${count}-ms`, '  taken over, one after the other', 'ms', [sequentially]),
    figure(`loop-${count}-ms`, '  virsh start in a loop, already defined', 'ms', [loop]),
    figure(`sequential-ratio-${count}`, '  ours as a multiple of one after the other', 'x', [
      ours / sequentially,
    ]),
    figure(`loop-ratio-${count}`, '  ours as a multiple of the loop', 'x', [ours / loop]),
  ];
}

async function onStage(
  names: readonly string[],
  options: OfficeOptions,
  measure: (stage: Stage) => Promise<number>,
): Promise<number> {
  const office = await Office.open({ ...options, idle: true, groups: groupsText(names) });
  try {
    const conf = join(office.network.root, 'libvirt');
    await mkdir(conf);
    await writeFile(join(conf, 'qemu.conf'), qemuConf);
    await writeFile(join(conf, 'libvirtd.conf'), libvirtdConf);
    return await measure({ office, conf, names });
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

/** Milliseconds from the verdict to the last guest that runs. */
async function takeOver(stage: Stage): Promise<number> {
  const { office, names } = stage;
  const active = await startHost(stage, 'primary', { isMember: true });
  await startHost(stage, 'secondary', { isMember: true });
  await define(stage, 'primary', active);
  await waitFor('all guests run, and the other node has their definitions', () => isReady(stage), patience);
  await office.network.powerLoss('primary');
  const decidedMs = (await waitForNote(office, 'secondary', 'take-over', 0)).monotonicMs;
  const lastMs = await waitFor(
    'every guest is up',
    async () => {
      const notes = await notesIn(office, 'secondary', { fromMs: decidedMs });
      const starts = notes.filter(
        ({ code, message }) => code === 'operation-done' && /^start guest:/.test(message),
      );
      return starts.length >= names.length && Math.max(...starts.map((note) => note.monotonicMs));
    },
    patience,
  );
  return lastMs - decidedMs;
}

/** Milliseconds of the loop, on a host with libvirt alone that knows the guests. */
async function startInLoop(stage: Stage): Promise<number> {
  const alone = await startHost(stage, 'secondary', { isMember: false });
  await define(stage, 'secondary', alone);
  const fromMs = monotonicMs();
  const loop = `for name in ${stage.names.join(' ')}; do virsh -q -c qemu:///system start $name || exit 1; done`;
  await onHost(stage.office, 'secondary', alone, ['sh', '-c', loop]);
  return monotonicMs() - fromMs;
}

/** `isMember`: a daemon of Battito runs on it too. */
async function startHost(
  { office, conf }: Stage,
  host: HostName,
  { isMember }: { readonly isMember: boolean },
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

async function define({ office, conf, names }: Stage, host: HostName, on: HostProcess): Promise<void> {
  for (const name of names) {
    const file = join(conf, `${name}.xml`);
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

async function isReady({ office, names }: Stage): Promise<boolean> {
  const [active, standby] = [await office.status('primary'), await office.status('secondary')];
  const guests = (active.groups[0]?.resources ?? []).filter(({ kind }) => kind === 'guest');
  if (guests.length < names.length || guests.some(({ status }) => status !== 'up')) {
    throw new Error(
      guests.map(({ id, status, lastError }) => `${id} ${status} ${lastError ?? ''}`).join('; '),
    );
  }
  const { stdout } = await office.battito('secondary', 'guests');
  const stored = names.filter((name) => new RegExp(`^${name} .*stored`, 'm').test(stdout));
  if (stored.length < names.length) throw new Error(`${stored.length} definitions are stored`);
  return standby.groups[0]?.phase === 'stopped' && standby.verdict.kind === 'alive';
}
