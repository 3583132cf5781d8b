// One attempt on each kind of channel, against real servers and real programs.

import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { NotifyChannelConfig, NotifyWay } from '../../daemon/config/config.ts';
import { deliver } from '../../daemon/notify/deliver.ts';
import { tellTest } from '../../daemon/notify/story.ts';
import { waitFor } from '../support.ts';
import {
  login,
  type MailServer,
  makeCertificates,
  parse,
  startMailServer,
  temporaryFolder,
} from './support/mail-server.ts';

const message = tellTest(
  { cluster: 'office', node: 'secondary' },
  'id-1',
  Date.parse('2026-03-01T03:12:44Z'),
);
const never = new AbortController().signal;

const channel = (way: NotifyWay, more: Partial<NotifyChannelConfig> = {}): NotifyChannelConfig => ({
  ...{ name: 'admin', severity: 'warning', timeoutMs: 60_000, secrets: null, caFile: null, way },
  ...more,
});

function secretsFile(folder: string, text: string): string {
  const file = join(folder, 'secrets');
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

function smtp(
  server: Pick<MailServer, 'port'>,
  more: Partial<Extract<NotifyWay, { kind: 'smtp' }>> = {},
): NotifyWay {
  return {
    ...{ kind: 'smtp', to: ['admin@example.org', 'boss@example.org'], from: 'battito@example.org' },
    ...{ host: '127.0.0.1', port: server.port, tls: 'starttls', ...more },
  };
}

/** Nobody listens there, since tcpmux (RFC 1078) is long gone. */
const nobodysPort = 1;

test('a mail goes by STARTTLS and with a login, or by TLS from the start, and is plain text', async (t) => {
  const folder = temporaryFolder(t);
  const certificates = makeCertificates(folder);
  const secrets = secretsFile(folder, `user=${login.user}\npassword=${login.password}\n`);
  for (const tls of ['starttls', 'implicit'] as const) {
    const server = await startMailServer(certificates, { secure: tls === 'implicit' });
    const { caFile } = certificates;
    const delivery = await deliver(message, channel(smtp(server, { tls }), { secrets, caFile }), never);
    t.is(delivery.kind, 'sent', delivery.message);
    const [mail, ...more] = server.mails;
    t.deepEqual(more, []);
    t.like(mail, {
      from: 'battito@example.org',
      to: ['admin@example.org', 'boss@example.org'],
      user: 'battito',
      secure: true,
      subject: '[battito office] test: secondary',
      messageId: '<id-1@battito.office>',
    });
    t.regex(mail?.headers ?? '', /^Content-Type: text\/plain/m);
    t.regex(mail?.headers ?? '', /^Auto-Submitted: auto-generated$/m);
    t.regex(mail?.text ?? '', /^This is a test from secondary: whoever reads this will be told/);
    await server.close();
  }
});

test('what a mail server says no to is told apart, and no password is in it', async (t) => {
  const folder = temporaryFolder(t);
  const certificates = makeCertificates(folder);
  const { caFile } = certificates;
  const secrets = secretsFile(folder, `user=${login.user}\npassword=${login.password}\n`);
  const server = await startMailServer(certificates);
  const good = channel(smtp(server), { secrets, caFile });

  server.answer(451);
  t.like(await deliver(message, good, never), { kind: 'later', next: 'it is tried again by itself' });
  server.answer(554);
  const no = await deliver(message, good, never);
  t.is(no.kind, 'refused');
  t.regex(no.message, /refuses the mail: .*not like that/);
  server.answer(null);

  const wrong = secretsFile(temporaryFolder(t), 'user=battito\npassword=wrong-horse-battery\n');
  const refused = await deliver(message, { ...good, secrets: wrong }, never);
  t.like(refused, { kind: 'refused', next: 'correct user and password in notify.channels.admin.secrets' });
  t.regex(refused.message, /refuses the login: .*535/);
  t.notRegex(refused.message, /wrong-horse/);

  const untrusted = await deliver(message, { ...good, caFile: null }, never);
  t.is(untrusted.kind, 'later');
  t.regex(untrusted.message, /^no encryption with 127\.0\.0\.1:\d+: /);

  const plain = await startMailServer(certificates, { disabledCommands: ['STARTTLS'], authOptional: true });
  const insists = await deliver(message, channel(smtp(plain), { caFile }), never);
  t.is(insists.kind, 'later', 'without STARTTLS nothing is sent');
  t.deepEqual(plain.mails, []);
  await plain.close();

  t.deepEqual(server.mails, []);
  await server.close();
  // Not the port that has just become free, which anybody may be given.
  const gone = await deliver(message, channel(smtp({ port: nobodysPort }), { secrets, caFile }), never);
  t.like(gone, { kind: 'later' });
  t.regex(gone.message, /^127\.0\.0\.1:\d+ cannot be reached: .*ECONNREFUSED/);
  chmodSync(secrets, 0o644);
  t.like(await deliver(message, good, never), { kind: 'refused', next: `chmod 0600 ${secrets}` });
});

function script(t: ExecutionContext, body: string): { readonly program: string; readonly folder: string } {
  const folder = temporaryFolder(t);
  const program = join(folder, 'program');
  writeFileSync(program, `#!/bin/sh\ncd ${folder}\n${body}\n`);
  chmodSync(program, 0o755);
  return { program, folder };
}

test('the sendmail of the host gets sender, recipients and the whole mail', async (t) => {
  const { program, folder } = script(t, 'echo "$*" > words; cat > mail');
  const way = { kind: 'sendmail', to: ['root@localhost'], from: 'battito@example.org', program } as const;
  t.deepEqual(await deliver(message, channel(way), never), { kind: 'sent', message: `${program} took it` });
  t.is(readFileSync(join(folder, 'words'), 'utf8'), '-i -f battito@example.org -- root@localhost\n');
  t.is(parse(readFileSync(join(folder, 'mail'), 'utf8')).subject, message.subject);

  const missing = { ...way, program: join(folder, 'missing') };
  t.like(await deliver(message, channel(missing), never), {
    kind: 'refused',
    message: `there is no ${missing.program}`,
  });
  const failing = { ...way, program: script(t, 'echo "queue is full" >&2; exit 75').program };
  const failed = await deliver(message, channel(failing), never);
  t.is(failed.kind, 'later');
  t.regex(failed.message, /ended with exit code 75: queue is full$/);
});

test('a hook gets the message as JSON and in its environment; one that hangs is killed with all it started', async (t) => {
  const { program, folder } = script(t, 'cat > message; env | grep ^BATTITO_ | sort > env');
  t.is((await deliver(message, channel({ kind: 'hook', program }), never)).kind, 'sent');
  t.like(JSON.parse(readFileSync(join(folder, 'message'), 'utf8')), {
    version: 1,
    id: 'id-1',
    kind: 'test',
    subject: message.subject,
    text: message.text,
  });
  t.deepEqual(readFileSync(join(folder, 'env'), 'utf8').trim().split('\n'), [
    'BATTITO_CLUSTER=office',
    'BATTITO_GROUPS=',
    'BATTITO_ID=id-1',
    'BATTITO_KIND=test',
    'BATTITO_NODE=secondary',
    'BATTITO_SEVERITY=info',
    `BATTITO_SUBJECT=${message.subject}`,
  ]);

  const hanging = script(t, 'mkfifo wall; sleep 1000 & echo $! > child; echo $$ > self; cat wall');
  const cut = await deliver(
    message,
    channel({ kind: 'hook', program: hanging.program }, { timeoutMs: 8000 }),
    never,
  );
  t.is(cut.kind, 'failed');
  t.regex(cut.message, /was killed after 8 s, with all that it had started/);
  for (const name of ['child', 'self']) {
    const pid = readFileSync(join(hanging.folder, name), 'utf8').trim();
    // Killed, it ends when it gets its turn.
    await waitFor(`${name} is gone`, () => {
      const state = existsSync(`/proc/${pid}/stat`)
        ? readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2]
        : 'gone';
      return state === 'Z' || state === 'gone';
    });
  }

  const failing = channel({ kind: 'hook', program: script(t, 'echo "no modem" >&2; exit 1').program });
  const failed = await deliver(message, failing, never);
  t.is(failed.kind, 'failed');
  t.regex(failed.message, /ended with exit code 1: no modem$/);
  const again = channel({ kind: 'hook', program: script(t, 'exit 75').program });
  t.is((await deliver(message, again, never)).kind, 'later');
  const none = channel({ kind: 'hook', program: '/nonexistent/hook' });
  t.like(await deliver(message, none, never), { kind: 'refused', message: 'there is no /nonexistent/hook' });
});

