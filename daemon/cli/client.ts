// Speaks to the daemon: JSON over HTTP on its unix socket, every question with a deadline.
// Guarantees: whatever goes wrong is a BattitoError that says what to do; an answer is never taken on trust.

import { request as httpRequest, type IncomingMessage } from 'node:http';
import type {
  ApiError,
  CommandNote,
  HistoryEntry,
  OperatorWish,
  Plan,
  RequestAnswer,
  Status,
} from '../control/api.ts';
import { restartInPlace } from '../control/attention-item.ts';
import type { GuestDefinitions, GuestTexts, GuestVersion } from '../control/guests.ts';
import type { PeerChecked, Readiness, RunTaskAnswer, TaskName } from '../control/schedule.ts';
import { type OutdatingAnswer, outdatingAnswers } from '../core/events.ts';
import type { HandoverMode } from '../core/policy.ts';
import type { State } from '../core/state.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import type { Code } from '../why/explanations.ts';

export interface ControlClient {
  readonly status: () => Promise<Status>;
  /** All that the daemon's core remembers. */
  readonly state: () => Promise<State>;
  /** Oldest first. */
  readonly history: (limit: number) => Promise<readonly HistoryEntry[]>;
  /** `said`: what the person typed and named, for the history. @throws BattitoError `refused`, exit code 1, with what the operator can do. */
  readonly request: (request: OperatorWish, said?: string) => Promise<string>;
  readonly plan: (action: 'start' | 'stop', group: string, guests?: HandoverMode) => Promise<readonly Plan[]>;
  /** What a command did by itself, for the history. */
  readonly note: (note: CommandNote) => Promise<void>;
  /** Waits until something is proven about the peer's copy. @throws BattitoError `no-such-resource` or what else fails */
  readonly fencePeer: (resource: string, deadlineMs: number) => Promise<OutdatingAnswer>;
  /** What is measured, in the text format of Prometheus. */
  readonly metrics: () => Promise<string>;
  readonly guests: () => Promise<GuestDefinitions>;
  readonly guestTexts: (uuid: string) => Promise<GuestTexts>;
  /** Newest first. */
  readonly guestHistory: (uuid: string) => Promise<readonly GuestVersion[]>;
  /** @throws BattitoError `no-such-definition` */
  readonly keepGuest: (uuid: string, node: string) => Promise<string>;
  /** Waits for the other node's check. */
  readonly checkPeer: () => Promise<PeerChecked>;
  readonly keepReadiness: (readiness: Readiness) => Promise<void>;
  /** @returns when it began, ISO 8601. @throws BattitoError `refused`, with why not now */
  readonly runTask: (task: TaskName) => Promise<string>;
}

interface Answer {
  readonly statusCode: number;
  readonly body: unknown;
}

const deadlineMsDefault = 5000;
/** The daemon itself gives the peer up before that. */
const peerCheckMs = 170_000;
const answerBytesMax = 32 * 1024 * 1024;

