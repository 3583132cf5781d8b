// Which mirrors, file systems and guests are the group's: by the facts, and by who is asked.

import { usageError } from '../arguments.ts';
import { texts } from '../command.ts';
import { type GuestWish, guestWish, listOf, mountPoint, noneWord, oneOf } from './answer.ts';
import type { Asked } from './asker.ts';
import type { Facts } from './host.ts';

export interface PlannedFileSystem {
  readonly device: string;
  readonly mount: string;
  readonly type: string;
}

export async function planStorage(facts: Facts, { command, args, asker }: Asked) {
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

export async function planGuests(
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
