// The memory of a libvirt domain, as its definition has it: sizes, and what of it is on huge pages (formatdomain.html,
// "Memory Backing" and "Guest NUMA node"). Pure.

import { attribute, childrenOf, descend, type Element } from '../xml.ts';

export interface HugePages {
  /** Null: those of the host's default size. */
  readonly pageKiB: number | null;
  readonly memoryMiB: number;
}

export type MemorySize =
  | { readonly kind: 'size'; readonly bytes: number }
  /** No number, or one below nothing. */
  | { readonly kind: 'amount' }
  | { readonly kind: 'unit'; readonly unit: string };

/** Of libvirt's scaled integers: bytes per unit. Without a unit memory is in KiB. */
const unitBytes: Readonly<Record<string, number>> = {
  b: 1,
  bytes: 1,
  KB: 1e3,
  k: 1024,
  K: 1024,
  KiB: 1024,
  MB: 1e6,
  M: 1024 ** 2,
  MiB: 1024 ** 2,
  GB: 1e9,
  G: 1024 ** 3,
  GiB: 1024 ** 3,
  TB: 1e12,
  T: 1024 ** 4,
  TiB: 1024 ** 4,
};

export function memorySize(text: string | undefined, unit = 'KiB'): MemorySize {
  const amount = Number(text ?? Number.NaN);
  const each = unitBytes[unit];
  if (each === undefined) return { kind: 'unit', unit };
  if (!Number.isFinite(amount) || amount < 0) return { kind: 'amount' };
  return { kind: 'size', bytes: amount * each };
}

/**
 * By the size of the pages. A <page> with a nodeset is for those nodes of the guest alone, one without it for all
 * others; where there are only such with a nodeset, a node that none of them names is on ordinary memory. What is not
 * understood counts as ordinary memory.
 */
export function readHugePages(root: Element, memoryMiB: number): readonly HugePages[] {
  const element = descend(root, 'memoryBacking', 'hugepages');
  if (element === undefined || memoryMiB === 0) return [];
  const pages = childrenOf(element, 'page').map((page) => ({
    pageKiB: kibOf(attribute(page, 'size'), attribute(page, 'unit')),
    nodes: attribute(page, 'nodeset'),
  }));
  if (pages.length === 0) return [{ pageKiB: null, memoryMiB }];
  const others = pages.find(({ nodes }) => nodes === undefined);
  const cells = childrenOf(descend(root, 'cpu', 'numa'), 'cell');
  // Without nodes of its own the guest is one, number 0.
  const sizes =
    cells.length === 0
      ? [{ id: 0, sizeMiB: memoryMiB }]
      : cells.map((cell, index) => ({
          id: Number(attribute(cell, 'id') ?? index),
          sizeMiB: (kibOf(attribute(cell, 'memory'), attribute(cell, 'unit')) ?? 0) / 1024,
        }));
  const found = new Map<number, number>();
  for (const { id, sizeMiB } of sizes) {
    const page = pages.find(({ nodes }) => nodes !== undefined && isIn(nodes, id)) ?? others;
    const size = page?.pageKiB ?? null;
    if (size !== null) found.set(size, (found.get(size) ?? 0) + sizeMiB);
  }
  return [...found].map(([pageKiB, sizeMiB]) => ({ pageKiB, memoryMiB: Math.ceil(sizeMiB) }));
}

function kibOf(text: string | undefined, unit: string | undefined): number | null {
  const size = memorySize(text, unit);
  return size.kind === 'size' && size.bytes > 0 ? size.bytes / 1024 : null;
}

/** A nodeset is like `0-3,^2,5`. */
function isIn(nodes: string, node: number): boolean {
  let isNamed = false;
  for (const part of nodes.split(',')) {
    const [, not, first, last = first] = /^\s*(\^?)(\d+)(?:-(\d+))?\s*$/.exec(part) ?? [];
    if (node >= Number(first) && node <= Number(last)) isNamed = not === '';
  }
  return isNamed;
}
