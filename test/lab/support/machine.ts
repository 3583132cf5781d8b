// One node as a machine: a QEMU process with its disks, cards and console. Power, freezing, cards, saved states.
// Guarantees: nothing is signalled but the QEMU of this lab, told by its pid file and its command line.
// The process belongs to nobody's terminal, and outlives the command that started it.

import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describeFailure, runCommand } from '../../../daemon/drivers/command.ts';
import { connectQmp, type QmpClient, type QmpEvent } from '../../../daemon/drivers/qemu/qmp.ts';
import { BattitoError, exitCodes } from '../../../daemon/errors.ts';
import { signalProcess } from '../../netns/support/namespaces.ts';
import { waitFor } from '../../support.ts';
import { type Accelerator, acceleratorArguments } from './accelerator.ts';
import type { Image } from './image.ts';
import { processState } from './owner.ts';
import { cardId, diskFile, disks, type LabPlaces, pidFile, placesOf, qmpSocket } from './places.ts';
import {
  type Cable,
  cables,
  cardAddress,
  type NodeName,
  networks,
  nodeNames,
  nodePlans,
  tapName,
} from './plan.ts';
import { cutCables } from './wiring.ts';

/** Beside the daemon and libvirtd there is room for four guests, whose emulators have code as well; else a node thrashes. */
const memoryMiB = 1536;
const processors = 2;
const startTimeoutMs = 60_000;
const commandTimeoutMs = 30_000;
const transferTimeoutMs = 180_000;
const signalTimeoutMs = 20_000;

export interface Machine {
  readonly places: LabPlaces;
  readonly image: Image;
  readonly accelerator: Accelerator;
  readonly node: NodeName;
}

// ---- its process ----

