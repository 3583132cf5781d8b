// What `battito check` says of the web page: its tokens and its certificate.

import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { checkWeb } from '../../daemon/cli/check/web.ts';
import type { Config, WebConfig } from '../../daemon/config/config.ts';
import { temporaryDirectory } from '../support.ts';
import { setPassword } from './support/htpasswd.ts';
import { makeCertificates } from './support/mail-server.ts';

const check = (web: WebConfig | null) => checkWeb({ web } as Config);
const own = { address: '127.0.0.1', port: 8694, names: [], tokenFile: null, htpasswdFile: null, tls: null };

test('no page is no finding; one for reading is well as it is', (t) => {
  t.deepEqual(check(null), []);
  const [finding] = check(own);
  t.regex(JSON.stringify(finding), /127\.0\.0\.1, port 8694, for reading/);
});

test('tokens that nobody may use and a certificate that is none are problems with what mends them', (t) => {
  const directory = temporaryDirectory(t);
  makeCertificates(directory);
  const at = (name: string) => join(directory, name);
  const tls = { certificateFile: at('cert.pem'), keyFile: at('key.pem') };
  chmodSync(tls.keyFile, 0o600);
  const tokenFile = at('tokens');
  const web = { ...own, address: null, tokenFile, tls };
  t.regex(JSON.stringify(check(web)), /there is no .*tokens/);
  writeFileSync(tokenFile, 'anna=short\n', { mode: 0o600 });
  t.regex(JSON.stringify(check(web)), /shorter than 22 characters: the token of anna.*openssl rand/);
  writeFileSync(tokenFile, `anna=${'x'.repeat(22)}\n`);
  t.regex(JSON.stringify(check(web)), /the node's own address, port 8694, for acting too, by tokens/);
  chmodSync(tls.keyFile, 0o644);
  t.regex(JSON.stringify(check(web)), /key\.pem: mode is 0644.*chmod 600/);
  const missing = check({ ...web, tls: { ...tls, certificateFile: at('nothing.pem') } });
  t.regex(JSON.stringify(missing), /nothing\.pem cannot be read \(ENOENT\)/);
});

test('passwords that nobody may use are a problem with the command that mends it', async (t) => {
  const htpasswdFile = join(temporaryDirectory(t), 'htpasswd');
  const web = { ...own, htpasswdFile };
  const said = () => check(web).map(({ level, code, message, mend }) => [level, code, message, mend]);
  const missing = [
    `${htpasswdFile}: no such password file`,
    `(umask 077; htpasswd -B -C 10 -c ${htpasswdFile} NAME)`,
  ];
  t.deepEqual(said(), [['problem', 'web-htpasswd', ...missing]]);
  await setPassword(htpasswdFile, 'anna', 'secret', ['-m']);
  t.deepEqual(said(), [
    [
      ...['problem', 'web-htpasswd'],
      `${htpasswdFile}: only bcrypt is taken, so nobody gets in as anna (MD5 of Apache)`,
      `htpasswd -B -C 10 ${htpasswdFile} anna`,
    ],
  ]);
  await setPassword(htpasswdFile, 'anna', 'secret');
  t.deepEqual(said(), [['ok', null, '127.0.0.1, port 8694, for acting too, by passwords', null]]);
  chmodSync(htpasswdFile, 0o640);
  t.regex(JSON.stringify(said()), /mode is 0640, must be 0600 or 0400.*chmod 600/);
});
