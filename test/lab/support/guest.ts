// A guest inside a node, run by the node's own libvirt: the counting guest of test/guest, whose count is on its disk.
// It counts nine times a second, so that the guest that came back is told from one that began again.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { buildCounterDisk, type CounterTraits } from '../../guest/build.ts';
import type { LabNode } from './node.ts';

export interface GuestOptions {
  readonly name?: string;
  /** A block device or a raw file inside the node, e.g. `/dev/drbd0`. */
  readonly disk: string;
  /** Where the guest's console goes, inside the node. */
  readonly console?: string;
  /** Who connects to it is shown the console as well, on whichever node the guest runs. */
  readonly consolePort?: number;
}

const defaultName = 'counter';
const sectorBytes = 512;
const startTimeoutMs = 300_000;

export const guestConsole = (name = defaultName) => `/var/log/libvirt/qemu/${name}.console`;

/** A guest's definition for libvirt. Emulated, since a node has no hardware for it; a PC that the counter knows. */
export function guestXml({
  name = defaultName,
  disk,
  console = guestConsole(name),
  consolePort,
}: GuestOptions): string {
  const [type, source] = disk.startsWith('/dev/') ? ['block', 'dev'] : ['file', 'file'];
  const serial =
    consolePort === undefined
      ? `<serial type='file'><source path='${console}' append='on'/><target port='0'/></serial>`
      : `<serial type='tcp'><source mode='bind' host='0.0.0.0' service='${consolePort}'/><protocol type='raw'/>` +
        `<log file='${console}' append='on'/><target port='0'/></serial>`;
  return `<domain type='qemu'>
  <name>${name}</name>
  <memory unit='MiB'>32</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features><acpi/></features>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='${type}' device='disk'>
      <driver name='qemu' type='raw' cache='none'/>
      <source ${source}='${disk}'/>
      <target dev='hda' bus='ide'/>
    </disk>
    <controller type='usb' model='none'/>
    ${serial}
    <memballoon model='none'/>
  </devices>
</domain>
`;
}

/** Writes the counting guest, at 0, onto a disk inside the node. Several of them are to count more slowly. */
export async function writeGuestDisk(node: LabNode, disk: string, traits: CounterTraits = {}): Promise<void> {
  const file = join(node.machine.places.runFolder, `counter-${process.pid}-${node.name}.img`);
  try {
    await buildCounterDisk({ ...traits, file, format: 'raw' });
    const inside = '/root/counter.img';
    await node.copyTo(file, inside);
    await node.run(`dd if=${inside} of=${disk} bs=64k conv=notrunc,fsync status=none && rm ${inside}`);
  } finally {
    await rm(file, { force: true });
  }
}

/** Makes the guest known to the node's libvirt; it is not started. */
export async function defineGuest(node: LabNode, options: GuestOptions): Promise<void> {
  await node.run('virsh --quiet define /dev/stdin', { input: guestXml(options), timeoutMs: startTimeoutMs });
}

export async function startGuest(node: LabNode, name = defaultName): Promise<void> {
  await node.run(`virsh --quiet start --force-boot ${name}`, { timeoutMs: startTimeoutMs });
}

/** The count on the disk: what a guest that starts there goes on from. */
export async function countOnDisk(node: LabNode, disk: string): Promise<number> {
  const text = await node.run(
    `dd if=${disk} iflag=direct bs=${sectorBytes} skip=1 count=1 status=none | od -An -N8 -tu4`,
  );
  return Number(text.trim().split(/\s+/)[1]);
}

/** What the guest has shown on this node, line by line. */
export async function guestLines(node: LabNode, name = defaultName): Promise<readonly string[]> {
  const text = await node.run(`cat ${guestConsole(name)} 2>/dev/null || true`);
  return text.split('\r\n').slice(0, -1);
}

/** Waits until the guest has counted up to at least this far on this node; returns the line that it began with. */
export async function guestCounts(node: LabNode, atLeast: number, name = defaultName): Promise<string> {
  const lines = await node.until(
    `${name} has counted to ${atLeast}`,
    `cat ${guestConsole(name)}`,
    (text) => {
      const seen = text.split('\r\n').slice(0, -1);
      const reached = seen.some((line) => Number(/^count (\d+)$/.exec(line)?.[1] ?? -1) >= atLeast);
      return reached ? seen : undefined;
    },
    { timeoutMs: startTimeoutMs, intervalMs: 500 },
  );
  return lines.findLast((line) => line.startsWith('start ')) ?? '';
}
