// The one source of truth about network interfaces: names, carrier, addresses.
// `ip monitor` only says that something happened; what is true is always read again with `ip -j -d addr show`.
// What cannot be read or understood is `undefined` (unknown), never an empty host.

import type { Logger } from 'pino';
import { type CommandOptions, type CommandResult, describeFailure, runCommand } from './command.ts';
import { keepRunning } from './line-process.ts';
import { oneAtATime } from './one-at-a-time.ts';

/** One address on an interface. */
export interface InterfaceAddress {
  readonly address: string;
  readonly prefix: number;
  readonly family: 4 | 6;
  /** IPv6: duplicate address detection still runs, the address does not answer yet. */
  readonly tentative: boolean;
  /** IPv6: another host had it; the kernel keeps it listed but does not use it. */
  readonly dadFailed: boolean;
}

export interface InterfaceState {
  readonly name: string;
  readonly index: number;
  /** Set up by the administrator (`ip link set up`). */
  readonly adminUp: boolean;
  /**
   * The lower layer is up: a cable with something alive at its other end. Of a bridge: one of its ports that is not a
   * guest's has one; the bridge itself goes by the guests as well, which stay plugged in when the cable is pulled.
   */
  readonly carrier: boolean;
  readonly addresses: readonly InterfaceAddress[];
  /** Lower case; absent where the interface has none (tun, ppp). */
  readonly mac?: string;
}

export type ParsedInterfaces =
  | { readonly kind: 'parsed'; readonly interfaces: readonly InterfaceState[] }
  | { readonly kind: 'unparseable'; readonly message: string };

const readInterfacesArgv: readonly string[] = ['ip', '-j', '-d', 'addr', 'show'];

class Unparseable extends Error {}

/**
 * Reads the output of `ip -j -d addr show` (iproute2, ip-address(8)). Unknown keys are ignored. No interface at all is
 * no host: every one has `lo`, and of one interface that is not there `ip` says so by its exit code.
 */
export function parseInterfaces(
  json: string,
  argv: readonly string[] = readInterfacesArgv,
): ParsedInterfaces {
  try {
    const list: unknown = JSON.parse(json);
    if (!Array.isArray(list)) throw new Unparseable('not a list');
    // A filtered listing has an empty object for every interface that was left out.
    const entries = list.map(asRecord).filter((entry) => Object.keys(entry).length > 0);
    if (entries.length === 0) throw new Unparseable('no interface');
    return { kind: 'parsed', interfaces: withCarrierOfPorts(entries, entries.map(parseInterface)) };
  } catch (error) {
    if (error instanceof Unparseable || error instanceof SyntaxError) {
      return { kind: 'unparseable', message: `${argv.join(' ')}: ${error.message}` };
    }
    throw error;
  }
}

function parseInterface(entry: Readonly<Record<string, unknown>>): InterfaceState {
  const { ifname: name, ifindex: index, flags, operstate, addr_info: addresses, address: mac } = entry;
  if (typeof name !== 'string') throw new Unparseable('an interface without ifname');
  if (typeof index !== 'number') throw new Unparseable(`${name}: no ifindex`);
  if (!Array.isArray(flags)) throw new Unparseable(`${name}: no flags`);
  if (addresses !== undefined && !Array.isArray(addresses)) throw new Unparseable(`${name}: addr_info`);
  const deadLayer = operstate === 'DOWN' || operstate === 'LOWERLAYERDOWN' || operstate === 'NOTPRESENT';
  return {
    name,
    index,
    adminUp: flags.includes('UP'),
    carrier: flags.includes('LOWER_UP') && !deadLayer,
    addresses: (addresses ?? []).flatMap((item: unknown) => parseAddress(name, asRecord(item))),
    ...(typeof mac === 'string' && mac.includes(':') ? { mac: mac.toLowerCase() } : {}),
  };
}

/** A tap, which is how a guest is plugged into a bridge, is of this kind. */
const guestPort = 'tun';

function withCarrierOfPorts(
  entries: readonly Readonly<Record<string, unknown>>[],
  interfaces: readonly InterfaceState[],
): readonly InterfaceState[] {
  const hasCarrier = (name: unknown) => interfaces.some((one) => one.name === name && one.carrier);
  return interfaces.map((one, index) => {
    if (kindOf(entries[index]) !== 'bridge') return one;
    const ports = entries.filter(({ master }) => master === one.name);
    const outside = ports.filter((port) => kindOf(port) !== guestPort);
    if (outside.length === 0) return one;
    return { ...one, carrier: one.carrier && outside.some(({ ifname }) => hasCarrier(ifname)) };
  });
}

/** What the kernel calls it, e.g. `bridge`, `tun`, `bond`; a card has none. */
function kindOf(entry: Readonly<Record<string, unknown>> | undefined): unknown {
  const info = entry?.['linkinfo'];
  return typeof info === 'object' && info !== null && 'info_kind' in info ? info.info_kind : undefined;
}

