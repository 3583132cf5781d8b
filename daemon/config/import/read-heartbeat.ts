// Reads a directory such as /etc/ha.d. The scripts of its resource.d are only looked into.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BattitoError, exitCodes } from '../../errors.ts';
import { parseAuthkeys } from './authkeys.ts';
import type { Draft, Given, Surroundings } from './draft.ts';
import { parseHaCf } from './ha-cf.ts';
import { parseHaresources } from './haresources.ts';
import { importHeartbeat, nodesOf } from './heartbeat.ts';
import type { ReadScript } from './resource-agents.ts';
import { collectProblems, readSource } from './source.ts';

const scriptBytesMax = 1024 * 1024;

/** @throws BattitoError `import-unreadable` or `import-invalid` with every problem of the three files */
export async function readHeartbeat(
  directory: string,
  given: Given,
  surroundings: Surroundings,
): Promise<Draft> {
  const next = 'name the directory with ha.cf, haresources and authkeys, such as /etc/ha.d';
  if (!existsSync(directory)) {
    throw new BattitoError('import-unreadable', `${directory}: there is no such directory`, {
      exitCode: exitCodes.config,
      next,
    });
  }
  const haCfPath = join(directory, 'ha.cf');
  const haCf = readSource(haCfPath, 'the directives of Heartbeat', next);
  const haresources = readSource(join(directory, 'haresources'), 'the resources of Heartbeat', next);
  const authkeysPath = join(directory, 'authkeys');
  // Nothing of it is taken over, so a copy of the directory may well be without its secret.
  const authkeys = existsSync(authkeysPath) ? readSource(authkeysPath, 'the key of Heartbeat', next) : null;
  const problems = collectProblems('mend these lines, or a copy of the directory, and run the command again');
  const directives = parseHaCf(haCf, problems);
  const nodes = nodesOf(directives, haCfPath, problems);
  const names = nodes.map((node) => node.given);
  const resources = parseHaresources(haresources, names, problems);
  if (haresources.every(({ text }) => /^\s*(#|$)/.test(text))) {
    problems.add(
      null,
      `${join(directory, 'haresources')}: there is no line of resources, so there is no group`,
    );
  }
  const auth = authkeys === null ? null : parseAuthkeys(authkeys, problems);
  const readScript = scriptsOf(directory);
  const files = { haCfPath, directives, nodes, resources, auth, readScript };
  const draft = await importHeartbeat(files, given, surroundings, problems);
  problems.throwIfAny();
  return draft;
}

function scriptsOf(directory: string): ReadScript {
  return (agent) => {
    if (!/^[\w.@-]+$/.test(agent) || /^\.+$/.test(agent)) return null;
    const path = join(directory, 'resource.d', agent);
    try {
      const { size } = statSync(path);
      return size > scriptBytesMax ? null : readFileSync(path, 'utf8');
    } catch {
      return null; // A script that is not there, or not to be read, tells nothing: its name may.
    }
  };
}
