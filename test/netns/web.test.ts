// The web page in a real Chromium, served by real daemons: a takeover watched live, on a phone, by keyboard alone, without
// JavaScript, with a login and an action, and from a page of somebody else. Pictures are kept in test-output/web.

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { waitFor } from '../support.ts';
import { setPassword } from '../unit/support/htpasswd.ts';
import { makeCertificates } from '../unit/support/mail-server.ts';
import { accessibilityProblems, keepPicture, openPage, overhang, useBrowser } from './support/browser.ts';
import { hostNames } from './support/hosts.ts';
import { Office } from './support/office.ts';

const token = 'anna-has-a-token-of-32-characters';
const wide = { width: 1280, height: 900 };
const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
const patienceMs = 900_000;
const patience = { timeoutMs: 240_000 };

/** `web`: what stands after it, from the folder with certificate, key and tokens. */
async function officeWithPage(t: ExecutionContext, web: (folder: string) => string) {
  const office = await Office.open({ idle: true });
  t.teardown(async () => {
    if (!t.passed)
      for (const host of hostNames) t.log((await office.log(host)).split('\n').slice(-40).join('\n'));
    await office.close();
  });
  const folder = join(office.network.root, 'web');
  mkdirSync(folder);
  makeCertificates(folder);
  chmodSync(join(folder, 'key.pem'), 0o600);
  writeFileSync(join(folder, 'tokens'), `anna=${token}\n`, { mode: 0o600 });
  writeFileSync(office.configFile, office.configText({ web: web(folder) }));
  await office.startDaemons();
  await office.settled('primary');
  return office;
}

const onLoopback = (folder: string) => `{ listen: "127.0.0.1:8694", token-file: ${folder}/tokens }`;
const onTheLan = (folder: string) =>
  `{ listen: "node:8694", token-file: ${folder}/tokens, tls: { certificate: ${folder}/cert.pem, key: ${folder}/key.pem } }`;

/** Waits until the part of the page says so. */
async function says(page: Page, id: string, text: RegExp): Promise<void> {
  const part = page.locator(`#${id}`);
  await waitFor(
    `#${id} says ${text}`,
    async () => {
      const said = (await part.textContent()) ?? '';
      if (!text.test(said)) throw new Error(said);
      return true;
    },
    patience,
  );
}

async function assertAccessible(t: ExecutionContext, page: Page): Promise<void> {
  t.deepEqual(await accessibilityProblems(page), [], page.url());
}

test('a takeover is watched live, and looked at afterwards', async (t) => {
  t.timeout(patienceMs);
  const office = await officeWithPage(t, onLoopback);
  const browser = await useBrowser(t, office.network, 'secondary');
  const page = await openPage(t, browser);
  await page.goto('http://127.0.0.1:8694/');
  await says(page, 'groups', /office\s*runs on primary.*2 of 2|office\s*runs on primary.*3 of 3/s);
  await says(page, 'nodes', /primary.*alive/s);
  await assertAccessible(t, page);
  await keepPicture(page, 'before-a-takeover');
  await page.evaluate('globalThis.loadedOnce = true');

  await office.network.powerLoss('primary');
  await says(page, 'nodes', /dead for/);
  await says(page, 'protection', /No protection.*primary is dead/s);
  await office.waitForPhase('secondary', 'active');
  await says(page, 'groups', /runs on secondary.*mail.*up.*web.*up/s);
  await says(page, 'events', /primary is dead/);
  await says(page, 'announce', /needs? a person/);
  t.true(await page.evaluate('globalThis.loadedOnce'), 'it was never loaded again');
  await assertAccessible(t, page);
  await keepPicture(page, 'after-a-takeover');

  await page.click('text=Incidents');
  await page.click('main a:has-text("takeover")');
  await says(page, 'main', /Incident \d+: takeover.*Without service.*[\d.]+ s.*start guest:mail/s);
  t.true(
    (await page.locator('.timeline rect.span').count()) > 0,
    'what took time is drawn as long as it took',
  );
  await assertAccessible(t, page);
  await keepPicture(page, 'incident');

  await office.network.powerOn('primary');
  await office.startDaemon('primary');
  await page.goto('http://127.0.0.1:8694/');
  await says(page, 'nodes', /primary.*alive/s);
  await says(page, 'protection', /^$/);
});

