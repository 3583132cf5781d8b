// Where this machine gets its Debian packages from: the image is made from the very same place.
// Read from apt itself, so that every way of writing sources, mirrors, proxies and pinned suites is understood.

import { BattitoError, exitCodes } from '../../../daemon/errors.ts';
import { output } from '../../netns/support/namespaces.ts';

export interface AptSources {
  /** Debian's code name, e.g. `bookworm`. */
  readonly codename: string;
  readonly architecture: string;
  /** Lines for sources.list. */
  readonly lines: readonly string[];
  /** Lines for apt.conf: how to fetch (proxies and checks), and nothing else of this machine's settings. */
  readonly settings: readonly string[];
}

const fields = ['ORIGIN', 'REPO_URI', 'RELEASE', 'CODENAME', 'COMPONENT', 'ARCHITECTURE'] as const;
const separator = '\t';

/** @throws BattitoError when no Debian archive is configured, or apt is missing. */
export async function readAptSources(): Promise<AptSources> {
  const format = fields.map((field) => `$(${field})`).join(separator);
  const listed = await output(['apt-get', 'indextargets', '--format', format, 'Created-By: Packages']).catch(
    (cause: unknown) => {
      throw refusal(`apt could not be asked for its sources: ${String(cause)}`, cause);
    },
  );
  const settings = await output(['apt-config', 'dump']);
  const sources = parseSources(listed);
  if (sources === undefined)
    throw refusal('no Debian archive is among the sources of apt, or none was fetched yet');
  return { ...sources, settings: parseSettings(settings) };
}

const refusal = (message: string, cause?: unknown) =>
  new BattitoError('lab-apt-sources', `the image cannot be made: ${message}`, {
    exitCode: exitCodes.unavailable,
    next: 'The lab wants a Debian host with an archive in /etc/apt; run: apt-get update',
    cause,
  });

/** Archives of other origins (a vendor's) are left out: a node is plain Debian. */
export function parseSources(listed: string): Omit<AptSources, 'settings'> | undefined {
  const rows = listed
    .split('\n')
    .map((line) => line.split(separator))
    .filter(([origin]) => origin === 'Debian');
  const [, , , codename, , architecture] = rows[0] ?? [];
  if (codename === undefined || architecture === undefined) return undefined;
  const lines = rows.map(([, uri, release, , component]) => `deb ${uri} ${release} ${component}`);
  return { codename: codename.replace(/-.*/, ''), architecture, lines: [...new Set(lines)] };
}

export function parseSettings(dump: string): readonly string[] {
  const wanted = /^Acquire::(?:http|https|Retries|Check-Date|Check-Valid-Until|Proxy)\b.*;$/i;
  return dump.split('\n').filter((line) => wanted.test(line));
}
