// Logins with a name and a password: which files are taken, as the real htpasswd writes them, and what strangers can do.

import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { hashSync } from 'bcryptjs';
import { runCommand } from '../../daemon/drivers/command.ts';
import { exitCodes } from '../../daemon/errors.ts';
import { createAttempts, networkOf } from '../../daemon/web/login/attempts.ts';
import { checkPassword } from '../../daemon/web/login/check-password.ts';
import { parseHtpasswd, readHtpasswd, workFor } from '../../daemon/web/login/htpasswd.ts';
import { createLogins } from '../../daemon/web/login/logins.ts';
import { createPasswords } from '../../daemon/web/login/passwords.ts';
import { hashOf } from '../../daemon/web/login/sessions.ts';
import { temporaryDirectory, waitFor } from '../support.ts';
import { removePassword, setPassword } from './support/htpasswd.ts';
import { anna, formHeaders, listening, type PageOptions, usePage } from './support/web.ts';

const root = resolve(import.meta.dirname, '../..');
const battito = [process.execPath, join(root, 'daemon/main.ts')];
const patience = { timeoutMs: 240_000 };
const password = 'correct horse: bättery, $taple';

function passwordFile(t: ExecutionContext): string {
  return join(temporaryDirectory(t), 'htpasswd');
}

test('what htpasswd -B writes is taken: the password that was given to it fits, and no other', async (t) => {
  const file = passwordFile(t);
  await setPassword(file, 'anna', password);
  await setPassword(file, 'berta', `${'long '.repeat(20)}end`, ['-B', '-C', '7']);
  const { entries, trouble } = readHtpasswd(file);
  t.is(trouble, null);
  t.deepEqual(
    entries.map(({ name, cost }) => [name, cost]),
    [
      ['anna', 5],
      ['berta', 7],
    ],
  );
  const proofOf = (name: string) => {
    const hash = entries.find((one) => one.name === name)?.hash ?? '';
    return hashOf(hash).toString('hex');
  };
  t.deepEqual(checkPassword(file, 'anna', password), { kind: 'right', proof: proofOf('anna') });
  t.like(checkPassword(file, 'berta', `${'long '.repeat(20)}end`), {
    kind: 'right',
    proof: proofOf('berta'),
  });
  for (const wrong of ['', `${password} `, password.toUpperCase(), 'correct'])
    t.deepEqual(checkPassword(file, 'anna', wrong), { kind: 'wrong' }, wrong);
  t.deepEqual(checkPassword(file, 'berta', password), { kind: 'wrong' });
  t.deepEqual(checkPassword(file, 'nobody', password), { kind: 'wrong' });
});

test('every other hash that htpasswd can write is refused by its name, with the command that makes a good one', async (t) => {
  const kinds: [option: string, said: string][] = [
    ['-m', 'MD5 of Apache'],
    ['-2', 'SHA-256'],
    ['-5', 'SHA-512'],
    ['-d', 'DES crypt'],
    ['-s', 'SHA-1'],
    ['-p', 'no hash, or of no known kind'],
  ];
  for (const [option, said] of kinds) {
    const file = passwordFile(t);
    await setPassword(file, 'anna', password);
    await setPassword(file, 'berta', 'secret88', [option]);
    const { entries, trouble } = readHtpasswd(file);
    t.deepEqual(trouble, {
      code: 'web-htpasswd',
      message: `${file}: only bcrypt is taken, so nobody gets in as berta (${said})`,
      mend: `htpasswd -B -C 10 ${file} berta`,
    });
    t.deepEqual(
      entries.map(({ name }) => name),
      ['anna'],
      'who has a good one gets in',
    );
    t.deepEqual(checkPassword(file, 'berta', 'secret88'), { kind: 'wrong' });
    // The command that it names does mend it.
    await setPassword(file, 'berta', 'secret88', ['-B', '-C', '10']);
    t.is(readHtpasswd(file).trouble, null);
    t.like(checkPassword(file, 'berta', 'secret88'), { kind: 'right' });
  }
});

