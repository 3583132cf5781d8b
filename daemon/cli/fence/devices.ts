// What the commands that touch a node's power share: the devices from the configuration, without any daemon, and the record
// of what was done, where there is one to keep it.

import type { FencingConfig } from '../../config/config.ts';
import type { CommandNote } from '../../control/api.ts';
import { fenceLevels } from '../../drivers/fence/fence.ts';
import type { Levels } from '../../drivers/fence/power-off.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import { usageError } from '../arguments.ts';
import type { Command, Context } from '../command.ts';
import { whoTyped } from '../who.ts';

export interface FencingHere {
  readonly fencing: FencingConfig;
  /** Names of both nodes. */
  readonly nodes: readonly [string, string];
  readonly self: string;
  readonly peer: string;
}

/** @throws BattitoError `config-...`, `node-unknown` or `no-fencing`, all with exit code 78 */
export async function readFencing({ settings }: Context): Promise<FencingHere> {
  const { loadConfig } = await import('../../config/load.ts');
  const { selfAndPeer } = await import('../../runtime/policy.ts');
  const config = loadConfig(settings.configPath);
  const { self, peer } = selfAndPeer(config, settings.node);
  if (config.fencing === null) {
    throw new BattitoError('no-fencing', `${settings.configPath} names no fencing device`, {
      exitCode: exitCodes.config,
      next: 'name one under `fencing:`, see battito.yaml(5); until then power is a matter of your own hands',
    });
  }
  return { fencing: config.fencing, nodes: [self.name, peer.name], self: self.name, peer: peer.name };
}

/** @throws BattitoError `usage` */
export function checkNode(
  name: string | undefined,
  nodes: readonly string[],
  what: string,
  command: Command,
): string {
  if (name !== undefined && nodes.includes(name)) return name;
  const names = nodes.join(' or ');
  if (name === undefined) throw usageError(`${what} needs the name of a node: ${names}`, command);
  throw usageError(`there is no node "${name}"; expected ${names}`, command);
}

export function levelsOf({ fencing }: FencingHere, node: string): Levels {
  return fenceLevels(fencing, node);
}

/** Writes into the history of the daemon here. @returns why it is not there; null: it is */
export async function record({ client }: Context, note: CommandNote): Promise<string | null> {
  try {
    await client.note({ ...note, message: `${note.message} (asked for by ${whoTyped()})` });
    return null;
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    return `not in the history: ${error.message}`;
  }
}
