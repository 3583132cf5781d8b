// What the libvirt driver's tests share: a libvirtd of their own, with nothing of the host's, and a counting guest.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { LibvirtGuestConfig } from '../../../daemon/config/config.ts';
import type { BasicAction, Outcome, ResourceStatus } from '../../../daemon/drivers/driver.ts';
import { scanGuestProcesses } from '../../../daemon/drivers/guest-process.ts';
import { createLibvirt } from '../../../daemon/drivers/libvirt/connection.ts';
import { createLibvirtDriver, type DefinitionSource } from '../../../daemon/drivers/libvirt/libvirt.ts';
import type { Passage } from '../../../daemon/drivers/libvirt/migrate.ts';
import { buildCounterDisk } from '../../guest/build.ts';
import { plainDomain } from '../../guest/configs.ts';
import { makeTemporaryDirectory, temporaryDirectory } from '../../support.ts';
import { ownPlaces, qemuConf } from './libvirt-places.ts';
import {
  deleteNamespaces,
  ipBatch,
  killAllIn,
  newPrefix,
  presentNamespaces,
  removeLeftovers,
} from './namespaces.ts';
import { done, patienceMs, until } from './qemu-host.ts';

const uuid = '7c5cea09-6ec0-4fac-92e5-92bbe48a3436';

/** Its own mounts hide the host's libvirt from it; its own network keeps it from the host's bridges and filters. */
const startScript = `${ownPlaces}mkdir -p /var/cache/libvirt/qemu/capabilities
mount --bind "$2" /var/cache/libvirt/qemu/capabilities
exec libvirtd -f "$1/libvirtd.conf" -p "$1/libvirtd.pid"
`;

let cache: string | undefined;

/** What libvirtd has found out of QEMU, by starting it, is kept for the next one of this test file, as on any host. */
function capabilitiesCache(): string {
  if (cache !== undefined) return cache;
  const made = makeTemporaryDirectory();
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  cache = made;
  return made;
}

interface DaemonOptions {
  readonly definitions?: DefinitionSource;
  readonly reconcileMs?: number;
  readonly passage?: Passage;
  /** False: it must not look for the guest's process, since another host's has the same name. */
  readonly local?: boolean;
}

