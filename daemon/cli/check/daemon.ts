// What the running daemon knows: do both nodes agree, can it ask what it must; and which tier is in force.

import { isIP } from 'node:net';
import type { Config } from '../../config/config.ts';
import type { Status } from '../../control/api.ts';
import { notReadyCode } from '../../control/schedule.ts';
import type { Policy } from '../../core/policy.ts';
import { BattitoError } from '../../errors.ts';
import type { Code } from '../../why/explanations.ts';
import type { ControlClient } from '../client.ts';
import { type Finding, reporter } from './finding.ts';
import { checkGaps } from './gaps.ts';
import { checkLateness } from './lateness.ts';
import { checkTier, type WaysFound } from './tier.ts';

/** Warnings, or what somebody wants so, with which nobody takes over. */
const unprotected: readonly string[] = [
  ...['peer-dead', 'peer-fenced', 'peer-departed'],
  ...['standby', 'maintenance', 'peer-standby', 'peer-maintenance'],
];

/** `policy`: what the file says; null when it does not know this node. `ways`: what is found of them beside this. */
export async function checkDaemon(
  config: Config,
  policy: Policy | null,
  client: ControlClient,
  ways: WaysFound,
): Promise<readonly Finding[]> {
  const report = reporter('daemon');
  const tier = (status: Status | null) => (policy === null ? [] : checkTier(policy, status, ways));
  let status: Status;
  try {
    status = await client.status();
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    const message = `${error.message}; whether both nodes agree could not be checked`;
    report.obstacle(error.code, message, error.next ?? 'systemctl status battito');
    return [...report.findings, ...tier(null)];
  }
  const asksOutside = config.connectivity.ping.length > 0;
  const pace = [...checkGaps(status), ...checkLateness(status, asksOutside)];
  return [...checkAgreement(config, status), ...checkState(status), ...pace, ...tier(status)];
}

function checkAgreement(config: Config, { self, peer }: Status): readonly Finding[] {
  const report = reporter('daemon');
  if (self.configDigest !== null && !config.digest.startsWith(self.configDigest)) {
    report.warning(
      'daemon-config-other',
      'the daemon runs with another configuration than this file',
      'systemctl reload battito',
    );
  }
  if (peer.configDigest === null) {
    report.obstacle(
      'agreement-unknown',
      `${peer.name} has not been heard: whether it agrees is unknown`,
      'battito status',
    );
    return report.findings;
  }
  if (peer.configDigest === self.configDigest) {
    report.ok(`both nodes have the same configuration, digest ${peer.configDigest.slice(0, 12)}`);
  } else {
    report.problem(
      'config-differs',
      `${self.name} and ${peer.name} have different configurations`,
      `copy the right one to the other node, then on both: systemctl reload battito`,
    );
  }
  if (peer.software === self.software) report.ok(`both nodes run battito ${self.software}`);
  else {
    report.warning(
      'software-differs',
      `${self.name} runs battito ${self.software}, ${peer.name} runs ${peer.software}`,
      'bring both to the same version, one after the other: battito maintenance on --for 30m',
    );
  }
  return report.findings;
}

function checkState({ probes, attention }: Status): readonly Finding[] {
  const report = reporter('daemon');
  for (const { target, kind, last } of probes) {
    if (last === 'failed') {
      report.warning('probe-failed', `${target} could not be asked`, `ping -c 1 ${addressIn(target)}`);
    } else if (last === 'unanswered' && kind === 'gateway') {
      report.warning('gateway-silent', `${target} does not answer`, `ping -c 1 ${addressIn(target)}`);
    }
  }
  // What the last check has found is asked anew here; it would keep itself alive.
  const present = attention.filter(({ code }) => code !== notReadyCode);
  for (const { severity, code, message, next } of present) {
    // It is the daemon's own, which may be of another version.
    if (severity === 'alarm' || unprotected.includes(code)) report.obstacle(code as Code, message, next);
    else if (severity === 'warning') report.warning(code as Code, message, next);
  }
  if (present.every(({ severity }) => severity === 'info')) report.ok('nothing needs attention');
  return report.findings;
}

/** A target is named for people, such as `address 192.168.1.3 of secondary`. */
function addressIn(target: string): string {
  return target.split(' ').find((word) => isIP(word) !== 0) ?? target;
}
