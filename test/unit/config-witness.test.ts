// The witness in the configuration: what it becomes, what belongs together, and that it does not fall with a node.

import test from 'ava';
import { formatProblem, parseConfig } from '../../daemon/config/load.ts';
import { tierOf } from '../../daemon/core/policy.ts';
import { buildPolicy } from '../../daemon/runtime/policy.ts';
import { planReload } from '../../daemon/runtime/reload.ts';

function parsed(witness: string) {
  return parseConfig(
    `cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat: { links: [{ interface: eth1, mode: unicast, addresses: { primary: 10.0.0.1, secondary: 10.0.0.2 } }] }
groups: { office: { preferred: primary, addresses: [192.168.1.1/24 dev br0, "fd00::1/64 dev br0"] } }
${witness}
`,
    'battito.yaml',
  );
}

function configOf(witness: string) {
  const result = parsed(witness);
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.config;
}

function problems(witness: string): readonly string[] {
  const result = parsed(witness);
  return result.ok ? [] : result.problems.map((problem) => formatProblem(problem).replace(/^[^ ]+ /, ''));
}

test('a witness with all that it can have', (t) => {
  const { witness } = configOf(`witness:
  kind: etcd
  endpoints: [https://192.168.1.9:2379, "https://[FD00:0::9]:2379"]
  ca: /etc/battito/etcd-ca.pem
  certificate: /etc/battito/etcd.pem
  key: /etc/battito/etcd-key.pem
  user: battito
  password-file: /etc/battito/etcd-password
  ttl: 12s
  prefix: /offices/battito`);
  t.deepEqual(witness, {
    kind: 'etcd',
    endpoints: ['https://192.168.1.9:2379', 'https://[fd00::9]:2379'],
    caFile: '/etc/battito/etcd-ca.pem',
    clientCertificate: { certificateFile: '/etc/battito/etcd.pem', keyFile: '/etc/battito/etcd-key.pem' },
    login: { user: 'battito', passwordFile: '/etc/battito/etcd-password' },
    ttlMs: 12_000,
    prefix: '/offices/battito',
  });
});

test('a witness with its endpoints alone; the core learns of its time', (t) => {
  const config = configOf('witness: { endpoints: [http://192.168.1.9:2379] }');
  t.like(config.witness, { kind: 'etcd', caFile: null, login: null, ttlMs: 9000, prefix: '/battito' });
  const policy = buildPolicy(config, 'primary', '0');
  t.deepEqual(policy.witness, { ttlMs: 9000 });
  t.is(tierOf(policy), 'evidence', 'without a watchdog it proves nothing');
  t.is(buildPolicy(configOf(''), 'primary', '0').witness, null);
});

test('it counts in the digest only where it is used, and a change of it needs a restart', (t) => {
  const without = configOf('');
  const one = configOf('witness: { endpoints: [http://192.168.1.9:2379] }');
  const other = configOf('witness: { endpoints: [http://192.168.1.9:2379], ttl: 10s }');
  t.is(new Set([without, one, other].map(({ digest }) => digest)).size, 3);
  t.deepEqual(planReload(one, other), { applied: [], needsRestart: ['witness.ttlMs'] });
  t.deepEqual(planReload(without, one), { applied: [], needsRestart: ['witness'] });
});

const endpoint =
  'an endpoint such as https://192.168.1.9:2379 (an address, since a takeover cannot wait for DNS)';
for (const [title, witness, problem] of [
  [
    'a name',
    'endpoints: [https://etcd:2379]',
    `endpoints[0]: expected ${endpoint}, found "https://etcd:2379"`,
  ],
  [
    'no port',
    'endpoints: [https://192.168.1.9]',
    `endpoints[0]: expected ${endpoint}, found "https://192.168.1.9"`,
  ],
  [
    'a path',
    'endpoints: ["https://192.168.1.9:2379/v3"]',
    `endpoints[0]: expected ${endpoint}, found "https://192.168.1.9:2379/v3"`,
  ],
  [
    'a port too high',
    'endpoints: ["https://192.168.1.9:99999"]',
    `endpoints[0]: expected ${endpoint}, found "https://192.168.1.9:99999"`,
  ],
  [
    'no endpoint',
    'endpoints: []',
    'endpoints: expected a list of at least one endpoint, found an empty list',
  ],
  [
    'one endpoint twice',
    'endpoints: ["http://[fd00::9]:1", "http://[FD00::9]:1"]',
    'endpoints[1]: the same as witness.endpoints[0]; expected each endpoint once',
  ],
  [
    'a time too short',
    'endpoints: [http://10.1.1.9:1], ttl: 2s',
    'ttl: expected a duration from 3s to 168h, found "2s"',
  ],
  [
    'a user without password',
    'endpoints: [https://10.1.1.9:1], user: battito',
    'user: expected password-file beside user, found none',
  ],
  [
    'a key without certificate',
    'endpoints: [https://10.1.1.9:1], key: /k',
    'key: expected certificate beside key, found none',
  ],
  [
    'a password in the clear',
    'endpoints: [http://10.1.1.9:1], user: b, password-file: /p',
    'user: only endpoints with https:// take this key; these are without TLS',
  ],
  [
    'TLS here and there',
    'endpoints: [http://10.1.1.9:1, https://10.1.1.8:1]',
    'endpoints[0]: expected https:// for every endpoint, or for none, found http://10.1.1.9:1',
  ],
  [
    'a floating address',
    'endpoints: ["http://[fd00::1]:2379"]',
    'endpoints[0]: http://[fd00::1]:2379 is a floating address; expected an address that does not move with a group',
  ],
  [
    'the only endpoint on a node',
    'endpoints: [http://192.168.1.3:2379]',
    'endpoints[0]: http://192.168.1.3:2379 is on node secondary and is lost with it, just when the other node needs the lease; expected most endpoints beyond each node',
  ],
  [
    'half of them on a node',
    'endpoints: [http://10.0.0.1:2379, http://192.168.1.9:2379]',
    'endpoints[0]: http://10.0.0.1:2379 is on node primary and is lost with it, just when the other node needs the lease; expected most endpoints beyond each node',
  ],
] as const) {
  test(`refused: ${title}`, (t) => {
    t.deepEqual(problems(`witness: { ${witness} }`), [`witness.${problem}`]);
  });
}

test('a member of etcd on each node and a third one elsewhere bear the loss of any node', (t) => {
  const endpoints = 'http://192.168.1.2:2379, http://192.168.1.3:2379, http://192.168.1.9:2379';
  t.deepEqual(problems(`witness: { endpoints: [${endpoints}] }`), []);
});
