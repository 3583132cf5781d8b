// `battito metrics` as it is typed: the daemon's text as it is, or why there is none.

import test from 'ava';
import { renderMetrics } from '../../daemon/metrics/metrics.ts';
import { promtool } from '../prometheus.ts';
import { temporaryDirectory } from '../support.ts';
import { serve } from './fixtures/cli/server.ts';
import { run } from './fixtures/cli/terminal.ts';
import { troubledSource } from './support/metrics.ts';

const { contentType, body } = renderMetrics(troubledSource());

test('it prints what the daemon measures, as promtool takes it', async (t) => {
  const asked: string[] = [];
  const socket = await serve(t, (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(200, { 'content-type': contentType }).end(body);
  });
  const shown = await run(['metrics', '--socket', socket]);
  t.is(shown.exitCode, 0, shown.stderr);
  t.is(shown.stdout, body);
  t.is(promtool(['check', 'metrics'], shown.stdout), '');
  t.deepEqual(asked, ['GET /v1/metrics']);
  const json = await run(['metrics', '--json', '--socket', socket]);
  t.deepEqual(JSON.parse(json.stdout), { metrics: body });
});

test('without a daemon, with an older one, and with one that is none, it says so', async (t) => {
  const none = await run(['metrics', '--socket', `${temporaryDirectory(t)}/none.sock`]);
  t.is(none.exitCode, 69);
  t.is(none.stdout, '');
  t.regex(none.stderr, /no daemon answers at .*\nnext: start it/);
  const older = await serve(t, (_request, response) => {
    const error = { code: 'not-found', message: 'no GET /v1/metrics here', next: null };
    response.writeHead(404, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
  });
  const old = await run(['metrics', '--socket', older]);
  t.is(old.exitCode, 1);
  t.regex(old.stderr, /no GET \/v1\/metrics here\nnext: the daemon may be older than the command/);
  const stranger = await serve(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  t.regex((await run(['metrics', '--socket', stranger])).stderr, /gave an answer that makes no sense/);
  t.is((await run(['metrics', 'all'])).exitCode, 64);
});
