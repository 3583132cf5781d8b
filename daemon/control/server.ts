// The control API on a unix socket; api.ts says what it answers. Only root and the daemon's user get in: mode 0600.

import { chmod, mkdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import * as z from 'zod';
import type { OutdatingAnswer } from '../core/events.ts';
import { type HandoverMode, handoverModes } from '../core/policy.ts';
import type { State } from '../core/state.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import { fail, messageLengthMax, readBody, send } from './answer.ts';
import {
  type CommandNote,
  commandNoteCodes,
  type HistoryEntry,
  type Note,
  type OperatorWish,
  type Plan,
  type PostRequest,
  type Status,
} from './api.ts';
import type { GuestsSource } from './guests.ts';
import { listenAlone } from './lone-socket.ts';
import type { ScheduleSource } from './schedule.ts';
import { answerSchedule, schedulePaths } from './schedule-server.ts';
import { askFor } from './web.ts';

export interface ControlSource {
  /** Questions that come earlier wait for it. */
  readonly ready: Promise<void>;
  status(): Status;
  state(): State;
  history(limit: number): readonly HistoryEntry[];
  /** `guests`: how they are to go this once; null: as configured. */
  plan(action: 'start' | 'stop', group: string | null, guests: HandoverMode | null): Promise<readonly Plan[]>;
  readonly request: PostRequest;
  /** For the history. */
  note(note: Note): void;
  /** Null: no group has the resource. Resolves when something is proven, however long that takes. */
  outdating(resource: string, gone: AbortSignal): Promise<OutdatingAnswer | null>;
  /** The guests' definitions; absent: this daemon keeps none. */
  guests?(): GuestsSource;
  /** As text for Prometheus; `accept`: the header of who asks. */
  metrics(accept?: string): Promise<{ readonly contentType: string; readonly body: string }>;
  /** What it does by itself at times; absent: nothing. */
  schedule?(): ScheduleSource;
}

export interface ControlServer {
  close(): Promise<void>;
}

const saidLengthMax = 2000;
const guestPaths = ['/v1/guests', '/v1/guests/texts', '/v1/guests/history', '/v1/guests/keep'];
const paths = [
  ...[
    '/v1/status',
    '/v1/state',
    '/v1/history',
    '/v1/plan',
    '/v1/requests',
    '/v1/outdatings',
    '/v1/notes',
    '/v1/metrics',
  ],
  ...guestPaths,
  ...schedulePaths,
];
const durationMsMax = 7 * 24 * 3_600_000;
const groups = z.array(z.string());
const guests = z.enum(handoverModes).exactOptional();
const requestSchema: z.ZodType<OperatorWish> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('takeover'), groups }),
  z.strictObject({ kind: z.literal('accept-data'), groups }),
  z.strictObject({ kind: z.literal('discard-data'), groups }),
  z.strictObject({ kind: z.literal('confirm-peer-off'), node: z.string(), force: z.boolean() }),
  z.strictObject({ kind: z.literal('handover'), groups, guests }),
  z.strictObject({
    kind: z.literal('standby'),
    on: z.boolean(),
    guests,
    forMs: z.number().positive().max(durationMsMax).exactOptional(),
  }),
  z.strictObject({
    kind: z.literal('maintenance'),
    durationMs: z.number().min(0).max(durationMsMax),
  }),
  z.strictObject({ kind: z.literal('retry'), groups }),
]);