/** Nothing is opened until the first question. */
export function controlClient(
  socketPath: string,
  { deadlineMs = deadlineMsDefault }: { readonly deadlineMs?: number } = {},
): ControlClient {
  const ask = (method: string, path: string, body?: unknown) =>
    exchange(socketPath, { method, path, body, deadlineMs });
  const get = async <T>(path: string, isShape: (value: unknown) => boolean): Promise<T> => {
    const { statusCode, body } = await ask('GET', path);
    if (statusCode !== 200) throw apiError(socketPath, statusCode, body);
    if (!isShape(body)) throw notBattito(socketPath, `GET ${path} did not answer what was asked`);
    return body as T;
  };
  return {
    status: () => get('/v1/status', isStatus),
    state: () => get('/v1/state', isState),
    history: (limit) => get(`/v1/history?limit=${limit}`, Array.isArray),
    plan(action, group, guests) {
      const by = guests === undefined ? '' : `&guests=${guests}`;
      return get(`/v1/plan?action=${action}&group=${encodeURIComponent(group)}${by}`, Array.isArray);
    },
    async note(note) {
      const { statusCode, body } = await ask('POST', '/v1/notes', note);
      if (statusCode !== 200) throw apiError(socketPath, statusCode, body);
    },
    async request(request, said) {
      const headers = said === undefined ? {} : { 'battito-said': encodeURIComponent(said) };
      const question = { method: 'POST', path: '/v1/requests', body: request, deadlineMs, headers };
      const { statusCode, body } = await exchange(socketPath, question);
      const answer = body as RequestAnswer | null;
      if (answer?.kind === 'refused') throw refused(answer.code, answer.message, answer.next);
      if (statusCode !== 200 && statusCode !== 202) throw apiError(socketPath, statusCode, body);
      if (answer?.kind !== 'accepted') throw notBattito(socketPath, 'neither accepted nor refused');
      return answer.message;
    },
    async fencePeer(resource, patienceMs) {
      const question = { method: 'POST', path: '/v1/outdatings', body: { resource }, deadlineMs: patienceMs };
      const { statusCode, body } = await exchange(socketPath, question);
      if (statusCode !== 200) throw apiError(socketPath, statusCode, body);
      const answer = (body as { readonly answer?: unknown } | null)?.answer;
      if (!outdatingAnswers.some((known) => known === answer))
        throw notBattito(socketPath, 'an answer about the peer that DRBD does not know');
      return answer as OutdatingAnswer;
    },
    metrics: () => get('/v1/metrics', (value) => typeof value === 'string' && value.startsWith('# HELP ')),
    guests: () => get('/v1/guests', (value) => Array.isArray((value as GuestDefinitions | null)?.guests)),
    guestTexts: (uuid) =>
      get(`/v1/guests/texts?uuid=${uuid}`, (value) => typeof (value as GuestTexts | null)?.name === 'string'),
    guestHistory: (uuid) => get(`/v1/guests/history?uuid=${uuid}`, Array.isArray),
    async keepGuest(uuid, node) {
      const { statusCode, body } = await ask('POST', '/v1/guests/keep', { uuid, node });
      if (statusCode !== 200) throw apiError(socketPath, statusCode, body);
      const message = (body as { readonly message?: unknown } | null)?.message;
      if (typeof message !== 'string') throw notBattito(socketPath, 'no word about what was kept');
      return message;
    },
    async checkPeer() {
      const question = { method: 'POST', path: '/v1/checks/peer', body: {}, deadlineMs: peerCheckMs };
      const { statusCode, body } = await exchange(socketPath, question);
      if (statusCode !== 200) throw apiError(socketPath, statusCode, body);
      const answer = body as PeerChecked | null;
      if (answer?.kind !== 'checked' && answer?.kind !== 'not-checked')
        throw notBattito(socketPath, 'no word about the other node');
      return answer;
    },
    async keepReadiness(readiness) {
      const { statusCode, body } = await ask('POST', '/v1/readiness', readiness);
      if (statusCode !== 200) throw apiError(socketPath, statusCode, body);
    },
    async runTask(task) {
      const { statusCode, body } = await ask('POST', '/v1/schedule/run', { task });
      const answer = body as RunTaskAnswer | null;
      if (answer?.kind === 'refused') throw refused('schedule-refused', answer.message, answer.next);
      if (statusCode !== 200) throw apiError(socketPath, statusCode, body);
      if (answer?.kind !== 'begun') throw notBattito(socketPath, 'neither begun nor refused');
      return answer.at;
    },
  };
}

/** Refusals are the daemon's; what it says to do next is passed on. */
export function refused(code: Code | undefined, message: string, next: string | null): BattitoError {
  // A daemon that an upgrade has not restarted yet gives no code.
  return new BattitoError(code ?? 'refused', message, next === null ? {} : { next });
}

function isStatus(value: unknown): boolean {
  const status = value as Status | null;
  const lists = [status?.groups, status?.links, status?.attention, status?.probes, status?.verdict?.signs];
  return lists.every(Array.isArray) && typeof status?.self?.name === 'string' && status.peer !== undefined;
}

