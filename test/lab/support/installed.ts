// Battito on both nodes as an administrator sets it up: the package, the key, the configuration, a mirror that asks it,
// a file system with the guests' disks, the service enabled. Done once for a package and an installation: the state of
// both nodes is kept beside the image, and every test goes on from there within seconds.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { readdir, rm, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Lab } from './lab.ts';
import { createMirror, fileMirror, type Mirror, mirrorIs } from './mirror.ts';
import type { LabNode } from './node.ts';
import { packageFile } from './package.ts';
import { keepState } from './saved-state.ts';

export const floatingAddress = '192.168.1.1';
export const mountPoint = '/srv/guests';
export const groupName = 'office';
/** More than a gigabyte each. */
const keptUnusedMs = 2 * 3600 * 1000;

/** A guest that counts. */
export interface InstalledGuest {
  readonly name: string;
  /** On each node's own disk: what the guest has shown there. */
  readonly serial: string;
  /** Of the command line of its QEMU, for pgrep. */
  readonly process: string;
}

/** What is installed besides what is always the same. */
export interface Installation {
  /** Of the configuration: those of the heartbeats. */
  readonly timings: string;
  /** Its guests make the hosts slow: DRBD has to be patient, too. */
  readonly slowHosts?: boolean;
  /** The group's, besides that of its file system. */
  readonly guestMirrors?: readonly Mirror[];
  /** Of the configuration: from the key `guests` of the group on, and what follows the groups. */
  readonly guestsText: string;
  /** All count once the group is active. */
  readonly guests: readonly InstalledGuest[];
  /** On the primary, with the group's devices there and its file system mounted: the guests' disks, and what belongs to them. */
  setUp(primary: LabNode): Promise<void>;
}

/** All mirrors of the group. */
export const mirrorsOf = ({ guestMirrors = [] }: Installation): readonly Mirror[] => [
  fileMirror,
  ...guestMirrors,
];

const namesOf = (mirrors: readonly Mirror[]) => mirrors.map(({ name }) => name);

const configText = (installation: Installation) => `cluster: office
nodes:
  primary: { address: 192.168.1.2 }
  secondary: { address: 192.168.1.3 }
heartbeat:
  key-file: /etc/battito/key
  ${installation.timings}
  links:
    - { interface: eth1 }
    - { interface: eth0, mode: unicast }
connectivity:
  ping: [192.168.1.254]
groups:
  ${groupName}:
    preferred: primary
    addresses: [${floatingAddress}/24 dev eth0]
    drbd: [${namesOf(mirrorsOf(installation)).join(', ')}]
    filesystems: [{ device: ${fileMirror.device}, mount: ${mountPoint} }]
${installation.guestsText}`;

/** A host that is emulated on a busy processor may not run for longer than one that a person would wait for. */
const patientService = '[Service]\nWatchdogSec=90s\n';
/** As the README has it copied to /etc/drbd.d. */
const packagedResource = '/usr/share/doc/battito/examples/drbd-r0.res';

const digest = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex').slice(0, 12);

function installedStateFolder(lab: Lab, deb: string, installation: Installation): string {
  const files = [
    'installed.ts',
    'installations.ts',
    'mirror.ts',
    'guest.ts',
    '../../guest/counter.s',
    '../../guest/build.ts',
  ];
  const recipe = files.map((name) => digest(readFileSync(join(import.meta.dirname, name))));
  const made = [basename(lab.savedState), digest(readFileSync(deb)), recipe, configText(installation)];
  const key = digest(JSON.stringify(made));
  return join(dirname(lab.savedState), `cluster-${key}`);
}

/** The package, the key, the configuration, the mirror with its file system; the service enabled and not started. */
async function installAll(lab: Lab, deb: string, installation: Installation): Promise<void> {
  const { primary } = lab;
  await lab.both((node) => node.install(deb));
  await lab.both((node) => node.writeFile('/etc/battito/battito.yaml', configText(installation)));
  await lab.both((node) => node.writeFile('/etc/systemd/system/battito.service.d/lab.conf', patientService));
  await primary.run('battito keygen');
  const key = await primary.run('cat /etc/battito/key');
  await lab.secondary.writeFile('/etc/battito/key', key, '0600');
  const example = await primary.run(`cat ${packagedResource}`);
  const mirrors = mirrorsOf(installation);
  const { slowHosts = false } = installation;
  for (const mirror of mirrors) await createMirror(lab, { mirror, example, slowHosts, asksBattito: true });
  for (const { name } of mirrors) await primary.run(`drbdadm primary ${name}`);
  await primary.run(
    `mkfs.ext4 -q ${fileMirror.device} && mkdir -p ${mountPoint} && mount ${fileMirror.device} ${mountPoint}`,
  );
  await lab.secondary.run(`mkdir -p ${mountPoint}`);
  await installation.setUp(primary);
  await primary.run(`umount ${mountPoint}`);
  for (const { name } of mirrors) {
    await primary.run(`drbdadm secondary ${name}`);
    const inStep = { connection: 'Connected', disks: 'UpToDate/UpToDate' };
    await lab.both((node) => mirrorIs(node, inStep, name));
  }
  const down = mirrors.map(({ name }) => `drbdadm down ${name}`).join('; ');
  await lab.both((node) =>
    node.run(`${down}; systemctl daemon-reload; systemctl enable --quiet battito; sync`),
  );
}

/** Both nodes as after a boot, everything installed, nothing started. */
export async function resetToInstalled(lab: Lab, installation: Installation): Promise<void> {
  const deb = await packageFile();
  const folder = installedStateFolder(lab, deb, installation);
  if (!existsSync(folder)) {
    await removeUnused(dirname(folder));
    await lab.reset();
    await installAll(lab, deb, installation);
    await keepState(lab, folder);
  }
  await utimes(folder, new Date(), new Date());
  await lab.reset(folder);
}

/** States of packages that nobody has used for a while. */
async function removeUnused(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (!name.startsWith('cluster-') || Date.now() - statSync(path).mtimeMs < keptUnusedMs) continue;
    await rm(path, { recursive: true, force: true });
  }
}
