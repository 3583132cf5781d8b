// The files that a domain names: which of them are not there, on the group's storage or elsewhere on this host.

import { isWithin } from '../../config/paths.ts';
import {
  type Apart,
  type DiskFacts,
  type DiskPath,
  type DomainFacts,
  ejectCommand,
  roleWords,
} from '../../drivers/libvirt/belonging.ts';
import { shellQuote } from '../../drivers/shell.ts';
import { type Domain, type HostSight, whereDefined } from './domain-needs.ts';
import type { Reporter } from './finding.ts';

type Here = HostSight & { readonly report: Reporter };

/** Off the group's storage. What is not there keeps it from starting; what is there must be the same on the other node. */
export function sayApart(here: Here, domain: Domain, { what, path, message, next, optional }: Apart): void {
  const { report, exists, peer } = here;
  const { name } = domain;
  const isNeeded = what === 'cdrom' || what === 'floppy' || what === 'share' || what === 'boot-file';
  if (optional) report.info(`${name}: ${message}`);
  else if (isNeeded && !exists(path)) sayGone(here, domain, path, next);
  else {
    report.warning(
      'domain-file-missing',
      `${name}: ${message}${isNeeded ? ` (it is here; is it on ${peer}?)` : ''}`,
      mendOf(here, domain, next),
    );
  }
}

export interface OnStorage {
  readonly facts: DomainFacts;
  /** Of the group's file systems in their order: whether they are mounted here, so that what is on them is to be seen. */
  readonly isInUse: readonly boolean[];
}

/** On the group's storage: the same on both nodes, and to be seen where it is mounted. */
export function sayMissing(here: Here, domain: Domain, { facts, isInUse }: OnStorage): void {
  const { definition } = domain;
  const mounts = facts.storage.mounts.filter((_, index) => isInUse[index] === true);
  const isGone = (real: string) => mounts.some((mount) => isWithin(real, mount)) && !here.exists(real);
  for (const disk of facts.disks)
    for (const one of disk.paths) if (isGone(one.real)) sayDiskGone(here, domain, disk, one);
  for (const file of [...definition.shares, ...definition.bootFiles]) {
    if (!isGone(facts.reals[file] ?? file)) continue;
    sayGone(here, domain, file, `virsh edit ${shellQuote(domain.name)}   # name what is there instead of it`);
  }
}

function sayDiskGone(here: Here, domain: Domain, { disk }: DiskFacts, { path, role }: DiskPath): void {
  const { report } = here;
  const { name } = domain;
  const { target, device, optional } = disk;
  if (device === 'cdrom' || device === 'floppy') {
    if (optional)
      report.info(`${name}: the medium in ${target}, ${path}, is not there: it starts without it`);
    else sayGone(here, domain, path, ejectCommand(name, target));
    return;
  }
  const what = `disk ${target}: ${path}${roleWords[role]} does not exist`;
  const next = `ls -l ${shellQuote(directoryOf(path))}   # is it called otherwise? virsh edit ${shellQuote(name)}; else bring it back from the backup`;
  const mend = mendOf(here, domain, next);
  if (optional)
    report.warning('guest-disk-missing', `${name}: ${what}: it starts without it (startupPolicy)`, mend);
  else report.problem('guest-disk-missing', `${name}: ${what}: it cannot start`, mend);
}

function sayGone(here: Here, domain: Domain, path: string, next: string): void {
  here.report.problem(
    'domain-file-missing',
    `${domain.name}: ${path}, which it names, is not here: it cannot start here`,
    mendOf(here, domain, next),
  );
}

function mendOf(here: Here, domain: Domain, next: string): string {
  return `${whereDefined(domain, here)}${next.replaceAll('virsh ', `${here.virsh} `)}`;
}

const directoryOf = (path: string) => path.slice(0, path.lastIndexOf('/')) || '/';
