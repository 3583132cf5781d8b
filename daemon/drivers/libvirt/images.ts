// The memory images of a guest that was saved for a move: NAME.saving while it is written, NAME.saved when it is
// whole, NAME.restoring from the moment at which it may have run again; NAME.disks tells how its disks were left.
// Guarantees: an image is restored at most once; after the first try it is only ever deleted; and only while the image
// files of its disks are as they were, since a memory with another disk under it destroys what is on the disk. Of a
// block device that cannot be told.

import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Domain } from './look.ts';

export interface Images {
  readonly directory: string;
  readonly saving: string;
  readonly saved: string;
  readonly restoring: string;
  readonly disks: string;
}

/** How a disk's image file was left. */
interface DiskMark {
  readonly path: string;
  readonly size: string;
  readonly changedNs: string;
}

/** Null: images are not kept for this guest. */
export function savedImages(domain: Pick<Domain, 'config' | 'saveDirectory'>): Images | null {
  const directory = domain.saveDirectory;
  if (directory === null) return null;
  const file = (state: string) => path.join(directory, `${domain.config.name}.${state}`);
  return {
    directory,
    saving: file('saving'),
    saved: file('saved'),
    restoring: file('restoring'),
    disks: file('disks'),
  };
}

/** Marks the image as used, lastingly, before it is; its file, or undefined when there is none. */
export async function takeSaved(domain: Domain): Promise<string | undefined> {
  const images = savedImages(domain);
  if (images === null || !(await isThere(images.saved))) return undefined;
  const changed = await changedDisk(images);
  if (changed !== undefined) {
    domain.logger.warn(
      { disk: changed },
      'the saved memory is not used: a disk has changed since; the guest boots',
    );
    return undefined;
  }
  try {
    await rename(images.saved, images.restoring);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  await syncPath(images.directory);
  return images.restoring;
}

/** Makes a whole image the one that the next start restores. The guest is off. `disks`: files that it wrote to. */
export async function keepSaved(images: Images, disks: readonly string[]): Promise<void> {
  await writeFile(images.disks, `${JSON.stringify(await Promise.all(disks.map(markOf)))}\n`, { mode: 0o600 });
  await syncPath(images.disks);
  await syncPath(images.saving);
  await rename(images.saving, images.saved);
  await syncPath(images.directory);
}

/** Rejects when one is there and cannot be deleted: then the guest must not run, or it could be restored later. */
export async function dropImages(domain: Domain, why: string): Promise<void> {
  const images = savedImages(domain);
  if (images === null) return;
  let dropped = false;
  for (const file of [images.saved, images.restoring, images.saving, images.disks]) {
    try {
      await rm(file);
      dropped = true;
      domain.logger.info({ file }, `a memory image was deleted: ${why}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  if (dropped) await syncPath(images.directory);
}

/** Undefined: none has. Without a word about its disks an image is not trusted. */
async function changedDisk(images: Images): Promise<string | undefined> {
  try {
    const marks = JSON.parse(await readFile(images.disks, 'utf8')) as readonly DiskMark[];
    for (const mark of marks) {
      const now = await markOf(mark.path);
      if (now.size !== mark.size || now.changedNs !== mark.changedNs) return mark.path;
    }
    return undefined;
  } catch (error) {
    return String(error);
  }
}

async function markOf(file: string): Promise<DiskMark> {
  const { size, mtimeNs } = await stat(file, { bigint: true });
  return { path: file, size: String(size), changedNs: String(mtimeNs) };
}

async function isThere(file: string): Promise<boolean> {
  return await stat(file).then(
    () => true,
    () => false,
  );
}

/** libvirt writes the beginning of an image anew when the rest is whole (qemu_saveimage.h). */
export async function isWhole(file: string): Promise<boolean> {
  const wholeMagic = 'LibvirtQemudSave';
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(wholeMagic.length), 0, wholeMagic.length, 0);
    return buffer.subarray(0, bytesRead).toString('latin1') === wholeMagic;
  } catch {
    return false;
  } finally {
    await handle?.close();
  }
}

async function syncPath(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
