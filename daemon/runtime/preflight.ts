// What the host must have before the daemon starts at all: a name that does not exist here is a mistake in the
// configuration. A link alone may be missing, since it is retried for ever; all of them may not.

import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import type { Code } from '../why/explanations.ts';

const exists = (name: string) => existsSync(join('/sys/class/net', name));

/** Throws BattitoError `interface-missing` or `bridge-missing`, exit code 78, naming everything that is missing. */
export function assertHostFits(config: Config): void {
  const problems: string[] = [];
  let code: Code = 'interface-missing';
  if (config.heartbeat.links.every((link) => !exists(link.interface))) {
    const names = config.heartbeat.links.map((link) => link.interface).join(', ');
    problems.push(`heartbeat.links: none of the interfaces exists on this host: ${names}`);
  }
  for (const group of config.groups) {
    for (const address of group.addresses.filter((floating) => !exists(floating.interface))) {
      problems.push(
        `groups.${group.name}.addresses: ${address.address} is to go on ${address.interface}, which does not exist on this host`,
      );
    }
    for (const guest of group.guests) {
      if (guest.driver !== 'qemu' || guest.network === undefined || exists(guest.network.bridge)) continue;
      if (problems.length === 0) code = 'bridge-missing';
      problems.push(
        `groups.${group.name}.guests: ${guest.name} is to be on bridge ${guest.network.bridge}, which does not exist on this host`,
      );
    }
  }
  if (problems.length === 0) return;
  const present = Object.keys(networkInterfaces()).filter((name) => name !== 'lo');
  throw new BattitoError(code, problems.join('\n'), {
    exitCode: exitCodes.config,
    next: `correct the name, or create the interface; there are: ${present.join(', ') || 'none with an address'}`,
  });
}
