// Keeps the runbooks of this node in the state directory, for the night in which the daemon cannot be had.
// Guarantees: a script there is a whole one, and as the daemon knows things now. Must not: keep the daemon from anything;
// what cannot be written is said once.

import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { systemdRuns } from '../drivers/qemu/unit.ts';
import {
  type RunbookOptions,
  renderRunbook,
  runbookDirectory,
  runbookFile,
  runbookKinds,
} from '../runbook/runbook.ts';
import type { GuestsByGroup } from './guests/known-guests.ts';
import { selfAndPeer } from './policy.ts';
import { writeDurably } from './records/durable-file.ts';

const onlyForRoot = 0o700;

export interface RunbooksOptions {
  readonly node: string;
  readonly stateDir: string;
  readonly socketPath: string;
  readonly known: () => GuestsByGroup;
  readonly logger: Logger;
}

export interface Runbooks {
  /** Something of them may have changed; with a configuration, that. */
  refresh(config?: Config): void;
  /** Waits for what is being written. */
  close(): Promise<void>;
}

/** What a runbook of this node is made of. Throws BattitoError `node-unknown`. */
export function runbookOptions(
  config: Config,
  { node, stateDir, socketPath, known }: Omit<RunbooksOptions, 'logger'>,
): RunbookOptions {
  const guests = new Map([...known()].map(([group, list]) => [group, list.map((guest) => guest.config)]));
  return { config, ...selfAndPeer(config, node), guests, stateDir, socketPath, units: systemdRuns() };
}

export function createRunbooks(config: Config, options: RunbooksOptions): Runbooks {
  const { stateDir, logger } = options;
  const directory = runbookDirectory(stateDir);
  const written = new Map<string, string>();
  let current = config;
  let tail = Promise.resolve();
  let complained = false;

  const write = async () => {
    try {
      const source = runbookOptions(current, options);
      await mkdir(directory, { recursive: true, mode: onlyForRoot });
      await chmod(directory, onlyForRoot);
      for (const kind of runbookKinds) {
        const text = renderRunbook(kind, source);
        if (written.get(kind) === text) continue;
        await writeDurably(join(directory, runbookFile(kind)), text, onlyForRoot);
        written.set(kind, text);
      }
      complained = false;
    } catch (error) {
      if (!complained)
        logger.warn(
          { err: error, directory, next: 'make room for, or mend, the state directory' },
          'the runbooks could not be written; those that are there may be old',
        );
      complained = true;
    }
  };

  const refresh = (next = current) => {
    current = next;
    tail = tail.then(write);
  };
  refresh();
  return { refresh, close: () => tail };
}