function isState(value: unknown): boolean {
  const state = value as State | null;
  const lists = [state?.groups, state?.links, state?.probes, state?.policy?.groups, state?.policy?.links];
  return lists.every(Array.isArray) && typeof state?.verdict?.kind === 'string' && state.peer !== undefined;
}

interface Question {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly deadlineMs: number;
  readonly headers?: Readonly<Record<string, string>>;
}

function exchange(socketPath: string, question: Question): Promise<Answer> {
  const { method, path, body, deadlineMs, headers = {} } = question;
  const payload = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(deadlineMs);
    const fail = (error: unknown) =>
      reject(signal.aborted ? tooSlow(socketPath, deadlineMs) : connectionError(socketPath, error));
    const request = httpRequest(
      {
        socketPath,
        method,
        path,
        signal,
        agent: false,
        headers: {
          host: 'battito',
          ...headers,
          ...(payload === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
        },
      },
      (response) => {
        readAnswer(socketPath, response).then(resolve, fail);
      },
    );
    request.on('error', fail);
    request.end(payload);
  });
}

async function readAnswer(socketPath: string, response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) throw notBattito(socketPath, `more than ${answerBytesMax} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if (response.headers['content-type']?.startsWith('text/plain') === true)
    return { statusCode: response.statusCode ?? 0, body: text };
  try {
    return { statusCode: response.statusCode ?? 0, body: JSON.parse(text) as unknown };
  } catch (cause) {
    throw notBattito(socketPath, `not JSON: ${JSON.stringify(text.slice(0, 60))}`, cause);
  }
}

function connectionError(socketPath: string, error: unknown): BattitoError {
  if (error instanceof BattitoError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return noDaemon(`no daemon answers at ${socketPath}`, error);
    case 'ECONNRESET':
    case 'EPIPE':
      return noDaemon(`the daemon at ${socketPath} went away while it was asked`, error);
    case 'EACCES':
    case 'EPERM':
      return new BattitoError('no-permission', `no permission to speak to the daemon at ${socketPath}`, {
        exitCode: exitCodes.noPermission,
        next: 'run it as root',
        cause: error,
      });
    default:
      if (code.startsWith('HPE_')) return notBattito(socketPath, message, error);
      return new BattitoError('daemon-unreachable', `${socketPath}: ${message}`, {
        exitCode: exitCodes.unavailable,
        next: 'name the control socket of the daemon with --socket',
        cause: error,
      });
  }
}

function noDaemon(message: string, cause: unknown): BattitoError {
  return new BattitoError('daemon-not-running', message, {
    exitCode: exitCodes.unavailable,
    next: 'start it: systemctl start battito (or `battito daemon`)',
    cause,
  });
}

function tooSlow(socketPath: string, deadlineMs: number): BattitoError {
  return new BattitoError(
    'daemon-slow',
    `the daemon at ${socketPath} did not answer within ${deadlineMs / 1000} s`,
    { exitCode: exitCodes.timedOut, next: 'look at it: systemctl status battito; journalctl -u battito -e' },
  );
}

function notBattito(socketPath: string, found: string, cause?: unknown): BattitoError {
  return new BattitoError(
    'daemon-answer-invalid',
    `${socketPath} gave an answer that makes no sense: ${found}`,
    {
      next: 'make sure that daemon and command are of the same version: battito --version; systemctl restart battito',
      cause,
    },
  );
}

function apiError(socketPath: string, statusCode: number, body: unknown): BattitoError {
  const error = (body as ApiError | null)?.error;
  if (typeof error?.message !== 'string') return notBattito(socketPath, `HTTP status ${statusCode}`);
  // A path that it does not have: an upgrade has not restarted it yet.
  if (error.code === 'not-found' && /^no [A-Z]+ \//.test(error.message)) {
    const next = `the daemon may be older than the command: ${restartInPlace}`;
    return new BattitoError('not-found', `the daemon at ${socketPath} has ${error.message}`, { next });
  }
  // What it says, as the daemon says it: one of another version may have a code that is not known here.
  return new BattitoError(error.code as Code, error.message, error.next === null ? {} : { next: error.next });
}
