// From the facts and the answers to what is to be written. Pure but for the one who is asked, and for the guests, which
// can only be looked for once the storage of the group is known.

import { formatDuration } from '../../config/duration.ts';
import { namePattern, nodeNamePattern } from '../../config/values.ts';
import { usageError } from '../arguments.ts';
import type { Arguments, Command } from '../command.ts';
import { text, texts } from '../command.ts';
import {
  deadtime,
  floatingAddresses,
  type GuestWish,
  guestWish,
  listOf,
  matching,
  mountPoint,
  noneWord,
  oneOf,
  peerAddress,
  pingTarget,
  type Taken,
} from './answer.ts';
import type { Asker } from './asker.ts';
import { type HostAddress, type HostInterface, shortName } from './facts.ts';
import {
  type Dedicated,
  dedicatedCandidates,
  guessDedicated,
  guessLan,
  guessOwnAddress,
  guessPeerAddress,
  guessPeerName,
  lanCandidates,
} from './guess.ts';
import type { GuestFact } from './guests.ts';
import type { Facts, Host } from './host.ts';

export interface PlannedFileSystem {
  readonly device: string;
  readonly mount: string;
  readonly type: string;
}

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

export interface Asked {
  readonly command: Command;
  readonly args: Arguments;
  readonly asker: Asker;
  readonly host: Pick<Host, 'resolve' | 'guests'>;
}

const blankAddress: HostAddress = { address: '0.0.0.0', prefix: 32 };
const blankInterface: HostInterface = {
  name: '',
  kind: null,
  master: null,
  carrier: false,
  speedMbit: null,
  addresses: [],
};

