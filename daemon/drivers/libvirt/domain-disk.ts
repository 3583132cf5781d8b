// The disks of a libvirt domain, as its definition names them. Pure.

import { attribute, child, type Element } from '../xml.ts';

/** Where the data of a disk are. `empty`: a drive without a medium. */
export type DiskSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'block'; readonly path: string }
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'volume'; readonly pool: string; readonly volume: string }
  /** `protocol`: `rbd`, `iscsi`, `nbd`, ...; `name`: as it is called there. */
  | { readonly kind: 'network'; readonly protocol: string; readonly name: string }
  | { readonly kind: 'other'; readonly type: string }
  | { readonly kind: 'empty' };

export interface DomainDisk {
  /** As the guest sees it: `vda`, `sdb`, ... */
  readonly target: string;
  readonly device: 'disk' | 'lun' | 'cdrom' | 'floppy';
  readonly source: DiskSource;
  /** `raw`, `qcow2`, ...; null: not named. */
  readonly format: string | null;
  /** QEMU's cache mode; null: libvirt's default. */
  readonly cache: string | null;
  readonly readonly: boolean;
  readonly shareable: boolean;
  /**
   * `startupPolicy='optional'`: where it is missing the guest starts without it. `requisite` lets it go on without it
   * after a move, but not boot, which is what it does after a takeover.
   */
  readonly optional: boolean;
  /** Under it, nearest first, as far as the definition names it; most do not, and the image itself has to tell. */
  readonly backing: readonly DiskImage[];
  /** Files that hold the data of the image, or of one under it, as far as the definition names them. */
  readonly data: readonly DiskSource[];
}

export interface DiskImage {
  readonly source: DiskSource;
  readonly format: string | null;
}

export function readDisk(element: Element): DomainDisk {
  const driver = child(element, 'driver');
  const device = attribute(element, 'device') ?? 'disk';
  const under = readBacking(child(element, 'backingStore'));
  return {
    target: attribute(child(element, 'target'), 'dev') ?? 'unnamed',
    device: device === 'cdrom' || device === 'floppy' || device === 'lun' ? device : 'disk',
    source: readSource(element),
    format: attribute(driver, 'type') ?? null,
    cache: attribute(driver, 'cache') ?? null,
    readonly: child(element, 'readonly') !== undefined,
    shareable: child(element, 'shareable') !== undefined,
    optional: attribute(child(element, 'source'), 'startupPolicy') === 'optional',
    backing: under.map(({ image }) => image),
    data: [...readData(element), ...under.flatMap(({ data }) => data)],
  };
}

/** Of a <disk> or a <backingStore>, which name it the same way. */
function readSource(element: Element): DiskSource {
  const source = child(element, 'source');
  if (source === undefined) return { kind: 'empty' };
  const type = attribute(element, 'type') ?? 'file';
  const value = (name: string) => attribute(source, name) ?? '';
  switch (type) {
    case 'file':
      return value('file') === '' ? { kind: 'empty' } : { kind: 'file', path: value('file') };
    case 'block':
      return value('dev') === '' ? { kind: 'empty' } : { kind: 'block', path: value('dev') };
    case 'dir':
      return { kind: 'directory', path: value('dir') };
    case 'volume':
      return { kind: 'volume', pool: value('pool'), volume: value('volume') };
    case 'network':
      return { kind: 'network', protocol: value('protocol'), name: value('name') };
    default:
      return { kind: 'other', type };
  }
}

interface Backing {
  readonly image: DiskImage;
  readonly data: readonly DiskSource[];
}

/** An empty <backingStore/> ends the chain. */
function readBacking(element: Element | undefined): readonly Backing[] {
  if (element === undefined) return [];
  const source = readSource(element);
  if (source.kind === 'empty') return [];
  const format = attribute(child(element, 'format'), 'type') ?? null;
  return [
    { image: { source, format }, data: readData(element) },
    ...readBacking(child(element, 'backingStore')),
  ];
}

/** A qcow2 image may have its data in a file of its own: <dataStore> in its <source> (libvirt 10.10). */
function readData(element: Element): readonly DiskSource[] {
  const store = child(child(element, 'source'), 'dataStore');
  const source: DiskSource = store === undefined ? { kind: 'empty' } : readSource(store);
  return source.kind === 'empty' ? [] : [source];
}
