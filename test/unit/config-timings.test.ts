// The rules of the timings: which are refused since they cannot work, with what words, and that the core agrees.

import test from 'ava';
import { parseConfig } from '../../daemon/config/load.ts';
import { formatProblem } from '../../daemon/config/problem.ts';
import { roomFor } from '../../daemon/config/timing-rules.ts';
import { isUnheard } from '../../daemon/core/membership.ts';
import { deriveTimings, type Policy } from '../../daemon/core/policy.ts';
import { initialState } from '../../daemon/core/state.ts';
import { isCutOff, wantedPaces } from '../../daemon/core/verdict.ts';

interface Given {
  readonly keepaliveMs: number;
  readonly warntimeMs: number;
  readonly deadtimeMs: number;
}

/**
 * Does the active node freeze although its gateway answers every question just before the next one? Its peer fell silent
 * at 0, and millisecond for millisecond it is asked what it thinks.
 */
function freezesWithoutNeed(given: Given): boolean {
  const timings = deriveTimings({ ...given, initdeadMs: 30_000 });
  const policy: Policy = {
    ...{ self: 'a', peer: 'b', software: '', configDigest: '', timings, links: [], groups: [] },
    ...{ parallelStarts: 1, guestMemoryMiB: null, fencing: null, witness: null, watchdog: null },
    probes: [{ id: 'gateway', kind: 'gateway' }],
  };
  const ledger = { groups: [], peer: null, standby: false, left: false, maintenanceUntil: null };
  const start = initialState({ at: 0, policy, incarnation: 1, ledger });
  const silent = { ...start, peer: { ...start.peer, lastHeardAt: 0, contactAt: 0 } };
  let askedAt: number | null = null;
  let lastAnsweredAt: number | null = null;
  for (let now = given.warntimeMs; now < given.deadtimeMs * 2; now += 1) {
    const probes = silent.probes.map((probe) => ({ ...probe, lastAnsweredAt }));
    const state = { ...silent, now, probes };
    if (isUnheard(state) && isCutOff(state)) return true;
    const intervalMs = wantedPaces(state)[0]?.intervalMs ?? Number.NaN;
    if (askedAt === null) askedAt = now;
    else if (now - askedAt === intervalMs) {
      lastAnsweredAt = now;
      askedAt = now;
    }
  }
  return false;
}

test('what the rule refuses is what makes a node freeze without need', (t) => {
  let [refused, accepted] = [0, 0];
  for (const keepaliveMs of [10, 15, 25, 50]) {
    for (const warntimeMs of [keepaliveMs + 1, keepaliveMs * 2, keepaliveMs * 3]) {
      for (let windowMs = 1; windowMs < 260; windowMs += windowMs < 60 ? 1 : 7) {
        const given = { keepaliveMs, warntimeMs, deadtimeMs: warntimeMs + windowMs };
        const { ms } = roomFor({ ...given, initdeadMs: 30_000 }, true);
        t.is(ms <= 0, freezesWithoutNeed(given), JSON.stringify({ ...given, ms }));
        if (ms <= 0) refused += 1;
        else accepted += 1;
      }
    }
  }
  t.true(refused > 100 && accepted > 100);
});

const file = (times: string, ping = 'connectivity: { ping: [192.168.1.254] }') => `cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat:
  ${times}
  links: [{ interface: eth1 }, { interface: eth0, mode: unicast }]
${ping}
groups: { office: { preferred: primary, addresses: [192.168.1.1/24 dev eth0] } }
`;

function problems(text: string): string[] {
  const result = parseConfig(text, 'battito.yaml');
  return result.ok ? [] : result.problems.map(formatProblem);
}

const times = (keepalive: string, warntime: string, deadtime: string) =>
  `{ keepalive: ${keepalive}, warntime: ${warntime}, deadtime: ${deadtime} }`
    .slice(2, -2)
    .split(', ')
    .join('\n  ');

test('timings that leave no time to ask are refused, with what would do', (t) => {
  const late = 'the answers would come too late';
  const asked = `between warntime and deadtime the outside and the peer are asked every 20ms, and ${late}`;
  t.deepEqual(problems(file(times('10ms', '20ms', '30ms'))), [
    `battito.yaml:6:13: heartbeat.deadtime: expected a deadtime of at least 56ms: ${asked}; found 30ms`,
  ]);
  t.deepEqual(problems(file(times('10ms', '90ms', '100ms'))), [
    `battito.yaml:6:13: heartbeat.deadtime: expected a deadtime of at least 131ms, or a warntime of at most 59ms: ${asked}; found 100ms`,
  ]);
  t.deepEqual(problems(file('warntime: 1990ms')), [
    `battito.yaml:4:13: heartbeat.warntime: expected a deadtime of at least 2031ms, or a warntime of at most 1959ms: ${asked}; found 1990ms`,
  ]);
  t.deepEqual(problems(file(times('10ms', '20ms', '30ms'), '')), [
    `battito.yaml:6:13: heartbeat.deadtime: expected a deadtime of at least 41ms: between warntime and deadtime the peer is asked every 20ms, and ${late}; found 30ms`,
  ]);
  for (const [keepalive, warntime, deadtime] of [
    ['10ms', '20ms', '56ms'],
    ['10ms', '90ms', '131ms'],
    ['10ms', '59ms', '100ms'],
  ] as const)
    t.deepEqual(problems(file(times(keepalive, warntime, deadtime))), []);
});

test('the usual timings, and fast ones with room, are taken', (t) => {
  t.deepEqual(problems(file('keepalive: 200ms')), []);
  t.deepEqual(problems(file(times('100ms', '200ms', '300ms'))), []);
  t.deepEqual(problems(file(times('10ms', '20ms', '60ms'))), []);
});
