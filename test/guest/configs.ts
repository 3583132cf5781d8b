// Guests as the configuration gives them to a driver, of which a test says only what matters to it.

import type { DefinitionSource } from '../../daemon/drivers/libvirt/libvirt.ts';

const plain = {
  priority: 0,
  after: [],
  startDelayMs: 0,
  readiness: { kind: 'none' },
  handover: 'shutdown',
  shutdownTimeoutMs: 60_000,
} as const;

/** The documented defaults of a libvirt domain, without its name. */
export const plainDomain = {
  ...plain,
  driver: 'libvirt',
  startTimeoutMs: 60_000,
  agentTimeoutMs: 20_000,
} as const;

/** Those of a guest that QEMU runs, without its name, memory and disk. */
export const plainQemu = {
  ...plain,
  driver: 'qemu',
  cpus: 1,
  accel: 'auto',
  startTimeoutMs: 30_000,
} as const;

/** The other node's definition, which libvirt here does not have. */
export const definedBy = (xml: string): DefinitionSource => ({
  adopt: async (define) => ((await define(xml)) === null ? 'failed' : 'adopted'),
});
