// The web page over real HTTP: who may ask, who may act, what every answer carries, and what it costs the daemon at most.

import { appendFileSync, chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { contentTypes } from '../../daemon/metrics/exposition.ts';
import { refusalOf } from '../../daemon/web/guard.ts';
import { promtool } from '../prometheus.ts';
import { waitFor } from '../support.ts';
import { status } from './fixtures/cli/statuses.ts';
import { makeCertificates } from './support/mail-server.ts';
import {
  anna,
  ask,
  formHeaders,
  listening,
  ownAddress,
  port,
  type TestPage,
  usePage,
} from './support/web.ts';

const handover = (csrf: string) => `csrf=${csrf}&group=office`;

test('the status is there without a login and without a script, with headers that keep others out', async (t) => {
  const page = await usePage(t);
  await listening(page);
  const { status: code, headers, body } = await page.ask('/');
  t.is(code, 200);
  for (const text of [
    'office',
    'primary',
    'secondary',
    'eth1 broadcast',
    '192.168.1.1/24',
    'Everything runs',
  ])
    t.true(body.includes(text), text);
  t.false(/<script(?! src="\/page\.js" defer>)|style=|onclick=/.test(body), 'nothing inline');
  t.false(body.includes('/act/'), 'nothing to act with');
  const policy = String(headers['content-security-policy']);
  t.regex(policy, /default-src 'none'/);
  t.regex(policy, /frame-ancestors 'none'/);
  t.notRegex(policy, /unsafe/);
  t.like(headers, {
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'same-origin',
    'cache-control': 'no-store',
  });
  t.is(headers['access-control-allow-origin'], undefined);
  t.is((await page.ask('/page.css')).headers['content-type'], 'text/css; charset=utf-8');
  t.is((await page.ask('/', { method: 'HEAD' })).body, '');
  t.is((await page.ask('/nothing')).status, 404);
  const wrong = await page.ask('/', { method: 'DELETE', headers: { origin: page.base } });
  t.deepEqual([wrong.status, wrong.headers.allow], [405, 'GET']);
});

test('Prometheus reads /metrics, in the format that it asks for', async (t) => {
  const page = await usePage(t);
  await listening(page);
  const plain = await page.ask('/metrics');
  t.is(plain.status, 200);
  t.is(plain.headers['content-type'], contentTypes.prometheus);
  t.is(promtool(['check', 'metrics'], plain.body), '');
  const open = await page.ask('/metrics', { headers: { accept: 'application/openmetrics-text' } });
  t.is(open.headers['content-type'], contentTypes.openmetrics);
  t.is((await page.ask('/metrics', { headers: { host: 'evil.example' } })).status, 421);
});

test('a name that somebody else has pointed here is refused; the names of the nodes and those configured are not', async (t) => {
  const page = await usePage(t, { config: { names: ['battito.example.org'] } });
  await listening(page);
  for (const host of ['primary', 'SECONDARY:8694', 'battito.example.org', 'localhost:1234', '[::1]:8694'])
    t.is((await page.ask('/', { headers: { host } })).status, 200, host);
  for (const host of ['evil.example.org', 'primary.evil.example.org', 'a b', 'primary@evil:1']) {
    const { status: code, body } = await page.ask('/', { headers: { host } });
    t.true(code === 421 || code === 400, `${host}: ${code}`);
    t.false(body.includes('eth1'), host);
  }
  t.is(refusalOf({ method: 'GET', headers: {}, isEncrypted: false }, ['primary'])?.status, 421);
});

test('pages of other origins get nothing, not even what anybody may read; a link from there may lead here', async (t) => {
  const page = await usePage(t);
  await listening(page);
  const refused: Record<string, string>[] = [
    { origin: 'https://evil.example.org' },
    { origin: 'null' },
    { origin: page.base.replace('http:', 'https:') },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
    { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' },
  ];
  for (const headers of refused) {
    for (const path of ['/', '/events', '/page.js'])
      t.is((await page.ask(path, { headers })).status, 403, JSON.stringify(headers));
  }
  const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
  t.is((await page.ask('/', { headers: link })).status, 200);
  t.is(
    (await page.ask('/', { headers: { origin: page.base, 'sec-fetch-site': 'same-origin' } })).status,
    200,
  );
});

test('who has a token may act; the cookie is for this page alone, and who asked is in the history', async (t) => {
  const page = await usePage(t);
  await listening(page);
  const body = `token=${anna}`;
  const login = await page.ask('/login', { method: 'POST', headers: formHeaders(page.base), body });
  t.is(login.status, 303);
  t.regex(login.headers['set-cookie']?.[0] ?? '', /^battito=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  const { cookie, csrf } = await page.logIn();
  const { body: home } = await page.ask('/', { headers: { cookie } });
  t.true(home.includes('/act/handover?group=office'));
  const question = await page.ask('/act/handover?group=office', { headers: { cookie } });
  t.true(question.body.includes('Hand office over to secondary?'));
  t.deepEqual(page.wishes, [], 'asking is not doing');
  const headers = formHeaders(page.base, { cookie });
  const done = await page.ask('/act/handover', { method: 'POST', headers, body: handover(csrf) });
  t.is(done.status, 200);
  t.true(done.body.includes('as you wish'));
  t.deepEqual(page.wishes, [{ kind: 'handover', groups: ['office'] }]);
  t.like(page.notes, [
    { code: 'operator-said', message: 'operator: handover was asked for by: anna on the web page' },
  ]);
  const more: [string, string, object][] = [
    ['standby-on', '', { kind: 'standby', on: true }],
    ['maintenance-on', '&minutes=30', { kind: 'maintenance', durationMs: 1_800_000 }],
    ['maintenance-off', '', { kind: 'maintenance', durationMs: 0 }],
    ['retry', '&group=office', { kind: 'retry', groups: ['office'] }],
    ['takeover', '&group=office', { kind: 'takeover', groups: ['office'] }],
  ];
  for (const [id, fields, wish] of more) {
    await page.ask(`/act/${id}`, { method: 'POST', headers, body: `csrf=${csrf}${fields}` });
    t.deepEqual(page.wishes.at(-1), wish as never);
  }
  const count = page.wishes.length;
  for (const [id, fields] of [
    ['maintenance-on', '&minutes=99999'],
    ['handover', '&group=nobody'],
    ['standby-on', '&group=office'],
    ['accept-data', '&group=office'],
  ]) {
    const { status: code } = await page.ask(`/act/${id}`, {
      method: 'POST',
      headers,
      body: `csrf=${csrf}${fields}`,
    });
    t.true(code === 400 || code === 404, `${id} ${code}`);
  }
  t.is(page.wishes.length, count);
  const out = await page.ask('/logout', { method: 'POST', headers, body: `csrf=${csrf}` });
  t.regex(out.headers['set-cookie']?.[0] ?? '', /Max-Age=0/);
  t.is((await page.ask('/act/handover', { method: 'POST', headers, body: handover(csrf) })).status, 403);
  t.is(page.wishes.length, count);
});

test('who has acted sees what came of it, however soon they look', async (t) => {
  const page: TestPage = await usePage(t, {
    status: () => {
      const { self, ...rest } = status();
      return { ...rest, self: { ...self, standby: page.wishes.length > 0 } };
    },
  });
  await listening(page);
  const { cookie, csrf } = await page.logIn();
  const headers = formHeaders(page.base, { cookie });
  const home = () => page.ask('/', { headers: { cookie } });
  // Twice: the second answer is of the first look, or of one of its own.
  for (let looks = 0; looks < 2; looks += 1) t.true((await home()).body.includes('/act/standby-on'));
  await page.ask('/act/standby-on', { method: 'POST', headers, body: `csrf=${csrf}` });
  t.true((await home()).body.includes('/act/standby-off'));
});

test('a refusal of the core is shown with what to do', async (t) => {
  const refusal = {
    kind: 'refused',
    code: 'peer-standby',
    message: 'secondary is in standby',
    next: 'on secondary: battito standby off',
  } as const;
  const page = await usePage(t, { answer: refusal });
  await listening(page);
  const { cookie, csrf } = await page.logIn();
  const headers = formHeaders(page.base, { cookie });
  const { status: code, body } = await page.ask('/act/handover', {
    method: 'POST',
    headers,
    body: handover(csrf),
  });
  t.is(code, 409);
  t.regex(body, /secondary is in standby.*Next: on secondary: battito standby off/s);
});

test('nothing is done without a login, the form of that login, and a page of this origin', async (t) => {
  const page = await usePage(t);
  await listening(page);
  const { cookie, csrf } = await page.logIn();
  const other = await page.logIn();
  const own = formHeaders(page.base, { cookie });
  const { origin: _, ...withoutOrigin } = own;
  const attempts: [string, Record<string, string>, string][] = [
    ['no login', formHeaders(page.base), handover(csrf)],
    ['a made up login', { ...own, cookie: 'battito=made-up' }, handover(csrf)],
    ['no form token', own, 'group=office'],
    ['a wrong form token', own, handover('wrong')],
    ['the form token of another login', own, handover(other.csrf)],
    ['another origin', { ...own, origin: 'http://evil.example.org' }, handover(csrf)],
    ['no origin', withoutOrigin, handover(csrf)],
    [
      'fetched from elsewhere',
      { ...own, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
      handover(csrf),
    ],
  ];
  for (const [what, headers, body] of attempts) {
    t.is((await page.ask('/act/handover', { method: 'POST', headers, body })).status, 403, what);
  }
  const json = await page.ask('/act/handover', {
    method: 'POST',
    headers: { ...own, 'content-type': 'application/json' },
    body: '{}',
  });
  t.is(json.status, 415);
  t.is((await page.ask('/act/handover?group=office')).headers.location, '/login');
  t.deepEqual(page.wishes, []);
});

test('whoever is taken out of the token file is out at once', async (t) => {
  const page = await usePage(t);
  await listening(page);
  const { cookie, csrf } = await page.logIn();
  writeFileSync(page.tokenFile, 'berta=berta-has-a-token-of-33-characters\n');
  const headers = formHeaders(page.base, { cookie });
  t.is((await page.ask('/act/handover', { method: 'POST', headers, body: handover(csrf) })).status, 403);
  t.false((await page.ask('/', { headers: { cookie } })).body.includes('Log out'));
  t.deepEqual(page.wishes, []);
});

test('wrong tokens may be tried a few times a minute, and then the right one does not help either', async (t) => {
  const page = await usePage(t);
  await listening(page);
  const login = (token: string) =>
    page.ask('/login', { method: 'POST', headers: formHeaders(page.base), body: `token=${token}` });
  for (let time = 0; time < 5; time += 1) t.is((await login(`wrong-${time}`)).status, 403);
  const late = await login(anna);
  t.is(late.status, 429);
  t.true(Number(late.headers['retry-after']) > 0);
  t.false(late.body.includes(anna));
});

test("tokens that are short, in a file for all to read, or missing are nobody's, and the status says so", async (t) => {
  const page = await usePage(t, { tokens: 'anna=short\n' });
  await listening(page);
  const login = (token: string) =>
    page.ask('/login', { method: 'POST', headers: formHeaders(page.base), body: `token=${token}` });
  t.is((await login('short')).status, 503);
  t.regex(page.page.attention()[0]?.message ?? '', /shorter than 22 characters: the token of anna/);
  t.false(JSON.stringify(page.page.attention()).includes('short\n'));
  writeFileSync(page.tokenFile, `anna=${anna}\n`);
  chmodSync(page.tokenFile, 0o644);
  page.page.refresh();
  t.like(page.page.attention()[0], {
    code: 'web-tokens',
    severity: 'warning',
    next: `chmod 0600 ${page.tokenFile}`,
  });
  t.is((await login(anna)).status, 503);
  chmodSync(page.tokenFile, 0o600);
  page.page.refresh();
  t.deepEqual(page.page.attention(), []);
  t.is((await login(anna)).status, 303);
});

test('without a token file the page is for reading', async (t) => {
  const page = await usePage(t, { config: { tokenFile: null } });
  await listening(page);
  t.true((await page.ask('/')).body.includes('read-only'));
  const login = await page.ask('/login', { method: 'POST', headers: formHeaders(page.base), body: 'token=' });
  t.is(login.status, 503);
});

test('what is too large is cut off, and who sends nothing is not waited for', async (t) => {
  const page = await usePage(t);
  await listening(page);
  const body = `token=${'x'.repeat(5000)}`;
  const large = await page.ask('/login', { method: 'POST', headers: formHeaders(page.base), body }).then(
    ({ status: code }) => code,
    () => 413,
  );
  t.is(large, 413);
  const long = await page.ask('/', { headers: { cookie: 'x'.repeat(9000) } }).then(
    ({ status: code }) => code,
    () => 431,
  );
  t.is(long, 431);
  const mute = connect(port, page.address);
  await new Promise((resolve) => mute.once('close', resolve));
  t.pass('a connection without a question is closed');
});

interface Watching {
  readonly text: () => string;
  readonly ended: Promise<void>;
  readonly status: number;
  stop(): void;
}

function watch(page: TestPage, headers: Record<string, string> = {}): Promise<Watching> {
  return new Promise((resolve, reject) => {
    const call = get(`${page.base}/events`, { agent: false, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      const ended = new Promise<void>((done) => response.on('close', done));
      response.on('error', () => {});
      resolve({ text: () => text, ended, status: response.statusCode ?? 0, stop: () => call.destroy() });
    });
    call.on('error', reject);
  });
}

test('a watcher gets every part at once and then what changes; only who may act gets the actions', async (t) => {
  let now = status();
  const page = await usePage(t, { status: () => now });
  await listening(page);
  const { cookie } = await page.logIn();
  const [visitor, actor] = [await watch(page), await watch(page, { cookie })];
  await waitFor('all parts', () => visitor.text().includes('"about"') && actor.text().includes('"actions"'));
  t.false(visitor.text().includes('"actions"'));
  const before = visitor.text().length;
  now = status({ verdict: { kind: 'dead', forMs: 1000, silentMs: 3000, signs: [] } });
  await waitFor('the change', () => visitor.text().slice(before).includes('dead for'));
  t.false(visitor.text().slice(before).includes('"groups"'), 'what is as it was is not sent again');
  visitor.stop();
  actor.stop();
});

test('many who watch cost no more than one, there is an end of them, and nobody costs nothing', async (t) => {
  const page = await usePage(t);
  await listening(page);
  const all = [];
  for (let count = 0; count < 16; count += 1) all.push(await watch(page));
  t.deepEqual(new Set(all.map(({ status: code }) => code)), new Set([200]));
  const over = await watch(page);
  t.is(over.status, 503, 'there is an end');
  const [first, beganAtMs] = [page.looks(), performance.now()];
  await waitFor('a few looks', () => page.looks() >= first + 4);
  const [looks, tookMs] = [page.looks() - first, performance.now() - beganAtMs];
  t.true(looks <= tookMs / 450 + 1, `${looks} looks in ${tookMs} ms`);
  t.true(all.every((one) => one.text().includes('"about"')));
  for (const one of all) one.stop();
  await waitFor('there is room again', async () => {
    const again = await watch(page);
    again.stop();
    return again.status === 200;
  });
  let before = -1;
  await waitFor(
    'nobody looks any more',
    () => {
      const seen = before;
      before = page.looks();
      return seen === before;
    },
    { intervalMs: 1500 },
  );
});

test('a status that cannot be had ends nothing: the page says so, and goes on when it can', async (t) => {
  let broken = false;
  const page = await usePage(t, {
    status: () => {
      if (broken) throw new Error('no status now');
      return status();
    },
  });
  await listening(page);
  const watching = await watch(page);
  await waitFor('parts', () => watching.text().includes('"about"'));
  broken = true;
  await waitFor('it fails', async () => (await page.ask('/')).status >= 400);
  broken = false;
  await waitFor('it is well', async () => (await page.ask('/')).status === 200);
  t.regex((await page.ask('/')).body, /Everything runs/);
  watching.stop();
});

test('a port that is taken is a warning that goes away with its reason', async (t) => {
  const address = ownAddress();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(port, address, resolve));
  const page = await usePage(t, { address });
  await waitFor('it says so', () => page.page.attention().some(({ code }) => code === 'web-down'));
  const [trouble] = page.page.attention();
  t.regex(trouble?.message ?? '', /8694 cannot be listened on \(EADDRINUSE\)/);
  t.regex(trouble?.next ?? '', /ss -ltnp/);
  await new Promise((resolve) => other.close(resolve));
  await listening(page);
  t.deepEqual(page.page.attention(), []);
});

test('with a certificate the cookie is for TLS alone; a new certificate is taken, a bad one leaves the old in force', async (t) => {
  const plain = await usePage(t); // Its directory takes the files.
  const { directory } = plain;
  makeCertificates(directory);
  const certificateFile = join(directory, 'cert.pem');
  const keyFile = join(directory, 'key.pem');
  chmodSync(keyFile, 0o600);
  const page = await usePage(t, { config: { tls: { certificateFile, keyFile } } });
  await listening(page);
  const body = `token=${anna}`;
  const login = await page.ask('/login', { method: 'POST', headers: formHeaders(page.base), body });
  t.regex(
    login.headers['set-cookie']?.[0] ?? '',
    /^__Host-battito=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
  );
  await t.throwsAsync(ask(page.base.replace('https:', 'http:'), '/'), undefined, 'nothing in the clear');
  copyFileSync(certificateFile, join(directory, 'kept.pem'));
  appendFileSync(keyFile, 'x');
  writeFileSync(certificateFile, 'no certificate');
  page.page.refresh();
  t.regex(
    page.page.attention()[0]?.message ?? '',
    /the old certificate stays: .* are no certificate with its key/,
  );
  t.is((await page.ask('/')).status, 200);
  copyFileSync(join(directory, 'kept.pem'), certificateFile);
  page.page.refresh();
  t.deepEqual(page.page.attention(), []);
});
