// The part `fencing` of a configuration: what it becomes, and each thing that may not stand there.

import test from 'ava';
import type { Config } from '../../daemon/config/config.ts';
import { levelsFor } from '../../daemon/config/fencing.ts';
import { formatProblem, parseConfig } from '../../daemon/config/load.ts';
import { tierOf } from '../../daemon/core/policy.ts';
import { buildPolicy } from '../../daemon/runtime/policy.ts';
import { problemsOf } from './support/config-cases.ts';

const before = `cluster: office
nodes: { alpha: { address: 192.168.1.2 }, beta: { address: 192.168.1.3 } }
heartbeat: { links: [{ interface: eth1 }] }
groups: { office: { preferred: alpha } }
`;
const sound = `${before}fencing:
  delay: 3s
  timeout: 40s
  devices:
    bmc-alpha: { agent: fence_ipmilan, options: { ip: 10.0.0.11, lanplus: true, ipport: 623 }, secrets: /etc/battito/fence/alpha }
    bmc-beta: { agent: fence_ipmilan, options: { ip: 10.0.0.12 } }
    pdu: { agent: fence_apc, options: { ip: 10.0.0.9 }, plugs: { alpha: 1, beta: "2,4" } }
    relay: { script: /etc/battito/relay }
  nodes:
    alpha: [[bmc-alpha], [pdu, relay]]
    beta: [[bmc-beta], [pdu], [relay]]
`;

function configOf(text: string): Config {
  const parsed = parseConfig(text, 'battito.yaml');
  if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join('\n'));
  return parsed.config;
}

test('devices, levels and times become these values', (t) => {
  const { fencing } = configOf(sound);
  t.like(fencing, { delayMs: 3000, timeoutMs: 40_000 });
  t.deepEqual(fencing?.devices[0], {
    name: 'bmc-alpha',
    kind: 'agent',
    program: 'fence_ipmilan',
    options: { ip: '10.0.0.11', lanplus: 'true', ipport: '623' },
    plugs: {},
    secrets: '/etc/battito/fence/alpha',
  });
  t.like(fencing?.devices[2], { plugs: { alpha: '1', beta: '2,4' } });
  t.like(fencing?.devices[3], { kind: 'script', program: '/etc/battito/relay', secrets: null });
  if (fencing === null) return t.fail();
  t.deepEqual(
    levelsFor(fencing, 'alpha').map((level) => level.map(({ name }) => name)),
    [['bmc-alpha'], ['pdu', 'relay']],
  );
});

test('each node is told of the times, and the tier is fenced; without devices it is not', (t) => {
  for (const node of ['alpha', 'beta']) {
    const policy = buildPolicy(configOf(sound), node, '1');
    t.deepEqual(policy.fencing, { delayMs: 3000, deadlineMs: 40_000 });
    t.is(tierOf(policy), 'fenced');
  }
  const without = buildPolicy(configOf(before), 'alpha', '1');
  t.is(without.fencing, null);
  t.is(tierOf(without), 'evidence');
});

test('the digest counts fencing where it is used, and what is in it', (t) => {
  const { digest } = configOf(sound);
  t.not(digest, configOf(before).digest);
  t.not(digest, configOf(sound.replace('10.0.0.12', '10.0.0.13')).digest);
  t.is(digest, configOf(sound.replace('lanplus: true', 'lanplus: "true"')).digest);
});

/** What is said, without its place. */
const told = (from: string, to: string) =>
  problemsOf(sound, [[from, to]]).map(({ path, message }) => `${path}: ${message}`);

test('a node that nothing can switch off is told at its place', (t) => {
  const problems = problemsOf(sound, [['    beta: [[bmc-beta], [pdu], [relay]]\n', '']]).map(formatProblem);
  t.deepEqual(problems, [
    'battito.yaml:10:5: fencing.devices.bmc-beta: no node has it; expected each device in a level of a node under fencing.nodes',
    'battito.yaml:14:5: fencing.nodes.beta: missing; expected devices for each of alpha and beta, since either may have to be switched off',
  ]);
});