/** Throws BattitoError `already-running` when a daemon answers at the path, `socket-unusable` otherwise. */
export async function startControlServer(
  path: string,
  source: ControlSource,
  logger: Logger,
): Promise<ControlServer> {
  const server = createServer((request, response) => {
    answer(request, response, source).catch((error: unknown) => {
      logger.error({ err: error, url: request.url }, 'the control API failed');
      fail(response, 500, 'internal', String(error), null);
    });
  });
  server.requestTimeout = 10_000;
  let isAlone: boolean;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    isAlone = await listenAlone(server, path);
    if (isAlone) await chmod(path, 0o600);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new BattitoError('socket-unusable', `the control socket ${path} cannot be opened: ${message}`, {
      exitCode: exitCodes.noPermission,
      next: 'run the daemon as root, or name another path with --socket',
      cause,
    });
  }
  if (!isAlone) throw alreadyRunning(`answers at ${path}`);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function alreadyRunning(where: string): BattitoError {
  return new BattitoError('already-running', `another daemon ${where}`, {
    exitCode: exitCodes.unavailable,
    next: 'stop it first (systemctl stop battito), or give this one another --socket and --state-dir',
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  source: ControlSource,
): Promise<void> {
  await source.ready;
  const url = new URL(request.url ?? '/', 'http://control');
  const route = `${request.method} ${url.pathname}`;
  if (guestPaths.includes(url.pathname) && source.guests !== undefined)
    return answerGuests(route, { url, request, response, guests: source.guests() });
  if (schedulePaths.includes(url.pathname) && source.schedule !== undefined)
    return answerSchedule(route, request, response, source.schedule());
  switch (route) {
    case 'GET /v1/status':
      return send(response, 200, source.status());
    case 'GET /v1/state':
      return send(response, 200, source.state());
    case 'GET /v1/history':
      return send(response, 200, source.history(countOf(url.searchParams.get('limit'))));
    case 'GET /v1/metrics': {
      const { contentType, body } = await source.metrics(request.headers.accept);
      response.writeHead(200, { 'content-type': contentType });
      return void response.end(body);
    }
    case 'GET /v1/plan': {
      const action = url.searchParams.get('action') === 'stop' ? 'stop' : 'start';
      const guests = handoverModes.find((mode) => mode === url.searchParams.get('guests')) ?? null;
      return send(response, 200, await source.plan(action, url.searchParams.get('group'), guests));
    }
    case 'POST /v1/requests':
      return takeRequest(request, response, source);
    case 'POST /v1/outdatings':
      return takeOutdating(request, response, source);
    case 'POST /v1/notes': {
      const noted = await readBody(request, response, noteSchema);
      if (noted === null) return;
      source.note({ group: null, next: null, tookMs: null, ...noted });
      return send(response, 200, {});
    }
    default: {
      const known = paths.includes(url.pathname);
      const status = known ? 405 : 404;
      return fail(response, status, known ? 'method-not-allowed' : 'not-found', `no ${route} here`, null);
    }
  }
}

function countOf(text: string | null): number {
  const count = Number(text ?? 100);
  return Number.isInteger(count) && count > 0 ? count : 100;
}

async function takeRequest(
  request: IncomingMessage,
  response: ServerResponse,
  source: ControlSource,
): Promise<void> {
  const wish = await readBody(request, response, requestSchema);
  if (wish === null) return;
  const result = await askFor(source, wish, saidIn(request));
  return send(response, result.kind === 'refused' ? 409 : 200, result);
}

/** A header, so that a daemon that an upgrade has not restarted yet passes over it and takes the request. */
function saidIn({ headers }: IncomingMessage): string | null {
  const given = headers['battito-said'];
  if (typeof given !== 'string' || given.length > saidLengthMax) return null;
  try {
    return decodeURIComponent(given);
  } catch {
    return null;
  }
}

const noteSchema: z.ZodType<CommandNote> = z.strictObject({
  code: z.enum(commandNoteCodes),
  severity: z.enum(['info', 'warning', 'alarm']),
  message: z.string().max(messageLengthMax),
  group: z.string().exactOptional(),
  next: z.string().max(messageLengthMax).exactOptional(),
  tookMs: z.number().nonnegative().exactOptional(),
});

const keepSchema = z.strictObject({ uuid: z.string(), node: z.string() });

/** guests.ts says what it answers. */
async function answerGuests(
  route: string,
  {
    url,
    request,
    response,
    guests,
  }: {
    readonly url: URL;
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly guests: GuestsSource;
  },
): Promise<void> {
  const uuid = url.searchParams.get('uuid') ?? '';
  const sendFound = (found: unknown) =>
    found === null
      ? fail(response, 404, 'no-such-guest', `no guest with the UUID ${uuid} is known`, '`battito guests`')
      : send(response, 200, found);
  switch (route) {
    case 'GET /v1/guests':
      return send(response, 200, guests.list());
    case 'GET /v1/guests/texts':
      return sendFound(guests.texts(uuid));
    case 'GET /v1/guests/history':
      return sendFound(guests.history(uuid));
    case 'POST /v1/guests/keep': {
      const wish = await readBody(request, response, keepSchema);
      if (wish === null) return;
      try {
        return send(response, 200, { message: await guests.keep(wish.uuid, wish.node) });
      } catch (error) {
        if (!(error instanceof BattitoError)) throw error;
        return fail(response, 409, error.code, error.message, error.next ?? null);
      }
    }
    default:
      return fail(response, 405, 'method-not-allowed', `no ${route} here`, null);
  }
}

const outdatingSchema = z.strictObject({ resource: z.string() });

/** DRBD's handler waits here. One that gave up is answered into the void; DRBD asks again. */
async function takeOutdating(
  request: IncomingMessage,
  response: ServerResponse,
  source: ControlSource,
): Promise<void> {
  const question = await readBody(request, response, outdatingSchema);
  if (question === null) return;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const answer = await source.outdating(question.resource, gone.signal);
  if (answer !== null) return send(response, 200, { answer });
  const message = `no group of the configuration has the DRBD resource ${question.resource}`;
  return fail(response, 404, 'no-such-resource', message, 'name it under drbd: of its group');
}
