// Rules about guests: which name each has, and which keys go with its driver and its group. Their order has a file of its
// own.

import { at, type Claim, claim, itemsAt, mappingAt, repeated } from './claims.ts';
import type { Finding, Path } from './document.ts';
import { normalPath } from './paths.ts';
import { allWord, machineKeys } from './schema-guests.ts';

/** A guest in a list: by its name only, or as a mapping. */
export interface ListedGuest {
  readonly group: string;
  /** Where it stands, and where its name does. */
  readonly path: Path;
  readonly namePath: Path;
  /** Empty: it has none that could be read. */
  readonly name: string;
  /** A text, or a mapping. */
  readonly given: unknown;
}

/** All of a group, with the word `all` where it stands for guests. */
export function listedGuests(file: unknown, group: string): readonly ListedGuest[] {
  const place = ['groups', group, 'guests'];
  const items: readonly [Path, unknown][] =
    at(file, ...place) === allWord ? [[place, allWord]] : itemsAt(file, ...place);
  return items.map(([path, given]) => {
    const name = typeof given === 'string' ? given : at(given, 'name');
    const namePath = typeof given === 'string' ? path : [...path, 'name'];
    return { group, path, namePath, name: typeof name === 'string' ? name : '', given };
  });
}

/** Whether it stands for every libvirt domain on the storage of its group. */
export const isAll = ({ given }: ListedGuest) => given === allWord;

const isFirstAll = (guest: ListedGuest, index: number, listed: readonly ListedGuest[]) =>
  isAll(guest) && listed.findIndex((other) => isAll(other) && other.group === guest.group) === index;

export function checkGuests(file: unknown): Finding[] {
  const listed = Object.keys(mappingAt(file, 'groups')).flatMap((group) => listedGuests(file, group));
  const claims = (path: Path, change: (text: string) => string = (text) => text) =>
    listed.map((guest) => claim(file, [...guest.path, ...path], [], change));
  const named = listed.filter((guest) => !isAll(guest));
  const names = named.map(({ namePath, name }): Claim => ({ path: namePath, same: name }));
  return [
    ...repeated(names, 'each guest to have its own name'),
    ...repeated(
      listed.filter(isAll).map(({ path, group }) => ({ path, same: group })),
      `${allWord} once in a group`,
    ),
    ...repeated(
      claims(['network', 'mac'], (mac) => mac.toLowerCase()),
      'each guest to have its own MAC address',
    ),
    ...repeated(claims(['vnc']), 'each guest to have its own VNC display'),
    ...repeated(claims(['serial'], normalPath), 'each guest to have its own serial file'),
    ...listed.filter(isFirstAll).flatMap((guest) => checkAll(file, guest)),
    ...named.flatMap((guest) => [...checkName(guest), ...checkDriver(guest), ...checkOptions(file, guest)]),
  ];
}

/** `all` is told by where disks lie. */
function checkAll(file: unknown, { group, path }: ListedGuest): Finding[] {
  const lists = ['drbd', 'filesystems'].map((key) => at(file, 'groups', group, key));
  if (lists.some((list) => list !== undefined && !(Array.isArray(list) && list.length === 0))) return [];
  const expected = `drbd or filesystems in group ${group}, or its guests by their names`;
  const message = `there is no storage by which its guests could be told; expected ${expected}`;
  return [{ path, message, expected, found: allWord }];
}

function checkName({ name, namePath }: ListedGuest): Finding[] {
  if (name !== allWord) return [];
  const expected = 'the name of one guest';
  const message = `expected ${expected}, found "${allWord}", which as an item of its own (- ${allWord}) stands for every libvirt domain on the storage of the group`;
  return [{ path: namePath, message, expected, found: JSON.stringify(allWord) }];
}

/** Undefined where it is neither: the schema has refused it. */
function driverOf(given: unknown): 'libvirt' | 'qemu' | undefined {
  const driver = at(given, 'driver');
  if (driver === undefined) return at(given, 'disk') === undefined ? 'libvirt' : 'qemu';
  return driver === 'libvirt' || driver === 'qemu' ? driver : undefined;
}

function checkDriver({ path, name, given }: ListedGuest): Finding[] {
  const driver = driverOf(given);
  const isGiven = at(given, 'driver') !== undefined;
  const has = (key: string) => at(given, key) !== undefined;
  const forOther = (key: string, other: string, rest: string): Finding => {
    const message = `only a guest with driver ${other} takes this key; this one ${rest}`;
    return { path: [...path, key], target: 'key', message, expected: `driver ${other}` };
  };
  if (driver === 'libvirt') {
    const edit = `virsh edit ${name === '' ? 'NAME' : name}`;
    const rest = isGiven
      ? `is a libvirt domain, whose definition has it: ${edit}`
      : `is a libvirt domain by default: write driver: qemu and a disk, or see ${edit}`;
    return machineKeys.filter(has).map((key) => forOther(key, 'qemu', rest));
  }
  if (driver === undefined) return [];
  const findings: Finding[] = has('agent-timeout')
    ? [forOther('agent-timeout', 'libvirt', 'is qemu, which does not ask an agent')]
    : [];
  if (!isGiven) {
    const expected = 'driver: qemu, since there is a disk (a libvirt domain has it in its definition)';
    findings.push({ path: [...path, 'driver'], message: `missing; expected ${expected}`, expected });
  }
  for (const [key, expected] of [
    ['memory', 'a size such as 64M or 1G'],
    ['disk', 'the path of an image, such as /srv/guests/mail.qcow2'],
  ] as const) {
    if (!has(key))
      findings.push({ path: [...path, key], message: `missing; expected ${expected}`, expected });
  }
  return findings;
}

/** What depends on the driver or the group in the value of a key that every guest takes. */
function checkOptions(file: unknown, { path, group, given }: ListedGuest): Finding[] {
  const findings: Finding[] = [];
  const [readiness, handover] = [at(given, 'readiness'), at(given, 'handover')];
  const isQemu = driverOf(given) === 'qemu';
  const refuse = (key: string, expected: string, why: string) => {
    const message = `expected ${expected}, found "${String(at(given, key))}": ${why}`;
    findings.push({ path: [...path, key], message, expected, found: JSON.stringify(at(given, key)) });
  };
  if (isQemu && readiness === 'agent')
    refuse('readiness', 'none, tcp HOST:PORT or ping ADDRESS', 'driver qemu has no channel to a guest agent');
  if (at(given, 'readiness-timeout') !== undefined && (readiness ?? 'none') === 'none') {
    const expected = 'readiness: agent, tcp HOST:PORT or ping ADDRESS beside it';
    const message = `nothing is waited for without readiness; expected ${expected}`;
    findings.push({ path: [...path, 'readiness-timeout'], target: 'key', message, expected });
  }
  if (isQemu && (handover === 'save' || handover === 'live')) {
    refuse('handover', 'shutdown', `driver qemu cannot; a libvirt domain can`);
  } else if (handover === 'save' && itemsAt(file, 'groups', group, 'filesystems').length === 0) {
    const why = `group ${group} has no file system, on which the memory would be saved for the other node`;
    refuse('handover', 'shutdown', why);
  } else if (handover === 'live' && itemsAt(file, 'groups', group, 'drbd').length === 0) {
    const why = `group ${group} has no DRBD device, so the other node would not have its disk`;
    refuse('handover', 'shutdown', why);
  }
  return findings;
}