test('nodes and devices that do not exist are named with the nearest one that does', (t) => {
  t.true(
    told('beta: [[', 'betta: [[').includes(
      'fencing.nodes.betta: expected one of the nodes alpha, beta, found "betta"; did you mean "beta"?',
    ),
  );
  t.true(
    told('[[bmc-beta]', '[[bmc-betta]').includes(
      'fencing.nodes.beta[0][0]: expected one of bmc-alpha, bmc-beta, pdu, relay, found "bmc-betta"; did you mean "bmc-beta"?',
    ),
  );
  t.deepEqual(told('[[bmc-beta], [pdu], [relay]]', '[[pdu], [relay]]'), [
    'fencing.devices.bmc-beta: no node has it; expected each device in a level of a node under fencing.nodes',
  ]);
  t.deepEqual(told('plugs: { alpha: 1,', 'plugs: { alpa: 1, alpha: 1,'), [
    'fencing.devices.pdu.plugs.alpa: expected one of the nodes alpha, beta, found "alpa"; did you mean "alpha"?',
  ]);
});

test('a device of which nobody knows whose power it cuts is refused', (t) => {
  t.deepEqual(told('[[bmc-beta], [pdu]', '[[bmc-alpha], [bmc-beta], [pdu]'), [
    'fencing.nodes.alpha[0][0]: bmc-alpha would switch off the same host for both nodes; expected a device of its own for each node, or plugs: { alpha: ..., beta: ... } in it',
    'fencing.nodes.beta[0][0]: bmc-alpha would switch off the same host for both nodes; expected a device of its own for each node, or plugs: { beta: ..., alpha: ... } in it',
  ]);
  t.deepEqual(told('alpha: 1, beta: "2,4"', 'alpha: 1, beta: "1"'), [
    'fencing.nodes.alpha[1][0]: pdu has the same outlet for both nodes; expected an outlet of its own for each node',
    'fencing.nodes.beta[1][0]: pdu has the same outlet for both nodes; expected an outlet of its own for each node',
  ]);
  t.deepEqual(told('alpha: 1, beta: "2,4"', 'alpha: 1'), [
    'fencing.nodes.beta[1][0]: pdu has no outlet of beta; expected its outlet under fencing.devices.pdu.plugs',
  ]);
});

test('an outlet without a name is none', (t) => {
  for (const blank of ['""', '" "', '","']) {
    t.deepEqual(told('plugs: { alpha: 1, beta: "2,4" }', `plugs: { alpha: ${blank}, beta: ${blank} }`), [
      'fencing.nodes.alpha[1][0]: pdu has no outlet of alpha; expected its outlet under fencing.devices.pdu.plugs',
      'fencing.nodes.beta[1][0]: pdu has no outlet of beta; expected its outlet under fencing.devices.pdu.plugs',
    ]);
  }
});

test('a device stands in a level once', (t) => {
  t.deepEqual(
    told('alpha: [[bmc-alpha], [pdu, relay]]', 'alpha: [[bmc-alpha], [relay, pdu, relay], [relay]]'),
    ['fencing.nodes.alpha[1][2]: relay stands there twice; expected each device once in a level'],
  );
});

test('outlets that overlap, and one device under two names, are refused', (t) => {
  t.deepEqual(told('alpha: 1, beta: "2,4"', 'alpha: "1, 2", beta: "2,4"'), [
    'fencing.nodes.alpha[1][0]: pdu has the same outlet for both nodes; expected an outlet of its own for each node',
    'fencing.nodes.beta[1][0]: pdu has the same outlet for both nodes; expected an outlet of its own for each node',
  ]);
  const apart = told(
    'ip: 10.0.0.9 }, plugs: { alpha: 1, beta: "2,4" }',
    'ip: 10.0.0.9, plug_separator: ":" }, plugs: { alpha: "1:2", beta: "2:4" }',
  );
  t.is(apart.length, 2);
  t.regex(`${apart[0]}`, /pdu has the same outlet for both nodes/);
  t.deepEqual(told('{ ip: 10.0.0.12 }', '{ ipport: 623, ip: 10.0.0.11, lanplus: true }'), [
    'fencing.nodes.alpha[0][0]: bmc-alpha is the same device as bmc-beta of beta, which would be switched off for alpha; expected the address of a device of its own for each node',
    'fencing.nodes.beta[0][0]: bmc-beta is the same device as bmc-alpha of alpha, which would be switched off for beta; expected the address of a device of its own for each node',
  ]);
});

