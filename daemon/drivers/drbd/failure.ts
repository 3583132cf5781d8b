// What drbdadm and drbdsetup say when they refuse, turned into what a person can use. Pure.
// Their exit code says little (11: a state change was refused); the number in brackets says it: drbd_state_rv and
// drbd_ret_code of the kernel's drbd.h. The texts are those of drbd-utils 9.22 for both kernels.

import { type CommandResult, describeFailure } from '../command.ts';
import type { Outcome } from '../driver.ts';
import { progressText } from './progress.ts';
import { type DrbdView, diskNames, type ResyncProgress } from './types.ts';

export type Refusal =
  | 'multiple-primaries'
  | 'need-up-to-date'
  | 'peer-not-outdated'
  | 'refused-by-peer'
  | 'diskless'
  | 'held-open'
  | 'connected-outdates'
  | 'lower-than-outdated'
  /** The state is just changing; the same command may succeed in a moment. */
  | 'transient'
  | 'no-quorum'
  | 'discard-on-primary'
  | 'already-connected'
  | 'already-standalone'
  | 'not-up'
  | 'not-configured'
  | 'no-metadata'
  | 'tools-missing'
  | 'no-permission'
  | 'no-module'
  | 'other';

const stateChanges: Readonly<Record<string, Refusal>> = {
  '-1': 'multiple-primaries',
  '-2': 'need-up-to-date',
  '-4': 'diskless',
  '-6': 'connected-outdates',
  '-7': 'peer-not-outdated',
  '-9': 'already-standalone',
  '-10': 'refused-by-peer',
  '-11': 'diskless',
  '-12': 'held-open',
  '-13': 'already-standalone',
  '-16': 'lower-than-outdated',
  '-18': 'transient',
  '-19': 'transient',
  '-25': 'no-quorum',
};

const failures: Readonly<Record<string, Refusal>> = {
  '102': 'already-connected', // "Local address(port) already in use": by itself, or by another resource.
  '123': 'discard-on-primary',
  '125': 'already-connected',
  '127': 'not-up',
  '152': 'no-permission',
  '158': 'not-up',
};

/** By number first; drbdadm's own complaints by their words. */
export function refusalOf(result: CommandResult): Refusal {
  if (result.startError === 'ENOENT') return 'tools-missing';
  const said = `${result.stderr}\n${result.stdout}`;
  const refused = /State change failed: \((-?\d+)\)/.exec(said)?.[1];
  if (refused !== undefined) return stateChanges[refused] ?? 'other';
  if (/unknown connection/i.test(said)) return 'already-standalone'; // 8.4 forgets it: (162), and this.
  const failed = /Failure: \((\d+)\)/.exec(said)?.[1];
  if (failed !== undefined) return failures[failed] ?? 'other';
  if (/not defined in your config|no resources defined|[Nn]o such resource/.test(said))
    return 'not-configured';
  if (/[Nn]o valid meta ?data found|No usable activity log found/.test(said)) return 'no-metadata';
  if (/modprobe|Could not stat \/proc\/drbd|generic netlink family/.test(said)) return 'no-module';
  if (/Operation not permitted|Permission denied|must be root/.test(said)) return 'no-permission';
  return 'other';
}

export interface Attempted {
  readonly resource: string;
  readonly argv: readonly string[];
  readonly result: CommandResult;
  readonly view: DrbdView;
  readonly progress: ResyncProgress | null;
}

/** `failed` with a stable code; `unknown` where the command was killed, and nobody knows what it did. */
export function explainRefusal(attempted: Attempted): Outcome {
  const { result, argv, resource } = attempted;
  // drbdadm has its own patience, and leaves behind what may still come to effect.
  const gaveUp = /did not terminate within/.test(result.stderr);
  if (gaveUp || (result.exitCode === null && result.startError === undefined)) {
    return { kind: 'unknown', message: `${resource}: ${describeFailure(argv, result)}` };
  }
  const refusal = refusalOf(result);
  const { what, next } = words[refusal](attempted);
  return { kind: 'failed', code: `drbd-${refusal}`, message: `${resource}: ${what}; ${next}` };
}

interface Words {
  readonly what: string;
  readonly next: string;
}

