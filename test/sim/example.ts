// What the modelled world is about: two nodes, one group with an address and two guests; and its source of chance.

import type { Policy } from '../../daemon/core/policy.ts';
import { deriveTimings } from '../../daemon/core/policy.ts';

export type Side = 'primary' | 'secondary';

export const otherOf = (side: Side): Side => (side === 'primary' ? 'secondary' : 'primary');

export const address = 'address:192.168.1.1/24';
export const mail = 'guest:mail';
export const web = 'guest:web';

export function examplePolicy(self: Side, overrides: Partial<Policy['groups'][number]> = {}): Policy {
  const peer = otherOf(self);
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
    fencing: null,
    witness: null,
    watchdog: null,
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
