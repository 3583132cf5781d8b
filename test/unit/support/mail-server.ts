// A real mail server for tests: STARTTLS or TLS from the start with a certificate of its own authority, a login, and
// whatever it is to answer.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { temporaryDirectory } from '../../support.ts';

export interface Certificates {
  readonly caFile: string;
  readonly key: string;
  readonly cert: string;
}

/** For localhost and 127.0.0.1, by openssl. */
export function makeCertificates(directory: string): Certificates {
  const at = (name: string) => join(directory, name);
  const openssl = (...words: string[]) => execFileSync('openssl', words, { stdio: 'pipe' });
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  openssl(
    'req',
    '-x509',
    ...ec,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-subj',
    '/CN=test authority',
  );
  openssl(
    'req',
    ...ec.slice(0, -2),
    '-keyout',
    at('key.pem'),
    '-out',
    at('csr.pem'),
    '-subj',
    '/CN=localhost',
  );
  writeFileSync(at('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:192.168.1.254\n');
  const sign = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2'];
  openssl('x509', '-req', '-in', at('csr.pem'), ...sign, '-extfile', at('names'), '-out', at('cert.pem'));
  return {
    caFile: at('ca.pem'),
    key: readFileSync(at('key.pem'), 'utf8'),
    cert: readFileSync(at('cert.pem'), 'utf8'),
  };
}

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  readonly user: string;
  readonly secure: boolean;
  readonly subject: string;
  readonly messageId: string;
  readonly headers: string;
  /** As a person reads it: long lines joined again. */
  readonly text: string;
}

export interface MailServer {
  readonly port: number;
  readonly mails: readonly Mail[];
  /** The next attempts are answered so: 451 (later), 554 (no). */
  answer(code: number | null): void;
  attempts(): number;
  close(): Promise<void>;
}

export const login = { user: 'battito', password: 'open-sesame-42' };

export async function startMailServer(
  { key, cert }: Certificates,
  options: SMTPServerOptions = {},
  { port = 0, host = '127.0.0.1' } = {},
): Promise<MailServer> {
  const mails: Mail[] = [];
  let code: number | null = null;
  let attempts = 0;
  const server = new SMTPServer({
    ...{ key, cert, authMethods: ['PLAIN', 'LOGIN'], logger: false, closeTimeout: 1000 },
    onAuth({ username, password }, _session, done) {
      if (username === login.user && password === login.password) return done(null, { user: username });
      return done(Object.assign(new Error('no such user'), { responseCode: 535 }));
    },
    onMailFrom(_address, _session, done) {
      attempts += 1;
      done(code === null ? null : Object.assign(new Error('not like that'), { responseCode: code }));
    },
    onData(stream, session, done) {
      let raw = '';
      stream.setEncoding('utf8');
      stream.on('data', (part: string) => {
        raw += part;
      });
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          ...parse(raw),
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          user: String(session.user ?? ''),
          secure: session.secure,
        });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => {}); // A client that does not trust it says so itself.
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    answer(next) {
      code = next;
    },
    attempts: () => attempts,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

export function parse(raw: string): Pick<Mail, 'subject' | 'messageId' | 'headers' | 'text'> {
  const [, head = '', body = ''] = /^([\s\S]*?)\r?\n\r?\n([\s\S]*)$/.exec(raw) ?? [];
  const headers = head.replaceAll(/\r?\n[ \t]+/g, ' ');
  const header = (name: string) => new RegExp(`^${name}: (.*)$`, 'im').exec(headers)?.[1]?.trim() ?? '';
  const isFlowed = /format=flowed/i.test(header('content-type'));
  const isQuoted = /quoted-printable/i.test(header('content-transfer-encoding'));
  const whole = isQuoted ? unquoted(body) : body;
  const text = (isFlowed ? whole.replaceAll(/ \r?\n/g, ' ') : whole).replaceAll('\r\n', '\n');
  return { headers, subject: header('subject'), messageId: header('message-id'), text };
}

/** RFC 2045, 6.7; of texts without anything beyond ASCII. */
function unquoted(body: string): string {
  return body
    .replaceAll(/=\r?\n/g, '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

export function temporaryFolder(t: { teardown(fn: () => void): void }): string {
  const folder = temporaryDirectory(t);
  return folder;
}