interface Asked {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function webServer(t: ExecutionContext, tls: { key: string; cert: string } | null) {
  const asked: Asked[] = [];
  const answers: number[] = [];
  const listener: Parameters<typeof createServer>[1] = (request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (part: string) => {
      body += part;
    });
    request.on('end', () => {
      asked.push({ headers: request.headers, body });
      const status = answers.shift() ?? 204;
      response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {});
      response.end(status === 204 ? undefined : 'I know Bearer hush-hush-7');
    });
  };
  const server = tls === null ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { url: `${tls === null ? 'http' : 'https'}://127.0.0.1:${port}/hook/abc`, asked, answers };
}

test('a webhook is posted to with its headers, over TLS that is checked; answers are told apart', async (t) => {
  const folder = temporaryFolder(t);
  const certificates = makeCertificates(folder);
  const secrets = secretsFile(folder, 'authorization=Bearer hush-hush-7\n');
  const { caFile } = certificates;
  const server = await webServer(t, certificates);
  const way = { kind: 'webhook', url: server.url } as const;
  const sent = await deliver(message, channel(way, { secrets, caFile }), never);
  t.is(sent.kind, 'sent', sent.message);
  t.notRegex(sent.message, /abc/, 'the path may be a secret');
  t.is(server.asked[0]?.headers.authorization, 'Bearer hush-hush-7');
  t.regex(server.asked[0]?.headers['content-type'] ?? '', /^application\/json/);
  t.like(JSON.parse(server.asked[0]?.body ?? ''), { version: 1, kind: 'test', text: message.text });

  const untrusted = await deliver(message, channel(way), never);
  t.is(untrusted.kind, 'later');
  t.regex(untrusted.message, /cannot be reached: .*(SELF_SIGNED|UNABLE_TO)/);
  t.is(server.asked.length, 1);

  const plain = await webServer(t, null);
  plain.answers.push(503, 429, 302, 403, 404);
  const kinds: string[] = [];
  for (const _ of [...plain.answers]) {
    const delivery = await deliver(message, channel({ kind: 'webhook', url: plain.url }), never);
    kinds.push(delivery.kind);
  }
  t.deepEqual(kinds, ['later', 'later', 'refused', 'refused', 'refused']);
  t.is(plain.asked.length, 5, 'a redirect is not followed');
  server.answers.push(500);
  const said = await deliver(message, channel(way, { secrets, caFile }), never);
  t.regex(said.message, /\(500\): I know \*\*\*$/);
});

test('a server that says again what it was asked for tells no token of the path', async (t) => {
  const token = 'T0KEN-xyzzy-plugh';
  const server = createServer(({ url }, answer) => {
    answer.writeHead(404).end(`no route ${url}; ${token} is unknown; nor is p4ss=hidden-too`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/services/${token}?p4ss=hidden-too`;
  const said = await deliver(message, channel({ kind: 'webhook', url }), never);
  t.is(said.kind, 'refused');
  t.notRegex(JSON.stringify(said), /T0KEN|hidden-too/);
  t.regex(said.message, /\(404\): no route \*\*\*/);
});