test('an agent that cuts off storage or network, or nothing, and leaves the power, is refused', (t) => {
  for (const agent of ['fence_ifmib', 'fence_dummy', 'fence_crosslink', 'fence_evacuate', 'fence_sbd']) {
    t.deepEqual(told('agent: fence_apc,', `agent: ${agent},`), [
      `fencing.devices.pdu.agent: ${agent} leaves a node its power; expected an agent that cuts the power`,
    ]);
  }
});

test('what is secret, what the daemon says itself, and what makes agents talkative has no place in options', (t) => {
  for (const option of ['password', 'passwd', 'snmp_priv_passwd', 'api_key', 'hexadecimal_kg', 'community']) {
    t.deepEqual(told('{ ip: 10.0.0.12', `{ ${option}: hunter2, ip: 10.0.0.12`), [
      `fencing.devices.bmc-beta.options.${option}: not to be kept in a file that others may read; expected ${option}=... in the file that \`secrets\` names, mode 0600`,
    ]);
  }
  for (const option of ['password_script', 'identity_file', 'passwd-script']) {
    t.deepEqual(told('{ ip: 10.0.0.9 ', `{ ${option}: /x, ip: 10.0.0.9 `), [], option);
  }
  t.regex(
    told('{ ip: 10.0.0.12', '{ passwd-script: /x, ip: 10.0.0.12').join(),
    /^fencing\.devices\.bmc-beta\.options\.passwd-script: .* expected password=\.\.\. .*arguments of ipmitool$/,
  );
  for (const [option, pattern] of [
    ['action', /the daemon says what is to be done/],
    ['verbose', /would write down what is secret/],
    ['debug-file', /would write down what is secret/],
    ['delay', /fencing\.delay/],
    ['missing-as-off', /an outlet that is mistyped would read off/],
    ['Ip', /expected a name such as ip/],
  ] as const) {
    const [problem = ''] = told('{ ip: 10.0.0.12', `{ ${option}: x, ip: 10.0.0.12`);
    t.regex(problem, pattern);
  }
});

test('a value that is no option, a program that is none, a time too short', (t) => {
  t.deepEqual(
    told('ip: 10.0.0.12', 'ip: "10.0.0.12\\naction=on"').length,
    1,
    'a second line would be an option of its own',
  );
  t.deepEqual(told('ip: 10.0.0.12', 'ip: [1]').length, 1);
  t.regex(
    told('agent: fence_apc', 'agent: /bin/sh').join(),
    /the name of a fence agent such as fence_ipmilan/,
  );
  t.regex(told('script: /etc/battito/relay', 'script: relay').join(), /an absolute path/);
  t.regex(
    told('{ script: /etc/battito/relay }', '{ options: {} }').join(),
    /neither agent nor script; expected one of the two/,
  );
  t.regex(
    told('script: /etc/battito/relay', 'script: /etc/battito/relay, agent: fence_apc').join(),
    /both agent and script; expected one of the two/,
  );
  t.regex(told('timeout: 40s', 'timeout: 4s').join(), /a duration from 5s/);
  t.regex(told('[[bmc-beta], [pdu], [relay]]', '[]').join(), /at least one level/);
  t.regex(told('[[bmc-beta], [pdu], [relay]]', '[bmc-beta, pdu, relay]').join(), /a list of devices/);
});
