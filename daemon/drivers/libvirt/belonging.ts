// Decides whether a domain can fail over with a group: whether all of its disks lie on the group's storage. Pure.
// Guarantees: what could not be told counts as elsewhere, with the reason.

import { shellLine, shellQuote } from '../shell.ts';
import type { DomainDefinition, DomainDisk } from './domain.ts';

/** Of one group: paths of its block devices, with every name that they have, and where its file systems are mounted. */
export interface GroupStorage {
  readonly devices: readonly string[];
  readonly mounts: readonly string[];
}

/** One file or device that a disk needs. `real`: with all links resolved as far as they are there. */
export interface DiskPath {
  readonly path: string;
  readonly real: string;
  /** `image`: the disk itself. `backing`: what it is an overlay of. `data`: where one of them has its data. */
  readonly role: 'image' | 'backing' | 'data';
  readonly kind: 'file' | 'block' | 'directory';
}

/** What was found out about one disk. `problem`: why not all of its paths are known. */
export interface DiskFacts {
  readonly disk: DomainDisk;
  readonly paths: readonly DiskPath[];
  readonly problem: string | null;
}

export interface DomainFacts {
  readonly disks: readonly DiskFacts[];
  /** Real paths of the other files that the domain names, by what it calls them. */
  readonly reals: Readonly<Record<string, string>>;
  /** Where file systems are mounted now, real paths; one below a group's own is other storage. */
  readonly mountPoints: readonly string[];
  /** The group's storage, real paths. */
  readonly storage: GroupStorage;
}

export interface DiskElsewhere {
  readonly target: string;
  /** As the definition, or the image above it, names it. */
  readonly path: string;
  readonly role: DiskPath['role'];
  /** A sentence: why the domain cannot fail over with it. */
  readonly reason: string;
}

/** Not a disk that the guest writes to, but missing, or old, on the other node. */
export interface Apart {
  readonly what: 'cdrom' | 'floppy' | 'nvram' | 'tpm' | 'share' | 'boot-file';
  readonly path: string;
  readonly message: string;
  /** The command that mends it, while the guest is off. */
  readonly next: string;
  /** Where it is missing the guest starts without it. */
  readonly optional: boolean;
}

export type Belonging =
  | { readonly kind: 'belongs'; readonly apart: readonly Apart[] }
  | {
      readonly kind: 'elsewhere';
      readonly disks: readonly DiskElsewhere[];
      /** Does at least one of its disks lie on the group's storage? Then it most likely is meant to. */
      readonly partly: boolean;
      /** Does anything that it has open lie there, also what its disks are overlays of? Null: not all of it could be told. */
      readonly uses: boolean | null;
      readonly apart: readonly Apart[];
    }
  /** It has no disk to be moved with. */
  | { readonly kind: 'diskless'; readonly apart: readonly Apart[] };

export function judgeBelonging(domain: DomainDefinition, facts: DomainFacts): Belonging {
  const isDisk = ({ disk }: DiskFacts) => disk.device === 'disk' || disk.device === 'lun';
  const disks = facts.disks.filter(isDisk);
  const media = facts.disks.filter((one) => !isDisk(one));
  const apart = [
    ...media.flatMap((one) => mediumApart(domain.name, one, facts)),
    ...stateApart(domain, facts),
  ];
  if (disks.length === 0) return { kind: 'diskless', apart };
  const away = disks.map((one) => elsewhere(one, facts));
  const found = away.flat();
  if (found.length === 0) return { kind: 'belongs', apart };
  const partly = away.some((one) => one.length === 0);
  return { kind: 'elsewhere', disks: found, partly, uses: usesStorage(disks, facts), apart };
}

/** Also a medium, a share or a file of its firmware there keeps the storage busy. */
function usesStorage(disks: readonly DiskFacts[], all: DomainFacts): boolean | null {
  const isThere = (real: string, kind: DiskPath['kind']) => notOn(real, kind, all) === undefined;
  if (all.disks.some(({ paths }) => paths.some(({ real, kind }) => isThere(real, kind)))) return true;
  if (Object.values(all.reals).some((real) => isThere(real, 'file'))) return true;
  return disks.every(({ problem }) => problem === null) ? false : null;
}

/** After a path: what it is to the disk. */
export const roleWords: Readonly<Record<DiskPath['role'], string>> = {
  image: '',
  backing: ', which the image above it needs,',
  data: ', which holds the data of the image,',
};

function elsewhere(facts: DiskFacts, all: DomainFacts): readonly DiskElsewhere[] {
  const { target, source } = facts.disk;
  const found = facts.paths.flatMap((one) => {
    const why = notOn(one.real, one.kind, all);
    if (why === undefined) return [];
    const { path, role } = one;
    return [{ target, path, role, reason: `${path}${roleWords[role]} ${why}` }];
  });
  if (facts.problem !== null) {
    const path = 'path' in source ? source.path : nameOf(facts.disk);
    found.push({ target, path, role: 'image', reason: facts.problem });
  }
  return found;
}

