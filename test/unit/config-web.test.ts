// The section `web` of the configuration: what it takes, what it is refused for, and that a reload takes it.

import test from 'ava';
import { formatProblem, parseConfig } from '../../daemon/config/load.ts';
import { planReload } from '../../daemon/runtime/reload.ts';

const sound = `cluster: office
nodes:
  primary: { address: 192.168.1.2 }
  secondary: { address: 192.168.1.3 }
heartbeat:
  links: [{ interface: eth1 }]
groups:
  office: { preferred: primary, addresses: [192.168.1.1/24 dev eth0] }
`;
const parsed = (web: string) => parseConfig(`${sound}${web}`, 'battito.yaml');
const configOf = (web: string) => {
  const found = parsed(web);
  if (!found.ok) throw new Error(found.problems.map(formatProblem).join('\n'));
  return found.config;
};
const problemsOf = (web: string) => {
  const found = parsed(web);
  return found.ok ? [] : found.problems.map(formatProblem);
};
const tls = 'tls: { certificate: /etc/battito/web.pem, key: /etc/battito/web-key.pem }';

test('left out there is no page; by default it is for this host alone and for reading', (t) => {
  t.is(configOf('').web, null);
  const own = { address: '127.0.0.1', port: 8694, names: [], tokenFile: null, htpasswdFile: null, tls: null };
  t.deepEqual(configOf('web: {}\n').web, own);
  t.deepEqual(configOf('web: { listen: "[::1]:80" }\n').web, { ...own, address: '::1', port: 80 });
  t.deepEqual(
    configOf(
      `web: { listen: "node:8694", names: [Battito.example.org], token-file: /etc/t, htpasswd: /etc/h, ${tls} }\n`,
    ).web,
    {
      ...{
        address: null,
        port: 8694,
        names: ['battito.example.org'],
        tokenFile: '/etc/t',
        htpasswdFile: '/etc/h',
      },
      tls: { certificateFile: '/etc/battito/web.pem', keyFile: '/etc/battito/web-key.pem' },
    },
  );
  t.not(configOf('web: {}\n').digest, configOf('').digest);
});

test('what others reach is encrypted, or refused', (t) => {
  for (const listen of ['0.0.0.0:8694', '192.168.1.2:8694', 'node:8694', '[::]:8694', '[fd00::2]:8694']) {
    t.deepEqual(problemsOf(`web:\n  listen: "${listen}"\n`), [
      `battito.yaml:10:11: web.listen: other hosts reach ${listen} and nothing is encrypted; expected tls beside it, or an address of this host alone such as 127.0.0.1:8694`,
    ]);
    t.deepEqual(problemsOf(`web: { listen: "${listen}", ${tls} }\n`), []);
  }
});

test('addresses, names and files that are none are told with what is expected', (t) => {
  for (const listen of [
    '8694',
    '127.0.0.1',
    '127.0.0.1:0',
    '127.0.0.1:65536',
    '::1:8694',
    '[127.0.0.1]:80',
    'host:80',
    '1.2.3:80',
  ])
    t.regex(
      problemsOf(`web: { listen: "${listen}" }\n`).join(),
      /web\.listen: expected an address and a TCP port such as 127\.0\.0\.1:8694/,
      listen,
    );
  t.regex(problemsOf('web: { names: ["a b"] }\n').join(), /web\.names\[0\]: expected a name such as/);
  t.regex(
    problemsOf('web: { tls: { certificate: /a } }\n').join(),
    /web\.tls\.key: missing; expected an absolute path/,
  );
  t.regex(problemsOf('web: { htpasswd: passwords }\n').join(), /web\.htpasswd: expected an absolute path/);
  t.regex(problemsOf('web: { token: x }\n').join(), /web\.token: unknown key/);
});

test('a reload takes whatever changes in it', (t) => {
  const plan = planReload(configOf(''), configOf('web: {}\n'));
  t.deepEqual(plan, { applied: ['web'], needsRestart: [] });
  const other = planReload(configOf('web: {}\n'), configOf('web: { token-file: /etc/t }\n'));
  t.deepEqual(other, { applied: ['web.tokenFile'], needsRestart: [] });
  const passwords = planReload(configOf('web: {}\n'), configOf('web: { htpasswd: /etc/h }\n'));
  t.deepEqual(passwords, { applied: ['web.htpasswdFile'], needsRestart: [] });
});
