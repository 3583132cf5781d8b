// Two real daemons, a host that loses its power, and a real mail server: one mail tells the whole story, whether the
// server was there at the time or came later; and one that all is well again.

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { waitFor } from '../support.ts';
import { login, type Mail, makeCertificates } from '../unit/support/mail-server.ts';
import { gatewayAddress } from './support/hosts.ts';
import { Office } from './support/office.ts';

const port = 2587;
const patience = { timeoutMs: 180_000 };

async function officeWithMail(t: ExecutionContext) {
  const office = await Office.open({ idle: true });
  t.teardown(async () => {
    if (!t.passed) for (const host of ['primary', 'secondary'] as const) t.log(await office.log(host));
    await office.close();
  });
  const folder = join(office.network.root, 'mail');
  mkdirSync(folder);
  const { caFile } = makeCertificates(folder);
  const secrets = join(folder, 'secrets');
  writeFileSync(secrets, `user=${login.user}\npassword=${login.password}\n`, { mode: 0o600 });
  const smtp = `{ host: ${gatewayAddress}, port: ${port} }`;
  // A busy machine stalls now and then, which is a warning and told of as well.
  const admin = `{ severity: alarm, mail: [admin@example.org], from: battito@example.org, smtp: ${smtp}, secrets: ${secrets}, ca: ${caFile} }`;
  const notify = `  channels:\n    admin: ${admin}\n`;
  writeFileSync(office.configFile, office.configText({ notify }));
  const file = join(folder, 'mails.jsonl');
  const mails = (): readonly Mail[] =>
    existsSync(file)
      ? readFileSync(file, 'utf8')
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as Mail)
      : [];
  const startServer = async () => {
    const program = join(import.meta.dirname, 'support', 'mail-host.ts');
    const logFile = join(office.network.root, 'logs', 'mail.log');
    const argv = [process.execPath, program, folder, file, gatewayAddress, String(port)];
    office.network.spawnOn('lan', argv, { logFile });
    await waitFor('the mail server listens', () => existsSync(`${file}.ready`), patience);
  };
  return { office, mails, startServer };
}

const takeoverSubject = '[battito office] takeover: office on secondary';
const recoveredSubject = '[battito office] recovered: secondary';

function assertStory(t: ExecutionContext, mail: Mail | undefined): void {
  const { text = '' } = mail ?? {};
  t.like(mail, { subject: takeoverSubject, to: ['admin@example.org'], user: 'battito', secure: true });
  t.regex(
    text,
    /^secondary has taken over office from primary; it was up again [\d.]+ s after primary was heard last\n/,
  );
  t.regex(text, /\nnode +secondary\n/);
  t.regex(text, /What happened:[\s\S]* primary is dead: /);
  t.regex(text, /What was done, and how long it took:[\s\S]*start guest:mail: done \(took [\d.]+ m?s\)/);
  t.regex(
    text,
    /What to do now:\s+! {2}primary is dead: nothing protects secondary until it is back\s+next: find out why primary went down/,
  );
}

test('a takeover is told in one mail, by the node that did it; when its peer is back, that all is well', async (t) => {
  const { office, mails, startServer } = await officeWithMail(t);
  await startServer();
  await office.startDaemons();
  await office.settled('primary');
  const tested = await office.battito('primary', 'notify', 'test');
  t.is(tested.exitCode, 0, `${tested.stdout}${tested.stderr}`);
  t.regex(tested.stdout, /^admin {2}ok {6}192\.168\.1\.254:2587 took it/);
  await waitFor('the test is written down', () => mails().length > 0, patience);
  t.deepEqual(
    mails().map(({ subject }) => subject),
    ['[battito office] test: primary'],
  );

  await office.network.powerLoss('primary');
  await office.waitForPhase('secondary', 'active');
  await waitFor('a mail tells of it', () => mails().length > 1, patience);
  assertStory(t, mails()[1]);

  await office.network.powerOn('primary');
  await office.startDaemon('primary');
  await office.settled('secondary');
  await waitFor(
    'a mail tells that all is well',
    () => mails().at(-1)?.subject === recoveredSubject,
    patience,
  );
  t.regex(
    mails().at(-1)?.text ?? '',
    /What it was:\s+secondary has taken over office from primary; it was up again/,
  );
  // A daemon that a busy machine does not let run is told of, too, and that it is back.
  const told = mails()
    .map(({ subject }) => subject)
    .slice(1);
  t.is(told[0], takeoverSubject);
  t.is(told.at(-1), recoveredSubject);
  t.is(told.filter((subject) => subject === takeoverSubject).length, 1);
});

test('while the mail server is away the story waits on disk, over a restart, and is sent once', async (t) => {
  const { office, mails, startServer } = await officeWithMail(t);
  await office.startDaemons();
  await office.settled('primary');
  await office.network.powerLoss('primary');
  await office.waitForPhase('secondary', 'active');
  await waitFor(
    'status says that nobody is told',
    async () => {
      const { attention } = await office.status('secondary');
      return attention.some(
        ({ code, message }) => code === 'notify-failed' && /1 message waits/.test(message),
      );
    },
    patience,
  );
  const file = join(office.network.hosts.secondary.stateDir, 'notify.json');
  t.is(statSync(file).mode & 0o777, 0o600);
  t.false(readFileSync(file, 'utf8').includes(login.password));
  office.daemon('secondary').signal('SIGKILL');
  await office.daemon('secondary').exited;
  await office.startDaemon('secondary');

  await startServer();
  await waitFor('the mail arrives', () => mails().length > 0, patience);
  assertStory(t, mails()[0]);
  await waitFor('nothing waits any more', async () => {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as { outbox: { waiting: unknown[] } };
    return kept.outbox.waiting.length === 0;
  });
  t.deepEqual(
    mails()
      .map(({ subject }) => subject)
      .filter((subject) => subject === takeoverSubject),
    [takeoverSubject],
  );
});
