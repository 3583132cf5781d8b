// Builds the command line of a guest. Pure: from configuration and paths to an argv, nothing is looked at.

import { createHash } from 'node:crypto';
import path from 'node:path';
import type { QemuGuestConfig } from '../../config/config.ts';
import { assertNever } from '../never.ts';
import { shellQuote } from '../shell.ts';

/** Where the files of a running guest are. All in a directory that only root may enter. */
export interface GuestPaths {
  readonly directory: string;
  /** QMP socket, served to one client at a time: the daemon. Whoever can open it owns the guest. */
  readonly monitor: string;
  /** A second one, for people and their scripts, also while a daemon holds the first. */
  readonly operatorMonitor: string;
  /** Written by QEMU; being named on its command line, it is also how a process is known to be this guest. */
  readonly pidFile: string;
  /** Names the process that was frozen by SIGSTOP, since a stopped process alone does not tell by whom. */
  readonly frozenFile: string;
}

export function guestPaths(runDir: string, guestName: string): GuestPaths {
  const directory = path.resolve(runDir, 'guests');
  return {
    directory,
    monitor: path.join(directory, `${guestName}.qmp`),
    operatorMonitor: path.join(directory, `${guestName}.qmp-operator`),
    pidFile: path.join(directory, `${guestName}.pid`),
    frozenFile: path.join(directory, `${guestName}.frozen`),
  };
}

/** Name of the guest's tap: at most 15 characters (IFNAMSIZ), recognisable, and different for every run directory. */
export function tapName(guestName: string, paths: GuestPaths): string {
  const readable = guestName.replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 5);
  const unique = createHash('sha256').update(paths.pidFile).digest('hex').slice(0, 6);
  return `bt${readable}-${unique}`;
}

/**
 * The argv that starts a guest detached and not yet running (`-S`). Options as in qemu-system(1).
 *
 * The disk is opened with cache=writeback: flushes of the guest reach the medium, and a guest that cannot flush is
 * written through, so nothing that the guest was promised is lost with the host. `none` would promise no more and
 * is refused by file systems without O_DIRECT. It goes by `-drive` and not `-blockdev`, since only that takes a
 * file and a block device alike.
 */
export function buildQemuArgv(guest: QemuGuestConfig, paths: GuestPaths): readonly string[] {
  const value = escapeOptionValue;
  return [
    'qemu-system-x86_64',
    ...['-name', `guest=${value(guest.name)},process=${value(`qemu-${guest.name}`)}`],
    ...['-daemonize', '-pidfile', paths.pidFile, '-S'],
    ...['-nodefaults', '-no-user-config', '-machine', 'pc', ...accelerator(guest.accel)],
    ...['-m', `${guest.memoryMiB}M`, '-smp', String(guest.cpus), '-boot', 'menu=off,strict=on'],
    // A guest that puts itself to sleep is a guest lost: nobody would wake it.
    ...['-global', 'PIIX4_PM.disable_s3=1', '-global', 'PIIX4_PM.disable_s4=1'],
    ...monitorOptions('monitor', paths.monitor),
    ...monitorOptions('operator', paths.operatorMonitor),
    ...diskOptions(guest),
    ...networkOptions(guest, paths),
    ...serialOptions(guest),
    ...(guest.vnc === undefined ? ['-display', 'none'] : ['-vnc', guest.vnc, '-device', 'VGA']),
  ];
}

/** Puts the tap on its bridge. */
export function buildTapArgv(guest: QemuGuestConfig, paths: GuestPaths): readonly string[] | undefined {
  if (guest.network === undefined) return undefined;
  return ['ip', 'link', 'set', 'dev', tapName(guest.name, paths), 'master', guest.network.bridge, 'up'];
}

/** A shell line that speaks QMP. `socat` is asked for only by a person who runs the printed lines. */
export function qmpShellLine(paths: GuestPaths, commands: readonly string[]): string {
  const lines = ['qmp_capabilities', ...commands].map((command) => `'{"execute":"${command}"}'`);
  return `printf '%s\\n' ${lines.join(' ')} | socat -t 2 - UNIX-CONNECT:${shellQuote(paths.operatorMonitor)}`;
}

function accelerator(accel: QemuGuestConfig['accel']): readonly string[] {
  switch (accel) {
    case 'kvm':
      return ['-accel', 'kvm', '-cpu', 'host'];
    case 'tcg':
      return ['-accel', 'tcg', '-cpu', 'max'];
    case 'auto': // QEMU takes the first that works.
      return ['-accel', 'kvm', '-accel', 'tcg', '-cpu', 'max'];
    default:
      return assertNever(accel);
  }
}

function monitorOptions(id: string, file: string): readonly string[] {
  const socket = `socket,id=${id},path=${escapeOptionValue(file)},server=on,wait=off`;
  return ['-chardev', socket, '-mon', `chardev=${id},mode=control`];
}

function diskOptions(guest: QemuGuestConfig): readonly string[] {
  const { file, format, locking } = guest.disk;
  const drive = [
    `file=${escapeOptionValue(path.resolve(file))}`,
    `format=${format}`,
    `file.locking=${locking}`,
    'cache=writeback',
    'if=none',
    'id=disk0',
  ];
  return ['-drive', drive.join(','), '-device', 'virtio-blk-pci,drive=disk0,bootindex=1'];
}

function networkOptions(guest: QemuGuestConfig, paths: GuestPaths): readonly string[] {
  if (guest.network === undefined) return [];
  const { mac, model } = guest.network;
  const device = model === 'virtio' ? 'virtio-net-pci' : model;
  const tap = `tap,id=net0,ifname=${tapName(guest.name, paths)},script=no,downscript=no`;
  // No boot ROM: guests start from their disk, and the ROM would only cost them seconds.
  return ['-netdev', tap, '-device', `${escapeOptionValue(device)},netdev=net0,mac=${mac},romfile=`];
}

function serialOptions(guest: QemuGuestConfig): readonly string[] {
  if (guest.serial === undefined) return [];
  const file = escapeOptionValue(path.resolve(guest.serial));
  return ['-chardev', `file,id=serial0,path=${file},append=on`, '-serial', 'chardev:serial0'];
}

/** In QEMU's options a comma ends a value unless it is doubled. */
function escapeOptionValue(text: string): string {
  return text.replaceAll(',', ',,');
}
