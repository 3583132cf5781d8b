// Who carries an address, and when: the kernel's own notifications of both hosts and of the LAN switch, read
// from ONE socket (ip-monitor(8), all-nsid), so that their order is the order in which things happened and
// even the shortest overlap shows. The times are those at which they were read, a scheduling delay later.

import { type HostName, hostNames, namespaceIds } from './hosts.ts';
import { ipBatch } from './namespaces.ts';
import type { TestNetwork } from './network.ts';
import type { HostProcess } from './processes.ts';

/** Who carries the address from this moment on. */
export interface Holding {
  /** Wall clock, milliseconds since the epoch with a fraction. */
  readonly atMs: number;
  readonly holders: readonly HostName[];
  /** Those of the holders whose LAN cable works: whom a client could reach. */
  readonly reachable: readonly HostName[];
}

/** Two hosts carried the address at once, both connected; `untilMs` is null while they still do. */
export interface Overlap {
  readonly fromMs: number;
  readonly untilMs: number | null;
}

type Notice =
  | { readonly kind: 'address'; readonly host: HostName; readonly address: string; readonly present: boolean }
  | { readonly kind: 'port'; readonly host: HostName; readonly connected: boolean }
  | { readonly kind: 'mark'; readonly address: string };

const hostOf = new Map(hostNames.map((name) => [String(namespaceIds[name]), name]));
const addressLine = /^\[nsid (?<nsid>\w+)\](?<deleted>Deleted )?\d+: \S+ +inet6? (?<address>[0-9a-f.:]+)/;
const portLine = /^\[nsid current\]\d+: (?<port>primary|secondary)@\S+ <(?<flags>[^>]*)> .*\bgroup /;

/** One line of `ip -o -ts monitor address link all-nsid`, without its time; undefined for what is of no use. */
export function parseNotice(line: string): Notice | undefined {
  const address = addressLine.exec(line)?.groups;
  if (address?.['address'] !== undefined) {
    if (address['nsid'] === 'current') return { kind: 'mark', address: address['address'] };
    const host = hostOf.get(address['nsid'] ?? '');
    if (host === undefined) return undefined;
    return { kind: 'address', host, address: address['address'], present: address['deleted'] === undefined };
  }
  const port = portLine.exec(line)?.groups;
  if (port === undefined) return undefined;
  const flags = port['flags']?.split(',') ?? [];
  const connected = flags.includes('UP') && !flags.includes('NO-CARRIER') && line.includes(' master lan ');
  return { kind: 'port', host: port['port'] as HostName, connected };
}

/** Of all watches in this process, since two may watch the same namespace. */
let markCount = 0;

export class AddressWatch {
  readonly #network: TestNetwork;
  readonly #address: string;
  readonly #monitor: HostProcess;
  readonly #carrying = new Set<HostName>();
  readonly #connected = new Set<HostName>(hostNames);
  readonly #history: Holding[] = [];
  readonly #marks = new Map<string, () => void>();
  #rest = '';

  private constructor(network: TestNetwork, address: string) {
    this.#network = network;
    this.#address = address;
    this.#monitor = network.spawnOn('lan', ['ip', '-o', '-ts', 'monitor', 'address', 'link', 'all-nsid'], {
      env: { TZ: 'UTC' },
    });
    this.#monitor.child.stdout?.on('data', (chunk: string) => this.#read(chunk));
  }

  static async start(network: TestNetwork, address: string): Promise<AddressWatch> {
    const watch = new AddressWatch(network, address);
    await watch.flush();
    for (const host of await network.addressHolders(address)) watch.#carrying.add(host);
    for (const host of hostNames) toggle(watch.#connected, host, network.isConnected(host));
    watch.#record(Date.now());
    return watch;
  }

  #read(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const [, time, text] = /^\[([^\]]+)\] (.*)$/.exec(line) ?? [];
      if (time === undefined || text === undefined) continue;
      const notice = parseNotice(text);
      if (notice !== undefined) this.#note(notice, parseTime(time));
    }
  }

  #note(notice: Notice, atMs: number): void {
    switch (notice.kind) {
      case 'mark':
        this.#marks.get(notice.address)?.();
        return;
      case 'address':
        if (notice.address !== this.#address) return;
        toggle(this.#carrying, notice.host, notice.present);
        break;
      case 'port':
        toggle(this.#connected, notice.host, notice.connected);
        break;
    }
    this.#record(atMs);
  }

  #record(atMs: number): void {
    const holders = hostNames.filter((host) => this.#carrying.has(host));
    const reachable = holders.filter((host) => this.#connected.has(host));
    const last = this.#history.at(-1);
    if (last?.holders.join() === holders.join() && last.reachable.join() === reachable.join()) return;
    this.#history.push({ atMs, holders, reachable });
  }

  /** Returns when everything that has happened until now is in the history. */
  async flush(): Promise<void> {
    markCount += 1;
    const mark = `127.77.${Math.floor(markCount / 250)}.${(markCount % 250) + 1}`;
    const lines = [`addr add ${mark}/32 dev lo`, `addr del ${mark}/32 dev lo`];
    let seen = false;
    const shown = new Promise<void>((resolve, reject) => {
      this.#marks.set(mark, () => {
        seen = true;
        resolve();
      });
      void this.#monitor.exited.then(() =>
        reject(new Error(`ip monitor ended: ${this.#monitor.stderrText()}`)),
      );
    });
    shown.catch(() => {}); // Awaited below; the mark may still fail first.
    // The very first mark may come before the monitor listens, so it is set until it shows.
    while (!seen) {
      await ipBatch(this.#network.namespace('lan'), lines);
      const again = new Promise<void>((resolve) => setTimeout(resolve, 100));
      await Promise.race([shown, again]);
    }
    this.#marks.delete(mark);
  }

  /** Every change since the start, the first entry being the state at the start. */
  async history(): Promise<readonly Holding[]> {
    await this.flush();
    return this.#history;
  }

  /** The times at which two connected hosts both carried the address. It should be none, ever. */
  async overlaps(): Promise<readonly Overlap[]> {
    const history = await this.history();
    const found: Overlap[] = [];
    for (const [index, { atMs, reachable }] of history.entries()) {
      if (reachable.length < 2) continue;
      found.push({ fromMs: atMs, untilMs: history[index + 1]?.atMs ?? null });
    }
    return found;
  }

  async stop(): Promise<void> {
    await this.#monitor.stop();
  }
}

function toggle<T>(set: Set<T>, member: T, present: boolean): void {
  if (present) set.add(member);
  else set.delete(member);
}

/** `2026-01-31T12:00:00.123456`, in UTC, as the monitor was told to be. */
function parseTime(text: string): number {
  const [seconds, micros = '0'] = text.split('.');
  return Date.parse(`${seconds}Z`) + Number(micros.padEnd(6, '0')) / 1000;
}
