// Rules about the order in which the guests of a group start: `after` names guests that there are, never in a circle, and
// never against the priorities.

import { at, itemsAt, mappingAt, repeated, unknownName } from './claims.ts';
import type { Finding, Path } from './document.ts';
import { isAll, type ListedGuest, listedGuests } from './guest-rules.ts';
import { allWord } from './schema-guests.ts';
import { namePattern } from './values.ts';

/** More names than these are not listed in a sentence. */
const namesShownMax = 8;

/** One name under `after`: `guest` waits for it. */
interface Wait {
  readonly guest: ListedGuest;
  readonly path: Path;
  readonly name: string;
}

export function checkOrder(file: unknown): Finding[] {
  const groups = Object.keys(mappingAt(file, 'groups')).map((name) => listedGuests(file, name));
  return groups.flatMap((listed) => {
    const others = groups.filter((other) => other !== listed).flat();
    const waits = listed.flatMap((guest) => waitsOf(file, guest));
    const known = waits.filter(({ guest, name }) => name !== guest.name && isGuest(listed, name));
    const cycles = findCycles(known);
    return [
      ...listed.flatMap((guest) => checkTwice(waitsOf(file, guest))),
      ...waits.flatMap((wait) => checkWait(wait, listed, others)),
      ...cycles.map(cycleFinding),
      ...known
        .filter(({ guest, name }) => !cycles.some((cycle) => isOn(cycle, guest.name) && isOn(cycle, name)))
        .flatMap((wait) => checkPriorities(wait, listed)),
    ];
  });
}

/** What is no name has been refused by the schema. */
function waitsOf(file: unknown, guest: ListedGuest): Wait[] {
  return itemsAt(file, ...guest.path, 'after').flatMap(([path, name]) =>
    typeof name === 'string' && namePattern.test(name) ? [{ guest, path, name }] : [],
  );
}

const checkTwice = (waits: readonly Wait[]) =>
  repeated(
    waits.map(({ path, name }) => ({ path, same: name })),
    'each guest once',
  );

const named = (listed: readonly ListedGuest[], name: string) =>
  listed.find((guest) => !isAll(guest) && guest.name === name);

/** No name of one guest: refused elsewhere. */
const isNameless = ({ name }: ListedGuest) => name === allWord || !namePattern.test(name);

/** Of a group that has all domains on its storage, any name may be one of them. */
const isGuest = (listed: readonly ListedGuest[], name: string) =>
  name !== allWord && (named(listed, name) !== undefined || listed.some(isAll));

function checkWait(
  { guest, path, name }: Wait,
  listed: readonly ListedGuest[],
  others: readonly ListedGuest[],
): Finding[] {
  const names = listed
    .flatMap((other) => (isAll(other) || other === guest ? [] : [other.name]))
    .filter(Boolean);
  const shown = names.length > 0 && names.length <= namesShownMax ? ` (${names.join(', ')})` : '';
  const expected = `another guest of group ${guest.group}${names.length === 0 ? ' (there is none)' : shown}`;
  if (name === guest.name) {
    return [{ path, message: `${name} cannot wait for itself; expected ${expected}`, expected, found: name }];
  }
  const elsewhere = named(listed, name) === undefined ? named(others, name) : undefined;
  if (elsewhere !== undefined) {
    const message = `${name} is a guest of group ${elsewhere.group}, whose start is not waited for; expected ${expected}`;
    return [{ path, message, expected, found: name }];
  }
  // Perhaps the one whose name is wrong is meant.
  const mayBe = isGuest(listed, name) || (name !== allWord && listed.some(isNameless));
  return mayBe ? [] : [unknownName({ path, target: 'value', name, names, expected })];
}

/** Waits that close a circle, each circle once, the shortest through its first guest. */
function findCycles(waits: readonly Wait[]): Wait[][] {
  const cycles: Wait[][] = [];
  for (const { guest } of waits) {
    if (cycles.some((cycle) => isOn(cycle, guest.name))) continue;
    const cycle = shortestBack(guest.name, waits);
    if (cycle !== undefined) cycles.push(cycle);
  }
  return cycles;
}

const isOn = (cycle: readonly Wait[], name: string) => cycle.some(({ guest }) => guest.name === name);

function shortestBack(start: string, waits: readonly Wait[]): Wait[] | undefined {
  const seen = new Set<string>();
  let paths: Wait[][] = [[]];
  while (paths.length > 0) {
    const longer: Wait[][] = [];
    for (const path of paths) {
      const end = path.at(-1)?.name ?? start;
      for (const wait of waits.filter(({ guest }) => guest.name === end)) {
        if (wait.name === start) return [...path, wait];
        if (!seen.has(wait.name)) longer.push([...path, wait]);
        seen.add(wait.name);
      }
    }
    paths = longer;
  }
  return undefined;
}

function cycleFinding(cycle: readonly Wait[]): Finding {
  const names = cycle.map(({ guest }) => guest.name);
  const round = [...names, names[0]].join(' -> ');
  const expected = 'no circle: take one of these names out';
  const message = `each would wait for the next one for ever: ${round}; expected ${expected}`;
  return { path: cycle[0]?.path ?? [], message, expected, found: round };
}

/** By its priority a guest would start before one that it waits for. */
function checkPriorities({ guest, path, name }: Wait, listed: readonly ListedGuest[]): Finding[] {
  const awaited = named(listed, name);
  const [own, other] = [priorityOf(guest), awaited === undefined ? 0 : priorityOf(awaited)];
  if (own === undefined || other === undefined || own <= other) return [];
  const expected =
    awaited === undefined
      ? `at most ${other} for ${guest.name}, or ${name} with a priority of its own in this list`
      : `at least ${own} for ${name}, or at most ${other} for ${guest.name}`;
  const message = `${guest.name} with priority ${own} would wait for ${name} with priority ${other}, which starts later; expected a priority of ${expected}`;
  return [{ path, message, expected, found: name }];
}

/** Undefined: not one. */
function priorityOf({ given }: ListedGuest): number | undefined {
  const priority = at(given, 'priority') ?? 0;
  return typeof priority === 'number' ? priority : undefined;
}