/** @throws BattitoError `usage` for a flag that is wrong, or answers that are missing */
export async function makePlan(facts: Facts, asked: Asked): Promise<Plan> {
  const { asker } = asked;
  const network = await planNetwork(facts, asked);
  const { self, peer, lan, own, fixed } = network;
  const ping = await asker.ask(
    {
      flag: 'ping',
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

async function planNetwork(facts: Facts, { asker, host }: Asked) {
  const lanGuess = guessLan(facts);
  const candidates = lanCandidates(facts);
  const interfaceNamed = (name: string) => candidates.find((one) => one.name === name) ?? blankInterface;
  const names = candidates.map(({ name }) => name);
  const lan = interfaceNamed(
    await asker.ask(
      {
        flag: 'lan',
        prompt: `Interface of the LAN, where clients are (${names.join(', ')})`,
        otherwise: lanGuess?.value.name ?? null,
        sure: lanGuess?.sure === true,
        read: oneOf(names, 'interface with an IPv4 address'),
      },
      '',
    ),
  );
  const ownGuess = guessOwnAddress(facts, lan);
  const ownText =
    lan === blankInterface
      ? ''
      : await asker.ask(
          {
            flag: 'own-address',
            prompt: `This host's own address on ${lan.name}`,
            otherwise: ownGuess?.value.address ?? null,
            sure: ownGuess?.sure === true,
            read: oneOf(
              lan.addresses.map(({ address }) => address),
              `address on ${lan.name}`,
            ),
          },
          '',
        );
  const own = lan.addresses.find(({ address }) => address === ownText) ?? blankAddress;
  const found = await planDedicated(facts, asker, lan);
  const name = shortName(facts.node);
  const peerGuess = guessPeerName(facts, own === blankAddress ? null : own, found?.interface ?? null);
  const peerName = await asker.ask(
    {
      flag: 'peer',
      prompt: 'Name of the other host, as `hostname -s` says there',
      otherwise: peerGuess?.value ?? null,
      sure: peerGuess?.sure === true,
      read: (word) =>
        word === name
          ? { problem: `${word} is this host` }
          : matching(nodeNamePattern, 'the name of a host')(word),
    },
    '',
  );
  const taken: Taken = new Map([
    ...facts.routes.map(({ gateway }) => [gateway, 'the gateway'] as const),
    ...facts.interfaces.flatMap((one) =>
      one.addresses.map(({ address }) => [address, `this host's own, on ${one.name}`] as const),
    ),
  ]);
  const resolved = peerName === '' ? [] : await host.resolve(peerName);
  const address = await asker.ask(
    {
      flag: 'peer-address',
      prompt: `Address of ${peerName === '' ? 'the other host' : peerName} on the LAN`,
      otherwise: guessPeerAddress(facts, peerName, own, resolved)?.value ?? null,
      read: own === blankAddress ? matching(/^/, '') : peerAddress(own, lan.name, taken),
    },
    '',
  );
  const dedicated = found === null ? null : { ...found, peerAddress: mirrorAddress(facts, found) };
  // Other addresses that this host has may well be what is to float: it is told, and left to the operator.
  const fixed: Taken = new Map([
    ...facts.routes.map(({ gateway }) => [gateway, 'the gateway'] as const),
    ...(dedicated === null ? [] : [[dedicated.address.address, 'on the dedicated segment'] as const]),
    [own.address, "this host's own address"],
    [address, `the address of ${peerName}`],
  ]);
  return {
    self: { name, address: own.address },
    peer: { name: peerName, address },
    lan,
    own,
    dedicated,
    fixed,
  };
}

async function planDedicated(facts: Facts, asker: Asker, lan: HostInterface): Promise<Dedicated | null> {
  const guess = guessDedicated(facts, lan);
  const found = dedicatedCandidates(facts, lan);
  const names = found.map((one) => one.interface.name);
  const answer = await asker.ask(
    {
      flag: 'dedicated',
      prompt: `Interface of the dedicated segment, from host to host (${[...names, noneWord].join(', ')})`,
      otherwise: guess?.value.interface.name ?? noneWord,
      sure: guess === null || guess.sure,
      read: oneOf([...names, noneWord], 'interface of its own with an IPv4 address'),
    },
    noneWord,
  );
  return found.find((one) => one.interface.name === answer) ?? null;
}

/** The other end of the segment, as DRBD knows it. */
function mirrorAddress(facts: Facts, { address }: Dedicated): string | null {
  const mirrored = facts.resources.find(({ endpoints }) =>
    endpoints.some((end) => end.address === address.address),
  );
  return mirrored?.endpoints.find((end) => end.address !== address.address)?.address ?? null;
}

async function planStorage(facts: Facts, { command, args, asker }: Asked) {
  const names = facts.resources.map(({ name }) => name);
  const drbd = await asker.ask(
    {
      flag: 'drbd',
      prompt: `DRBD resources that move with it (${names.join(', ')})`,
      otherwise: names.length === 0 ? noneWord : names.join(','),
      sure: names.length < 2,
      read: listOf(oneOf(names, 'DRBD resource')),
    },
    [],
  );
  const devices = facts.resources
    .filter(({ name }) => drbd.includes(name))
    .flatMap((resource) => resource.devices.map(({ device }) => ({ device, resource: resource.name })));
  const given = new Map<string, string>();
  for (const word of texts(args, 'mount')) {
    const [, device = '', place = ''] = /^(\/[^=]+)=(.+)$/.exec(word) ?? [];
    const problem = oneOf(
      devices.map((each) => each.device),
      'device of these resources',
    )(device);
    if (place === '') throw usageError(`--mount takes DEVICE=DIRECTORY, not "${word}"`, command);
    if ('problem' in problem) throw usageError(`--mount: ${problem.problem}`, command);
    if (given.has(device)) throw usageError(`--mount ${device}=... is given twice`, command);
    given.set(device, place);
  }
  const fileSystems: PlannedFileSystem[] = [];
  for (const { device, resource } of devices) {
    const found = facts.fileSystems.find((each) => each.device === device);
    if (found === undefined && !given.has(device)) continue;
    const type = found?.type ?? 'ext4';
    const mount = await asker.ask(
      {
        flag: 'mount',
        given: given.get(device),
        prompt: `Where ${device} (${type}) is mounted`,
        otherwise: found?.mount ?? (devices.length === 1 ? '/srv/guests' : `/srv/${resource}`),
        sure: typeof found?.mount === 'string',
        read: mountPoint,
      },
      null,
    );
    if (mount !== null) fileSystems.push({ device, mount, type });
  }
  // One under another comes after it.
  return { drbd, fileSystems: fileSystems.sort((one, other) => (one.mount < other.mount ? -1 : 1)) };
}

async function planGuests(
  facts: Facts,
  { asker, host }: Asked,
  drbd: readonly string[],
  fileSystems: readonly PlannedFileSystem[],
) {
  const devices = facts.resources.filter(({ name }) => drbd.includes(name)).flatMap((each) => each.devices);
  const guestFacts = await host.guests({
    devices: devices.map(({ device }) => device),
    mounts: fileSystems.map(({ mount }) => mount),
  });
  const movable = (guestFacts ?? []).filter(({ stays }) => stays === null).map(({ name }) => name);
  const stays = guestFacts === null ? null : new Map(guestFacts.map((each) => [each.name, each.stays]));
  const hasStorage = devices.length > 0;
  const guests = await asker.ask<GuestWish>(
    {
      flag: 'guests',
      prompt: `Guests that move with it: all on its storage (now ${movable.join(', ') || noneWord}), names, or ${noneWord}`,
      otherwise: hasStorage && guestFacts !== null ? 'all' : noneWord,
      sure: guestFacts === null || guestFacts.length === 0,
      read: guestWish(stays, hasStorage),
    },
    [],
  );
  return { guests, guestFacts };
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
