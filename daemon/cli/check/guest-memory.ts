// Whether this host has the memory for all guests of all groups, ordinary memory and huge pages: that is what it needs
// when the other one is lost.

import { totalmem } from 'node:os';
import type { Config } from '../../config/config.ts';
import { withoutRoom } from '../../core/guests.ts';
import { shellQuote } from '../../drivers/shell.ts';
import { BattitoError } from '../../errors.ts';
import { defaultReserveMiB, readGuestMemoryMiB } from '../../runtime/guests/host-memory.ts';
import { type HostPages, hugePagesDirectory, readHostPages } from '../../runtime/guests/huge-pages.ts';
import type { GuestsByGroup } from '../../runtime/guests/known-guests.ts';
import { listed } from './domain-needs.ts';
import { type Finding, type Reporter, reporter } from './finding.ts';

interface Wanted {
  readonly name: string;
  readonly driver: 'libvirt' | 'qemu';
  readonly priority: number;
  readonly memoryMiB: number;
}

/** A domain that is in no group, and what it takes of ordinary memory. */
export interface Besides {
  readonly name: string;
  readonly memoryMiB: number;
}

/** What this host has; a test gives its own. */
export interface MemorySight {
  /** For guests, MiB. */
  readonly memory: typeof readGuestMemoryMiB;
  /** All of it, MiB. */
  readonly totalMiB: number;
  readonly pages: typeof readHostPages;
}

/** Never rejects for what is wrong with the host or the configuration. */
export async function checkGuestMemory(
  { start }: Config,
  { known, besides }: { readonly known: GuestsByGroup; readonly besides: readonly Besides[] },
  node: string,
  sight: Partial<MemorySight> = {},
): Promise<readonly Finding[]> {
  const { memory = readGuestMemoryMiB, pages = readHostPages } = sight;
  const { totalMiB = Math.floor(totalmem() / 2 ** 20) } = sight;
  const report = reporter('memory');
  const wanted = [...known.values()]
    .flat()
    .map(
      ({ config: { name, driver, priority }, memoryMiB }): Wanted => ({ name, driver, priority, memoryMiB }),
    );
  if (wanted.length === 0) return report.findings;
  let freeMiB: number;
  try {
    freeMiB = await memory({ reserveMiB: start.memoryReserveMiB });
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    report.problem(error.code, error.message, error.next ?? 'correct start.memory-reserve');
    return report.findings;
  }
  const allMiB = wanted.reduce((sum, { memoryMiB }) => sum + memoryMiB, 0);
  // As a start does it. The names of guests are each given once.
  const leftOut = withoutRoom(
    wanted.map(({ name, ...guest }) => ({ id: name, guest })),
    freeMiB,
  );
  const left = [...leftOut].flatMap((id) => wanted.filter(({ name }) => name === id));
  if (left.length === 0) {
    report.ok(`all ${wanted.length} guests take ${allMiB} MiB of the ${freeMiB} MiB for guests on ${node}`);
  } else {
    const names = left.map((one) => `${one.name} (${one.memoryMiB} MiB, priority ${one.priority})`);
    const domain = left.find(({ driver }) => driver === 'libvirt');
    const less =
      domain === undefined
        ? 'less `memory` for some of them in the configuration'
        : `virsh setmaxmem ${shellQuote(domain.name)} SIZE --config`;
    report.problem(
      'memory-short',
      `all guests together take ${allMiB} MiB, and ${node} has ${freeMiB} MiB for guests: if it has to run them all it leaves out ${names.join(', ')}`,
      `${less}   # or \`priority\` for what must run, or a smaller start.memory-reserve`,
    );
  }
  const reserve = { givenMiB: start.memoryReserveMiB, usualMiB: defaultReserveMiB(totalMiB) };
  sayBesides(report, besides, reserve, node);
  await checkPages(report, known, node, pages);
  const unknown = wanted.filter(({ memoryMiB }) => memoryMiB === 0).map(({ name }) => name);
  if (unknown.length > 0)
    report.info(`what ${unknown.join(', ')} takes of it is not known: there is no definition here`);
  return report.findings;
}

