// One lasting QMP connection to a guest, for commands and events alike, made when needed and made again after it
// broke. QEMU serves one client at a time on a socket; a dead daemon's connection is closed by the kernel.

import { connectQmp, type QmpCallOptions, type QmpClient, QmpError, type QmpEvent } from './qmp.ts';

export interface GuestMonitor {
  /** Rejects with a QmpError only, by the deadline. */
  execute(command: string, options: QmpCallOptions): Promise<unknown>;
  /** QEMU's RunState, e.g. `running`, `paused`, `prelaunch`, `io-error`. */
  runState(options: QmpCallOptions): Promise<string>;
  close(): void;
}

export interface MonitorOptions {
  readonly path: string;
  readonly onEvent: (event: QmpEvent) => void;
  /** The connection ended without `close`; most often because QEMU did. */
  readonly onLost: () => void;
}

/** The greeting comes at once from a QEMU that lives; under load it may be late. */
const connectTimeoutMs = 2000;

export function createGuestMonitor(options: MonitorOptions): GuestMonitor {
  let current: Promise<QmpClient> | undefined;

  function connect(): Promise<QmpClient> {
    const forget = () => {
      if (current === attempt) current = undefined;
    };
    const attempt: Promise<QmpClient> = connectQmp(options.path, {
      timeoutMs: connectTimeoutMs,
      onEvent: options.onEvent,
      onClose: () => {
        const lost = current === attempt;
        forget();
        if (lost) options.onLost();
      },
    });
    attempt.catch(forget);
    return attempt;
  }

  /** After a silence nothing later on this connection is trusted: the next call makes a new one. */
  function drop(): void {
    const dropped = current;
    current = undefined;
    dropped?.then(
      (client) => client.close(),
      () => {},
    );
  }

  async function execute(command: string, call: QmpCallOptions): Promise<unknown> {
    const deadline = performance.now() + call.timeoutMs;
    current ??= connect();
    try {
      const client = await within(current, options.path, call);
      return await client.execute(command, {}, { ...call, timeoutMs: deadline - performance.now() });
    } catch (error) {
      if (error instanceof QmpError && error.code === 'qmp-silent') drop();
      throw error;
    }
  }

  return {
    execute,
    async runState(call) {
      const answer = await execute('query-status', call);
      const status = (answer as { readonly status?: unknown } | null)?.status;
      if (typeof status === 'string') return status;
      throw new QmpError('qmp-garbled', `${options.path}: query-status gave ${JSON.stringify(answer)}`);
    },
    close: drop,
  };
}

/** A shared connection attempt has its own, longer deadline; each caller waits for its own. */
async function within<T>(promise: Promise<T>, path: string, call: QmpCallOptions): Promise<T> {
  const { promise: cut, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(new QmpError('qmp-aborted', `${path}: aborted`));
  const timer = setTimeout(
    () => reject(new QmpError('qmp-silent', `${path}: no greeting within ${Math.round(call.timeoutMs)} ms`)),
    call.timeoutMs,
  );
  call.signal?.addEventListener('abort', onAbort, { once: true });
  if (call.signal?.aborted === true) onAbort();
  try {
    return await Promise.race([promise, cut]);
  } finally {
    clearTimeout(timer);
    call.signal?.removeEventListener('abort', onAbort);
  }
}
