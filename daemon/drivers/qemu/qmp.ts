// A client for QMP, QEMU's machine protocol: one JSON object a line over a unix socket.
// Source: QEMU's docs/interop/qmp-spec. Guarantees: every call ends by its deadline, with an answer or a QmpError;
// answers are matched by id; what is buffered is bounded. Never reconnects and never asks again: that is its user's.

import { createConnection, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { BattitoError } from '../../errors.ts';

/**
 * qmp-unreachable: nobody listens. qmp-silent: no answer in time. qmp-closed: the connection ended.
 * qmp-garbled: what came is not QMP. qmp-refused: QEMU answered with an error. qmp-aborted: the caller's signal.
 */
export type QmpErrorCode =
  | 'qmp-unreachable'
  | 'qmp-silent'
  | 'qmp-closed'
  | 'qmp-garbled'
  | 'qmp-refused'
  | 'qmp-aborted';

export class QmpError extends BattitoError {
  override readonly code: QmpErrorCode;

  constructor(code: QmpErrorCode, message: string, cause?: unknown) {
    super(code, message, { cause });
    this.name = 'QmpError';
    this.code = code;
  }
}

export interface QmpEvent {
  /** QEMU's name, e.g. `SHUTDOWN`. */
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface QmpCallOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface QmpConnectOptions extends QmpCallOptions {
  /** Called for each event, also for those that come before the first answer. */
  readonly onEvent?: (event: QmpEvent) => void;
  /** Called once when a connection that was handed out has ended, whoever ended it. */
  readonly onClose?: (reason: QmpError) => void;
  readonly maxLineBytes?: number;
}

export interface QmpClient {
  /** Resolves with QEMU's `return`. Rejects with a QmpError only. An answer that comes too late is dropped. */
  execute(
    command: string,
    args: Readonly<Record<string, unknown>>,
    options: QmpCallOptions,
  ): Promise<unknown>;
  close(): void;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: QmpError) => void;
  readonly disarm: () => void;
}

/** A command's id, or the greeting that comes without one. */
type WaitKey = number | 'greeting';

type JsonObject = Readonly<Record<string, unknown>>;

const defaultMaxLineBytes = 1024 * 1024;

/** A queue that was full is looked at again after this. */
const queuePauseMs = 20;

/**
 * Connects, takes the greeting and leaves capability negotiation. Rejects with a QmpError only. Where QEMU's queue of
 * clients is full, as it is for a moment after one has gone, it waits for a place as a blocking connect(2) would.
 */
export async function connectQmp(path: string, options: QmpConnectOptions): Promise<QmpClient> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    try {
      return await connectOnce(path, options, deadline);
    } catch (error) {
      if (!isQueueFull(error)) throw error;
      if (performance.now() + queuePauseMs >= deadline) {
        const silence = `no place in its queue within ${Math.round(options.timeoutMs)} ms`;
        throw new QmpError('qmp-silent', `${path}: ${silence}`, error);
      }
    }
    await sleep(queuePauseMs);
    if (options.signal?.aborted === true) throw new QmpError('qmp-aborted', `${path}: aborted`);
  }
}

/** unix(7): a connect that would block fails with EAGAIN where it must not block. */
function isQueueFull(error: unknown): boolean {
  if (!(error instanceof QmpError) || error.code !== 'qmp-unreachable') return false;
  const { cause } = error;
  return cause instanceof Error && 'code' in cause && cause.code === 'EAGAIN';
}

async function connectOnce(path: string, options: QmpConnectOptions, deadline: number): Promise<QmpClient> {
  let established = false;
  const onClose = (reason: QmpError) => {
    if (established) options.onClose?.(reason);
  };
  const connection = openConnection(path, { ...options, onClose });
  try {
    const leftMs = () => Math.max(1, deadline - performance.now());
    await connection.greeting({ ...options, timeoutMs: leftMs() });
    await connection.execute('qmp_capabilities', {}, { ...options, timeoutMs: leftMs() });
  } catch (error) {
    connection.close();
    throw error;
  }
  established = true;
  return { execute: connection.execute, close: connection.close };
}

