// What the page answers, path by path, in one table.

import type { WebOptions } from '../control/web.ts';
import { askFor } from '../control/web.ts';
import type { WhatIfReport } from '../whatif/report.ts';
import { type Action, actions, renderAnswer, renderQuestion } from './actions.ts';
import type { Commands } from './commands.ts';
import { type Answer, type Exchange, Refused, readForm, sessionCookie } from './exchange.ts';
import { securityHeaders } from './guard.ts';
import { type Html, html } from './html.ts';
import {
  type IncidentList,
  type IncidentTimeline,
  renderIncident,
  renderIncidents,
} from './incident-pages.ts';
import { renderLogin, renderPage, renderStatusPage } from './layout.ts';
import type { Fragment, Live } from './live.ts';
import type { Login, Logins } from './login/logins.ts';
import { isSame } from './login/sessions.ts';
import { icon, script } from './script.ts';
import { style } from './style.ts';
import { renderWhatIf } from './what-if-page.ts';

export interface Parts {
  /** The parts of the status page, not older than a moment. */
  latest(): readonly Fragment[];
  /** Something was done: what was seen before it is not shown any more. */
  outdate(): void;
}

export interface Site {
  readonly options: Pick<WebOptions, 'source' | 'logger'>;
  readonly logins: Logins;
  readonly live: Live;
  readonly commands: Commands;
  readonly parts: Parts;
}

/** Null: it is answered already. */
type Handle = (site: Site, exchange: Exchange, word: string) => Promise<Answer | null> | Answer | null;

interface Route {
  readonly method: 'GET' | 'POST';
  /** The first group is the word that `handle` gets. */
  readonly path: RegExp;
  readonly handle: Handle;
}

const still = (type: string, body: string): Handle => {
  return () => ({ type, body, headers: { 'cache-control': 'private, max-age=300' } });
};

/** Another page is another line here. */
const routes: readonly Route[] = [
  { method: 'GET', path: /^\/$/, handle: showStatus },
  { method: 'GET', path: /^\/events$/, handle: watchStatus },
  { method: 'GET', path: /^\/metrics$/, handle: showMetrics },
  { method: 'GET', path: /^\/incidents$/, handle: showIncidents },
  { method: 'GET', path: /^\/incidents\/([1-9][0-9]{0,8}|last)$/, handle: showIncident },
  { method: 'GET', path: /^\/what-if$/, handle: showWhatIf },
  {
    method: 'GET',
    path: /^\/login$/,
    handle: (site, exchange) => page(site, exchange, 'Log in', renderLogin(site.logins.ways, null)),
  },
  { method: 'POST', path: /^\/login$/, handle: logIn },
  { method: 'POST', path: /^\/logout$/, handle: logOut },
  { method: 'GET', path: /^\/act\/([a-z-]+)$/, handle: askWhether },
  { method: 'POST', path: /^\/act\/([a-z-]+)$/, handle: act },
  { method: 'GET', path: /^\/page\.css$/, handle: still('text/css; charset=utf-8', style) },
  { method: 'GET', path: /^\/page\.js$/, handle: still('text/javascript; charset=utf-8', script) },
  { method: 'GET', path: /^\/icon\.svg$/, handle: still('image/svg+xml', icon) },
];

/** @throws Refused */
export async function answer(site: Site, exchange: Exchange): Promise<Answer | null> {
  const { url, request } = exchange;
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const fitting = routes.filter(({ path }) => path.test(url.pathname));
  if (fitting.length === 0) throw new Refused(404, `there is no ${url.pathname} here`);
  const route = fitting.find((one) => one.method === method);
  if (route === undefined) {
    const allow = fitting.map((one) => one.method).join(', ');
    throw new Refused(405, `${url.pathname} does not take ${request.method}`, { allow });
  }
  return route.handle(site, exchange, route.path.exec(url.pathname)?.[1] ?? '');
}

export function page(site: Site, exchange: Exchange, title: string, content: Html, isLive = false): Answer {
  const { cluster, self } = site.options.source.status();
  const frame = {
    ...{ cluster, node: self.name, path: exchange.url.pathname, session: exchange.session },
    ways: site.logins.ways,
  };
  return { body: renderPage(title, frame, content, isLive) };
}

function showStatus(site: Site, exchange: Exchange): Answer {
  const content = renderStatusPage(site.parts.latest(), exchange.session !== null);
  return page(site, exchange, 'Status', content, true);
}

function watchStatus({ live, logins }: Site, { request, response, sessionId }: Exchange): null {
  if (request.method === 'HEAD') throw new Refused(405, 'this is only to be watched', { allow: 'GET' });
  for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
  if (live.add(response, () => logins.sessions.goesOn(sessionId))) return null;
  throw new Refused(503, 'too many watch already', { 'retry-after': '10' });
}

/** For Prometheus. */
async function showMetrics({ options }: Site, { request }: Exchange): Promise<Answer> {
  const { contentType, body } = await options.source.metrics(request.headers.accept);
  return { type: contentType, body };
}

async function showIncidents(site: Site, exchange: Exchange): Promise<Answer> {
  const said = await site.commands.ask<IncidentList>(['incident', 'list']);
  return page(site, exchange, 'Incidents', renderIncidents(said));
}