/** Whatever runs at the end of the test is ended, and the files are deleted. `twin`: another host of the same guest. */
export async function createLibvirtHost(
  t: ExecutionContext,
  changes: Partial<LibvirtGuestConfig> = {},
  twin?: { readonly directory: string; readonly config: LibvirtGuestConfig; readonly xml: string },
) {
  const directory = temporaryDirectory(t);
  const namespace = `${newPrefix()}-libvirt`;
  const socketDirectory = path.join(directory, 'sockets');
  const serial = path.join(twin?.directory ?? directory, 'serial.txt');
  const saveDirectory = path.join(directory, 'saved');
  const disk =
    twin === undefined
      ? (await buildCounterDisk({ file: path.join(directory, 'disk.raw') })).file
      : path.join(twin.directory, 'disk.raw');
  const uri = `qemu+unix:///system?socket=${socketDirectory}/libvirt-sock`;
  const name = twin?.config.name ?? `mail-${path.basename(directory).slice(-6)}`;
  const config: LibvirtGuestConfig = {
    ...plainDomain,
    name,
    agentTimeoutMs: 1000,
    shutdownTimeoutMs: 30_000,
    ...changes,
  };
  const identity = {
    pidFile: '/none',
    matches: (argv: readonly string[]) => argv.join(' ').includes(`guest=${name},`),
  };
  const closers: (() => Promise<void>)[] = [];
  let daemon: ChildProcess | undefined;

  async function startLibvirtd(): Promise<void> {
    const log = path.join(directory, 'libvirtd.out');
    const inNamespaces = [`--net=/run/netns/${namespace}`, 'unshare', '--mount'];
    daemon = spawn(
      'nsenter',
      [...inNamespaces, 'sh', '-c', startScript, 'sh', directory, capabilitiesCache()],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    for (const stream of [daemon.stdout, daemon.stderr]) {
      stream?.on('data', (chunk: Buffer) => appendFileSync(log, chunk));
    }
    await until('libvirtd answers', () => {
      if (daemon?.exitCode !== null)
        throw new Error(`libvirtd ended: ${path.join(directory, 'libvirtd.log')}`);
      try {
        virsh('uri');
        return true;
      } catch {
        return false;
      }
    });
  }
  const signalLibvirtd = (signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL') => daemon?.kill(signal);
  async function killLibvirtd(): Promise<void> {
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const gone = once(daemon, 'exit');
    daemon.kill('SIGKILL');
    await gone;
  }
  function virsh(...args: readonly string[]): string {
    return execFileSync('virsh', ['-q', '-c', uri, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: patienceMs,
      env: { ...process.env, LC_ALL: 'C' },
    }).trim();
  }

  t.teardown(async () => {
    for (const close of closers) await close();
    // libvirtd, its guests, and the QEMUs that it asks for their capabilities: all of them are daemons by themselves.
    const made = presentNamespaces([namespace]);
    await killAllIn(made);
    await deleteNamespaces(made);
  });
  removeLeftovers();
  await ipBatch(undefined, [`netns add ${namespace}`]);
  await Promise.all([mkdir(socketDirectory), mkdir(saveDirectory)]);
  await writeFile(path.join(directory, 'qemu.conf'), qemuConf);
  await writeFile(
    path.join(directory, 'libvirtd.conf'),
    [
      `unix_sock_dir = "${socketDirectory}"`,
      'auth_unix_ro = "none"',
      'auth_unix_rw = "none"',
      `host_uuid = "${randomUUID()}"`, // Of one host, nothing could be moved between them.
      `log_outputs = "3:file:${directory}/libvirtd.log"`,
      '',
    ].join('\n'),
  );
  await startLibvirtd();

  const xml = twin?.xml ?? definition({ name, disk, serial });
  function define(text = xml): void {
    const file = path.join(directory, 'domain.xml');
    execFileSync('tee', [file], { input: text, stdio: ['pipe', 'ignore', 'inherit'] });
    virsh('define', file);
  }

  /** What a daemon has: a connection, a driver, and the statuses that it was told. */
  function createDaemon(more: DaemonOptions = {}) {
    const statuses: ResourceStatus['kind'][] = [];
    const logger = pino({ level: 'silent' });
    const libvirt = { ...createLibvirt({ uri, logger }), ...(more.local === false && { local: false }) };
    const driver = createLibvirtDriver(config, {
      group: 'office',
      libvirt,
      runDir: path.join(directory, 'run'),
      saveDirectory,
      logger,
      onStatus: ({ kind }) => statuses.push(kind),
      reconcileMs: 500,
      ...more,
    });
    closers.push(async () => {
      await driver.close();
      await libvirt.close();
    });
    const perform = (action: BasicAction): Promise<Outcome> =>
      driver.perform(action, AbortSignal.timeout(patienceMs));
    const observe = () => driver.observe(AbortSignal.timeout(patienceMs));
    const save = () => driver.save(AbortSignal.timeout(patienceMs));
    return { ...driver, performUntil: driver.perform, libvirt, perform, observe, save, statuses };
  }

  /** What the guest has shown; a line that is not complete yet is left out. */
  const lines = async () => (await readFile(serial, 'utf8').catch(() => '')).split('\r\n').slice(0, -1);
  const pids = async () => (await scanGuestProcesses(identity)).map(({ pid }) => pid);
  return {
    config,
    directory,
    saveDirectory,
    uri,
    xml,
    disk: { file: disk },
    virsh,
    define,
    createDaemon,
    startLibvirtd,
    signalLibvirtd,
    killLibvirtd,
    libvirtdPid: () => daemon?.pid ?? 0,
    lines,
    pids,
  };
}

export type LibvirtHost = Awaited<ReturnType<typeof createLibvirtHost>>;

/** Waits until the guest has shown this many more counts. */
export async function countsOn(host: LibvirtHost, more = 2): Promise<void> {
  const counts = async () => (await host.lines()).filter((line) => line.startsWith('count ')).length;
  const before = await counts();
  await until(`${more} more counts`, async () => (await counts()) >= before + more);
}

/** A host with a daemon that has started the guest, and the guest counts. */
export async function createRunningGuest(
  t: ExecutionContext,
  changes: Partial<LibvirtGuestConfig> = {},
  options: DaemonOptions = {},
) {
  const host = await createLibvirtHost(t, changes);
  host.define();
  const daemon = host.createDaemon(options);
  t.deepEqual(await daemon.perform('start'), done);
  await countsOn(host);
  return { host, daemon };
}

/** A PC as the counting guest needs it. libvirt adds what else QEMU has to have. */
function definition(guest: {
  readonly name: string;
  readonly disk: string;
  readonly serial: string;
}): string {
  return `<domain type='qemu'>
  <name>${guest.name}</name>
  <uuid>${uuid.slice(0, -6)}${guest.name.slice(-6).replaceAll(/./g, (letter) => (letter.charCodeAt(0) % 16).toString(16))}</uuid>
  <memory unit='MiB'>32</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='none'/>
      <source file='${guest.disk}'/>
      <target dev='hda' bus='ide'/>
    </disk>
    <serial type='file'><source path='${guest.serial}' append='on'/><target port='0'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
`;
}