/** What may be given to guests is told by the host's memory and the reserve: what else takes of it, a person has to say. */
function sayBesides(
  report: Reporter,
  besides: readonly Besides[],
  { givenMiB: reserveMiB, usualMiB }: { readonly givenMiB: number | null; readonly usualMiB: number },
  node: string,
): void {
  const takenMiB = besides.reduce((sum, { memoryMiB }) => sum + memoryMiB, 0);
  if (takenMiB === 0 || (reserveMiB ?? 0) >= takenMiB) return;
  const names = besides.map(({ name, memoryMiB }) => `${name} (${memoryMiB} MiB)`).join(', ');
  const kept =
    reserveMiB === null ? 'no start.memory-reserve is' : `a start.memory-reserve of ${reserveMiB} MiB is`;
  report.warning(
    'memory-besides',
    `${names}: on ${node} beside the guests of the groups, now or from its next boot on, and ${kept} configured: in a takeover the kernel may run out of memory and end one of them`,
    `start: { memory-reserve: ${takenMiB + usualMiB}M }   # or more, on both nodes alike`,
  );
}

/** How many huge pages of one size the guests want that are to be on them. */
interface WantedPages {
  readonly names: string[];
  count: number;
}

async function checkPages(
  report: Reporter,
  known: GuestsByGroup,
  node: string,
  read: typeof readHostPages,
): Promise<void> {
  const guests = [...known.values()].flat();
  if (guests.every(({ hugePages = [] }) => hugePages.length === 0)) return;
  let host: HostPages;
  try {
    host = await read();
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    report.problem(error.code, error.message, error.next ?? `ls ${hugePagesDirectory}`);
    return;
  }
  const wanted = new Map<number | null, WantedPages>();
  for (const { config, hugePages = [] } of guests) {
    for (const { pageKiB, memoryMiB } of hugePages) {
      const size = pageKiB ?? host.defaultKiB;
      const all = wanted.get(size) ?? { names: [], count: 0 };
      if (!all.names.includes(config.name)) all.names.push(config.name);
      if (size !== null) all.count += Math.ceil((memoryMiB * 1024) / size);
      wanted.set(size, all);
    }
  }
  for (const [pageKiB, { names, count }] of wanted) sayPages(report, { pageKiB, names, count }, host, node);
}

function sayPages(
  report: Reporter,
  { pageKiB, names, count }: WantedPages & { readonly pageKiB: number | null },
  host: HostPages,
  node: string,
): void {
  const have = pageKiB === null ? undefined : host.counts.get(pageKiB);
  if (pageKiB === null || have === undefined) {
    const what = pageKiB === null ? 'huge pages' : `huge pages of ${pageSize(pageKiB)}`;
    report.problem(
      'huge-pages-short',
      `the memory of ${listed(names)} is to be on ${what}, which the kernel of ${node} does not have: ${names.length === 1 ? 'it' : 'they'} cannot start here`,
      `ls ${hugePagesDirectory}   # the sizes that there are; virsh edit ${shellQuote(names[0] ?? '')}, and name one of them in <page>, or take <hugepages/> out`,
    );
    return;
  }
  const pages = `huge pages of ${pageSize(pageKiB)}`;
  if (count <= have) {
    report.ok(`${listed(names)}: on ${pages}, ${count} of the ${have} on ${node}`);
    return;
  }
  report.problem(
    'huge-pages-short',
    `the memory of ${listed(names)} is to be on ${pages}: ${count} of them, and ${node} has ${have}, so that ${count - have} are missing: if it has to run them all, not all can start`,
    reserveCommand(pageKiB, count, host.defaultKiB),
  );
}

/** Lasting: at the next boot they are wanted again. */
function reserveCommand(pageKiB: number, count: number, defaultKiB: number | null): string {
  if (pageKiB === defaultKiB) {
    const file = '/etc/sysctl.d/80-huge-pages.conf';
    return `echo vm.nr_hugepages=${count} >${file} && sysctl -p ${file} && grep HugePages_Total /proc/meminfo   # fewer than ${count}? free memory is in pieces: reboot`;
  }
  const place = `${hugePagesDirectory}/hugepages-${pageKiB}kB/nr_hugepages`;
  const word = pageKiB % 1024 ** 2 === 0 ? `${pageKiB / 1024 ** 2}G` : `${pageKiB / 1024}M`;
  return `echo ${count} >${place} && cat ${place}   # fewer than ${count}? and for each boot: hugepagesz=${word} hugepages=${count} on the kernel's command line (/etc/default/grub, update-grub), and reboot`;
}

function pageSize(pageKiB: number): string {
  if (pageKiB % 1024 ** 2 === 0) return `${pageKiB / 1024 ** 2} GiB`;
  return pageKiB % 1024 === 0 ? `${pageKiB / 1024} MiB` : `${pageKiB} KiB`;
}
