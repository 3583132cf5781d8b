// What dpkg reads: the control file, the maintainer scripts and the digests of all files.

import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Architecture } from './architecture.ts';
import { type PackageFile, program, text } from './tree.ts';

export const maintainer = 'Battito developers <developers@battito.invalid>';

/** The runtime's libraries as dpkg-shlibdeps finds them, then the commands that the daemon calls. */
const depends = [
  'libatomic1 (>= 4.8)',
  'libc6 (>= 2.28)',
  'libgcc-s1 (>= 4.2)',
  'libstdc++6 (>= 10.2)',
  'iproute2',
  'iputils-arping',
  'iputils-ping',
];

/** What a configuration may ask for; `battito check` says what one needs. fuser names who holds a device. */
const recommends = ['drbd-utils', 'e2fsprogs', 'libndp-tools', 'psmisc', 'qemu-system-x86'];

const suggests = [
  'apache2-utils',
  'bash-completion',
  'fence-agents',
  'libvirt-clients',
  'libvirt-daemon-system',
  'socat',
];

const description = `two-node failover for a floating address and its guests
 Two hosts watch each other by authenticated heartbeats and keep a floating
 address, mirrored disks and virtual machines alive. When a host dies, the
 other one takes the address, promotes the disks and starts every guest
 again; when a person wants the work moved, one command moves it.
 .
 What must never happen, the same guest running twice, decides every rule.
 It says what it did, why, and what to do next.
 .
 The package brings its own runtime and needs no other Node.js.`;

export interface ControlSource {
  readonly root: string;
  readonly architecture: Architecture;
  readonly version: string;
  /** Everything that will be installed. */
  readonly files: readonly PackageFile[];
}

export function controlFiles({ root, architecture, version, files }: ControlSource): PackageFile[] {
  const control = [
    'Package: battito',
    `Version: ${version}`,
    `Architecture: ${architecture.debian}`,
    `Maintainer: ${maintainer}`,
    `Installed-Size: ${installedKiB(files)}`,
    `Depends: ${depends.join(', ')}`,
    `Recommends: ${recommends.join(', ')}`,
    `Suggests: ${suggests.join(', ')}`,
    'Section: admin',
    'Priority: optional',
    `Description: ${description}`,
    '',
  ];
  const scripts = ['postinst', 'prerm', 'postrm'].map((name) =>
    program(`DEBIAN/${name}`, readFileSync(join(root, 'scripts/package/debian', name))),
  );
  return [text('DEBIAN/control', control.join('\n')), text('DEBIAN/md5sums', digests(files)), ...scripts];
}

/** As deb-substvars(5) counts it: files rounded up to KiB, one KiB for a directory. */
function installedKiB(files: readonly PackageFile[]): number {
  const directories = new Set<string>();
  let total = 0;
  for (const { path, content } of files) {
    for (let up = content === null ? path : dirname(path); up !== '.'; up = dirname(up)) directories.add(up);
    total += Math.ceil(sizeOf(content) / 1024);
  }
  return total + directories.size + 1;
}

function sizeOf(content: PackageFile['content']): number {
  if (content === null) return 0;
  if (typeof content === 'string' || Buffer.isBuffer(content)) return Buffer.byteLength(content);
  return statSync(content.copyOf).size;
}

function digests(files: readonly PackageFile[]): string {
  return files
    .filter(({ content }) => content !== null)
    .map(({ path, content }) => {
      const bytes =
        typeof content === 'string' || Buffer.isBuffer(content)
          ? content
          : readFileSync((content as { copyOf: string }).copyOf);
      return `${createHash('md5').update(bytes).digest('hex')}  ${path}\n`;
    })
    .sort((a, b) => (a.slice(34) < b.slice(34) ? -1 : 1))
    .join('');
}
