// The groups of haresources. Heartbeat moves all lines of a node at once when that node dies, so they are one group
// here, which prefers it; the order of the lines stays.

import {
  type DraftFilesystem,
  type DraftGroup,
  type Given,
  type Noted,
  noteOf,
  type Remark,
  type Surroundings,
  unique,
} from './draft.ts';
import { type FoundAddress, wholeAddresses } from './floating.ts';
import type { Directive } from './ha-cf.ts';
import type { ResourceLine } from './haresources.ts';
import type { HeartbeatFiles } from './heartbeat.ts';
import { meaningOf } from './resource-agents.ts';
import type { Problems } from './source.ts';
import { asName, parseBoolean } from './words.ts';

export function groupsOf(
  files: HeartbeatFiles,
  given: Given,
  { interfaces }: Surroundings,
  problems: Problems,
): { readonly groups: readonly DraftGroup[]; readonly mail: readonly Noted<string>[] } {
  const { nodes, resources, directives } = files;
  const used = nodes.filter((node) => resources.some((line) => line.node === node.given));
  const failback = failbackOf(directives, problems);
  const parts = used.map((node) => ({
    node,
    ...partsOf(
      resources.filter((line) => line.node === node.given),
      files,
      problems,
    ),
  }));
  const whole = wholeAddresses(
    parts.flatMap(({ addresses }) => addresses),
    interfaces,
    given,
    problems,
  );
  const groups = parts.map(({ node, place, addresses, drbd, filesystems, guests, remarks }): DraftGroup => {
    const name = used.length === 1 ? 'office' : asName(node.name, `group-${used.indexOf(node) + 1}`);
    return {
      name,
      preferred: { value: node.name, note: place === null ? null : noteOf(place) },
      failback,
      failbackDelay: null,
      addresses: unique(addresses.flatMap((item) => whole.get(item) ?? [])),
      drbd: unique(drbd),
      filesystems: unique(filesystems, ({ device }) => device),
      guests: guestsWithout(drbd.length + filesystems.length, unique(guests), problems, place),
      remarks,
    };
  });
  return { groups, mail: unique(parts.flatMap(({ mail }) => mail)) };
}

/** `all` is told by the storage of the group; without one, nobody knows the guests. */
function guestsWithout(
  disks: number,
  guests: readonly Noted<string>[],
  problems: Problems,
  place: ResourceLine['place'] | null,
) {
  if (disks === 0 && guests.some(({ value }) => value === 'all')) {
    const message =
      'which guests are started is not known, and without drbddisk or Filesystem in the group they cannot be told by their disks; name them as arguments, such as kvm::mail';
    problems.add(place, message);
  }
  return guests;
}

function partsOf(lines: readonly ResourceLine[], { readScript }: HeartbeatFiles, problems: Problems) {
  const addresses: FoundAddress[] = [];
  const drbd: Noted<string>[] = [];
  const filesystems: Noted<DraftFilesystem>[] = [];
  const guests: Noted<string>[] = [];
  const mail: Noted<string>[] = [];
  const remarks: Remark[] = [];
  for (const line of lines) {
    if (line.resources.length === 0) {
      remarks.push({ place: line.place, text: line.node, why: 'the line names no resource' });
    }
    for (const resource of line.resources) {
      const { place, text } = resource;
      const meaning = meaningOf(resource, readScript);
      if (meaning.kind === 'problem') problems.add(place, meaning.message);
      if (meaning.kind === 'no-equal') {
        const { why, service } = meaning;
        remarks.push({ place, text, why, ...(service === undefined ? {} : { service }) });
      }
      if (meaning.kind === 'address') addresses.push({ place, written: meaning.written });
      if (meaning.kind === 'mail') {
        mail.push(...meaning.to.map((value) => ({ value, note: noteOf(place) })));
      }
      if (meaning.kind === 'drbd') drbd.push({ value: meaning.name, note: noteOf(place) });
      if (meaning.kind === 'filesystem') {
        filesystems.push({ value: meaning.filesystem, note: noteOf(place) });
      }
      if (meaning.kind === 'guests') {
        const names = meaning.guests === 'all' ? ['all'] : meaning.guests;
        const what = [...(names.includes(resource.args[0] ?? '') ? [] : [text]), meaning.note];
        const note = noteOf(place, what.filter((part) => part !== '').join(', '));
        guests.push(...names.map((value) => ({ value, note })));
      }
    }
  }
  return { place: lines[0]?.place ?? null, addresses, drbd, filesystems, guests, mail, remarks };
}

/** `legacy`, also where nothing is said, gives resources back to the node that is named first. */
function failbackOf(directives: readonly Directive[], problems: Problems): DraftGroup['failback'] {
  const given = directives.findLast(({ name }) => name === 'auto_failback' || name === 'nice_failback');
  if (given === undefined) {
    return { value: 'automatic', note: "Heartbeat's default; manual leaves it where it is after a takeover" };
  }
  const word = given.values.at(-1) ?? '';
  if (given.name === 'auto_failback' && word.toLowerCase() === 'legacy') {
    return { value: 'automatic', note: noteOf(given.place) };
  }
  const yes = parseBoolean(word);
  if (yes === undefined) {
    problems.add(given.place, `${given.name} takes on, off or legacy, not "${word}"`);
  }
  const automatic = given.name === 'auto_failback' ? yes : yes === false;
  return { value: automatic === true ? 'automatic' : 'manual', note: noteOf(given.place) };
}
