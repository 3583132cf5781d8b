// The tier in force, said plainly, so that nobody believes in more than there is: what it promises, what is left, and
// what would raise it.

import type { Status } from '../../control/api.ts';
import { lacksOf } from '../../control/safeguards.ts';
import { tierWords } from '../../control/words.ts';
import type { Policy } from '../../core/policy.ts';
import { tierOf } from '../../core/policy.ts';
import { type Finding, reporter } from './finding.ts';

/** What the same check has found of the ways to prove a peer off. */
export interface WaysFound {
  /** Why no device would power the peer off; null: one would, or there is none. */
  readonly fencingLacks: string | null;
  /** Of the witness and of the watchdog. */
  readonly findings: readonly Finding[];
}

/** `status`: null when the daemon does not run. */
export function checkTier(policy: Policy, status: Status | null, found: WaysFound): readonly Finding[] {
  const report = reporter('guarantee');
  const lacks = status?.tierLacks ?? lacksNow(policy, found);
  const [promise, left, raise] = tierOf(policy) === 'fenced' ? fenced(policy) : evidence(policy);
  if (lacks === null) report.ok(promise);
  else {
    report.obstacle(
      'tier-not-effective',
      `${tierWords(tierOf(policy), lacks)}: nothing would be taken over from a dead ${policy.peer}: ${lacks}`,
      'battito status   # it, and what is found above, say what mends it',
    );
  }
  report.info(left);
  if (raise !== null) report.info(raise);
  return report.findings;
}

function lacksNow(policy: Policy, { fencingLacks, findings }: WaysFound): string | null {
  // A certificate that is about to expire works until then.
  const problems = findings.filter(
    ({ level, code }) => level === 'problem' && code !== 'certificate-expires',
  );
  const lease = problems.map(({ area, message }) => `${area}: ${message}`);
  return lacksOf(policy, fencingLacks === null ? null : `fencing: ${fencingLacks}`, lease);
}

type Words = readonly [promise: string, left: string, raise: string | null];

function fenced({ fencing, witness, watchdog, peer }: Policy): Words {
  const promise = 'tier fenced: no guest runs twice under any combination of faults: a takeover waits until';
  const off = `the fencing device has ${peer} off and ${peer} is not heard of any more`;
  const over = `the lease of ${peer} is over for longer than its watchdog takes to reset it`;
  const isByLease = witness !== null && watchdog !== null;
  if (fencing !== null && !isByLease) {
    return [
      `${promise} ${off}`,
      'what is left: a device that says off and lies, while every path to the peer is cut as well.',
      `what would add to it: a way for when the device does not answer, as when it loses its power with ${peer}: a witness with a watchdog (\`witness\`, \`watchdog\`). Until then such a takeover waits for a person.`,
    ];
  }
  const lost =
    'what is left: a watchdog that does not reset its host, and an etcd put back to an older state.';
  if (fencing === null) {
    return [
      `${promise} ${over}`,
      lost,
      `what would add to it: a device that powers ${peer} off (\`fencing\`), for when the witness does not answer; a takeover is quicker by it, too.`,
    ];
  }
  return [`${promise} ${off}, or ${over}`, lost, null];
}

function evidence({ witness }: Policy): Words {
  const promise =
    'tier evidence: no guest runs twice when one host dies, loses a network, or is wholly cut off';
  const hangs =
    'a host that hangs as a whole for longer than deadtime and then goes on; a host whose daemon is dead and which is then cut off';
  const raise =
    'what would raise it to fenced: a device that powers the peer off (`fencing`: a BMC, a switched PDU), or';
  if (witness !== null) {
    return [
      `${promise}; nor when every path between the nodes is cut, since only one of them has the lease`,
      `what is left: ${hangs}.`,
      `${raise} a watchdog on both nodes (\`watchdog\`).`,
    ];
  }
  return [
    promise,
    `what is left without fencing: every path between the nodes is cut while both still reach the outside; ${hangs}. Links that share no cable, switch or power make the first unlikely.`,
    `${raise} a witness (\`witness\`) together with a watchdog on both nodes (\`watchdog\`).`,
  ];
}
