// Keeps the core's policy and the drivers in step with the guests that there are: domains are defined and removed while
// the daemon runs, here or on the other node.

import { availableParallelism } from 'node:os';
import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import type { Policy } from '../../core/policy.ts';
import { guestNameOf } from '../../core/resource.ts';
import { isSame } from '../../core/same.ts';
import type { State } from '../../core/state.ts';
import { readVolumes } from '../../drivers/drbd/volumes.ts';
import type { Libvirt } from '../../drivers/libvirt/connection.ts';
import { BattitoError } from '../../errors.ts';
import type { Definitions } from '../definitions/definitions.ts';
import type { Untimed } from '../loop.ts';
import { buildPolicy, type HostSights } from '../policy.ts';
import type { Resources } from '../resources.ts';
import { watchDomains } from './domains.ts';
import { createFitness, type Fitness } from './fitness.ts';
import { readGuestMemoryMiB } from './host-memory.ts';
import { type GuestsByGroup, knownGuests, usesLibvirt } from './known-guests.ts';
import type { GroupDevices } from './live-devices.ts';

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

/** The resources that domains may be on. */
const mirroredIn = (config: Config) => (usesLibvirt(config) ? config.groups.flatMap(({ drbd }) => drbd) : []);

/** By resource, as far as DRBD's tools tell it. */
async function readAllVolumes(config: Config): Promise<GroupDevices['volumes']> {
  const names = mirroredIn(config);
  const signal = AbortSignal.timeout(volumesMs);
  const all = await Promise.all(names.map(async (name) => [name, await readVolumes(name, signal)] as const));
  return new Map(all.flatMap(([name, volumes]) => (volumes === null ? [] : [[name, volumes] as const])));
}

const volumesMs = 10_000;

/** Guests that run here, on devices of their own. */
function movable({ groups }: State): readonly string[] {
  return groups.flatMap(({ policy, resources }) =>
    policy.resources.flatMap(({ id, guest }) => {
      const isUp = resources.find((one) => one.id === id)?.status?.kind === 'up';
      return isUp && guest?.migrateMs != null ? [guestNameOf(id)] : [];
    }),
  );
}

export interface GuestsOptions {
  readonly config: Config;
  readonly node: string;
  readonly software: string;
  readonly definitions: Definitions;
  readonly logger: Logger;
  /** How often all domains are looked at, whatever is heard. For tests. */
  readonly lookEveryMs?: number;
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
  tend(tending: Tending): Tended;
}

export interface Tended {
  readonly refresh: () => void;
  /** Before guests are to go: whether the other node could take them is asked again, for a moment at most. */
  readonly prepare: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** How old the other node's word about a guest may be; and before guests are to go. */
const fitForMs = 10 * 60_000;
const fitNowMs = 10_000;
/** Less than the time that a command gives the daemon to answer. */
const prepareMs = 3000;

/** Rejects with BattitoError `memory-reserve-too-large`. */
export async function createGuests(options: GuestsOptions): Promise<Guests> {
  const { node, software, definitions, logger } = options;
  const pace = options.lookEveryMs === undefined ? {} : { everyMs: options.lookEveryMs };
  let { config } = options;
  const host = await readHost(config, logger);
  let volumes = await readAllVolumes(config);
  const readAgain = async () => {
    const { size } = volumes;
    volumes = await readAllVolumes(config);
    if (volumes.size !== size) refresh();
  };
  let fitness: Fitness | null = null;
  const known = () => knownGuests(config, definitions, { volumes, unfit: fitness?.unfit() ?? new Map() });
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
      fitness =
        libvirt === null
          ? null
          : createFitness({
              ...{ channel: definitions.channel, libvirt, peer: state().policy.peer, logger },
              guests: () => movable(state()),
              isPeerAlive: () => state().verdict.kind === 'alive',
              onChange: () => refresh(),
            });
      const { devicesOf, devicesAreKnown } = resources;
      const domains =
        libvirt === null
          ? null
          : watchDomains({
              ...{ config, libvirt, definitions, devicesOf, devicesAreKnown, runsHere, logger },
              ...pace,
            });
      // Whose a domain is may only be seen now.
      resources.onStorageUp(() => domains?.lookAtAll());
      return {
        refresh() {
          refresh();
          if (volumes.size < mirroredIn(config).length) void readAgain();
          void fitness?.ask({ olderThanMs: fitForMs, patienceMs: 0 });
        },
        prepare: async () => fitness?.ask({ olderThanMs: fitNowMs, patienceMs: prepareMs }),
        async close() {
          refresh = () => {};
          await fitness?.close();
          await domains?.close();
        },
      };
    },
  };
}
