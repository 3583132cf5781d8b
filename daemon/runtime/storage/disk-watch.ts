// Asks the disks of a mirrored device whether they still answer, for as long as the device is in use here.
// Guarantees: it reads nothing whose IO is held back, and has let go of the device before it is demoted.

import type { DiskProbe, DiskProbeResult } from '../../drivers/disk-probe/disk-probe.ts';
import { createDiskProbe } from '../../drivers/disk-probe/disk-probe.ts';

const intervalMs = 10_000;
/** A disk that needs longer for 4 KiB hangs, however busy it is. */
const timeoutMs = 10_000;

export interface DiskWatch {
  /** The devices to be asked from now on, such as `/dev/drbd0`; none where it is not in use, or its IO is held back. */
  follow(devices: readonly string[]): void;
  /** Resolves when nothing of it has a device open, or will not let go of it: a read that hangs cannot be ended. */
  letGo(): Promise<void>;
}

export interface DiskWatchOptions {
  /** What is wrong with a device; null: all of them answer. Only changes are told. */
  readonly onTrouble: (trouble: string | null) => void;
  /** For tests. */
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
}

export function createDiskWatch(options: DiskWatchOptions): DiskWatch {
  const probes = new Map<string, DiskProbe>();
  const troubles = new Map<string, string>();
  const closing = new Set<Promise<unknown>>();
  let told: string | null = null;

  const tell = () => {
    const trouble = troubles.size === 0 ? null : [...troubles.values()].join('; ');
    if (trouble !== told) options.onTrouble(trouble);
    told = trouble;
  };
  const note = (device: string, result: DiskProbeResult) => {
    const trouble = troubleOf(device, result, options.timeoutMs ?? timeoutMs);
    if (trouble === null) troubles.delete(device);
    else troubles.set(device, trouble);
    tell();
  };
  const end = (device: string) => {
    const probe = probes.get(device);
    probes.delete(device);
    troubles.delete(device);
    if (probe === undefined) return;
    const closed = probe.close().finally(() => closing.delete(closed));
    closing.add(closed);
  };
  /** Also of what was ended before and is still being closed. */
  const endAll = async (devices: Iterable<string>) => {
    for (const device of [...devices]) end(device);
    tell();
    await Promise.all(closing);
  };

  return {
    follow(devices) {
      void endAll([...probes.keys()].filter((device) => !devices.includes(device)));
      for (const device of devices) {
        if (probes.has(device)) continue;
        const probe = createDiskProbe({
          device,
          intervalMs: options.intervalMs ?? intervalMs,
          timeoutMs: options.timeoutMs ?? timeoutMs,
          onResult: (result) => {
            if (probes.get(device) === probe) note(device, result);
          },
        });
        probes.set(device, probe);
      }
    },
    letGo: () => endAll(probes.keys()),
  };
}

/** Of a hanging read without the time that it has taken, which would be news at every look. */
function troubleOf(device: string, result: DiskProbeResult, limitMs: number): string | null {
  switch (result.kind) {
    case 'ok':
      return null;
    case 'hanging':
      return `${device} hangs: a read of it has not returned within ${limitMs / 1000} s`;
    case 'failed':
      return result.message;
  }
}