test('light or dark, wide or on a phone, every page is accessible and no wider than the screen', async (t) => {
  t.timeout(patienceMs);
  const office = await officeWithPage(t, onLoopback);
  const browser = await useBrowser(t, office.network, 'secondary');
  await office.network.powerLoss('primary');
  await office.waitForPhase('secondary', 'active');
  // Nothing would be taken over from here now, so the readiness has losses to show.
  await office.battito('secondary', 'check');
  const page = await openPage(t, browser);
  await page.goto('http://127.0.0.1:8694/');
  await says(page, 'readiness', /a takeover would fail.*of 100.*primary could not be checked/s);
  const pages: [path: string, name: string, text: RegExp][] = [
    ['/', 'status', /runs on secondary/],
    ['/incidents', 'incidents', /takeover.*office is active here/s],
    ['/incidents/last', 'incident-last', /Moment by moment/],
    ['/what-if', 'what-if', /If .*Played through from the state of now/s],
    ['/login', 'login', /Token/],
  ];
  for (const [path, name, text] of pages) {
    await page.setViewportSize(wide);
    await page.goto(`http://127.0.0.1:8694${path}`);
    await says(page, 'main', text);
    await assertAccessible(t, page);
    await keepPicture(page, name);
    await page.emulateMedia({ colorScheme: 'dark' });
    await assertAccessible(t, page);
    await keepPicture(page, `dark-${name}`);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize(phone.viewport);
    t.is(await overhang(page), 0, path);
    await assertAccessible(t, page);
    await keepPicture(page, `phone-${name}`);
  }
});

/** Goes from element to element as the Tab key does. */
async function tabTo(page: Page, text: RegExp): Promise<void> {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab');
    const focused = (await page.evaluate(
      'document.activeElement?.id + " " + document.activeElement?.textContent',
    )) as string;
    if (text.test(focused)) return;
  }
  throw new Error(`the Tab key does not lead to ${text}`);
}

test('by keyboard alone: a login, a handover, and its end; over TLS on the LAN', async (t) => {
  t.timeout(patienceMs);
  const office = await officeWithPage(t, onTheLan);
  const browser = await useBrowser(t, office.network, 'client');
  const page = await openPage(t, browser, { ignoreHTTPSErrors: true });
  await page.goto('https://192.168.1.2:8694/');
  await tabTo(page, /Log in/);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/login');
  await tabTo(page, /^token /);
  await page.keyboard.type('not-the-token');
  await page.keyboard.press('Enter');
  await says(page, 'main', /not a token of anybody/);
  await assertAccessible(t, page);
  await tabTo(page, /^token /);
  await page.keyboard.type(token);
  await page.keyboard.press('Enter');
  await page.waitForURL('https://192.168.1.2:8694/');
  await says(page, 'actions', /Hand office over to secondary/);
  await tabTo(page, /Hand office over/);
  // What is sent meanwhile must not take the focus away.
  await page.evaluate('new Promise((done) => new EventSource("/events").addEventListener("part", done))');
  t.regex((await page.evaluate('document.activeElement.textContent')) as string, /Hand office over/);
  await page.keyboard.press('Enter');
  await says(page, 'main', /Hand office over to secondary\?.*What is run on this node/s);
  await assertAccessible(t, page);
  await keepPicture(page, 'question');
  await tabTo(page, /What is run/);
  await page.keyboard.press('Enter');
  await tabTo(page, /^ Hand office over to secondary$/);
  await page.keyboard.press('Enter');
  await says(page, 'main', /It is under way/);
  await tabTo(page, /Watch it/);
  await page.keyboard.press('Enter');
  await says(page, 'groups', /runs on secondary/);
  await office.settled('secondary');
  const said = (await office.history('primary')).filter(({ code }) => code === 'operator-said');
  t.deepEqual(
    said.map(({ message }) => message),
    ['operator: handover was asked for by: anna on the web page'],
  );
});

test('with a password of htpasswd: a login, its action under its name, and its end with a new password', async (t) => {
  t.timeout(patienceMs);
  const office = await officeWithPage(
    t,
    (folder) => `${onTheLan(folder).slice(0, -1)}, htpasswd: ${folder}/htpasswd }`,
  );
  const file = join(office.network.root, 'web', 'htpasswd');
  const attention = async () => (await office.status('primary')).attention.map(({ code }) => code);
  await waitFor('it is missed', async () => (await attention()).includes('web-htpasswd'));
  await setPassword(file, 'Carla Müller', 'pferd & wagen', ['-B', '-C', '6']);
  await waitFor('it is there, without a reload', async () => !(await attention()).includes('web-htpasswd'));
  const browser = await useBrowser(t, office.network, 'client');
  const page = await openPage(t, browser, { ignoreHTTPSErrors: true });
  await page.goto('https://192.168.1.2:8694/login');
  await says(page, 'main', /Whoever has a password or a token may act/);
  await assertAccessible(t, page);
  await keepPicture(page, 'login-password');
  const logIn = async (name: string, password: string) => {
    await page.fill('#name', name);
    await page.fill('#password', password);
    await page.click('main button:text-is("Log in")');
  };
  for (const [name, password] of [
    ['Carla Müller', 'pferd und wagen'],
    ['nobody', 'pferd & wagen'],
  ] as const) {
    await logIn(name, password);
    await says(page, 'main', /not the name and the password of anybody/);
  }
  await assertAccessible(t, page);
  // From now on every login is as much work as this one.
  await setPassword(file, 'somebody', 'x', ['-B', '-C', '12']);
  await logIn('Carla Müller', 'pferd & wagen');
  await page.waitForURL('https://192.168.1.2:8694/', { timeout: 240_000 });
  await page.click('text=Begin maintenance of primary');
  await page.click('main button');
  await says(page, 'main', /It is under way/);
  const said = (await office.history('primary')).filter(({ code }) => code === 'operator-said');
  t.deepEqual(
    said.map(({ message }) => message),
    ['operator: maintenance was asked for by: Carla Müller on the web page'],
  );
  await setPassword(file, 'Carla Müller', 'another');
  await page.goto('https://192.168.1.2:8694/');
  await says(page, 'main', /Everything runs|maintenance/);
  t.is(await page.locator('text=Log out').count(), 0, 'who has another password logs in again');
});