function openConnection(path: string, options: QmpConnectOptions) {
  const socket: Socket = createConnection({ path });
  const waiting = createWaitingRoom(path);
  let ended: QmpError | undefined;
  let greeted = false;
  let nextId = 1;

  function end(reason: QmpError): void {
    if (ended !== undefined) return;
    ended = reason;
    socket.destroy();
    waiting.rejectAll(reason);
    options.onClose?.(reason);
  }

  /** False for what is not QMP. */
  function take(message: JsonObject): boolean {
    const { event, id, error, data, QMP: hello } = message;
    if (typeof event === 'string') {
      options.onEvent?.({ name: event, data: asObject(data) ?? {} });
    } else if (asObject(hello) !== undefined) {
      greeted = true;
      waiting.resolve('greeting', undefined);
    } else if (typeof id === 'number' && id < nextId && error !== undefined) {
      waiting.reject(id, new QmpError('qmp-refused', describeError(error)));
    } else if (typeof id === 'number' && id < nextId && 'return' in message) {
      const { return: value } = message;
      waiting.resolve(id, value);
    } else {
      return false;
    }
    return true;
  }

  readLines(socket, options.maxLineBytes ?? defaultMaxLineBytes, {
    onLine: (line) => {
      const message = parseObject(line);
      const known = message !== undefined && take(message);
      if (!known) end(new QmpError('qmp-garbled', `${path}: not QMP: ${line.slice(0, 80)}`));
      return known;
    },
    onOverflow: (bytes) => end(new QmpError('qmp-garbled', `${path}: a line of more than ${bytes} bytes`)),
  });
  socket.on('error', (cause) => {
    const code = greeted ? 'qmp-closed' : 'qmp-unreachable';
    end(new QmpError(code, `${path}: ${cause.message}`, cause));
  });
  socket.on('close', () => end(new QmpError('qmp-closed', `${path}: QEMU closed the connection`)));

  async function execute(command: string, args: JsonObject, call: QmpCallOptions): Promise<unknown> {
    if (ended !== undefined) throw ended;
    const id = nextId++;
    const answer = waiting.wait(id, `no answer to ${command}`, call);
    if (waiting.has(id)) socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    return await answer;
  }

  return {
    execute,
    greeting: (call: QmpCallOptions) => waiting.wait('greeting', 'no greeting', call),
    close: () => end(new QmpError('qmp-closed', `${path}: closed by us`)),
  };
}

/** Those who wait for an answer, each with its own deadline and signal. */
function createWaitingRoom(path: string) {
  const waiting = new Map<WaitKey, Waiting>();

  function leave(key: WaitKey): Waiting | undefined {
    const one = waiting.get(key);
    waiting.delete(key);
    one?.disarm();
    return one;
  }
  const reject = (key: WaitKey, error: QmpError) => leave(key)?.reject(error);

  return {
    has: (key: WaitKey) => waiting.has(key),
    resolve: (key: WaitKey, value: unknown) => leave(key)?.resolve(value),
    reject,
    rejectAll(error: QmpError): void {
      for (const key of [...waiting.keys()]) reject(key, error);
    },
    wait(key: WaitKey, silence: string, { timeoutMs, signal }: QmpCallOptions): Promise<unknown> {
      const { promise, resolve, reject: refuse } = Promise.withResolvers<unknown>();
      const onAbort = () => reject(key, new QmpError('qmp-aborted', `${path}: aborted`));
      const timer = setTimeout(() => {
        reject(key, new QmpError('qmp-silent', `${path}: ${silence} within ${Math.round(timeoutMs)} ms`));
      }, timeoutMs);
      const disarm = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      waiting.set(key, { resolve, reject: refuse, disarm });
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted === true) onAbort();
      return promise;
    },
  };
}

/** Splits what arrives into lines; stops for good when `onLine` says false or a line outgrows the bound. */
function readLines(
  socket: Socket,
  maxLineBytes: number,
  handlers: { readonly onLine: (line: string) => boolean; readonly onOverflow: (bytes: number) => void },
): void {
  let parts: Buffer[] = [];
  let heldBytes = 0;
  let stopped = false;
  socket.on('data', (chunk: Buffer) => {
    let rest = chunk;
    while (!stopped) {
      const newline = rest.indexOf(0x0a);
      const piece = newline === -1 ? rest : rest.subarray(0, newline);
      heldBytes += piece.length;
      if (heldBytes > maxLineBytes) {
        stopped = true;
        parts = [];
        return handlers.onOverflow(maxLineBytes);
      }
      if (piece.length > 0) parts.push(piece);
      if (newline === -1) return;
      const line = Buffer.concat(parts).toString('utf8').trim();
      parts = [];
      heldBytes = 0;
      rest = rest.subarray(newline + 1);
      if (line !== '') stopped = !handlers.onLine(line);
    }
  });
}

function parseObject(line: string): JsonObject | undefined {
  try {
    return asObject(JSON.parse(line));
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}

function describeError(error: unknown): string {
  const { desc: description } = asObject(error) ?? {};
  return typeof description === 'string' ? description : JSON.stringify(error);
}
