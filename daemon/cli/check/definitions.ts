// The guests' definitions that this node keeps for both, and whether the nodes agree about them. The daemon is asked;
// without it the files of its state directory are read, and left as they are.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import type { GuestDefinitions } from '../../control/guests.ts';
import { shellQuote } from '../../drivers/shell.ts';
import { BattitoError } from '../../errors.ts';
import { textDigest } from '../../runtime/definitions/content.ts';
import type { ControlClient } from '../client.ts';
import { type Finding, reporter } from './finding.ts';

/** A definition in use, as this node has stored it. */
export interface StoredDefinition {
  readonly name: string;
  readonly uuid: string;
  readonly group: string;
  readonly xml: string;
}

export interface KnownDefinitions {
  readonly stored: readonly StoredDefinition[];
  /** What the daemon says of them; null: there is none that answers. */
  readonly told: GuestDefinitions | null;
  /** Why the store could not be read; null: it could. */
  readonly unreadable: string | null;
}

export const noDefinitions: KnownDefinitions = { stored: [], told: null, unreadable: null };

export async function readDefinitions(client: ControlClient, stateDir: string): Promise<KnownDefinitions> {
  const { stored, unreadable } = readStore(join(stateDir, 'definitions'));
  let told: GuestDefinitions | null = null;
  try {
    told = await client.guests();
  } catch (error) {
    // What is wrong with the daemon is told elsewhere.
    if (!(error instanceof BattitoError)) throw error;
  }
  const lacking = (told?.guests ?? []).filter(({ uuid }) => !stored.some((one) => one.uuid === uuid));
  const asked = await Promise.all(
    lacking.map(async ({ name, uuid, group }): Promise<readonly StoredDefinition[]> => {
      const texts = await client.guestTexts(uuid).catch(() => null);
      return texts === null || texts.self === null ? [] : [{ name, uuid, group, xml: texts.self }];
    }),
  );
  return { stored: [...stored, ...asked.flat()], told, unreadable: told === null ? unreadable : null };
}

interface StoredVersion {
  readonly name?: unknown;
  readonly group?: unknown;
  readonly textDigest?: unknown;
}

/** Of each record the version whose text lies beside it, which is the one in use. Never throws. */
function readStore(directory: string): Pick<KnownDefinitions, 'stored' | 'unreadable'> {
  let files: readonly string[];
  try {
    files = readdirSync(directory);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { stored: [], unreadable: code === 'ENOENT' ? null : message };
  }
  const texts = new Map<string, string>();
  for (const file of files.filter((name) => name.endsWith('.xml'))) {
    const xml = readText(join(directory, file));
    if (xml !== null) texts.set(textDigest(xml), xml);
  }
  const stored = files
    .filter((file) => file.endsWith('.json'))
    .flatMap((file): readonly StoredDefinition[] => {
      for (const { name, group, textDigest: digest } of versionsIn(readText(join(directory, file)))) {
        const xml = typeof digest === 'string' ? texts.get(digest) : undefined;
        if (xml === undefined || typeof name !== 'string' || typeof group !== 'string') continue;
        return [{ name, uuid: file.slice(0, -'.json'.length), group, xml }];
      }
      return [];
    });
  return { stored, unreadable: null };
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** Newest first. */
function versionsIn(text: string | null): readonly StoredVersion[] {
  try {
    const { versions } = JSON.parse(text ?? '') as { readonly versions?: unknown };
    return Array.isArray(versions) ? (versions as readonly StoredVersion[]).toReversed() : [];
  } catch {
    return [];
  }
}

/** Null where there is no daemon to say whether they agree: that there is none is a finding of its own. */
export function checkAgreement(
  { told, unreadable }: KnownDefinitions,
  { heartbeat, nodes }: Config,
): readonly Finding[] {
  const report = reporter('definitions');
  if (unreadable !== null)
    report.warning(
      'definitions-unreadable',
      `the stored definitions cannot be read: ${unreadable}`,
      'sudo battito check',
    );
  if (told === null) return report.findings;
  const { guests, self, peer, problem, comparedMs, damaged } = told;
  for (const { name, state } of guests) {
    const word = shellQuote(name);
    if (state === 'conflict') {
      report.problem(
        'definitions-conflict',
        `${name} was edited on both nodes: which definition is meant a person decides`,
        `battito guests diff ${word}; battito guests keep ${word} --from ${[self, peer].sort().join('|')}`,
      );
    } else if (state === 'name-taken') {
      report.problem(
        'guest-name-taken',
        `${name} is the name of two guests, each node made its own`,
        `virsh domrename ${word} NEW-NAME   # or virsh undefine, on the node of the one that is not wanted`,
      );
    } else if (state === 'not-yet' && comparedMs !== null && problem === null) {
      report.warning(
        'definition-not-there',
        `${peer} does not have ${self}'s definition of ${name} yet`,
        `battito guests diff ${word}`,
      );
    }
  }
  if (problem !== null || comparedMs === null) {
    const ports = [...new Set(heartbeat.links.map(({ port }) => port))];
    const address = nodes.find(({ name }) => name === peer)?.address ?? peer;
    const tried = ports.map((port) => `nc -zvw 3 ${address} ${port}`).join('; ');
    const through = `let TCP ${ports.join(', ')} through between the two hosts, beside UDP`;
    if (problem !== null) {
      report.warning(
        'definitions-not-compared',
        `not compared with ${peer}: ${problem}`,
        `${tried}   # no connection? ${through}; see also: battito status`,
      );
    } else {
      report.warning(
        'definitions-not-compared',
        `not compared with ${peer} since the daemon was started: what one node defines the other may not know`,
        `battito status   # is ${peer} heard? then ${through}: ${tried}`,
      );
    }
  }
  for (const file of damaged) {
    report.warning(
      'definition-damaged',
      `a stored definition was damaged and is put aside: ${file}`,
      `battito guests   # where ${peer} still has it nothing is lost; then: rm ${shellQuote(file)}`,
    );
  }
  const isWell = report.findings.length === 0 && guests.length > 0;
  if (isWell)
    report.ok(
      `both nodes have the same definitions of ${guests.length} guest${guests.length === 1 ? '' : 's'}`,
    );
  return report.findings;
}
