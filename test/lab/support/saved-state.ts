// The state that both nodes have after a boot, kept beside the image: memory in a file, disks as layers to build on.
// Nodes boot once for an image and a QEMU; from then on every lab, and every test, goes on from here within seconds.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { output } from '../../netns/support/namespaces.ts';
import type { Accelerator } from './accelerator.ts';
import type { Image } from './image.ts';
import type { Lab } from './lab.ts';
import { machineTraits, saveMachine } from './machine.ts';
import { type Disk, diskFile, disks } from './places.ts';
import type { NodeName } from './plan.ts';
import { disconnect } from './remote.ts';

const blankSizes = { data: '256M', guest: '16M' } as const;

export interface SaveOptions {
  readonly tell: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** Where the state is, or would be, that this image's nodes have after a boot by this QEMU. */
export async function savedStateFolder(image: Image, accelerator: Accelerator): Promise<string> {
  const version = await output(['qemu-system-x86_64', '--version']);
  const processor =
    accelerator === 'kvm' ? readFileSync('/proc/cpuinfo', 'utf8').match(/^flags.*$/m)?.[0] : '';
  const key = JSON.stringify([version, processor, machineTraits({ image, accelerator }), blankSizes]);
  return join(image.folder, `booted-${createHash('sha256').update(key).digest('hex').slice(0, 12)}`);
}

export const stateFile = (folder: string, node: NodeName) => join(folder, `${node}.state`);

export async function makeSavedState(lab: Lab, { tell, signal }: SaveOptions): Promise<void> {
  tell(
    `booting both nodes for the first time (${lab.accelerator}); their state is kept, so this is done once`,
  );
  const { image } = lab;
  await lab.both(async (node) => {
    await makeDisks(lab, node.name, (disk) => (disk === 'root' ? [image.root, 'raw'] : blankSizes[disk]));
    await node.beginBoot();
    await raceAbort(node.booted(), signal);
    // What the first who asks would wait for: libvirt looks at its QEMU for seconds, DRBD's module is loaded.
    await node.run('modprobe drbd; virsh --quiet list --all; virsh --quiet capabilities >/dev/null; sync');
    await disconnect(node.machine);
  });
  tell('keeping their state');
  await keepState(lab, lab.savedState);
}

/** Both nodes go off; a lab can go on from here as often as it likes. `folder` is beside the state this one is built on. */
export async function keepState(lab: Lab, folder: string): Promise<void> {
  const { places } = lab;
  const scratch = join(places.folder, 'kept');
  await mkdir(scratch);
  await lab.both(async ({ machine, name }) => {
    await disconnect(machine);
    await saveMachine(machine, stateFile(scratch, name));
    for (const disk of disks) {
      await rename(diskFile(places.folder, name, disk), diskFile(scratch, name, disk));
    }
  });
  await rename(scratch, folder).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    await rm(scratch, { recursive: true, force: true }); // Another lab was faster; theirs is as good.
  });
}

async function raceAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    work.catch(() => {}); // It fails by itself when its node is taken away.
    signal.removeEventListener('abort', abort);
  }
}

type Backing = readonly [file: string, format: 'raw' | 'qcow2'];
type BlankSize = (typeof blankSizes)[keyof typeof blankSizes];

/** New disks for a node; its old ones are gone. */
export async function makeDisks(
  { places }: Lab,
  node: NodeName,
  content: (disk: Disk) => Backing | BlankSize,
): Promise<void> {
  for (const disk of disks) {
    const file = diskFile(places.folder, node, disk);
    const on = content(disk);
    await rm(file, { force: true });
    await output([
      ...['qemu-img', 'create', '-q', '-f', 'qcow2'],
      ...(typeof on === 'string' ? [file, on] : ['-b', on[0], '-F', on[1], file]),
    ]);
  }
}
