// What the guests of this node need: their images, bridges, and a processor that helps.

import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Config, GroupConfig, QemuGuestConfig } from '../../config/config.ts';
import { isWithin } from '../../config/paths.ts';
import { parseMountinfo, topMountAt } from '../../drivers/filesystem/mountinfo.ts';
import { type Finding, type Reporter, reporter } from './finding.ts';

export function checkGuests(
  config: Config,
  node: string,
  isMounted: (place: string) => boolean = mountedPlaces(),
): readonly Finding[] {
  const report = reporter('guests');
  const guests = config.groups.flatMap(ownGuests);
  for (const group of config.groups) {
    // Where the group does not run its images are not to be seen, and need not be.
    const away = group.filesystems.map(({ mount }) => mount).filter((mount) => !isMounted(mount));
    for (const guest of ownGuests(group)) {
      checkGuest(report, guest, node, (file) => away.find((mount) => isWithin(file, mount)));
    }
  }
  const wantsKvm = guests.filter(({ accel }) => accel !== 'tcg');
  if (wantsKvm.length > 0) checkKvm(report, wantsKvm);
  return report.findings;
}

/** What the daemon runs itself; a libvirt domain says elsewhere what it needs. */
const ownGuests = ({ guests }: GroupConfig) => guests.filter((guest) => guest.driver === 'qemu');

/** By what the kernel lists: a file system that hangs would keep whoever enters it. */
export function mountedPlaces(mountinfo = '/proc/self/mountinfo'): (place: string) => boolean {
  const parsed = parseMountinfo(readFileSync(mountinfo, 'utf8'));
  if (parsed.kind !== 'parsed') return () => true;
  return (place) => topMountAt(parsed.mounts, resolve(place)) !== undefined;
}

function checkGuest(
  report: Reporter,
  guest: QemuGuestConfig,
  node: string,
  unmounted: (file: string) => string | undefined,
): void {
  const before = report.findings.length;
  const place = unmounted(guest.disk.file);
  const disk = place === undefined ? diskFault(guest.disk.file) : null;
  if (place !== undefined) {
    report.info(
      `${guest.name}: ${guest.disk.file} is to be seen only where the group runs: ${place} is not mounted here`,
    );
  }
  if (disk !== null) {
    report.problem(
      'guest-disk-missing',
      `${guest.name}: ${guest.disk.file} ${disk}`,
      `ls -lL ${guest.disk.file}   # it must be reachable on ${node}`,
    );
  }
  const bridge = guest.network?.bridge;
  if (bridge !== undefined && !existsSync(`/sys/class/net/${bridge}/bridge`)) {
    const isOther = existsSync(`/sys/class/net/${bridge}`);
    report.problem(
      'bridge-missing',
      `${guest.name}: ${isOther ? `${bridge} is not a bridge` : `there is no bridge ${bridge}`}`,
      isOther
        ? `name a bridge: ip -brief link show type bridge`
        : `ip link add ${bridge} type bridge   # and make it permanent`,
    );
  }
  if (guest.serial !== undefined && !existsSync(dirname(guest.serial))) {
    report.problem(
      'serial-directory-missing',
      `${guest.name}: no directory for ${guest.serial}`,
      `mkdir -p ${dirname(guest.serial)}`,
    );
  }
  if (report.findings.length === before) report.ok(`${guest.name}: ${guest.disk.file}`);
}

/** Why an image cannot be used; null: it can. */
function diskFault(file: string): string | null {
  try {
    const stats = statSync(file);
    if (!stats.isFile() && !stats.isBlockDevice()) return 'is neither a file nor a block device';
    accessSync(file, constants.R_OK | constants.W_OK);
    return null;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist';
    return code === 'EACCES' || code === 'EROFS'
      ? 'cannot be read and written'
      : `cannot be used: ${message}`;
  }
}

function checkKvm(report: Reporter, guests: readonly QemuGuestConfig[]): void {
  if (existsSync('/dev/kvm')) {
    report.ok('/dev/kvm is there: guests run at full speed');
    return;
  }
  const mend = 'modprobe kvm_intel || modprobe kvm_amd   # and allow virtualisation in the firmware';
  const forced = guests.filter(({ accel }) => accel === 'kvm').map(({ name }) => name);
  if (forced.length > 0)
    report.problem('kvm-missing', `/dev/kvm is missing, but ${forced.join(', ')} must have it`, mend);
  else report.warning('kvm-missing', '/dev/kvm is missing: guests are emulated, many times slower', mend);
}