test('lines that are none, names twice and a work that takes too long are said by line or name, never with the hash', (t) => {
  const hash = `$2y$05$${'a'.repeat(53)}`;
  const said = (text: string) => {
    const { trouble, entries } = parseHtpasswd('/etc/h', text);
    t.false(trouble?.message.includes('aaaa') ?? false);
    return [entries.map(({ name }) => name).join(), trouble?.message ?? null, trouble?.mend ?? null];
  };
  t.deepEqual(said(`# those on duty\n\nanna:${hash}\r\nanna maria:${hash}\n`), [
    'anna,anna maria',
    null,
    null,
  ]);
  t.deepEqual(said(`anna:${hash}\nwhat is this\n`), [
    'anna',
    'line 2 of /etc/h is not NAME:HASH',
    'edit line 2 of /etc/h: htpasswd writes NAME:HASH',
  ]);
  t.regex(String(said(`anna:${hash}\nanna:${hash}\n`)[1]), /line 2 of \/etc\/h gives anna a second time/);
  t.regex(String(said(`\u001b[31m:${hash}\n`)[1]), /line 1 of \/etc\/h is not NAME:HASH/);
  t.deepEqual(said(''), ['', '/etc/h has no line NAME:HASH', 'htpasswd -B -C 10 /etc/h NAME']);
  t.regex(String(said(`anna:${hash.replace('05', '17')}\n`)[1]), /anna \(bcrypt of cost 17, more than 14\)/);
  t.regex(String(said('anna:$2y$05$short\n')[1]), /anna \(bcrypt, but damaged\)/);
  t.regex(String(said(`it's me:{SHA}x\n`)[2]), /^htpasswd -B -C 10 \/etc\/h 'it'\\''s me'$/);
  const many = Array.from({ length: 8 }, (_, index) => `n${index}:{SHA}x`).join('\n');
  t.regex(String(said(many)[1]), /n4 \(SHA-1\) and 3 more$/);
});

test('a file that others may read, that is not there, or that is none is refused with what to do', async (t) => {
  const file = passwordFile(t);
  const said = () => {
    const { entries, trouble } = readHtpasswd(file);
    t.deepEqual(entries, []);
    return [trouble?.message, trouble?.mend];
  };
  t.deepEqual(said(), [`${file}: no such password file`, `(umask 077; htpasswd -B -C 10 -c ${file} NAME)`]);
  await setPassword(file, 'anna', password);
  chmodSync(file, 0o644);
  t.deepEqual(said(), [`${file}: mode is 0644, must be 0600 or 0400`, `chmod 600 '${file}'`]);
  chmodSync(file, 0o600);
  writeFileSync(file, 'x'.repeat(20_000));
  t.regex(String(said()[0]), /longer than 16384 bytes/);
});

test('a name that nobody has costs exactly as much as any other, whatever each hash costs', (t) => {
  const entry = (name: string, cost: number) => ({ name, cost, hash: `$2y$${`${cost}`.padStart(2, '0')}$x` });
  const roundsOf = (hashes: readonly string[]) =>
    hashes.reduce((sum, hash) => sum + 2 ** Number(hash.split('$')[2]), 0);
  const entries = [entry('anna', 5), entry('berta', 10), entry('carla', 12), entry('dora', 4)];
  for (const name of ['anna', 'berta', 'carla', 'dora', 'nobody', '']) {
    const { entry: found, hashes } = workFor(entries, name);
    t.is(roundsOf(hashes), 2 ** 12, name);
    t.is(found?.name ?? '', name === 'nobody' ? '' : name);
    if (found !== null) t.is(hashes[0], found.hash);
  }
});

test('the work for nobody is one that bcrypt does, and not one that it refuses to begin', (t) => {
  const [decoy = ''] = workFor([{ name: 'anna', cost: 6, hash: '' }], 'nobody').hashes;
  const salt = decoy.slice(0, 29);
  t.is(salt.slice(0, 7), '$2y$06$');
  t.is(decoy.length, 60);
  t.is(hashSync(password, salt).slice(0, 29), salt);
});

test('wrong ones are few within a time, also at once, and who comes by IPv6 is a network', (t) => {
  let now = 0;
  const attempts = createAttempts(3, 60_000, () => now);
  const begun = [attempts.begin('a'), attempts.begin('a'), attempts.begin('a')];
  t.deepEqual(
    begun.map(({ kind }) => kind),
    ['may', 'may', 'may'],
  );
  now = 20_000;
  t.deepEqual(attempts.begin('a'), { kind: 'too-often', afterS: 40 });
  t.is(attempts.begin('b').kind, 'may', 'another is not kept out by it');
  for (const one of begun) if (one.kind === 'may') one.forgive();
  t.is(attempts.begin('a').kind, 'may', 'right ones do not count');
  now = 80_001;
  for (let count = 0; count < 3; count += 1) t.is(attempts.begin('a').kind, 'may');
  t.is(attempts.begin('a').kind, 'too-often');
  t.is(networkOf('fd00:1:2:3:4::5'), networkOf('fd00:1:2:3::9%eth0'));
  t.not(networkOf('fd00:1:2:3::5'), networkOf('fd00:1:2:4::5'));
  t.is(networkOf('::ffff:192.0.2.1'), '::ffff:192.0.2.1');
});

test('strangers at many addresses use up the passwords of a minute, and never what tokens may', async (t) => {
  const file = passwordFile(t);
  const tokenFile = `${file}-tokens`;
  await setPassword(file, 'anna', password);
  writeFileSync(tokenFile, `anna=${anna}\n`, { mode: 0o600 });
  let now = 0;
  const wrong = '{"error":{"code":"web-login-wrong","message":"no","next":null}}';
  // Stands for `battito`: what it says of each password.
  const command = ['sh', '-c', `cat >/dev/null; echo '${wrong}'; exit 1`];
  const logins = createLogins({ tokenFile, htpasswdFile: file, command, nowMs: () => now });
  t.teardown(() => logins.close());
  for (let place = 1; place <= 6; place += 1) {
    for (let time = 0; time < 5; time += 1)
      t.is((await logins.byPassword('anna', 'x', `192.0.2.${place}`)).kind, 'wrong');
    t.is((await logins.byPassword('anna', 'x', `192.0.2.${place}`)).kind, 'too-often');
  }
  t.deepEqual(await logins.byPassword('anna', password, '192.0.2.77'), { kind: 'too-often', afterS: 60 });
  t.like(logins.byToken(anna, '192.0.2.77'), { kind: 'accepted', name: 'anna' });
  now = 60_001;
  t.is((await logins.byPassword('anna', 'x', '192.0.2.77')).kind, 'wrong');
});

test('a command each, one after the other, and few in waiting', async (t) => {
  const directory = temporaryDirectory(t);
  const at = (name: string) => join(directory, name);
  // Two at once would find the other's directory; each waits until the test has seen that it runs.
  const script = `mkdir ${at('here')} || exit 9; read name; while [ ! -e ${at('go')} ]; do sleep 0.02; done; rmdir ${at('here')}; echo '{"proof":"'$name'"}'`;
  const passwords = createPasswords('/etc/h', ['sh', '-c', script]);
  t.teardown(() => passwords.close());
  const asked = ['a', 'b', 'c', 'd'].map((name) => passwords.check(name, 'secret'));
  await waitFor('one runs', () => existsSync(at('here')), patience);
  t.deepEqual(await passwords.check('e', 'secret'), { kind: 'busy' });
  writeFileSync(at('go'), '');
  t.deepEqual(
    await Promise.all(asked),
    ['a', 'b', 'c', 'd'].map((proof) => ({ kind: 'right', proof })),
  );
  t.deepEqual(await passwords.check('e', 'secret'), { kind: 'right', proof: 'e' });
  t.deepEqual(await passwords.check('two\nlines', 'secret'), { kind: 'wrong' });
  t.deepEqual(await passwords.check('e', ''), { kind: 'wrong' });
});

test('a command that fails lets nobody in, and says why', async (t) => {
  const passwords = createPasswords('/etc/h', ['sh', '-c', 'echo "no memory" >&2; exit 1']);
  t.teardown(() => passwords.close());
  const said = await passwords.check('anna', 'secret');
  t.is(said.kind, 'failed');
  t.regex(said.kind === 'failed' ? said.message : '', /battito web login --file \/etc\/h: exit 1: no memory/);
  t.false(JSON.stringify(said).includes('secret'));
});

async function login(words: readonly string[], input: string) {
  const argv = [...battito, 'web', 'login', ...words];
  const result = await runCommand(argv, { timeoutMs: patience.timeoutMs, input, env: { NO_COLOR: '1' } });
  return { status: result.exitCode, stdout: result.stdout, stderr: result.stderr };
}

test('battito web login says whether somebody is let in, by exit code and in words', async (t) => {
  const file = passwordFile(t);
  await setPassword(file, 'anna', password);
  const right = await login(['--file', file], `anna\n${password}\n`);
  t.deepEqual(right, { status: exitCodes.ok, stdout: 'anna is let in\n', stderr: '' });
  const wrong = await login(['--file', file], 'anna\nsomething else\n');
  t.is(wrong.status, exitCodes.failed);
  t.is(
    wrong.stderr,
    `battito: this is not the name and the password of anybody in ${file}\nnext: htpasswd -B -C 10 ${file} NAME\n`,
  );
  const unknown = await login(['--file', file], `berta\n${password}\n`);
  t.deepEqual(unknown, wrong, 'whether the name or the password is wrong is not said');
  for (const input of ['', 'anna\n', 'anna\n\n', `anna\n${password}\nmore\n`]) {
    const bad = await login(['--file', file], input);
    t.is(bad.status, exitCodes.usage, JSON.stringify(input));
    t.regex(bad.stderr, /is not a line with a name and a line with a password\nnext: battito help web/);
  }
  const none = await login(['--file', `${file}-none`], `anna\n${password}\n`);
  t.is(none.status, exitCodes.config);
  t.regex(none.stderr, /no such password file\nnext: \(umask 077; htpasswd/);
});

/** A page whose passwords are looked at by the real command. */
async function pageWithPasswords(t: ExecutionContext, options: PageOptions = {}) {
  const htpasswdFile = passwordFile(t);
  await setPassword(htpasswdFile, 'anna', password);
  const page = await usePage(t, {
    ...{ command: battito },
    ...options,
    config: { htpasswdFile, ...options.config },
  });
  await listening(page);
  const logIn = (name: string, given: string) =>
    page.ask('/login', {
      method: 'POST',
      headers: formHeaders(page.base),
      body: new URLSearchParams({ name, password: given }).toString(),
    });
  return { page, htpasswdFile, logIn };
}

test('who has a password may act, under the name in the file; a token is taken beside it', async (t) => {
  const { page, logIn } = await pageWithPasswords(t);
  const form = (await page.ask('/login')).body;
  for (const id of ['name', 'password', 'token']) t.true(form.includes(`id="${id}"`), id);
  t.regex(form, /Whoever has a password or a token may act/);
  const answered = await logIn('anna', password);
  t.is(answered.status, 303);
  const cookie = answered.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  t.regex(cookie, /^battito=[\w-]{43}$/);
  const home = (await page.ask('/', { headers: { cookie } })).body;
  const csrf = /name="csrf" value="([^"]+)"/.exec(home)?.[1] ?? '';
  const headers = formHeaders(page.base, { cookie });
  const act = { method: 'POST', headers, body: `csrf=${csrf}&group=office` };
  t.is((await page.ask('/act/handover', act)).status, 200);
  t.deepEqual(page.wishes, [{ kind: 'handover', groups: ['office'] }]);
  t.like(page.notes, [{ message: 'operator: handover was asked for by: anna on the web page' }]);
  t.not((await page.logIn()).csrf, '', 'by the token');
});

