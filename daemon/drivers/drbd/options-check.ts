// What in the settings of a resource does not go with failover: for `battito check`. Pure.

import type { DrbdOptions } from './options.ts';
import type { Trouble } from './types.ts';

const fencePeer = '/usr/bin/battito drbd fence-peer';
/** Asks the daemon, wherever the command lies and whatever options it is given. */
const isFencePeer = (handler: string) => /(^|\/)battito\s+(\S+\s+)*?drbd\s+fence-peer\b/.test(handler);
const isUnfencePeer = (handler: string) => /(^|\/)battito\s+(\S+\s+)*?drbd\s+unfence-peer\b/.test(handler);

export interface DrbdFinding extends Trouble {
  readonly level: 'warning' | 'problem';
  readonly why: string;
}

/**
 * What of it does not go with failover. `deadtimeMs`: the silence after which the peer counts as dead. `generation`: of
 * the kernel that runs. Pure.
 */
export function checkDrbdOptions(
  resource: string,
  { live, configured }: { readonly live: DrbdOptions | null; readonly configured: DrbdOptions },
  { deadtimeMs, generation }: { readonly deadtimeMs: number; readonly generation: '8.4' | '9' },
): readonly DrbdFinding[] {
  const used = live ?? configured;
  const where = live === null ? `in the configuration of ${resource}` : `of ${resource}, as it runs,`;
  const file = `/etc/drbd.d/${resource}.res`;
  const set = (setting: string) => `set \`${setting}\` in ${file}, then: drbdadm adjust ${resource}`;
  const findings: DrbdFinding[] = [];
  const add = (level: DrbdFinding['level'], code: string, what: string, why: string, next: string) =>
    void findings.push({ level, code, what, why, next });

  if (used.protocol !== 'C') {
    add(
      'problem',
      'drbd-protocol',
      `the protocol ${where} is ${used.protocol}`,
      'a write counts as done before it is on both disks, so a takeover loses it',
      set('protocol C;'),
    );
  }
  if (used.fencing === 'dont-care') {
    add(
      'problem',
      'drbd-fencing',
      `fencing ${where} is dont-care`,
      'a primary that loses its peer writes on at once, and both copies may be written to apart',
      set('fencing resource-and-stonith;'),
    );
  } else if (used.fencing !== 'resource-and-stonith') {
    add(
      'problem',
      'drbd-fencing',
      `fencing ${where} is ${used.fencing}`,
      'a primary that loses its peer goes on writing while that is judged, and what it writes then a takeover loses',
      set('fencing resource-and-stonith;'),
    );
  }
  const handler = configured.fencePeer;
  if (used.fencing !== 'dont-care' && (handler === null || !isFencePeer(handler))) {
    add(
      'problem',
      handler === null ? 'drbd-no-fence-peer' : 'drbd-other-fence-peer',
      handler === null
        ? `fencing ${where} is ${used.fencing}, but ${resource} has no fence-peer handler`
        : `the fence-peer handler of ${resource} is ${handler}, not Battito's`,
      handler === null
        ? 'nobody can answer DRBD when it loses its peer, so its IO stands still until a person comes'
        : 'two programs would decide about the same disk, and not know of each other',
      set(`handlers { fence-peer "${fencePeer}"; }`),
    );
  }
  if (configured.unfencePeer !== null && !isUnfencePeer(configured.unfencePeer)) {
    add(
      'warning',
      'drbd-other-unfence-peer',
      `${resource} calls ${configured.unfencePeer} after a resync`,
      'Battito has nothing to take back then, and what another cluster manager left there would act on its own',
      `take unfence-peer and after-resync-target out of ${file}, then: drbdadm adjust ${resource}`,
    );
  }
  if (used.allowTwoPrimaries) {
    add(
      'problem',
      'drbd-two-primaries',
      `allow-two-primaries ${where} is on`,
      'nothing keeps both nodes from writing at once; it belongs on for the moment of a live migration only',
      `drbdadm net-options --protocol=C --allow-two-primaries=no ${resource}`,
    );
  }
  if (generation === '9' && used.autoPromote) {
    add(
      'warning',
      'drbd-auto-promote',
      `auto-promote ${where} is on`,
      'whoever opens the device makes this node primary, also when the group runs on the other one',
      set('options { auto-promote no; }'),
    );
  }
  if (used.afterSplitBrain !== 'disconnect') {
    add(
      'problem',
      'drbd-after-split-brain',
      `after a split brain ${resource} is set to ${used.afterSplitBrain} by itself`,
      'it may throw away the newer data without anybody having looked; a person should choose: battito drbd resolve',
      set('after-sb-0pri disconnect; after-sb-1pri disconnect; after-sb-2pri disconnect;'),
    );
  }
  const noticeMs = used.pingIntMs + used.pingTimeoutMs;
  if (noticeMs >= deadtimeMs) {
    add(
      'warning',
      'drbd-ping-int',
      `an idle connection ${where} is noticed to be lost after ${seconds(noticeMs)} (ping-int + ping-timeout), not within the deadtime of ${seconds(deadtimeMs)}`,
      'DRBD still believes in a peer that is being taken over from',
      pingAdvice(used, deadtimeMs, set),
    );
  }
  if (used.timeoutMs > Math.max(deadtimeMs, 3000)) {
    add(
      'warning',
      'drbd-timeout',
      `the timeout ${where} is ${seconds(used.timeoutMs)}, the deadtime ${seconds(deadtimeMs)}`,
      'a write to a peer that has died waits that long, and the guests with it',
      set('timeout 30;'),
    );
  }
  return live === null ? findings : [...findings, ...differences(resource, live, configured)];
}

/** ping-int is a second at least; with a shorter deadtime only that can give way. */
function pingAdvice(
  { pingTimeoutMs }: DrbdOptions,
  deadtimeMs: number,
  set: (setting: string) => string,
): string {
  const pingInt = Math.floor((deadtimeMs - pingTimeoutMs - 1) / 1000);
  return pingInt >= 1
    ? set(`ping-int ${pingInt};`)
    : `${set('ping-int 1;')}; and set heartbeat.deadtime above ${seconds(1000 + pingTimeoutMs)}`;
}

/** What was changed in the files, and is not in force. */
function differences(resource: string, live: DrbdOptions, configured: DrbdOptions): readonly DrbdFinding[] {
  const names: Readonly<Record<Exclude<keyof DrbdOptions, 'fencePeer' | 'unfencePeer'>, string>> = {
    protocol: 'protocol',
    fencing: 'fencing',
    allowTwoPrimaries: 'allow-two-primaries',
    autoPromote: 'auto-promote',
    afterSplitBrain: 'after-sb-0pri, -1pri or -2pri',
    pingIntMs: 'ping-int',
    pingTimeoutMs: 'ping-timeout',
    timeoutMs: 'timeout',
    verifyAlg: 'verify-alg',
  };
  const changed = (Object.keys(names) as (keyof typeof names)[]).filter(
    (key) => live[key] !== configured[key],
  );
  if (changed.length === 0) return [];
  return [
    {
      level: 'warning',
      code: 'drbd-not-adjusted',
      what: `${resource} runs with other settings than its files say: ${changed.map((key) => names[key]).join(', ')}`,
      why: 'the files count only after `drbdadm adjust` or the next start',
      next: `drbdadm --dry-run adjust ${resource}   # then without --dry-run, when the mirror is in step`,
    },
  ];
}

const seconds = (ms: number) => `${ms / 1000} s`;
