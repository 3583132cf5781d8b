// How a resource is set up, live and in its files; what of that does not go with failover says options-check.ts.
// Reads `drbdsetup show` and `drbdadm dump`; changes nothing. (The text of `show`, which both generations have: their
// --json differs, and 8.4 has none.)

import { describeFailure, runCommand } from '../command.ts';
import { type ConfigNode, parseConfigText, sections, settingOf } from './config-text.ts';
import { type DrbdEndpoint, endpointsOf } from './endpoints.ts';
import { refusalOf } from './failure.ts';
import { drbdGeneration, readDrbdKernel, toolsMissing } from './kernel.ts';
import type { Trouble } from './types.ts';
import { type DrbdVolume, volumesOf } from './volumes.ts';

/** The settings that failover depends on; with the defaults of DRBD where nothing is said. */
export interface DrbdOptions {
  readonly protocol: string;
  readonly fencing: string;
  readonly allowTwoPrimaries: boolean;
  /** DRBD 9: whoever opens the device makes it primary. */
  readonly autoPromote: boolean;
  /** What DRBD does with a split brain by itself, other than to stand alone. */
  readonly afterSplitBrain: string;
  readonly pingIntMs: number;
  readonly pingTimeoutMs: number;
  readonly timeoutMs: number;
  /** By which a verify compares the copies; null: none can. */
  readonly verifyAlg: string | null;
  /** Null: not configured, or not said (`show` does not know handlers). */
  readonly fencePeer: string | null;
  /** What is called when a copy is whole again: `unfence-peer` of 9, `after-resync-target` of 8.4. Null: nothing. */
  readonly unfencePeer: string | null;
}

export interface DrbdDevice {
  /** /dev/drbdN */
  readonly path: string;
  readonly minor: number;
}

export type OptionsReading =
  | {
      readonly kind: 'read';
      /** Null: the resource is not up. */
      readonly live: DrbdOptions | null;
      readonly configured: DrbdOptions;
      /** Volumes in their order. */
      readonly devices: readonly DrbdDevice[];
      /** By the files; empty where they cannot be understood. */
      readonly endpoints: readonly DrbdEndpoint[];
      readonly volumes: readonly DrbdVolume[];
    }
  | { readonly kind: 'failed'; readonly trouble: Trouble };

const timeoutMs = 5000;

/** Never rejects. */
export async function readDrbdOptions(
  resource: string,
  signal: AbortSignal,
  /** For tests; /proc/drbd when left out. */
  procFile?: string,
): Promise<OptionsReading> {
  const run = (argv: readonly string[]) => runCommand(argv, { timeoutMs, signal });
  const dumpArgv = ['drbdadm', 'dump', resource];
  const dump = await run(dumpArgv);
  if (dump.exitCode !== 0) {
    const trouble = dumpTrouble(resource, dumpArgv, dump);
    if (trouble.code !== 'drbd-not-readable') return { kind: 'failed', trouble };
    const isLoaded = (await readDrbdKernel(procFile)).kind !== 'not-loaded';
    const generation = await drbdGeneration(signal, procFile);
    const next = nextForFile(`${dump.stderr}\n${dump.stdout}`, isLoaded, generation) ?? trouble.next;
    return { kind: 'failed', trouble: { ...trouble, next } };
  }
  const show = await run(['drbdsetup', 'show', resource]);
  const paths = await run(['drbdadm', 'sh-dev', resource]);
  const dumped = parseConfigText(dump.stdout);
  const shown = show.exitCode === 0 ? parseConfigText(show.stdout) : [];
  return {
    kind: 'read',
    live: sections(shown, 'resource').length === 0 ? null : optionsOf(shown),
    configured: optionsOf(dumped),
    devices: paths.exitCode === 0 ? parseDevices(paths.stdout) : [],
    endpoints: endpointsOf(dumped),
    volumes: volumesOf(dumped),
  };
}

