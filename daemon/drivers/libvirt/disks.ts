// Finds out where the disks of a domain really are: volumes of pools, chains of images, links.
// Guarantees: only looks; what cannot be found out is said for that disk, and never keeps the others from being judged.

import { readFile } from 'node:fs/promises';
import { shellQuote } from '../shell.ts';
import {
  type Belonging,
  type DiskFacts,
  type DiskPath,
  type DomainFacts,
  type GroupStorage,
  judgeBelonging,
} from './belonging.ts';
import type { Libvirt } from './connection.ts';
import { backingChain } from './disk-chain.ts';
import type { DiskSource, DomainDefinition, DomainDisk } from './domain.ts';
import { isBlockDevice, resolved } from './real-path.ts';

/** Rejects only when `signal` aborts. */
export async function findBelonging(
  domain: DomainDefinition,
  storage: GroupStorage,
  means: { readonly libvirt: Libvirt; readonly signal?: AbortSignal },
): Promise<Belonging> {
  return judgeBelonging(domain, await gatherFacts(domain, storage, means));
}

/** Rejects only when `signal` aborts. */
export async function gatherFacts(
  domain: DomainDefinition,
  storage: GroupStorage,
  means: { readonly libvirt: Libvirt; readonly signal?: AbortSignal },
): Promise<DomainFacts> {
  const disks: DiskFacts[] = [];
  for (const disk of domain.disks) {
    means.signal?.throwIfAborted();
    disks.push(await gatherDisk(disk, means));
  }
  const named = [
    domain.nvram ?? [],
    domain.tpm?.stateDirectory ?? [],
    domain.shares,
    domain.bootFiles,
  ].flat();
  const reals = Object.fromEntries(await Promise.all(named.map(async (one) => [one, await resolved(one)])));
  return {
    disks,
    reals,
    mountPoints: await readMountPoints(),
    storage: {
      devices: await Promise.all(storage.devices.map(resolved)),
      mounts: await Promise.all(storage.mounts.map(resolved)),
    },
  };
}

/** Where one disk is, and what it stands on. Rejects only when `signal` aborts. */
export async function gatherDisk(
  disk: DomainDisk,
  means: { readonly libvirt: Libvirt; readonly signal?: AbortSignal },
): Promise<DiskFacts> {
  const place = await placeOf(disk.source, means);
  if (place === undefined) return { disk, paths: [], problem: null };
  if ('problem' in place) return { disk, paths: [], problem: place.problem };
  const image: DiskPath = { ...place, real: await resolved(place.path), role: 'image' };
  if (place.kind === 'directory') return { disk, paths: [image], problem: null };
  const { paths, problem } = await backingChain(disk, image, means.signal);
  return { disk, paths: [image, ...paths], problem };
}

type Place = { readonly path: string; readonly kind: DiskPath['kind'] } | { readonly problem: string };

/** Undefined: nothing is in the drive. */
async function placeOf(
  source: DiskSource,
  { libvirt, signal }: { readonly libvirt: Libvirt; readonly signal?: AbortSignal },
): Promise<Place | undefined> {
  switch (source.kind) {
    case 'empty':
      return undefined;
    case 'file':
    case 'block':
    case 'directory':
      return { path: source.path, kind: source.kind };
    case 'volume': {
      const { pool, volume } = source;
      const args = ['vol-path', `--pool=${pool}`, `--vol=${volume}`];
      const answer = await libvirt.look(args, signal === undefined ? {} : { signal });
      signal?.throwIfAborted();
      if (answer.kind === 'failed') {
        const problem = `where volume ${volume} of pool ${pool} lies cannot be told: ${answer.message}`;
        return { problem: `${problem}; is the pool active? virsh pool-start ${shellQuote(pool)}` };
      }
      const found = answer.stdout.trim();
      if (!found.startsWith('/')) {
        return { problem: `volume ${volume} of pool ${pool} is no file or device of this host: ${found}` };
      }
      return { path: found, kind: (await isBlockDevice(found)) ? 'block' : 'file' };
    }
    case 'network':
      return {
        problem: `it is a network disk (${source.protocol}:${source.name}), which is not on the group's storage`,
      };
    case 'other':
      return { problem: `it is a disk of type ${source.type}, which cannot be on the group's storage` };
  }
}

/** The fifth field of mountinfo (proc_pid_mountinfo(5)), in which blanks and the like are octal. */
async function readMountPoints(): Promise<readonly string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const field = line.split(' ')[4];
    if (field === undefined) return [];
    return [
      field.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    ];
  });
}