/** The pid of the node's QEMU; undefined when it is off. One that is ending still holds its pid file and its disks. */
export function pidOf({ places, node }: Pick<Machine, 'places' | 'node'>): number | undefined {
  const file = pidFile(places, node);
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    // Of a process that is ending the command line goes first, and the files that it has open last.
    const isEnding =
      commandLine === '' && readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('qemu-system');
    const isOurs = isEnding || commandLine.split('\0').includes(file);
    const hasEnded = processState(pid) === 'Z' && readdirSync(`/proc/${pid}/task`).length <= 1;
    return isOurs && !hasEnded ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** The console of each time the node was switched on, the newest last. */
export function consoleFiles(places: LabPlaces, node: NodeName): readonly string[] {
  const number = (name: string) => Number(name.split('.')[2]);
  return readdirSync(places.folder)
    .filter((name) => name.startsWith(`${node}.console.`))
    .sort((a, b) => number(a) - number(b))
    .map((name) => join(places.folder, name));
}

/** For nodes that are off: what was on their consoles belongs to a former life. */
export async function forgetConsoles(places: LabPlaces): Promise<void> {
  for (const file of nodeNames.flatMap((node) => consoleFiles(places, node))) await rm(file);
}

/** SIGKILL: what only memory held is lost, as with the plug. Returns when the process is gone. */
export async function killMachine(machine: Machine): Promise<void> {
  const pid = pidOf(machine);
  if (pid === undefined) return;
  signalProcess(pid, 'SIGKILL');
  await waitFor(`${machine.node} is off`, () => pidOf(machine) === undefined, {
    timeoutMs: signalTimeoutMs,
    intervalMs: 5,
  });
}

/** SIGSTOP: nothing runs in the node, but its clock goes on, as with a host that hangs. Returns when it stands. */
export async function freezeMachine(machine: Machine): Promise<void> {
  const pid = runningPid(machine);
  signalProcess(pid, 'SIGSTOP');
  await waitFor(`${machine.node} stands still`, () => processState(pid) === 'T', {
    timeoutMs: signalTimeoutMs,
    intervalMs: 5,
  });
}

export function thawMachine(machine: Machine): void {
  signalProcess(runningPid(machine), 'SIGCONT');
}

export function isFrozen(machine: Machine): boolean {
  const pid = pidOf(machine);
  return pid !== undefined && processState(pid) === 'T';
}

function runningPid(machine: Machine): number {
  const pid = pidOf(machine);
  if (pid !== undefined) return pid;
  throw new BattitoError('lab-node-off', `${machine.node} is switched off`, {
    next: `Switch it on: ./scripts/lab power on ${machine.node}`,
  });
}

// ---- power ----

/** Switches the node on; it begins to boot, or goes on from a saved state. Cables that are cut stay cut. */
export async function startMachine(
  machine: Machine,
  savedState?: string,
): Promise<{ readonly consoleFile: string }> {
  const { places, node } = machine;
  if (pidOf(machine) !== undefined) {
    throw new BattitoError('lab-node-on', `${node} is switched on already`);
  }
  const consoleFile = join(places.folder, `${node}.console.${consoleFiles(places, node).length + 1}.log`);
  const incoming = savedState === undefined ? [] : ['-incoming', 'defer'];
  const argv = ['ip', 'netns', 'exec', places.namespace, ...qemuArguments(machine, consoleFile), ...incoming];
  const result = await runCommand(argv, { timeoutMs: startTimeoutMs });
  if (result.exitCode !== 0) {
    throw new BattitoError(
      'lab-qemu',
      `${node} could not be switched on: ${describeFailure(['qemu'], result)}`,
      {
        exitCode: exitCodes.unavailable,
      },
    );
  }
  if (savedState !== undefined) {
    await transfer(machine, 'migrate-incoming', `exec:cat ${shellQuoted(savedState)}`);
  }
  const cut = await cutCables(places, node);
  await withQmp(machine, async (call) => {
    for (const cable of cables) await call('set_link', linkArguments(cable, !cut.includes(cable)));
    await call('cont');
  });
  return { consoleFile };
}

/** The power button. The node decides what it does about it. */
export async function pressPowerButton(machine: Machine): Promise<void> {
  await withQmp(machine, (call) => call('system_powerdown'));
}

/** From now on a reset switches the node off, and it stays off: a host that does not come up again by itself. */
export async function stayOffAfterReset(machine: Machine): Promise<void> {
  await withQmp(machine, (call) => call('set-action', { reboot: 'shutdown' }));
}

/** The node stands still for good and its memory goes to a file; then it is off, its disks as they were. */
export async function saveMachine(machine: Machine, file: string): Promise<void> {
  await withQmp(machine, (call) => call('stop'));
  await transfer(machine, 'migrate', `exec:cat > ${shellQuoted(file)}`);
  await withQmp(machine, (call) => call('quit'));
  await waitFor(`${machine.node} is off`, () => pidOf(machine) === undefined, { intervalMs: 20 });
}

/** What of a machine's make a saved state depends on. */
export function machineTraits({ image, accelerator }: Pick<Machine, 'image' | 'accelerator'>): unknown {
  const places = placesOf('any');
  return qemuArguments({ places, image, accelerator, node: 'primary' }, 'console');
}

// ---- cards ----

/** What the node sees of a cable: carrier, or NO-CARRIER. A node that is off or frozen sees it later. */
export async function setCarrier(machine: Machine, cable: Cable, up: boolean): Promise<void> {
  if (pidOf(machine) === undefined || isFrozen(machine)) return;
  await withQmp(machine, (call) => call('set_link', linkArguments(cable, up)));
}

const linkArguments = (cable: Cable, up: boolean) => ({ name: cardId(cable), up });

// ---- QEMU ----

const machineType = 'q35';

const kernelOptions = (node: NodeName) =>
  [
    'root=/dev/vda rw console=ttyS0 net.ifnames=0',
    `systemd.hostname=${node} systemd.machine_id=${nodePlans[node].machineId}`,
    // What costs much under emulation and protects nothing here. A node that panics stays so, for its console.
    'mitigations=off no5lvl apparmor=0 audit=0',
    // Each character of the console costs; what went wrong is shown, and the rest is in the journal.
    'loglevel=5',
    // Colours and cut names are no use in a file.
    'systemd.log_color=0 SYSTEMD_COLORS=0',
  ].join(' ');

function qemuArguments(
  { places, image, accelerator, node }: Machine,
  consoleFile: string,
): readonly string[] {
  return [
    [
      'qemu-system-x86_64',
      '-name',
      `${places.name}-${node}`,
      '-daemonize',
      '-pidfile',
      pidFile(places, node),
    ],
    ['-S', '-nodefaults', '-no-user-config', '-display', 'none', '-machine', machineType],
    acceleratorArguments(accelerator),
    ['-smp', String(processors), '-m', String(memoryMiB)],
    ['-kernel', image.kernel, '-initrd', image.initrd, '-append', kernelOptions(node)],
    ['-chardev', `file,id=console,path=${comma(consoleFile)}`, '-serial', 'chardev:console'],
    ...(['command', 'watch'] as const).map((use) => [
      '-qmp',
      `unix:${comma(qmpSocket(places, node, use))},server=on,wait=off`,
    ]),
    // unsafe: what the node has flushed is with this machine's kernel, so SIGKILL does not lose it; what it has not
    // flushed may be lost, as in a disk's own cache.
    ...disks.flatMap((disk) => [
      [
        '-drive',
        `file=${comma(diskFile(places.folder, node, disk))},if=none,id=${disk},format=qcow2,cache=unsafe`,
      ],
      ['-device', `virtio-blk-pci,drive=${disk},serial=${disk}`],
    ]),
    ...networks.flatMap((network) => [
      ['-netdev', `tap,id=${network},ifname=${tapName(network, node)},script=no,downscript=no`],
      [
        '-device',
        `virtio-net-pci,netdev=${network},id=${cardId(network)},mac=${cardAddress(network, node)},romfile=`,
      ],
    ]),
    ['-device', 'virtio-rng-pci'],
  ].flat();
}

/** QEMU's own quoting of a value within an option. */
const comma = (value: string) => value.replaceAll(',', ',,');
const shellQuoted = (value: string) => `'${value.replaceAll("'", "'\\''")}'`;

type Call = (command: string, args?: Readonly<Record<string, unknown>>) => Promise<unknown>;

async function withQmp(
  machine: Machine,
  body: (call: Call, client: QmpClient) => Promise<unknown>,
  onEvent: (event: QmpEvent) => void = () => {},
): Promise<void> {
  runningPid(machine);
  const path = qmpSocket(machine.places, machine.node, 'command');
  const client = await connectQmp(path, { timeoutMs: commandTimeoutMs, onEvent });
  try {
    const call: Call = (command, args = {}) => client.execute(command, args, { timeoutMs: commandTimeoutMs });
    await body(call, client);
  } finally {
    client.close();
  }
}

/** Memory to or from a file, to its end. */
async function transfer(
  machine: Machine,
  command: 'migrate' | 'migrate-incoming',
  uri: string,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    reject(
      new BattitoError('lab-state', `${machine.node}: ${command} did not end within ${transferTimeoutMs} ms`),
    );
  }, transferTimeoutMs);
  promise.catch(() => {}); // The call itself may fail first.
  const onEvent = ({ name, data }: QmpEvent) => {
    if (name !== 'MIGRATION') return;
    const { status } = data;
    if (status === 'completed') resolve();
    if (status === 'failed')
      reject(new BattitoError('lab-state', `${machine.node}: ${command} failed (${uri})`));
  };
  try {
    await withQmp(
      machine,
      async (call) => {
        await call('migrate-set-capabilities', { capabilities: [{ capability: 'events', state: true }] });
        if (command === 'migrate') await call('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
        await call(command, { uri });
        await promise;
      },
      onEvent,
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves when the node's QEMU ends, however; used to stop waiting for a node that has died. */
export async function watchEnd(
  machine: Machine,
): Promise<{ readonly ended: Promise<void>; readonly close: () => void }> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const path = qmpSocket(machine.places, machine.node, 'watch');
  const client = await connectQmp(path, { timeoutMs: commandTimeoutMs, onClose: () => resolve() });
  return { ended: promise, close: () => client.close() };
}