const words: Readonly<Record<Refusal, (attempted: Attempted) => Words>> = {
  'multiple-primaries': () => ({
    what: 'the peer is primary, and two primaries are not allowed (drbdadm: -1)',
    next: 'hand the group over from there: battito handover',
  }),
  'need-up-to-date': ({ view, progress, resource }) => ({
    what: `there is no up-to-date data to be had (drbdadm: -2): ${stateText(view, progress)}`,
    next: nextForData(resource, view, progress),
  }),
  'peer-not-outdated': ({ view }) => ({
    what:
      'DRBD refuses while nobody has confirmed that the peer is off or its copy outdated ' +
      `(drbdadm: -7): ${stateText(view, null)}`,
    next: 'if the peer is off for certain: battito fence confirm NODE',
  }),
  'refused-by-peer': () => ({
    what: 'the peer refused the change (drbdadm: -10)',
    next: 'battito status on the peer shows why; then: battito retry',
  }),
  diskless: ({ resource }) => ({
    what: 'it has no local disk (drbdadm: -11)',
    next: `mend the disk under it, then: drbdadm attach ${resource}`,
  }),
  'held-open': () => ({
    what: 'the device is held open (drbdadm: -12)',
    next: 'close what holds it, then: battito retry',
  }),
  'connected-outdates': () => ({
    what: 'a copy that is connected to its peer cannot be marked as outdated (drbdadm: -6)',
    next: 'nothing is to be done: its peer keeps it up to date',
  }),
  'lower-than-outdated': ({ view }) => ({
    what: `the copy here is less than outdated already (drbdadm: -16): ${stateText(view, null)}`,
    next: 'nothing is to be done: nobody can take it for the newest',
  }),
  transient: () => ({
    what: 'its state is just changing (drbdadm: -18, -19)',
    next: 'in a moment again: battito retry',
  }),
  'no-quorum': () => ({
    what: 'it has no quorum (drbdadm: -25)',
    next: 'with two nodes DRBD needs no quorum of its own: set `quorum off` in its resource file, drbdadm adjust',
  }),
  'discard-on-primary': ({ resource }) => ({
    what: 'a primary cannot discard its data (drbdadm: 123)',
    next: `drbdadm secondary ${resource}`,
  }),
  'already-connected': ({ resource }) => ({
    what: 'it has a connection already, or another resource has its address (drbdadm: 102, 125)',
    next: `drbdadm disconnect ${resource}`,
  }),
  'already-standalone': ({ resource }) => ({
    what: 'it stands alone already (drbdadm: -9, -13, 162)',
    next: `drbdadm connect ${resource}`,
  }),
  'not-up': ({ resource }) => ({ what: 'it is not up on this node', next: `drbdadm up ${resource}` }),
  'not-configured': () => ({
    what: 'DRBD has no resource of this name for this host',
    next: 'drbdadm sh-resources shows the names; correct /etc/drbd.d/*.res or the configuration of Battito',
  }),
  'no-metadata': ({ resource }) => ({
    what: "its disk has no metadata of DRBD's",
    next: `only if the disk is new or empty: drbdadm create-md ${resource}`,
  }),
  'tools-missing': () => ({ what: 'drbdadm is not installed', next: 'apt-get install drbd-utils' }),
  'no-permission': ({ argv, result }) => ({
    what: describeFailure(argv, result),
    next: 'it needs root, or CAP_SYS_ADMIN and CAP_NET_ADMIN',
  }),
  'no-module': () => ({ what: 'the kernel module of DRBD is not loaded', next: 'modprobe drbd' }),
  other: ({ argv, result }) => ({
    what: describeFailure(argv, result),
    next: 'dmesg | grep drbd shows what the kernel says',
  }),
};

/** "its disk is Inconsistent, the peer's UpToDate, not connected; resync 12 %, …". */
export function stateText({ storage }: Pick<DrbdView, 'storage'>, progress: ResyncProgress | null): string {
  const disk = `its disk is ${diskNames[storage.disk]}`;
  const peer = storage.peerDisk === 'unknown' ? '' : `, the peer's is ${diskNames[storage.peerDisk]}`;
  const connection =
    storage.connection === 'connected' ? 'connected' : `not connected (${storage.connection})`;
  const resync = progress === null ? '' : `, resync at ${progressText(progress)}`;
  return `${disk}${peer}, ${connection}${resync}`;
}

export function nextForData(
  resource: string,
  { storage }: Pick<DrbdView, 'storage'>,
  progress: ResyncProgress | null,
): string {
  if (progress !== null) return `wait for the resync (drbdadm status ${resource}), then: battito retry`;
  switch (storage.disk) {
    case 'diskless':
      return `mend the disk under it, then: drbdadm attach ${resource}`;
    case 'unknown':
      return `drbdadm status ${resource}`;
    default:
      return (
        'bring the peer back, which has the newer data; only if its data are lost for good: ' +
        `battito takeover --force=${resource}`
      );
  }
}
