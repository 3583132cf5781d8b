// Keeps the core's policy and the drivers in step with the guests that there are: domains are defined and removed while
// the daemon runs, here or on the other node.

import { availableParallelism } from 'node:os';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Policy } from '../core/policy.ts';
import { isSame } from '../core/same.ts';
import type { State } from '../core/state.ts';
import type { Libvirt } from '../drivers/libvirt/connection.ts';
import { BattitoError } from '../errors.ts';
import type { Definitions } from './definitions.ts';
import { watchDomains } from './domains.ts';
import { readGuestMemoryMiB } from './host-memory.ts';
import { type GuestsByGroup, knownGuests } from './known-guests.ts';
import type { Untimed } from './loop.ts';
import { buildPolicy, type HostSights } from './policy.ts';
import type { Resources } from './resources.ts';

/** What this host has for guests. Without a figure for its memory everything is started; that is said. */
async function readHost(
  { start }: Config,
  logger: Logger,
): Promise<Pick<HostSights, 'guestMemoryMiB' | 'cores'>> {
  const cores = availableParallelism();
  try {
    return { cores, guestMemoryMiB: await readGuestMemoryMiB({ reserveMiB: start.memoryReserveMiB }) };
  } catch (error) {
    if (!(error instanceof BattitoError) || error.code !== 'host-memory-unknown') throw error;
    logger.warn({ next: error.next }, `guests start whatever memory there is: ${error.message}`);
    return { cores, guestMemoryMiB: null };
  }
}

export interface GuestsOptions {
  readonly config: Config;
  readonly node: string;
  readonly software: string;
  readonly definitions: Definitions;
  readonly logger: Logger;
}

export interface Tending {
  readonly libvirt: Libvirt | null;
  readonly resources: Resources;
  readonly state: () => State;
  readonly post: (event: Untimed) => void;
}

export interface Guests {
  known(): GuestsByGroup;
  policy(): Policy;
  /** The configuration was read again. */
  reload(config: Config): void;
  /** From now on the core is told of guests that come and go. Returns what ends it. */
  tend(tending: Tending): { readonly refresh: () => void; readonly close: () => Promise<void> };
}

/** Rejects with BattitoError `memory-reserve-too-large`. */
export async function createGuests(options: GuestsOptions): Promise<Guests> {
  const { node, software, definitions, logger } = options;
  let { config } = options;
  const host = await readHost(config, logger);
  const known = () => knownGuests(config, definitions);
  const policyWith = (guests: GuestsByGroup) => buildPolicy(config, node, software, { ...host, guests });
  let refresh = () => {};
  return {
    known,
    policy: () => policyWith(known()),
    reload(next) {
      config = next;
      refresh();
    },
    tend({ libvirt, resources, state, post }) {
      refresh = () => {
        const guests = known();
        const lookAtNew = resources.addGuests(guests);
        const policy = policyWith(guests);
        if (!isSame(policy, state().policy)) post({ kind: 'policy-replaced', policy });
        const { groups } = state();
        resources.forgetGuests((name, id) =>
          groups.some(
            (group) => group.policy.name === name && group.resources.some((resource) => resource.id === id),
          ),
        );
        lookAtNew();
      };
      definitions.onChange(() => refresh());
      const runsHere = (name: string) => {
        const phase = state().groups.find((group) => group.policy.name === name)?.phase.kind;
        return phase === 'active' || phase === 'starting';
      };
      const { devicesOf } = resources;
      const domains =
        libvirt === null ? null : watchDomains({ config, libvirt, definitions, devicesOf, runsHere, logger });
      return {
        refresh: () => refresh(),
        async close() {
          refresh = () => {};
          await domains?.close();
        },
      };
    },
  };
}
