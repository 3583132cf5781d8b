// From the facts and the answers to what is to be written. Pure but for the one who is asked, and for the guests, which
// can only be looked for once the storage of the group is known.

import { formatDuration } from '../../config/duration.ts';
import { namePattern } from '../../config/values.ts';
import { text } from '../command.ts';
import {
  deadtime,
  floatingAddresses,
  type GuestWish,
  listOf,
  matching,
  oneOf,
  pingTarget,
} from './answer.ts';
import type { Asked } from './asker.ts';
import type { HostInterface } from './facts.ts';
import type { Dedicated } from './guess.ts';
import type { GuestFact } from './guests.ts';
import type { Facts } from './host.ts';
import { planNetwork } from './plan-network.ts';
import { type PlannedFileSystem, planGuests, planStorage } from './plan-storage.ts';

export interface Plan {
  readonly cluster: string;
  readonly group: string;
  readonly self: { readonly name: string; readonly address: string };
  readonly peer: { readonly name: string; readonly address: string };
  readonly lan: HostInterface;
  /** null: the LAN is the only path. `addresses`: where its network has no broadcast, those of both nodes. */
  readonly dedicated: (Dedicated & { readonly peerAddress: string | null }) | null;
  readonly ping: readonly string[];
  readonly addresses: readonly string[];
  readonly drbd: readonly string[];
  readonly fileSystems: readonly PlannedFileSystem[];
  readonly guests: GuestWish;
  /** What libvirt has; null: it does not answer here. */
  readonly guestFacts: readonly GuestFact[] | null;
  readonly preferred: string;
  readonly failback: string;
  readonly timings: Readonly<Record<'keepalive' | 'warntime' | 'deadtime' | 'initdead', string>>;
}

/** @throws BattitoError `usage` for a flag that is wrong, or answers that are missing */
export async function makePlan(facts: Facts, asked: Asked): Promise<Plan> {
  const { asker } = asked;
  const network = await planNetwork(facts, asked);
  const { self, peer, lan, own, fixed } = network;
  const ping = await asker.ask(
    {
      flag: 'gateway',
      prompt: 'What answers as long as a host is not cut off, such as the gateway',
      otherwise: facts.routes[0]?.gateway ?? null,
      sure: facts.routes.length > 0,
      read: listOf(pingTarget(new Map([...fixed].filter(([, whose]) => whose !== 'the gateway')))),
    },
    [],
  );
  const addresses = await asker.ask(
    {
      flag: 'address',
      prompt: 'Floating address, which clients use',
      otherwise: null,
      read: floatingAddresses(
        own,
        lan.name,
        new Map([...ping.map((each) => [each, 'pinged as a gateway'] as const), ...fixed]),
      ),
    },
    [],
  );
  const { drbd, fileSystems } = await planStorage(facts, asked);
  const { guests, guestFacts } = await planGuests(facts, asked, drbd, fileSystems);
  const preferred = await asker.ask(
    {
      flag: 'preferred',
      prompt: 'Where it all runs when both hosts could run it',
      otherwise: self.name,
      read: oneOf([self.name, peer.name], 'node'),
    },
    '',
  );
  const rest = await planRest(asked);
  asker.finish();
  return {
    ...rest,
    self,
    peer,
    lan,
    dedicated: network.dedicated,
    ping,
    addresses,
    drbd,
    fileSystems,
    guests,
    guestFacts,
    preferred,
  };
}

/** What has a default that fits nearly everybody: only flags change it. */
async function planRest({ asker, args }: Asked) {
  const settled = { sure: true } as const;
  const name = matching(namePattern, 'a name of letters, digits, dots, dashes and underscores');
  const cluster = await asker.ask(
    { flag: 'cluster', prompt: 'Name of the cluster', otherwise: 'office', ...settled, read: name },
    '',
  );
  const group = await asker.ask(
    {
      flag: 'group',
      prompt: 'Name of the group',
      otherwise: text(args, 'cluster') ?? 'office',
      ...settled,
      read: name,
    },
    '',
  );
  const failback = await asker.ask(
    {
      flag: 'failback',
      prompt: 'Whether it goes back by itself',
      otherwise: 'manual',
      ...settled,
      read: oneOf(['manual', 'automatic'], 'failback'),
    },
    '',
  );
  const deadtimeMs = await asker.ask(
    {
      flag: 'deadtime',
      prompt: 'Silence after which a host is judged',
      otherwise: '2s',
      ...settled,
      read: deadtime,
    },
    0,
  );
  return { cluster, group, failback, timings: timingsFor(deadtimeMs) };
}

const initdeadMsMin = 30_000;

/** In the proportions of the defaults: ten heartbeats in a deadtime, late after four. */
function timingsFor(deadtimeMs: number): Plan['timings'] {
  return {
    keepalive: formatDuration(Math.round(deadtimeMs / 10)),
    warntime: formatDuration(Math.round((deadtimeMs * 2) / 5)),
    deadtime: formatDuration(deadtimeMs),
    initdead: formatDuration(Math.max(initdeadMsMin, deadtimeMs * 2)),
  };
}