async function showIncident(site: Site, exchange: Exchange, number: string): Promise<Answer> {
  const said = await site.commands.ask<IncidentTimeline>(['incident', 'show', number]);
  return page(site, exchange, `Incident ${number}`, renderIncident(said));
}

async function showWhatIf(site: Site, exchange: Exchange): Promise<Answer> {
  const fault = exchange.url.searchParams.get('fault') ?? '';
  if (!/^[a-zA-Z0-9][a-zA-Z0-9 ._:-]{0,79}$|^$/.test(fault)) throw new Refused(400, 'this is no fault');
  const words = fault === '' ? [] : fault.split(' ').filter((word) => !word.startsWith('-'));
  const said = await site.commands.ask<WhatIfReport>(['explain', ...words]);
  return page(site, exchange, 'What if', renderWhatIf(said, fault !== ''));
}

async function logIn(site: Site, exchange: Exchange): Promise<Answer> {
  const { logins, options } = site;
  const { request, isEncrypted, sessionId } = exchange;
  const form = await readForm(request);
  const from = request.socket.remoteAddress ?? '';
  const password = form.get('password');
  const way = password === null ? 'token' : 'password';
  const login: Login =
    password === null
      ? logins.byToken((form.get('token') ?? '').trim(), from)
      : await logins.byPassword((form.get('name') ?? '').trim(), password, from);
  const again = (status: number, said: string, headers: Readonly<Record<string, string>> = {}): Answer => ({
    ...page(site, exchange, 'Log in', renderLogin(logins.ways, said)),
    ...{ status, headers },
  });
  switch (login.kind) {
    case 'accepted':
      logins.sessions.end(sessionId);
      options.logger.info({ from, name: login.name, way }, 'somebody has logged in on the web page');
      return seeOther('/', { 'set-cookie': sessionCookie(login.id, isEncrypted) });
    case 'wrong':
      options.logger.warn({ from, way }, 'a wrong login was tried on the web page');
      return again(403, notAnybodys[way]);
    case 'too-often': {
      const headers = { 'retry-after': String(login.afterS) };
      return again(429, `Too many wrong logins; try again in ${login.afterS} s.`, headers);
    }
    case 'busy':
      return again(503, 'Others are logging in; try again in a moment.', { 'retry-after': '5' });
    case 'unusable':
      return again(503, `Nobody can log in by this: ${login.message}.`);
  }
}

const notAnybodys = {
  token: 'This is not a token of anybody.',
  password: 'This is not the name and the password of anybody.',
} as const;

async function logOut(site: Site, exchange: Exchange): Promise<Answer> {
  await formOf(exchange);
  site.logins.sessions.end(exchange.sessionId);
  return seeOther('/', { 'set-cookie': sessionCookie('', exchange.isEncrypted) });
}

/** A form of this very session. @throws Refused */
async function formOf({ request, session }: Exchange): Promise<URLSearchParams> {
  const form = await readForm(request);
  if (session === null) throw new Refused(403, 'log in first; a login lasts half an hour after its last use');
  if (!isSame(form.get('csrf') ?? '', session.csrf))
    throw new Refused(403, 'this form is of another login: load the page again');
  return form;
}

function chosen(site: Site, id: string, group: string): Action {
  const action = actions.find((one) => one.id === id);
  if (action === undefined) throw new Refused(404, `there is no action ${id}`);
  const isGroup = site.options.source.status().groups.some(({ name }) => name === group);
  if (action.isForGroup ? !isGroup : group !== '') throw new Refused(400, 'there is no such group');
  return action;
}

async function askWhether(site: Site, exchange: Exchange, id: string): Promise<Answer> {
  const { url, session } = exchange;
  if (session === null) return seeOther('/login');
  const { source } = site.options;
  const group = url.searchParams.get('group') ?? '';
  const action = chosen(site, id, group);
  const plans = action.plan === null ? [] : await source.plan(action.plan, group === '' ? null : group, null);
  const status = source.status();
  const content = renderQuestion({ action, group, status, plans, session });
  return page(site, exchange, action.label(status, group), content);
}

async function act(site: Site, exchange: Exchange, id: string): Promise<Answer> {
  const form = await formOf(exchange);
  const group = form.get('group') ?? '';
  const action = chosen(site, id, group);
  const minutes = Number(form.get('minutes') ?? 0);
  if (action.minutes !== undefined && !action.minutes.includes(minutes))
    throw new Refused(400, 'this is not one of the times');
  const said = `${exchange.session?.name ?? ''} on the web page`;
  const result = await askFor(site.options.source, action.wish(group, minutes), said);
  site.parts.outdate();
  const title = result.kind === 'refused' ? 'Refused' : 'Under way';
  return {
    ...page(site, exchange, title, renderAnswer(result)),
    status: result.kind === 'refused' ? 409 : 200,
  };
}

function seeOther(location: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status: 303, headers: { location, ...headers }, body: '' };
}

/** A page for what was refused or went wrong. */
export function problemPage(site: Site, exchange: Exchange, status: number, message: string): Answer {
  const content = html`<h1>${status}</h1><p>${message}</p><p><a href="/">To the status</a></p>`;
  return { ...page(site, exchange, String(status), content), status };
}
