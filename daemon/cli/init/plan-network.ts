// Which interface is what, and who the other host is: by the facts, and by who is asked.

import { nodeNamePattern } from '../../config/values.ts';
import { matching, noneWord, oneOf, peerAddress, type Taken } from './answer.ts';
import type { Asked, Asker } from './asker.ts';
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
import type { Facts } from './host.ts';

/** Stand for answers that are missing, until all that are missing have been found. */
const blankAddress: HostAddress = { address: '0.0.0.0', prefix: 32 };
const blankInterface: HostInterface = {
  name: '',
  kind: null,
  master: null,
  carrier: false,
  speedMbit: null,
  addresses: [],
};

export async function planNetwork(facts: Facts, { asker, host }: Asked) {
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