/** Why a path is not on the group's storage; undefined when it is. */
function notOn(real: string, kind: DiskPath['kind'], facts: DomainFacts): string | undefined {
  const { devices, mounts } = facts.storage;
  if (devices.some((device) => real === device || isPartitionOf(real, device))) return undefined;
  const mount = longest(mounts.filter((one) => isBelow(real, one)));
  if (mount !== undefined) {
    const nested = longest(
      facts.mountPoints.filter((one) => isBelow(real, one) && isBelow(one, mount) && one !== mount),
    );
    if (nested === undefined || mounts.includes(nested)) return undefined;
    return `lies on ${nested}, another file system that is mounted below ${mount} and is not there on the other node`;
  }
  if (kind === 'block')
    return 'is a device that is not one of the group, so the other node has no copy of it';
  if (mounts.length === 0) return 'is a file, and the group has no file system';
  return `is not on ${mounts.join(' or ')}, so the other node has no copy of it`;
}

function mediumApart(domain: string, facts: DiskFacts, all: DomainFacts): readonly Apart[] {
  const { device, target, optional } = facts.disk;
  if (device !== 'cdrom' && device !== 'floppy') return [];
  const found = facts.paths.filter((one) => notOn(one.real, one.kind, all) !== undefined);
  const missing = optional ? 'the guest starts without it' : 'the guest does not start';
  return found.map(({ path }) => ({
    what: device,
    path,
    message: `the medium in ${target}, ${path}, is not on the group's storage; where it is missing ${missing}`,
    next: ejectCommand(domain, target),
    optional,
  }));
}

/** As a person types it. */
export function ejectCommand(domain: string, target: string): string {
  return `virsh change-media ${shellLine([domain, target])} --eject --config`;
}

function stateApart(domain: DomainDefinition, all: DomainFacts): readonly Apart[] {
  const wanted: (Omit<Apart, 'message' | 'optional'> & { readonly why: string })[] = [];
  const edit = `virsh edit ${shellQuote(domain.name)}`;
  const place = all.storage.mounts[0] ?? "a file system of the group's";
  if (domain.nvram !== null) {
    const why = 'the variables of its UEFI, with the order it boots in; the other node starts with others';
    const next = `cp ${shellQuote(domain.nvram)} ${place}/ && ${edit}   # and name the copy in <nvram>`;
    wanted.push({ what: 'nvram', path: domain.nvram, why, next });
  }
  if (domain.tpm?.stateDirectory != null) {
    const why = 'the state of its TPM; what is sealed with it cannot be opened on the other node';
    const next = `cp -a ${shellQuote(domain.tpm.stateDirectory)} ${place}/ && ${edit}   # and name the copy in <backend>, which newer versions of libvirt take: <source type='dir' path='...'/>`;
    wanted.push({ what: 'tpm', path: domain.tpm.stateDirectory, why, next });
  }
  for (const share of domain.shares) {
    wanted.push({
      what: 'share',
      path: share,
      why: 'a directory that it shares; the other node has another one or none',
      next: `${edit}   # and name a directory on ${place} in <filesystem>`,
    });
  }
  for (const file of domain.bootFiles) {
    wanted.push({
      what: 'boot-file',
      path: file,
      why: 'it boots from it; the other node needs the same file',
      next: `cp ${shellQuote(file)} ${place}/ && ${edit}   # and name the copy in <os>`,
    });
  }
  return wanted.flatMap(({ what, path, why, next }) => {
    const outside = notOn(all.reals[path] ?? path, 'file', all) !== undefined;
    if (!outside) return [];
    return [{ what, path, message: `${path} is not on the group's storage: ${why}`, next, optional: false }];
  });
}

/** What a disk is called that has no path. */
export function nameOf({ source }: DomainDisk): string {
  switch (source.kind) {
    case 'volume':
      return `${source.pool}/${source.volume}`;
    case 'network':
      return `${source.protocol}:${source.name}`;
    case 'other':
      return source.type;
    case 'empty':
      return 'no medium';
    default:
      return source.path;
  }
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}

/** `/dev/drbd0p1` is on `/dev/drbd0`. */
function isPartitionOf(path: string, device: string): boolean {
  const partition = /\d$/.test(device) ? /^p\d+$/ : /^\d+$/;
  return path.startsWith(device) && partition.test(path.slice(device.length));
}

function longest(paths: readonly string[]): string | undefined {
  return [...paths].sort((one, other) => other.length - one.length)[0];
}
