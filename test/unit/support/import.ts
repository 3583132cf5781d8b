// Directories of Heartbeat and files of keepalived for the tests of `battito import`, and what comes out of them.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { renderDraft } from '../../../daemon/cli/import/yaml.ts';
import type { Config } from '../../../daemon/config/config.ts';
import type { Draft, Given, Surroundings } from '../../../daemon/config/import/draft.ts';
import { readHeartbeat } from '../../../daemon/config/import/read-heartbeat.ts';
import { readKeepalived } from '../../../daemon/config/import/read-keepalived.ts';
import { formatProblem, parseConfig } from '../../../daemon/config/load.ts';
import { BattitoError } from '../../../daemon/errors.ts';
import { temporaryDirectory } from '../../support.ts';

/** Text by path in the directory. */
export type Files = Readonly<Record<string, string>>;

export const haCf = `
keepalive 2
deadtime 30
warntime 10
initdead 120
bcast eth1
auto_failback off
node alpha
node beta
ping 192.168.1.254
`;
export const haresources = 'alpha 192.168.1.1/24/eth0 drbddisk::r0 Filesystem::/dev/drbd0::/srv/r0::ext4\n';
export const authkeys = 'auth 1\n1 sha1 correct-horse\n';

/** A pair as it is usual; what is given replaces a file, null leaves it out. */
export const pair = (changes: Readonly<Record<string, string | null>> = {}): Files => {
  const all = { 'ha.cf': haCf, haresources, authkeys, ...changes };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null),
  );
};

export function writeFiles(t: ExecutionContext, files: Files): string {
  const directory = temporaryDirectory(t);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return directory;
}

const addresses = new Map([
  ['alpha', '192.168.1.2'],
  ['beta', '192.168.1.3'],
]);
export const given: Given = { addresses, interface: null, prefix: null };
export const nowhere: Surroundings = { node: 'elsewhere', interfaces: [], resolve: async () => [] };

export interface Imported {
  readonly draft: Draft;
  readonly yaml: string;
  readonly config: Config;
}

function load(t: ExecutionContext, draft: Draft): Imported {
  const yaml = renderDraft(draft, '/source');
  const parsed = parseConfig(yaml, 'battito.yaml');
  if (!parsed.ok) {
    t.log(yaml);
    throw new Error(parsed.problems.map(formatProblem).join('\n'));
  }
  return { draft, yaml, config: parsed.config };
}

export async function heartbeat(
  t: ExecutionContext,
  files: Files,
  options: { readonly given?: Given; readonly around?: Surroundings } = {},
): Promise<Imported> {
  const directory = writeFiles(t, files);
  return load(t, await readHeartbeat(directory, options.given ?? given, options.around ?? nowhere));
}

export function keepalived(
  t: ExecutionContext,
  text: string,
  peer?: string,
  more?: Partial<Given>,
): Imported {
  const files = { 'keepalived.conf': text, ...(peer === undefined ? {} : { 'peer.conf': peer }) };
  const directory = writeFiles(t, files);
  const peerFile = peer === undefined ? null : join(directory, 'peer.conf');
  return load(t, readKeepalived(join(directory, 'keepalived.conf'), peerFile, { ...given, ...more }));
}

/** The problems of a refusal, without the directory, and without the count at the end. */
export async function problemsOf(t: ExecutionContext, work: () => unknown): Promise<readonly string[]> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    t.is(error.code, 'import-invalid', error.message);
    t.truthy(error.next);
    return error.message
      .split('\n')
      .slice(0, -1)
      .map((line) => line.replaceAll(/\/\S*\/(?=[^/\s]+:)/g, ''));
  }
  return t.fail('it was imported');
}