test('a wrong password and an unknown name are told apart by nothing', async (t) => {
  const { page, logIn } = await pageWithPasswords(t);
  const wrong = await logIn('anna', 'something else');
  const unknown = await logIn('nobody', password);
  t.is(wrong.status, 403);
  t.deepEqual({ ...unknown, headers: null }, { ...wrong, headers: null });
  t.deepEqual(Object.keys(unknown.headers), Object.keys(wrong.headers));
  t.regex(wrong.body, /not the name and the password of anybody/);
  t.false(wrong.body.includes('something else'));
  t.deepEqual(page.wishes, []);
});

test('the file is read anew: who is taken out or gets another password is out at once, who is new gets in', async (t) => {
  const { page, htpasswdFile, logIn } = await pageWithPasswords(t, { config: { tokenFile: null } });
  t.false((await page.ask('/login')).body.includes('token'));
  const cookieOf = async (name: string, given: string) => {
    const { status, headers } = await logIn(name, given);
    t.is(status, 303, name);
    return headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  };
  const isIn = async (cookie: string) =>
    (await page.ask('/', { headers: { cookie } })).body.includes('Log out');
  await setPassword(htpasswdFile, 'berta', 'another secret');
  const [first, berta] = [await cookieOf('anna', password), await cookieOf('berta', 'another secret')];
  t.deepEqual([await isIn(first), await isIn(berta)], [true, true]);
  await setPassword(htpasswdFile, 'anna', 'changed');
  t.deepEqual([await isIn(first), await isIn(berta)], [false, true]);
  await removePassword(htpasswdFile, 'berta');
  t.false(await isIn(berta));
  t.is((await logIn('berta', 'another secret')).status, 403);
  t.true(await isIn(await cookieOf('anna', 'changed')));
});

