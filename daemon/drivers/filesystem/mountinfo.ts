// Reads /proc/self/mountinfo, as text alone. Source: proc(5), kernel Documentation/filesystems/proc.rst 3.5.
// What cannot be understood is `unparseable` as a whole: a line left out would be a filesystem thought unmounted.

export interface Mount {
  readonly id: number;
  readonly parentId: number;
  /** `major:minor`; of btrfs and of filesystems without a device a number that no device has. */
  readonly deviceNumber: string;
  /** What of the filesystem is shown here: `/`, or a directory of it (a bind mount, a subvolume). */
  readonly root: string;
  readonly mountPoint: string;
  readonly type: string;
  /** The device as `mount` was told it, links resolved; also words like `tmpfs`. */
  readonly source: string;
  /** Options of this mount, e.g. `rw`, `relatime`. */
  readonly options: readonly string[];
  /** Options of the filesystem under it, the same wherever else it is mounted. */
  readonly superOptions: readonly string[];
}

export type ParsedMounts =
  | { readonly kind: 'parsed'; readonly mounts: readonly Mount[] }
  | { readonly kind: 'unparseable'; readonly message: string };

export function parseMountinfo(text: string): ParsedMounts {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const mount = parseLine(line);
    if (mount === undefined) return { kind: 'unparseable', message: `mountinfo: ${line.slice(0, 200)}` };
    mounts.push(mount);
  }
  // A process always has a root; an empty answer is no answer.
  if (mounts.length === 0) return { kind: 'unparseable', message: 'mountinfo: empty' };
  return { kind: 'parsed', mounts };
}

/** `ID PARENT MAJOR:MINOR ROOT MOUNT-POINT OPTIONS [TAG...] - TYPE SOURCE SUPER-OPTIONS` */
function parseLine(line: string): Mount | undefined {
  const fields = line.split(' ');
  const separator = fields.indexOf('-', 6);
  const [id, parentId, deviceNumber, root, mountPoint, options] = fields;
  const [type, source, superOptions] = fields.slice(separator + 1);
  if (separator < 0 || root === undefined || mountPoint === undefined || options === undefined)
    return undefined;
  if (type === undefined || source === undefined || superOptions === undefined) return undefined;
  if (!/^\d+$/.test(id ?? '') || !/^\d+$/.test(parentId ?? '')) return undefined;
  if (deviceNumber === undefined || !/^\d+:\d+$/.test(deviceNumber)) return undefined;
  return {
    id: Number(id),
    parentId: Number(parentId),
    deviceNumber,
    root: unescapePath(root),
    mountPoint: unescapePath(mountPoint),
    type,
    source: unescapePath(source),
    options: options.split(','),
    superOptions: superOptions.split(','),
  };
}

/** The kernel writes space, tab, newline, `#` and backslash as three octal digits, other bytes as they are. */
function unescapePath(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** What is seen at a path: of several mounts on it the one that covers the others. */
export function topMountAt(mounts: readonly Mount[], mountPoint: string): Mount | undefined {
  const here = mounts.filter((mount) => mount.mountPoint === mountPoint);
  return here.find(({ id }) => !here.some(({ parentId }) => parentId === id)) ?? here.at(-1);
}