function dumpTrouble(
  resource: string,
  argv: readonly string[],
  result: Parameters<typeof describeFailure>[1],
): Trouble {
  switch (refusalOf(result)) {
    case 'tools-missing':
      return toolsMissing;
    case 'not-configured':
      return {
        code: 'drbd-not-configured',
        what: `DRBD has no resource ${resource} for this host`,
        next: 'drbdadm sh-resources   # shows the names; /etc/drbd.d/*.res has them, with `on HOSTNAME` for each host',
      };
    default:
      return { code: 'drbd-not-readable', what: describeFailure(argv, result), next: argv.join(' ') };
  }
}

/** Where drbdadm's complaint says by itself what is to be corrected in the files; undefined where it does not. */
function nextForFile(said: string, isLoaded: boolean, generation: '8.4' | '9'): string | undefined {
  const foreign = /\bIP (\S+) not found on this host/.exec(said)?.[1];
  if (foreign !== undefined) {
    return `ip -brief address   # shows what this host has; give it ${foreign}, or correct \`address\` in /etc/drbd.d/*.res`;
  }
  const [, file, line] = /(?:^|\n)(\/?[\w./+-]+):(\d+): /.exec(said) ?? [];
  if (file === undefined || line === undefined) return isLoaded ? undefined : 'modprobe drbd   # then again';
  const place = `line ${line} of ${file.startsWith('/') ? file : `/etc/${file}`}`;
  if (!/but got '?fencing\b/.test(said))
    return `correct ${place}, then: drbdadm dump   # until it has no complaint`;
  if (generation === '9') return `move \`fencing\` (${place}) from the section disk to net: so DRBD 9 has it`;
  // Without its module the tools take the files for DRBD 9's, and stumble over what only 8.4 knows.
  return isLoaded
    ? `correct ${place}: with DRBD 8.4 \`fencing\` belongs into the section disk`
    : `modprobe drbd   # DRBD 8.4 has \`fencing\` there, and the tools know only with its module which is meant`;
}

/** `drbdadm sh-dev`: a line for each volume. */
export function parseDevices(text: string): readonly DrbdDevice[] {
  return text.split('\n').flatMap((line) => {
    const minor = /^\/dev\/drbd(\d+)$/.exec(line.trim())?.[1];
    return minor === undefined ? [] : [{ path: line.trim(), minor: Number(minor) }];
  });
}

/** `fencing` is a setting of the disk in 8.4, of the net in 9. Times: seconds, and tenths of them (drbd.conf(5)). */
export function optionsOf(nodes: readonly ConfigNode[]): DrbdOptions {
  const net = (name: string) => settingOf(nodes, 'net', name);
  const number = (text: string | undefined, other: number) => {
    const value = Number.parseInt(text ?? '', 10);
    return Number.isNaN(value) ? other : value;
  };
  return {
    protocol: net('protocol') ?? 'C',
    fencing: net('fencing') ?? settingOf(nodes, 'disk', 'fencing') ?? 'dont-care',
    allowTwoPrimaries: net('allow-two-primaries') === 'yes',
    autoPromote: settingOf(nodes, 'options', 'auto-promote') !== 'no',
    afterSplitBrain:
      ['after-sb-0pri', 'after-sb-1pri', 'after-sb-2pri']
        .map((name) => net(name) ?? 'disconnect')
        .find((policy) => policy !== 'disconnect') ?? 'disconnect',
    pingIntMs: number(net('ping-int'), 10) * 1000,
    pingTimeoutMs: number(net('ping-timeout'), 5) * 100,
    timeoutMs: number(net('timeout'), 60) * 100,
    verifyAlg: net('verify-alg') ?? null,
    fencePeer:
      settingOf(nodes, 'handlers', 'fence-peer') ?? settingOf(nodes, 'handlers', 'outdate-peer') ?? null,
    unfencePeer:
      settingOf(nodes, 'handlers', 'unfence-peer') ??
      settingOf(nodes, 'handlers', 'after-resync-target') ??
      null,
  };
}