function parseAddress(name: string, entry: Readonly<Record<string, unknown>>): InterfaceAddress[] {
  const { family, local, prefixlen, tentative, dadfailed } = entry;
  if (Object.keys(entry).length === 0) return [];
  if (family !== 'inet' && family !== 'inet6') return [];
  if (typeof local !== 'string' || typeof prefixlen !== 'number') {
    throw new Unparseable(`${name}: an address without local or prefixlen`);
  }
  return [
    {
      address: local,
      prefix: prefixlen,
      family: family === 'inet' ? 4 : 6,
      tentative: tentative === true,
      dadFailed: dadfailed === true,
    },
  ];
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Unparseable('a list entry that is not an object');
  }
  return value as Readonly<Record<string, unknown>>;
}

export type ReadInterfaces =
  | ParsedInterfaces
  | { readonly kind: 'failed'; readonly message: string; readonly result: CommandResult };

/**
 * Where the kernel breaks its answer off `ip` ends well, with a part of the list or none of it (`Dump terminated`,
 * ip/ipaddress.c): that is asked again, once.
 */
export async function readInterfaces(
  argv: readonly string[],
  options: CommandOptions,
): Promise<ReadInterfaces> {
  const read = async (): Promise<ReadInterfaces> => {
    const result = await runCommand(argv, options);
    if (result.exitCode !== 0) return { kind: 'failed', message: describeFailure(argv, result), result };
    const parsed = parseInterfaces(result.stdout, argv);
    const said = result.stderr.trim();
    if (parsed.kind === 'parsed' || said === '') return parsed;
    return { kind: 'unparseable', message: `${parsed.message} (${said.split('\n').slice(0, 3).join('; ')})` };
  };
  const first = await read();
  return first.kind === 'unparseable' && options.signal?.aborted !== true ? await read() : first;
}

/** `undefined`: not known, because nothing was read yet or the last reading failed. */
export type NetworkSnapshot = readonly InterfaceState[] | undefined;

export interface NetworkMonitor {
  /** The last reading. */
  current(): NetworkSnapshot;
  /** Resolves after a reading that began after this call. Never rejects. */
  refresh(): Promise<void>;
  /** Calls `listener` at every change from now on; the result ends that. */
  subscribe(listener: (snapshot: NetworkSnapshot) => void): () => void;
  /** Stops the child and all timers. */
  close(): Promise<void>;
}

export interface NetworkMonitorOptions {
  /** Called when something differs, also from known to unknown and back. */
  readonly onChange?: (snapshot: NetworkSnapshot) => void;
  readonly logger: Logger;
}

const monitorArgv = ['ip', '-o', 'monitor', 'link', 'address'];
const readTimeoutMs = 2000;
const debounceMs = 20;
const rereadMs = 10_000;
/** After a failed reading, and after a new monitor child had time to subscribe to the kernel. */
const soonMs = 250;

/** Starts watching at once; the first reading is on its way when this returns. */
export function createNetworkMonitor({ onChange, logger }: NetworkMonitorOptions): NetworkMonitor {
  const listeners = new Set<(snapshot: NetworkSnapshot) => void>();
  if (onChange !== undefined) listeners.add(onChange);
  const closing = new AbortController();
  let snapshot: NetworkSnapshot;
  let fingerprint = ''; // Of `snapshot`; '' while unknown.
  let failing = false;
  let soonTimer: NodeJS.Timeout | undefined;
  let debounceTimer: NodeJS.Timeout | undefined;

  async function read(): Promise<void> {
    const seen = await readInterfaces(readInterfacesArgv, {
      timeoutMs: readTimeoutMs,
      signal: closing.signal,
    });
    if (closing.signal.aborted) return;
    if (seen.kind !== 'parsed') {
      if (!failing) logger.warn({ reason: seen.message }, 'the network interfaces cannot be read');
      failing = true;
      publish(undefined);
      readSoon();
      return;
    }
    if (failing) logger.info('the network interfaces can be read again');
    failing = false;
    publish(seen.interfaces);
  }

  function publish(next: NetworkSnapshot): void {
    const nextFingerprint = next === undefined ? '' : JSON.stringify(next);
    if (nextFingerprint === fingerprint) return;
    fingerprint = nextFingerprint;
    snapshot = next;
    for (const listener of [...listeners]) listener(next);
  }

  const readings = oneAtATime(async () => {
    if (!closing.signal.aborted) await read();
  });
  const { refresh } = readings;

  function readSoon(): void {
    clearTimeout(soonTimer);
    soonTimer = setTimeout(() => void refresh(), soonMs);
  }

  function trigger(): void {
    debounceTimer ??= setTimeout(() => {
      debounceTimer = undefined;
      void refresh();
    }, debounceMs);
  }

  const watcher = keepRunning(monitorArgv, {
    name: 'ip monitor',
    logger,
    onLine: trigger,
    onStart: readSoon,
  });
  const rereadTimer = setInterval(() => void refresh(), rereadMs);
  void refresh();

  return {
    current: () => snapshot,
    refresh,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      closing.abort();
      listeners.clear();
      clearInterval(rereadTimer);
      clearTimeout(soonTimer);
      clearTimeout(debounceTimer);
      await Promise.all([watcher.close(), readings.settled()]);
    },
  };
}
