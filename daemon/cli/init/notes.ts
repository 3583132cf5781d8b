// What the operator should know before the first start, each with what mends it. Pure.

import { fstabProblem } from '../../drivers/filesystem/problems.ts';
import { shellLine, shellQuote } from '../../drivers/shell.ts';
import { shortName } from './facts.ts';
import type { Facts } from './host.ts';
import type { Plan } from './plan.ts';

export interface Note {
  readonly what: string;
  /** Commands, or what to look at; null: nothing is to be done. */
  readonly next: string | null;
}

/** Known before anything is asked. */
export function notesOnHost(facts: Facts): readonly Note[] {
  const notes: Note[] = facts.others.map(({ program, path }) => {
    const source = program === 'heartbeat' ? path.replace(/\/ha\.cf$/, '') : path;
    return {
      what: `${program} is configured here (${path}); never let both run at the same time`,
      next: `${shellLine(['battito', 'import', program, source])}   # makes the configuration of what it was told`,
    };
  });
  if (facts.drbdTrouble !== null) {
    notes.push({ what: `DRBD's configuration cannot be read: ${facts.drbdTrouble}`, next: 'drbdadm dump' });
  }
  return notes;
}

/** `answering`: floating addresses that somebody has already. */
export function notesOnPlan(plan: Plan, facts: Facts, answering: readonly string[]): readonly Note[] {
  return [
    ...pathNotes(plan),
    ...addressNotes(plan, facts, answering),
    ...storageNotes(plan, facts),
    ...guestNotes(plan),
    ...fencingNotes(facts),
  ];
}

function pathNotes({ dedicated, lan, ping }: Plan): readonly Note[] {
  const notes: Note[] = [];
  if (dedicated === null) {
    const what = `all heartbeats go by ${lan.name}: a cut cable there looks like a dead host`;
    notes.push({
      what,
      next: 'connect the two hosts by a second cable, and run `battito init --force` again',
    });
  } else if (!dedicated.interface.carrier) {
    const { name } = dedicated.interface;
    notes.push({ what: `${name}, the dedicated segment, has no carrier now`, next: `ip link show ${name}` });
  }
  if (ping.length === 0) {
    const what =
      'nothing beyond the two hosts is pinged: a host that is cut off cannot tell, and would take over';
    notes.push({ what, next: 'set connectivity.ping in the configuration, on both hosts' });
  }
  return notes;
}

function addressNotes({ addresses }: Plan, facts: Facts, answering: readonly string[]): readonly Note[] {
  return addresses.flatMap((text): Note[] => {
    const address = text.split('/')[0] ?? '';
    const holder = facts.interfaces.find((one) => one.addresses.some((own) => own.address === address));
    if (holder !== undefined) {
      return [
        {
          what: `${address} is on ${holder.name} of this host now; Battito alone may set it`,
          next: `take it out of what sets it at boot, such as /etc/network/interfaces`,
        },
      ];
    }
    return answering.includes(address)
      ? [
          {
            what: `somebody on the LAN answers for ${address}, which is to be the floating address`,
            next: `arping -c 2 ${address}`,
          },
        ]
      : [];
  });
}

function storageNotes(plan: Plan, facts: Facts): readonly Note[] {
  const { drbd, fileSystems, peer } = plan;
  const notes: Note[] = [];
  const movesGuests = movingGuests(plan).length > 0;
  for (const { name, endpoints, devices } of facts.resources.filter((each) => drbd.includes(each.name))) {
    const hosts = endpoints.map(({ host }) => shortName(host));
    if (hosts.length > 0 && !hosts.includes(peer.name)) {
      const what = `${name} is between ${hosts.join(' and ')}, and not with ${peer.name}`;
      notes.push({ what, next: `correct the names after \`on\` in /etc/drbd.d/${name}.res, on both hosts` });
    }
    for (const { device } of devices) {
      if (movesGuests || fileSystems.some((each) => each.device === device)) continue;
      const what = `nothing is known to use ${device}: no file system was found on it, and no guest is in the group`;
      notes.push({
        what,
        next: `battito init --force --mount ${device}=DIRECTORY   # once it has a file system`,
      });
    }
  }
  for (const { device, mount, type } of fileSystems) {
    const source = facts.fileSystems.find((each) => each.device === device)?.fstabSource;
    const config = { device: source ?? device, mount, type, options: 'defaults', fsck: false };
    const problem = fstabProblem(config, facts.fstab);
    if (problem !== undefined) notes.push({ what: problem.message, next: problem.next });
  }
  return notes;
}

const movingGuests = ({ guests, guestFacts }: Plan) =>
  (guestFacts ?? []).filter(({ name, stays }) => (guests === 'all' ? stays === null : guests.includes(name)));

function guestNotes(plan: Plan): readonly Note[] {
  const moving = movingGuests(plan);
  const left = (plan.guestFacts ?? []).filter((guest) => !moving.includes(guest));
  return [
    ...moving
      .filter(({ autostart }) => autostart)
      .map(({ name }) => ({
        what: `libvirt starts ${name} by itself at boot, also while it runs on the other host`,
        next: `virsh autostart --disable ${shellQuote(name)}`,
      })),
    ...left.map(({ name, stays }) => ({
      what: `${name} stays on this host${stays === null ? ', as was chosen' : `: ${stays}`}`,
      next: null,
    })),
  ];
}

function fencingNotes({ bmc, watchdogs }: Facts): readonly Note[] {
  if (bmc !== null) {
    const what = `this host has a BMC (${bmc.device}): with fencing no fault makes two writers`;
    return [{ what, next: 'fill in the part `fencing` of the configuration, which is a comment now' }];
  }
  if (watchdogs.length > 0) return [];
  const what = 'no BMC and no watchdog were found: the promise is that of the tier evidence';
  return [{ what, next: 'battito check   # says what is left, and what raises the tier' }];
}
