// Tells the service manager how the daemon is: ready, what it does, that its core still decides (sd_notify(3)).
// Guarantees: never waits and never throws; without a service manager it does nothing. The watchdog is fed from a
// decision of the core and from nothing else: a loop that is stuck and a core that is broken feed no more.
//
// A notification is a datagram to a unix socket, which `node:dgram` does not have. A process for every message (as
// systemd-notify is) would make a full process table look like a dead core, so libc is called directly.

import type { Logger } from 'pino';
import type { GroupState, State } from '../core/state.ts';
import { peerReport } from '../core/state.ts';
import { awakeMs } from './clock.ts';

export interface ServiceManager {
  /** From now on `systemctl start` is done, and silence counts against us. */
  ready(): void;
  /** The core has judged the time: feeds the watchdog when it is due, and tells what changed. */
  decided(state: State): void;
  /** The daemon is on its way out. */
  stopping(): void;
}

/** What sends one message; false: it did not get through now. */
export type Send = (message: string) => boolean;

/** The status line is made at most this often. */
const statusEveryMs = 1000;
/** Fed this many times in the time that the manager waits, so that a lost message costs nothing. */
const feedsPerTimeout = 4;

/** The watchdog's time in milliseconds as systemd hands it over; null: it does not watch this process. */
export function watchdogMs(environment: NodeJS.ProcessEnv, pid: number): number | null {
  const { WATCHDOG_USEC: timeUs, WATCHDOG_PID: watched } = environment;
  const timeMs = Number(timeUs) / 1000;
  const isOurs = watched === undefined || watched === String(pid);
  return isOurs && Number.isFinite(timeMs) && timeMs > 0 ? timeMs : null;
}

/** A manager behind `send`. */
export function notifier(send: Send, timeoutMs: number | null, nowMs: () => number): ServiceManager {
  const feedEveryMs = timeoutMs === null ? Number.POSITIVE_INFINITY : timeoutMs / feedsPerTimeout;
  let fedAt = Number.NEGATIVE_INFINITY;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let told = '';
  return {
    ready: () => void send('READY=1'),
    decided(state) {
      const now = nowMs();
      if (timeoutMs !== null && now - fedAt >= feedEveryMs && send('WATCHDOG=1')) fedAt = now;
      if (now - lookedAt < statusEveryMs) return;
      lookedAt = now;
      const status = statusLine(state);
      if (status !== told && send(`STATUS=${status}`)) told = status;
    },
    stopping: () => void send('STOPPING=1'),
  };
}

const silent: ServiceManager = { ready: () => {}, decided: () => {}, stopping: () => {} };

/** The manager that started this process, if any. Takes its variables out of the environment: guests are no part. */
export async function connectServiceManager(logger: Logger): Promise<ServiceManager> {
  const { NOTIFY_SOCKET: path } = process.env;
  const timeoutMs = watchdogMs(process.env, process.pid);
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete process.env[name];
  if (path === undefined) return silent;
  try {
    return notifier(await openNotifySocket(path), timeoutMs, awakeMs);
  } catch (error) {
    logger.error({ err: error }, 'the service manager cannot be told anything; it will end this daemon');
    return silent;
  }
}

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** sun_path in unix(7). */
const pathBytesMax = 108;

/** struct sockaddr_un. A leading `@` stands for the abstract namespace. */
export function unixAddress(path: string): Buffer {
  const name = Buffer.from(path.replace(/^@/, '\0'));
  if (!/^[/@]./.test(path) || name.length >= pathBytesMax) throw new RangeError(`no unix socket: ${path}`);
  const family = Buffer.from(Uint16Array.of(AF_UNIX).buffer);
  return Buffer.concat([family, name, path.startsWith('@') ? Buffer.alloc(0) : Buffer.alloc(1)]);
}

async function openNotifySocket(path: string): Promise<Send> {
  // Loaded here alone: no other command needs it, and where there is no systemd neither does the daemon.
  const { dlopen } = await import('node:ffi');
  const { functions } = dlopen('libc.so.6', {
    socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    sendto: { arguments: ['int32', 'buffer', 'uint64', 'int32', 'buffer', 'uint32'], return: 'int64' },
  });
  const address = unixAddress(path);
  const socket = functions.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) throw new Error('no socket for the service manager');
  return (message) => {
    const bytes = Buffer.from(message);
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    const sent = functions.sendto(socket, bytes, BigInt(bytes.length), flags, address, address.length);
    return Number(sent) === bytes.length;
  };
}

/** What the node is doing, in one line, as `systemctl status` shows it: `active: office; peer secondary alive`. */
export function statusLine(state: State): string {
  const doing = new Map<string, string[]>();
  for (const group of state.groups) {
    const words = groupWords(state, group);
    doing.set(words, [...(doing.get(words) ?? []), group.policy.name]);
  }
  return [
    ...(state.leavingSince === null ? [] : ['stopping']),
    ...(state.maintenanceUntil === null ? [] : ['maintenance']),
    ...(state.standby ? ['standby'] : []),
    ...[...doing].map(([words, names]) => `${words}: ${names.join(', ')}`),
    `peer ${state.policy.peer} ${state.verdict.kind}`,
  ].join('; ');
}

function groupWords(state: State, { phase, policy }: GroupState): string {
  if (phase.kind !== 'stopped') return phase.kind;
  const there = state.verdict.kind === 'alive' ? peerReport(state, policy.name)?.phase : undefined;
  const runsThere = there !== undefined && there !== 'stopped' && there !== 'blocked';
  return runsThere ? `${there} on ${state.policy.peer}` : 'stopped';
}