test('what is wrong with the file is in the status, and goes away with its reason without a reload', async (t) => {
  const { page, htpasswdFile, logIn } = await pageWithPasswords(t);
  t.deepEqual(page.page.attention(), []);
  const good = readFileSync(htpasswdFile);
  await setPassword(htpasswdFile, 'anna', password, ['-m']);
  const said = () => page.page.attention().map(({ code, next }) => [code, next]);
  await waitFor('it says so', () => said().length > 0, patience);
  t.deepEqual(said(), [['web-htpasswd', `htpasswd -B -C 10 ${htpasswdFile} anna`]]);
  const refused = await logIn('anna', password);
  t.is(refused.status, 503);
  t.regex(refused.body, /Nobody can log in by this: .*anna \(MD5 of Apache\)/);
  writeFileSync(htpasswdFile, good);
  await waitFor('it is well', () => said().length === 0, patience);
  t.is((await logIn('anna', password)).status, 303);
});

test('while a password is worked on, everybody else is answered', async (t) => {
  const htpasswdFile = passwordFile(t);
  await setPassword(htpasswdFile, 'anna', password, ['-B', '-C', '12']);
  const { page, logIn } = await pageWithPasswords(t, { config: { htpasswdFile } });
  let isDone = false;
  const login = logIn('anna', password).finally(() => {
    isDone = true;
  });
  let answered = 0;
  while (!isDone) {
    t.is((await page.ask('/icon.svg')).status, 200);
    answered += 1;
  }
  t.is((await login).status, 303);
  t.true(answered >= 5, `${answered} answers meanwhile`);
});

test('the page does not load the hash: only the command does', (t) => {
  const seen = new Set<string>();
  const look = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, target = ''] of readFileSync(file, 'utf8').matchAll(/from '([^']+)'/g)) {
      t.not(target, 'bcryptjs', file);
      if (target.startsWith('.')) look(resolve(file, '..', target));
    }
  };
  look(join(root, 'daemon/web/page.ts'));
  t.true(seen.has(join(root, 'daemon/web/login/logins.ts')));
  t.false(seen.has(join(root, 'daemon/web/login/check-password.ts')));
});
