// The memory images of a guest that was saved for a move: NAME.saving while it is written, NAME.saved when it is
// whole, NAME.restoring from the moment at which it may have run again.
// Guarantees: an image is restored at most once; after the first try it is only ever deleted.

import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Domain } from './look.ts';

export interface Images {
  readonly directory: string;
  readonly saving: string;
  readonly saved: string;
  readonly restoring: string;
}

/** Null: images are not kept for this guest. */
export function savedImages(domain: Domain): Images | null {
  const directory = domain.saveDirectory;
  if (directory === null) return null;
  const file = (state: string) => path.join(directory, `${domain.config.name}.${state}`);
  return { directory, saving: file('saving'), saved: file('saved'), restoring: file('restoring') };
}

/** Marks the image as used, lastingly, before it is; its file, or undefined when there is none. */
export async function takeSaved(domain: Domain): Promise<string | undefined> {
  const images = savedImages(domain);
  if (images === null) return undefined;
  try {
    await rename(images.saved, images.restoring);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  await syncPath(images.directory);
  return images.restoring;
}

/** Makes a whole image the one that the next start restores. */
export async function keepSaved(images: Images): Promise<void> {
  await syncPath(images.saving);
  await rename(images.saving, images.saved);
  await syncPath(images.directory);
}

/** Rejects when one is there and cannot be deleted: then the guest must not run, or it could be restored later. */
export async function dropImages(domain: Domain, why: string): Promise<void> {
  const images = savedImages(domain);
  if (images === null) return;
  let dropped = false;
  for (const file of [images.saving, images.saved, images.restoring]) {
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
