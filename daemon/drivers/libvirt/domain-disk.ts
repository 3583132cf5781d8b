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
  readonly backing: readonly { readonly source: DiskSource; readonly format: string | null }[];
}

export function readDisk(element: Element): DomainDisk {
  const driver = child(element, 'driver');
  const device = attribute(element, 'device') ?? 'disk';
  return {
    target: attribute(child(element, 'target'), 'dev') ?? 'unnamed',
    device: device === 'cdrom' || device === 'floppy' || device === 'lun' ? device : 'disk',
    source: readSource(element),
    format: attribute(driver, 'type') ?? null,
    cache: attribute(driver, 'cache') ?? null,
    readonly: child(element, 'readonly') !== undefined,
    shareable: child(element, 'shareable') !== undefined,
    optional: attribute(child(element, 'source'), 'startupPolicy') === 'optional',
    backing: readBacking(child(element, 'backingStore')),
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

/** An empty <backingStore/> ends the chain. */
function readBacking(element: Element | undefined): DomainDisk['backing'] {
  if (element === undefined) return [];
  const source = readSource(element);
  if (source.kind === 'empty') return [];
  const format = attribute(child(element, 'format'), 'type') ?? null;
  return [{ source, format }, ...readBacking(child(element, 'backingStore'))];
}
