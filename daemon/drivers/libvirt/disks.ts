// Finds out where the disks of a domain really are: volumes of pools, chains of images, links.
// Guarantees: only looks; what cannot be found out is said for that disk, and never keeps the others from being judged.

import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { describeFailure, runCommand } from '../command.ts';
import {
  type Belonging,
  type DiskFacts,
  type DiskPath,
  type DomainFacts,
  type GroupStorage,
  judgeBelonging,
  nameOf,
} from './belonging.ts';
import type { Libvirt } from './connection.ts';
import type { DiskSource, DomainDefinition, DomainDisk } from './domain.ts';

const imageInfoTimeoutMs = 10_000;

/** Rejects only when `signal` aborts. */
export async function findBelonging(
  domain: DomainDefinition,
  storage: GroupStorage,
  means: { readonly libvirt: Libvirt; readonly signal?: AbortSignal },
): Promise<Belonging> {
  return judgeBelonging(domain, await gatherFacts(domain, storage, means));
}

async function gatherFacts(
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

async function gatherDisk(
  disk: DomainDisk,
  means: { readonly libvirt: Libvirt; readonly signal?: AbortSignal },
): Promise<DiskFacts> {
  const place = await placeOf(disk.source, means);
  if (place === undefined) return { disk, paths: [], problem: null };
  if ('problem' in place) return { disk, paths: [], problem: place.problem };
  const image: DiskPath = { ...place, real: await resolved(place.path), role: 'image' };
  if (place.kind === 'directory') return { disk, paths: [image], problem: null };
  const chain = await backingChain(disk, image, means);
  if ('problem' in chain) return { disk, paths: [image], problem: chain.problem };
  return { disk, paths: [image, ...chain.paths], problem: null };
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
        return { problem: `${problem}; is the pool active? virsh pool-start ${pool}` };
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

type Chain = { readonly paths: readonly DiskPath[] } | { readonly problem: string };

/** By the image itself where it is there, else by what the definition says. Raw ones have none. */
async function backingChain(
  disk: DomainDisk,
  image: DiskPath,
  { signal }: { readonly signal?: AbortSignal },
): Promise<Chain> {
  if (disk.format === 'raw') return { paths: [] };
  if (!(await isThere(image.real))) {
    const named = disk.backing.flatMap(({ source }) => ('path' in source ? [source] : []));
    const away = disk.backing.find(({ source }) => !('path' in source));
    if (away !== undefined) {
      return {
        problem: `its image stands on ${nameOf({ ...disk, source: away.source })}, no path of this host`,
      };
    }
    return { paths: await Promise.all(named.map((one) => backing(one.path, one.kind))) };
  }
  const format = disk.format === null ? [] : ['-f', disk.format];
  const argv = [
    'qemu-img',
    'info',
    '--backing-chain',
    '--force-share',
    '--output=json',
    ...format,
    image.path,
  ];
  const call = { timeoutMs: imageInfoTimeoutMs, env: { LC_ALL: 'C' } };
  const result = await runCommand(argv, signal === undefined ? call : { ...call, signal });
  signal?.throwIfAborted();
  if (result.exitCode !== 0) {
    return { problem: `what ${image.path} stands on cannot be told: ${describeFailure(argv, result)}` };
  }
  return await parseChain(image.path, result.stdout);
}

/** The first is the image itself; a backing file that QEMU names in a way of its own (`json:`, `nbd:`) is no path. */
async function parseChain(image: string, stdout: string): Promise<Chain> {
  let filenames: readonly unknown[];
  try {
    const infos = JSON.parse(stdout) as readonly { readonly filename?: unknown }[];
    filenames = infos.slice(1).map((info) => info.filename);
  } catch (error) {
    return { problem: `what ${image} stands on cannot be told: qemu-img said ${String(error)}` };
  }
  const paths: DiskPath[] = [];
  for (const filename of filenames) {
    const file = typeof filename === 'string' ? filename.replace(/^(file|host_device):/, '') : '';
    if (!path.isAbsolute(file) && /^[a-z][\w+.-]*:/i.test(file)) {
      return { problem: `${image} stands on ${file}, which is no file or device of this host` };
    }
    if (file === '') return { problem: `what ${image} stands on cannot be told: qemu-img names no file` };
    const absolute = path.resolve(path.dirname(image), file);
    paths.push(await backing(absolute, (await isBlockDevice(absolute)) ? 'block' : 'file'));
  }
  return { paths };
}

async function backing(file: string, kind: DiskPath['kind']): Promise<DiskPath> {
  return { path: file, real: await resolved(file), role: 'backing', kind };
}

/** All links resolved; of a path that is not there, those of the part that is. */
async function resolved(file: string): Promise<string> {
  const absolute = path.resolve(file);
  try {
    return await realpath(absolute);
  } catch {
    const above = path.dirname(absolute);
    return above === absolute ? absolute : path.join(await resolved(above), path.basename(absolute));
  }
}

async function isThere(file: string): Promise<boolean> {
  return await stat(file).then(
    () => true,
    () => false,
  );
}

async function isBlockDevice(file: string): Promise<boolean> {
  return await stat(file).then(
    (stats) => stats.isBlockDevice(),
    () => false,
  );
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
