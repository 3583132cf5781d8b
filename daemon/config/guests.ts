// From a group's guests as the file has them to what the rest of the program sees, and to what the digest is made of.

import type { GroupConfig, GuestConfig, GuestDisk, GuestOptions, LibvirtGuestConfig } from './config.ts';
import { parseDuration } from './duration.ts';
import {
  allWord,
  defaultAgentTimeout,
  defaultReadinessTimeout,
  defaultStartTimeouts,
  type GuestFile,
} from './schema-guests.ts';

/** What is named, and what the word `all` stands for. */
export function toGuests(file: readonly GuestFile[]): Pick<GroupConfig, 'guests' | 'allGuests'> {
  const all = file.find(({ name }) => name === allWord);
  return {
    guests: file.filter((guest) => guest !== all).map(toGuest),
    allGuests: all === undefined ? null : withoutName(toLibvirtGuest(all)),
  };
}

const withoutName = ({ name: _, ...options }: LibvirtGuestConfig) => options;

function toGuest(file: GuestFile): GuestConfig {
  return file.driver === 'qemu' ? toQemuGuest(file) : toLibvirtGuest(file);
}

function toLibvirtGuest(file: GuestFile): LibvirtGuestConfig {
  const agentTimeoutMs = file['agent-timeout'] ?? parseDuration(defaultAgentTimeout) ?? 0;
  return { driver: 'libvirt', ...toOptions(file, defaultStartTimeouts.libvirt), agentTimeoutMs };
}

function toQemuGuest(file: GuestFile): GuestConfig {
  const { memory, disk, cpus = 1, network, vnc, serial, accel = 'auto' } = file;
  if (memory === undefined || disk === undefined) {
    throw new Error('broken invariant: a validated guest with driver qemu has memory and a disk');
  }
  return {
    driver: 'qemu',
    ...toOptions(file, defaultStartTimeouts.qemu),
    memoryMiB: memory,
    cpus,
    disk: toDisk(disk),
    ...(network === undefined ? {} : { network }),
    ...(vnc === undefined ? {} : { vnc }),
    ...(serial === undefined ? {} : { serial }),
    accel,
  };
}

function toOptions(file: GuestFile, startTimeout: string): GuestOptions {
  const { readiness } = file;
  const timeoutMs = file['readiness-timeout'] ?? parseDuration(defaultReadinessTimeout) ?? 0;
  return {
    name: file.name,
    priority: file.priority,
    after: file.after,
    startDelayMs: file['start-delay'],
    readiness: readiness.kind === 'none' ? readiness : { ...readiness, timeoutMs },
    handover: file.handover,
    shutdownTimeoutMs: file['shutdown-timeout'],
    startTimeoutMs: file['start-timeout'] ?? parseDuration(startTimeout) ?? 0,
  };
}

function toDisk(disk: NonNullable<GuestFile['disk']>): GuestDisk {
  const { file, format, locking } =
    typeof disk === 'string' ? { file: disk, format: undefined, locking: 'auto' as const } : disk;
  return { file, format: format ?? (file.endsWith('.qcow2') ? 'qcow2' : 'raw'), locking };
}

/**
 * For the digest: keys that came later count only where they say something, so that a new release does not disagree with
 * an old one.
 */
export function guestContent<Options extends Omit<GuestOptions, 'name'>>(guest: Options): object {
  const { priority, after, startDelayMs, readiness, handover, ...rest } = guest;
  return {
    ...rest,
    ...(priority !== 0 && { priority }),
    // In which order they are named says nothing.
    ...(after.length > 0 && { after: after.toSorted() }),
    ...(startDelayMs > 0 && { startDelayMs }),
    ...(readiness.kind !== 'none' && { readiness }),
    ...(handover !== 'shutdown' && { handover }),
  };
}
