// The web page of a node: the status, live; incidents; what if; and actions for who has logged in.
// Guarantees: it is asked nothing that the control API could not be asked; what it costs the daemon is bounded; no failure
// of it is the daemon's.

import { item } from '../control/attention-item.ts';
import type { OpenWebPage, WebOptions } from '../control/web.ts';
import { createCommands } from './commands.ts';
import { type Exchange, Refused, send, sessionIdOf } from './exchange.ts';
import { refusalOf } from './guard.ts';
import { openListener } from './listener.ts';
import { createLive, type Fragment } from './live.ts';
import { createLogins } from './login/logins.ts';
import { answer, type Parts, problemPage, type Site } from './routes.ts';
import { statusParts } from './status-parts.ts';

/** The status is rendered no more often than this, however many ask. */
const renderEveryMs = 500;
const historyRead = 100;

export const openWebPage: OpenWebPage = async (options) => {
  const { config, address, nodes, command, logger } = options;
  const names = [...config.names, ...nodes.map((name) => name.toLowerCase())];
  const parts = lately(options);
  const { tokenFile, htpasswdFile } = config;
  const logins = createLogins({ tokenFile, htpasswdFile, command, nowMs: () => performance.now() });
  const commands = createCommands(command);
  const live = createLive({
    render: parts.latest,
    onError: (error) => logger.error({ err: error }, 'the web page could not be rendered'),
    everyMs: renderEveryMs,
  });
  const site: Site = { options, logins, live, commands, parts };

  const listener = openListener({
    ...{ config, address, logger },
    handle: (request, response) => {
      response.on('error', () => {});
      const isEncrypted = config.tls !== null;
      const refusal = refusalOf(
        { method: request.method ?? '', headers: request.headers, isEncrypted },
        names,
      );
      if (refusal !== null)
        return send(response, { status: refusal.status, type: 'text/plain', body: `${refusal.message}\n` });
      const sessionId = sessionIdOf(request, isEncrypted);
      const handling = async () => {
        const url = new URL(request.url ?? '/', 'http://page');
        const session = logins.sessions.find(sessionId);
        await serve(site, { request, response, url, isEncrypted, sessionId, session }, logger);
      };
      handling().catch((error: unknown) => {
        logger.warn({ err: error, url: request.url }, 'the web page could not answer');
        send(response, { status: 400, type: 'text/plain', body: 'this cannot be answered\n' });
      });
    },
  });

  return {
    attention() {
      const trouble = listener.trouble();
      const ofLogins = logins
        .troubles()
        .map(({ code, message, mend }) => item('warning', code, message, mend));
      if (trouble === null) return ofLogins;
      return [item('warning', 'web-down', `the web page: ${trouble.message}`, trouble.next), ...ofLogins];
    },
    refresh() {
      listener.refresh();
      logins.refresh();
    },
    async close() {
      live.close();
      logins.close();
      commands.close();
      await listener.close();
    },
  };
};

async function serve(site: Site, exchange: Exchange, logger: WebOptions['logger']): Promise<void> {
  const { response, request } = exchange;
  try {
    const said = await answer(site, exchange);
    if (said !== null) send(response, said);
  } catch (error) {
    if (!(error instanceof Refused)) logger.error({ err: error, url: request.url }, 'the web page failed');
    const refused = error instanceof Refused ? error : new Refused(500, 'the page failed; the log says why');
    send(response, {
      ...problemPage(site, exchange, refused.status, refused.message),
      headers: refused.headers,
    });
  }
}

/** The parts of the status page, as they were at most a moment ago. */
function lately({ source }: WebOptions): Parts {
  let known: readonly Fragment[] = [];
  let atMs = -Infinity;
  return {
    latest() {
      if (performance.now() - atMs < renderEveryMs * 0.9) return known;
      known = statusParts({
        status: source.status(),
        minutes: source.minutes(),
        history: source.history(historyRead),
      });
      atMs = performance.now();
      return known;
    },
    outdate() {
      atMs = -Infinity;
    },
  };
}