test('without JavaScript it is a plain status page, and everything else works too', async (t) => {
  t.timeout(patienceMs);
  const office = await officeWithPage(t, onLoopback);
  const browser = await useBrowser(t, office.network, 'primary');
  const page = await openPage(t, browser, { ...phone, javaScriptEnabled: false });
  await page.goto('http://127.0.0.1:8694/');
  await says(page, 'groups', /runs on primary.*mail.*up/s);
  await says(page, 'main', /Without JavaScript this page stays as it is/);
  await keepPicture(page, 'without-javascript');
  await page.click('text=Log in');
  await page.fill('#token', token);
  await page.click('main button');
  await page.click('text=Begin maintenance of primary');
  await page.selectOption('#minutes', '60');
  await page.click('main button');
  await says(page, 'main', /It is under way/);
  await page.click('text=Watch it');
  await says(page, 'protection', /primary is in maintenance/);
  t.true((await office.status('primary')).self.maintenanceMs > 30 * 60_000);
  await page.click('text=End the maintenance of primary');
  await page.click('main button');
  await waitFor('maintenance is over', async () => (await office.status('primary')).self.maintenanceMs === 0);
});

test('a page of somebody else can neither act nor read, whoever is logged in', async (t) => {
  t.timeout(patienceMs);
  const office = await officeWithPage(t, onLoopback);
  const browser = await useBrowser(t, office.network, 'primary');
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto('http://127.0.0.1:8694/login');
  await page.fill('#token', token);
  await page.click('main button');
  await page.waitForURL('http://127.0.0.1:8694/');
  const csrf = await page.inputValue('input[name=csrf]');
  // It has even guessed the form's token.
  const evil = `<title>evil</title><form method="post" action="http://127.0.0.1:8694/act/standby-on"><input name="csrf" value="${csrf}"></form><iframe src="http://127.0.0.1:8694/"></iframe>`;
  await context.route('http://localhost:1/**', (route) =>
    route.fulfill({ contentType: 'text/html', body: evil }),
  );
  const other = await context.newPage();
  await other.goto('http://localhost:1/');
  const read = (path: string) =>
    other.evaluate(
      `fetch('http://127.0.0.1:8694${path}', { credentials: 'include' }).then((answer) => answer.text(), () => 'refused')`,
    );
  for (const path of ['/', '/events', '/incidents']) t.is(await read(path), 'refused');
  const [answer] = await Promise.all([
    other.waitForResponse((response) => response.url().endsWith('/act/standby-on')),
    other.evaluate('document.forms[0].submit()'),
  ]);
  t.is(answer.status(), 403);
  t.false((await office.status('primary')).self.standby);
  t.deepEqual(
    (await office.history('primary')).filter(({ code }) => code === 'operator-said'),
    [],
  );
  await context.close();
});

test('a port that is taken does not keep the daemon from anything; a reload opens the page elsewhere', async (t) => {
  t.timeout(patienceMs);
  const office = await officeWithPage(t, onLoopback);
  const second = office.network.spawnOn(
    'primary',
    [process.execPath, '-e', "require('node:net').createServer().listen(8700, '127.0.0.1')"],
    { logFile: join(office.network.root, 'logs', 'other.log') },
  );
  /** What the page answers there; 0: nobody does. */
  const listens = async (port: number) => {
    const look = `fetch('http://127.0.0.1:${port}/').then(({ status }) => console.log(status), () => console.log(0))`;
    const argv = [process.execPath, '-e', look];
    return Number((await office.network.run('primary', argv, { timeoutMs: 60_000 })).stdout);
  };
  await waitFor('the page', async () => (await listens(8694)) === 200);
  const reload = async (web: string) => {
    writeFileSync(office.configFile, office.configText({ web }));
    for (const host of hostNames) process.kill(office.daemon(host).pid, 'SIGHUP');
  };
  await reload('{ listen: "127.0.0.1:8700" }');
  await waitFor('the status says so', async () => {
    const { attention } = await office.status('primary');
    return attention.some(({ code, message }) => code === 'web-down' && message.includes('EADDRINUSE'));
  });
  t.is(await office.phase('primary'), 'active');
  await second.stop();
  await waitFor('the page is elsewhere', async () => (await listens(8700)) === 200);
  t.is(await listens(8694), 0);
  await waitFor('nothing needs a person for it', async () =>
    (await office.status('primary')).attention.every(({ code }) => code !== 'web-down'),
  );
});
