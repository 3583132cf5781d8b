// `battito check` against real etcd with TLS, certificates of clients and users: each thing that is wrong is said in one
// message, with what mends it, and no secret is shown.

import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { Finding } from '../../daemon/cli/check/finding.ts';
import { waitFor } from '../support.ts';
import { Etcd } from './support/etcd.ts';
import { clientAddress } from './support/hosts.ts';
import { output } from './support/namespaces.ts';
import { type Office, useOffice } from './support/office.ts';

const password = 'Vier-Worte-im-Wind';
const endpoint = `https://${clientAddress}:2379`;

/** An authority of its own, and certificates signed by it; the paths of their files. */
async function makeAuthority(directory: string, name: string) {
  const file = (what: string) => join(directory, `${name}-${what}.pem`);
  const openssl = (...words: string[]) => output(['openssl', ...words]);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const ca = { certificate: file('ca'), key: file('ca-key') };
  await openssl(
    ...[
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      ca.key,
      '-out',
      ca.certificate,
      '-days',
      '30',
      '-subj',
      `/CN=${name}`,
    ],
  );
  const sign = async (what: string, days: number, subject: string) => {
    const [request, key, certificate, extensions] = ['request', 'key', '', 'extensions'].map((part) =>
      file(`${what}${part}`),
    ) as [string, string, string, string];
    await writeFile(
      extensions,
      `subjectAltName=IP:${clientAddress}\nextendedKeyUsage=serverAuth,clientAuth\n`,
    );
    await openssl('req', ...newKey, '-keyout', key, '-out', request, '-subj', subject);
    await openssl(
      ...['x509', '-req', '-in', request, '-CA', ca.certificate, '-CAkey', ca.key, '-CAcreateserial'],
      ...['-out', certificate, '-days', String(days), '-extfile', extensions],
    );
    await chmod(key, 0o600);
    return { certificate, key };
  };
  return {
    ca: ca.certificate,
    server: await sign('etcd', 60, '/CN=etcd'),
    client: await sign('battito', 20, '/O=battito'),
    named: await sign('named', 60, '/CN=battito'),
  };
}

async function findings(office: Office, witness: string) {
  await writeFile(office.configFile, office.configText({ witness }));
  const { stdout, stderr } = await office.battito('primary', 'check', '--json');
  const said = `${stdout}${stderr}`;
  const all = (JSON.parse(stdout) as { readonly findings: readonly Finding[] }).findings;
  return { said, all: all.filter(({ area }) => area === 'witness' || area === 'configuration') };
}

test('check tells of a witness with TLS and users what works, and what is wrong with what is asked of it', async (t) => {
  const office = await useOffice(t, { idle: true });
  const { network } = office;
  const own = await makeAuthority(network.root, 'own');
  const foreign = await makeAuthority(network.root, 'foreign');
  await Etcd.start(network, {
    scheme: 'https',
    options: [
      ...[`--cert-file=${own.server.certificate}`, `--key-file=${own.server.key}`],
      ...['--client-cert-auth', `--trusted-ca-file=${own.ca}`],
    ],
  });
  const etcdctl = async (...words: string[]) => {
    const files = [`--cacert=${own.ca}`, `--cert=${own.client.certificate}`, `--key=${own.client.key}`];
    const argv = ['env', 'ETCDCTL_API=3', 'etcdctl', `--endpoints=${endpoint}`, ...files, ...words];
    const { exitCode, stderr } = await network.run('client', argv);
    if (exitCode !== 0) throw new Error(`etcdctl ${words.join(' ')}: ${stderr}`);
    return true;
  };
  await waitFor('etcd answers', () => etcdctl('get', 'anything'));
  await etcdctl('user', 'add', 'root:any');
  await etcdctl('role', 'add', 'root');
  await etcdctl('user', 'grant-role', 'root', 'root');
  for (const user of ['battito', 'nobody']) await etcdctl('user', 'add', `${user}:${password}`);
  await etcdctl('role', 'add', 'lease');
  await etcdctl('role', 'grant-permission', 'lease', 'readwrite', '--prefix=true', '/battito/');
  await etcdctl('user', 'grant-role', 'battito', 'lease');
  const passwordFile = join(network.root, 'etcd-password');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });

  const witness = (changes: Readonly<Record<string, string | null>> = {}) => {
    const keys = {
      endpoints: `[${endpoint}]`,
      ca: own.ca,
      certificate: own.client.certificate,
      key: own.client.key,
      user: 'battito',
      'password-file': passwordFile,
      ...changes,
    };
    const given = Object.entries(keys).filter(([, value]) => value !== null);
    return `{ ${given.map(([key, value]) => `${key}: ${value}`).join(', ')} }`;
  };
  const told = async (level: Finding['level'], given: string) => {
    const { said, all } = await findings(office, given);
    t.false(said.includes(password), 'no secret is shown');
    const found = all.filter((finding) => finding.level === level && finding.area === 'witness');
    return found.map(({ message, mend }) => `${message} | ${mend}`).join('\n');
  };

  t.regex(await told('warning', witness()), /etcd serves also whoever gives no user \| etcdctl auth enable/);
  await etcdctl('auth', 'enable');
  t.regex(
    await told('ok', witness()),
    /^https:\/\/192\.168\.1\.100:2379: etcd 3\.\d+\.\d+; a lease was lent, used and given back in \d+ ms \| null$/,
  );
  const soon = await told('warning', witness());
  t.regex(
    soon,
    /^the certificate of this node for the witness is valid until 20\d\d-\d\d-\d\d only \| make a new one$/,
  );
  t.regex(
    await told('problem', witness({ ca: foreign.ca })),
    /its certificate is not signed by the authority in witness\.ca \|/,
  );
  t.regex(
    await told('problem', witness({ certificate: own.named.certificate, key: own.named.key })),
    /beside a user it takes no certificate with a common name \| make witness\.certificate with a subject without CN/,
  );
  t.regex(
    await told('problem', witness({ certificate: foreign.client.certificate, key: foreign.client.key })),
    /it does not take the certificate of this node \| give witness\.certificate and witness\.key/,
  );
  t.regex(
    await told('problem', witness({ certificate: null, key: null })),
    /it does not take the certificate of this node \|/,
  );
  t.regex(
    await told('problem', witness({ user: 'nobody' })),
    /the user may not read and write there \| etcdctl role grant-permission ROLE readwrite --prefix=true \/battito\//,
  );
  t.regex(
    await told('problem', witness({ user: null, 'password-file': null })),
    /it wants a user \| give witness\.user/,
  );
  t.regex(
    await told('problem', witness({ endpoints: `[https://${clientAddress}:2300]` })),
    /^https:\/\/192\.168\.1\.100:2300: connection refused \| see there: systemctl status etcd$/,
  );
  t.regex(
    await told('problem', `{ endpoints: [http://${clientAddress}:2379] }`),
    /connection reset \| if it has TLS, give the endpoint with https:/,
  );
  await writeFile(passwordFile, 'Falsches-Wort\n');
  t.regex(await told('problem', witness()), /wrong user or password \| etcdctl user passwd battito;/);
  await chmod(passwordFile, 0o644);
  t.regex(await told('problem', witness()), /mode is 0644, must be 0600 or 0400 \| chmod 600/);
});
