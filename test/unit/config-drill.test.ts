// The keys `drill` and `schedule` of the configuration: what they take, what is refused with what words, and that it is off by default.

import test from 'ava';
import { formatProblem, parseConfig } from '../../daemon/config/load.ts';
import { planReload } from '../../daemon/runtime/reload.ts';

function parsed(drill: string) {
  const text = `cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat: { links: [{ interface: eth1 }] }
groups: { office: { preferred: primary } }
${drill}
`;
  return parseConfig(text, 'battito.yaml');
}

function configOf(drill: string) {
  const result = parsed(drill);
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.config;
}

function problems(drill: string): readonly string[] {
  const result = parsed(drill);
  return result.ok ? [] : result.problems.map((problem) => formatProblem(problem).replace(/^[^ ]+ /, ''));
}

const fencing = `fencing:
  devices: { bmc-p: { script: /usr/local/sbin/relay }, bmc-s: { script: /usr/local/sbin/relay } }
  nodes: { primary: [[bmc-p]], secondary: [[bmc-s]] }`;

test('nothing is drilled by itself unless the file says so', (t) => {
  t.is(configOf('').drill, null);
  t.deepEqual(configOf('drill: { schedule: "0 4 * * 0", kind: handover }').drill, {
    schedule: '0 4 * * 0',
    kind: 'handover',
    settledMs: 600_000,
  });
  t.like(configOf(`${fencing}\ndrill: { schedule: "@weekly", kind: fence, settled: 1h }`).drill, {
    kind: 'fence',
    settledMs: 3_600_000,
  });
});

test('a schedule that is none is refused, with the field that is wrong', (t) => {
  const expected =
    'drill.schedule: expected a schedule as crontab(5) writes it, such as "0 4 * * 0" (Sundays at four)';
  const drill = (schedule: string) => problems(`drill: { schedule: ${schedule}, kind: handover }`);
  t.deepEqual(drill('weekly'), [`${expected}, found "weekly"`]);
  t.deepEqual(drill('4'), [`${expected}, found 4`]);
  t.deepEqual(drill('"0 4 * *"'), [`${expected}, found "0 4 * *"`]);
  t.deepEqual(drill('"0 25 * * 9"'), [
    `${expected}; 25 is no hour, 9 is no day of the week, found "0 25 * * 9"`,
  ]);
  t.deepEqual(drill('"0 4 31 2 *"'), [`${expected}; 31 is no day of the month, found "0 4 31 2 *"`]);
});

test('it needs a schedule and a kind that can be drilled', (t) => {
  t.deepEqual(problems('drill: {}').length, 2);
  t.deepEqual(problems('drill: { schedule: "0 4 * * 0", kind: takeover }'), [
    'drill.kind: expected fence or handover, found "takeover"',
  ]);
  t.deepEqual(problems('drill: { schedule: "0 4 * * 0", kind: fence }'), [
    'drill.kind: expected handover, since no fencing device is configured, found fence',
  ]);
  t.deepEqual(problems(`${fencing}\ndrill: { schedule: "0 4 * * 0", kind: fence }`), []);
});

test('it counts in the digest only where it is used, and a change of it needs a restart', (t) => {
  const without = configOf('');
  const one = configOf('drill: { schedule: "0 4 * * 0", kind: handover }');
  const other = configOf('drill: { schedule: "0 5 * * 0", kind: handover }');
  t.is(new Set([without, one, other].map(({ digest }) => digest)).size, 3);
  t.deepEqual(planReload(one, other), { applied: [], needsRestart: ['drill.schedule'] });
  t.deepEqual(planReload(without, one), { applied: [], needsRestart: ['drill'] });
});

const schedule = (text: string) => `schedule: ${text}`;

test('housekeeping has times unless the file says others, and each may be switched off', (t) => {
  const usual = configOf('').schedule;
  t.deepEqual(
    Object.values(usual).filter((value) => value === null),
    [],
  );
  t.deepEqual(configOf(schedule('{ verify: off, readiness: "@hourly", keep-days: 30 }')).schedule, {
    ...usual,
    ...{ verify: null, readiness: '@hourly', keepDays: 30 },
  });
  t.deepEqual(problems(schedule('{ verify: never }')), [
    'schedule.verify: expected a schedule as crontab(5) writes it, such as "0 4 * * 0" (Sundays at four), or off, found "never"',
  ]);
  t.regex(problems(schedule('{ verify: "0 25 * * *" }'))[0] ?? '', /, or off; 25 is no hour, found/);
  t.deepEqual(problems(schedule('{ verfy: off }')), ['schedule.verfy: unknown key; did you mean "verify"?']);
  t.deepEqual(problems(schedule('{ keep-days: 1 }')), [
    'schedule.keep-days: expected a whole number from 7 to 3650, found 1',
  ]);
});

test('the times count in the digest only where they are not the usual ones', (t) => {
  const [without, usual, other] = [
    configOf(''),
    configOf(schedule('{ verify: "0 1 * * 6" }')),
    configOf(schedule('{ verify: off }')),
  ];
  t.is(without.digest, usual.digest);
  t.not(without.digest, other.digest);
  t.deepEqual(planReload(without, other), { applied: [], needsRestart: ['schedule.verify'] });
});
