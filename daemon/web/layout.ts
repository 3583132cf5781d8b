// The frame of every page: heading, navigation, and the places where the live parts go. Pure.

import { type Html, html, trusted } from './html.ts';
import type { Fragment } from './live.ts';
import type { Ways } from './login/logins.ts';
import type { Session } from './login/sessions.ts';

export interface Frame {
  readonly cluster: string;
  readonly node: string;
  readonly path: string;
  readonly session: Session | null;
  readonly ways: Ways;
}

const navigation = [
  { path: '/', name: 'Status' },
  { path: '/incidents', name: 'Incidents' },
  { path: '/what-if', name: 'What if' },
] as const;

export function renderPage(title: string, frame: Frame, content: Html, isLive = false): string {
  const { cluster, node, path, session, ways } = frame;
  const script = isLive ? html`<script src="/page.js" defer></script>` : '';
  const isHere = (of: string) => (of === '/' ? path === '/' : path.startsWith(of));
  const links = navigation.map(
    (one) =>
      html`<li><a href="${one.path}"${isHere(one.path) ? html` aria-current="page"` : ''}>${one.name}</a></li>`,
  );
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · ${cluster}</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page.css">
${script}
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header><p class="brand"><strong>${cluster}</strong> <span class="dim">seen from ${node}</span></p><nav aria-label="Pages"><ul>${links}</ul></nav>${account(session, ways)}</header>
<main id="main">${content}</main>
</body>
</html>
`.markup;
}

function account(session: Session | null, ways: Ways): Html {
  if (session !== null)
    return html`<form class="account" method="post" action="/logout"><input type="hidden" name="csrf" value="${session.csrf}"><span class="dim">${session.name}</span> <button class="quiet" type="submit">Log out</button></form>`;
  if (!ways.token && !ways.password) return html`<p class="account dim">read-only</p>`;
  return html`<p class="account"><a href="/login">Log in</a></p>`;
}

/** Where a part goes, with what it is now. */
export function renderStatusPage(fragments: readonly Fragment[], mayAct: boolean): Html {
  const part = (id: string) => trusted(fragments.find((one) => one.id === id)?.markup ?? '');
  return html`<h1 class="hidden">Status</h1>
<p id="live" class="note" hidden></p>
<p id="announce" class="hidden" role="status"></p>
<p id="headline" class="headline">${part('headline')}</p>
<section id="protection" aria-label="Protection">${part('protection')}</section>
<section id="attention" aria-label="Attention">${part('attention')}</section>
<section id="readiness" aria-label="Readiness">${part('readiness')}</section>
<section aria-labelledby="nodes-heading"><h2 id="nodes-heading" class="hidden">Nodes and links</h2><div id="nodes" class="pair">${part('nodes')}</div></section>
<section aria-labelledby="groups-heading"><h2 id="groups-heading">Groups</h2><div id="groups" class="cards">${part('groups')}</div></section>
${mayAct ? html`<section id="actions" aria-label="Actions">${part('actions')}</section>` : ''}
<section aria-labelledby="events-heading"><h2 id="events-heading">Latest</h2><div id="events">${part('events')}</div></section>
<section aria-labelledby="about-heading"><h2 id="about-heading">Figures</h2><div id="about">${part('about')}</div></section>
<noscript><p class="note">Without JavaScript this page stays as it is. <a href="/">Load it again</a></p></noscript>`;
}

const whatItTakes = ({ token, password }: Ways) =>
  token && password ? 'a password or a token' : password ? 'a password' : 'a token';

/** A form for each way. */
export function renderLogin(ways: Ways, said: string | null): Html {
  const field = (id: string, label: string, more: Html) =>
    html`<p><label for="${id}">${label}</label> <input id="${id}" name="${id}" required ${more}></p>`;
  const form = (fields: readonly Html[], label: string) =>
    html`<form class="login" method="post" action="/login">${fields}<p><button type="submit">${label}</button></p></form>`;
  const secret = html`type="password" autocomplete="current-password" maxlength="255"`;
  const name = html`type="text" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="255"`;
  const both = ways.token && ways.password;
  return html`<h1>Log in</h1><p>Whoever has ${whatItTakes(ways)} may act. Without one, everything can be read.</p>${
    said === null ? '' : html`<p class="bad" role="alert">${said}</p>`
  }${ways.password ? form([field('name', 'Name', name), field('password', 'Password', secret)], 'Log in') : ''}${
    ways.token ? form([field('token', 'Token', secret)], both ? 'Log in with a token' : 'Log in') : ''
  }`;
}
