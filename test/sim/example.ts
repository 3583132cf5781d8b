// What the modelled world is about: two nodes, one group with an address and two guests; and what can protect it.

import type { Policy } from '../../daemon/core/policy.ts';
import { deriveTimings } from '../../daemon/core/policy.ts';
import { otherSide, type Side } from '../../daemon/sim/action.ts';

export type { Side };

export const otherOf = otherSide;

export const address = 'address:192.168.1.1/24';
export const mail = 'guest:mail';
export const web = 'guest:web';
export const disk = 'drbd:r0';
export const mount = 'filesystem:/srv/guests';

export function examplePolicy(self: Side, overrides: Partial<Policy['groups'][number]> = {}): Policy {
  const peer = otherSide(self);
  return {
    self,
    peer,
    software: '0',
    configDigest: 'same',
    timings: deriveTimings({ keepaliveMs: 200, warntimeMs: 800, deadtimeMs: 2000, initdeadMs: 30_000 }),
    links: ['eth1 broadcast', 'eth0 unicast'],
    probes: [
      { id: 'gateway', kind: 'gateway' },
      { id: 'peer-lan', kind: 'peer' },
      { id: 'peer-heartbeat', kind: 'peer' },
      { id: address, kind: 'floating' },
    ],
    groups: [
      {
        name: 'office',
        preferred: 'primary',
        failback: 'manual',
        failbackDelayMs: 60_000,
        interfaces: ['eth0'],
        resources: [
          { id: address, kind: 'address', needs: [], startMs: 5000, stopMs: 5000 },
          { id: mail, kind: 'guest', needs: [], startMs: 5000, stopMs: 5000 },
          { id: web, kind: 'guest', needs: [], startMs: 5000, stopMs: 5000 },
        ],
        ...overrides,
      },
    ],
    parallelStarts: 4,
    guestMemoryMiB: null,
    fencing: null,
    witness: null,
    watchdog: null,
  };
}

export interface Protection {
  /** The guests are on a DRBD device. */
  readonly disk?: boolean;
  /** And in a file system, on it if there is one. */
  readonly mounted?: boolean;
  /** Each host can be powered off by the other one. */
  readonly device?: boolean;
  /** A witness lends a lease, and each host has a watchdog. */
  readonly lease?: boolean;
}

/** The same group with faster times, and with what protects it. */
export function protectedPolicy(self: Side, { disk: onDisk, mounted, device, lease }: Protection): Policy {
  const plain = examplePolicy(self);
  const startMs = 3000;
  const stopMs = 3000;
  const devices = onDisk === true ? [disk] : [];
  const needs = [...devices, ...(mounted === true ? [mount] : [])];
  return {
    ...plain,
    timings: deriveTimings({ keepaliveMs: 200, warntimeMs: 600, deadtimeMs: 1500, initdeadMs: 4000 }),
    groups: plain.groups.map((group) => ({
      ...group,
      resources: [
        { id: address, kind: 'address', needs: [], startMs, stopMs },
        ...(onDisk === true ? [{ id: disk, kind: 'drbd', needs: [], startMs, stopMs } as const] : []),
        ...(mounted === true
          ? [{ id: mount, kind: 'filesystem', needs: devices, startMs, stopMs } as const]
          : []),
        { id: mail, kind: 'guest', needs, startMs, stopMs },
        { id: web, kind: 'guest', needs, startMs, stopMs },
      ],
    })),
    fencing: device === true ? { delayMs: 500, deadlineMs: 3000 } : null,
    witness: lease === true ? { ttlMs: 2400 } : null,
    watchdog: lease === true ? { timeoutMs: 1200 } : null,
  };
}

/** A small generator with a 32-bit state; good enough to vary schedules, and the same everywhere. */
export function mulberry32(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
