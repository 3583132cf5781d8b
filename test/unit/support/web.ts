// A web page with a daemon's surface that a test makes up, on an address of the loopback that no other test has.

import { writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { WebConfig } from '../../../daemon/config/config.ts';
import type {
  HistoryEntry,
  Note,
  OperatorRequest,
  RequestAnswer,
  Status,
} from '../../../daemon/control/api.ts';
import type { WebPage, WebSource } from '../../../daemon/control/web.ts';
import { renderMetrics } from '../../../daemon/metrics/metrics.ts';
import { openWebPage } from '../../../daemon/web/page.ts';
import { temporaryDirectory, waitFor } from '../../support.ts';
import { entry, status as wellStatus } from '../fixtures/cli/statuses.ts';
import { metricsSource } from './metrics.ts';

export const port = 8694;
export const anna = 'anna-has-a-token-of-32-characters';

let taken = 0;
/** 127.0.0.0/8 is this host's, and each thread of each process takes its own part of it. */
export function ownAddress(): string {
  taken += 1;
  return `127.${1 + (process.pid % 250)}.${threadId % 250}.${taken}`;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One question over a connection of its own. */
export function ask(base: string, path: string, options: AskOptions = {}): Promise<Answered> {
  const { method = 'GET', headers = {}, body } = options;
  const request = base.startsWith('https:') ? tlsRequest : plainRequest;
  return new Promise((resolve, reject) => {
    const call = request(
      `${base}${path}`,
      { method, headers, agent: false, rejectUnauthorized: false, timeout: 60_000 },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
        );
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

export const formHeaders = (base: string, more: Readonly<Record<string, string>> = {}) => ({
  origin: base,
  'content-type': 'application/x-www-form-urlencoded',
  ...more,
});

export interface TestPage {
  readonly base: string;
  readonly page: WebPage;
  readonly address: string;
  readonly directory: string;
  readonly tokenFile: string;
  /** What was asked of the daemon. */
  readonly wishes: OperatorRequest[];
  readonly notes: Note[];
  readonly looks: () => number;
  ask(path: string, options?: AskOptions): Promise<Answered>;
  /** @returns the headers of somebody who has logged in, and the session's form token */
  logIn(): Promise<{ readonly cookie: string; readonly csrf: string }>;
}

export interface PageOptions {
  readonly status?: () => Status;
  readonly history?: readonly HistoryEntry[];
  readonly minutes?: WebSource['minutes'];
  readonly answer?: RequestAnswer;
  readonly config?: Partial<WebConfig>;
  readonly tokens?: string;
  /** Stands for `battito`. */
  readonly command?: readonly string[];
  readonly address?: string;
}

export async function usePage(t: ExecutionContext, options: PageOptions = {}): Promise<TestPage> {
  const directory = temporaryDirectory(t);
  const tokenFile = join(directory, 'tokens');
  writeFileSync(tokenFile, options.tokens ?? `anna=${anna}\n`, { mode: 0o600 });
  const address = options.address ?? ownAddress();
  const wishes: OperatorRequest[] = [];
  const notes: Note[] = [];
  let looks = 0;
  const source: WebSource = {
    status: () => {
      looks += 1;
      return (options.status ?? wellStatus)();
    },
    history: () => options.history ?? [entry('office: started')],
    minutes: options.minutes ?? (() => []),
    request: async (wish) => {
      wishes.push(wish);
      return options.answer ?? { kind: 'accepted', message: 'as you wish' };
    },
    note: (note) => void notes.push(note),
    plan: async () => [],
    metrics: async (accept) => renderMetrics(metricsSource(), accept),
  };
  const config = { address, port, names: [], tokenFile, htpasswdFile: null, tls: null, ...options.config };
  const page = await openWebPage({
    ...{ source, config, address, nodes: ['primary', 'secondary'] },
    ...{ command: options.command ?? ['false'], logger: pino({ level: 'silent' }) },
  });
  t.teardown(() => page.close());
  const base = `${config.tls === null ? 'http' : 'https'}://${address}:${port}`;
  const asked = (path: string, how?: AskOptions) => ask(base, path, how);
  return {
    ...{ base, page, address, directory, tokenFile, wishes, notes, looks: () => looks, ask: asked },
    async logIn() {
      const body = `token=${anna}`;
      const answered = await asked('/login', { method: 'POST', headers: formHeaders(base), body });
      const cookie = answered.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
      const { body: home } = await asked('/', { headers: { cookie } });
      return { cookie, csrf: /name="csrf" value="([^"]+)"/.exec(home)?.[1] ?? '' };
    },
  };
}

/** The page answers: a socket is there a moment after it was asked for. */
export async function listening(page: TestPage): Promise<void> {
  await waitFor('the page answers', async () => (await page.ask('/icon.svg')).status === 200);
}
