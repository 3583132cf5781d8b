// The guests and their definitions as lines of text. Pure.

import type { Status } from '../../control/api.ts';
import type { GuestDefinition, GuestDefinitions, GuestSide, GuestVersion } from '../../control/guests.ts';
import { shellQuote } from '../../drivers/shell.ts';
import { harmless, padTo } from '../output.ts';
import { formatSpan, formatTime } from '../time.ts';

/** A guest of the configuration or of the store. */
export interface GuestRow {
  readonly name: string;
  readonly group: string;
  /** Node; null: none, as far as this node knows. */
  readonly runsOn: string | null;
  /** Null: libvirt does not have it, the configuration does. */
  readonly definition: Omit<GuestDefinition, 'name' | 'group'> | null;
}

export function guestRows({ guests }: GuestDefinitions, { groups }: Status): readonly GuestRow[] {
  const stored = guests.map(({ name, group, ...definition }): GuestRow => {
    const runsOn = groups.find((candidate) => candidate.name === group)?.runsOn ?? null;
    return { name, group, runsOn, definition };
  });
  const others = groups.flatMap((group) =>
    group.resources
      .filter(({ kind }) => kind === 'guest')
      .map(({ id }) => id.slice(id.indexOf(':') + 1))
      .filter((name) => !guests.some((guest) => guest.name === name))
      .map((name): GuestRow => ({ name, group: group.name, runsOn: group.runsOn, definition: null })),
  );
  return [...stored, ...others].sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function renderGuests(definitions: GuestDefinitions, rows: readonly GuestRow[]): readonly string[] {
  const { self, peer, problem, comparedMs, damaged } = definitions;
  const nodes = [self, peer].sort();
  const cells = rows.map(({ name, group, runsOn, definition }) => [
    harmless(name),
    group,
    runsOn ?? '-',
    ...nodes.map((node) => sideWord(definition?.sides.find((side) => side.node === node))),
    definition === null ? 'by the configuration' : stateWords(definition, definitions),
  ]);
  const header = ['GUEST', 'GROUP', 'RUNS ON', ...nodes, 'DEFINITION'];
  const lines = rows.length === 0 ? ['no guests'] : table([header, ...cells]);
  const compared =
    comparedMs === null
      ? `${peer} was not asked in this run of the daemon`
      : `last compared with ${peer} ${formatSpan(comparedMs)} ago`;
  return [
    ...lines,
    ...rows.flatMap(({ name, definition }) => advice(harmless(name), definition, nodes)),
    ...(problem === null ? [] : [`! not compared with ${peer} now: ${harmless(problem)} (${compared})`]),
    ...damaged.map((file) => `! a stored definition was damaged and put aside: ${file}`),
  ];
}

function sideWord(side: GuestSide | undefined): string {
  if (side === undefined) return '-';
  if (side.libvirt === 'in-use') return 'defined';
  if (side.libvirt === 'other') return 'older';
  if (side.stored === null) return 'unknown';
  return side.stored ? 'stored' : 'missing';
}

function stateWords(
  { state, inUse }: Pick<GuestDefinition, 'state' | 'inUse'>,
  { self, peer }: GuestDefinitions,
) {
  switch (state) {
    case 'same':
      return 'the same on both nodes';
    case 'not-yet':
      return `${peer} does not have what ${self} has`;
    case 'conflict':
      return `edited on both nodes; in use: ${inUse.node}'s of ${formatTime(inUse.takenAt)}`;
    case 'name-taken':
      return 'two guests have this name';
  }
}

function advice(
  name: string,
  definition: GuestRow['definition'],
  nodes: readonly string[],
): readonly string[] {
  if (definition?.state === 'conflict') {
    return [
      `! ${name} was edited on both nodes`,
      `next: battito guests diff ${shellQuote(name)}; then battito guests keep ${shellQuote(name)} --from ${nodes.join('|')}`,
    ];
  }
  if (definition?.state !== 'name-taken') return [];
  return [
    `! ${name} is the name of two guests, each node made its own: ${definition.uuid} is one`,
    `next: virsh undefine, or virsh domrename, the one that is not wanted, on its node`,
  ];
}

/** Newest first. */
export function renderVersions(versions: readonly GuestVersion[]): readonly string[] {
  const rows = versions.map((version) => [
    formatTime(version.takenAt),
    version.node,
    version.sha256 === null ? 'removed' : version.sha256.slice(0, 12),
    version.group,
    [
      ...(version.inUse ? ['in use'] : []),
      ...version.definedOn.map((node) => `defined on ${node}`),
      ...(version.parents.length > 1 ? ['decided by a person'] : []),
    ].join(', '),
  ]);
  return table([['TAKEN', 'ON', 'SHA256', 'GROUP', ''], ...rows]);
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => padTo(cell, widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
