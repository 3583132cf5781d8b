// An office: two hosts with a real daemon each, two real guests, and a client that asks the floating address.
// Everything is the product's own: configuration file, key, command line, control API.

import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { generateKeyFile } from '../../../daemon/config/key-file.ts';
import type { HistoryEntry, OperatorRequest, RequestAnswer, Status } from '../../../daemon/control/api.ts';
import type { CommandResult } from '../../../daemon/drivers/command.ts';
import { guestPaths } from '../../../daemon/drivers/qemu/command.ts';
import { findGuestProcess } from '../../../daemon/drivers/qemu/process.ts';
import { buildCounterDisk } from '../../guest/build.ts';
import { waitFor } from '../../support.ts';
import { Bmcs, siteIn } from './bmc.ts';
import { createNetwork } from './cluster.ts';
import { GapClient, startEcho } from './gap.ts';
import { floatingAddress, type HostName, hostNames } from './hosts.ts';
import type { TestNetwork } from './network.ts';
import type { HostProcess } from './processes.ts';

export const guests = ['mail', 'web'] as const;
export type GuestName = (typeof guests)[number];

export interface OfficeOptions {
  readonly initdead?: string;
  /** Replaces the whole `groups:` part. */
  readonly groups?: string;
  readonly failback?: 'manual' | 'automatic';
  /** Each host has a BMC, and the daemons know of it. */
  readonly fencing?: boolean;
  /** What stands after `witness: `. */
  readonly witness?: string;
  /** What stands after `start: `. */
  readonly start?: string;
  /** What stands after `drill: `. */
  readonly drill?: string;
  /** What stands after `schedule: `. */
  readonly schedule?: string;
  /** What stands under `notify:`, indented. */
  readonly notify?: string;
  /** What stands after `web: `. */
  readonly web?: string;
  /** Do not start the daemons. */
  readonly idle?: boolean;
}

const repository = join(import.meta.dirname, '..', '..', '..');
export const commandLine = join(repository, 'scripts', 'battito');

export class Office {
  readonly network: TestNetwork;
  readonly configFile: string;
  readonly keyFile: string;
  readonly guestDir: string;
  readonly #daemons = new Map<HostName, HostProcess>();
  #bmcs: Bmcs | null = null;

  private constructor(network: TestNetwork) {
    this.network = network;
    this.configFile = join(network.root, 'battito.yaml');
    this.keyFile = join(network.root, 'key');
    this.guestDir = join(network.root, 'guests');
  }

  /** Builds hosts, configuration, key and guest disks; starts both daemons unless `idle`. */
  static async open(options: OfficeOptions = {}): Promise<Office> {
    const network = await createNetwork();
    try {
      const office = new Office(network);
      await mkdir(office.guestDir);
      for (const guest of guests) await buildCounterDisk({ file: office.disk(guest) });
      generateKeyFile(office.keyFile);
      if (options.fencing === true) office.#bmcs = await Bmcs.start(siteIn(network));
      await writeFile(office.configFile, office.configText(options));
      if (options.idle !== true) {
        await office.startDaemons();
      }
      return office;
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  configText(options: OfficeOptions = {}): string {
    return `cluster: office
nodes:
  primary: { address: 192.168.1.2 }
  secondary: { address: 192.168.1.3 }
heartbeat:
  key-file: ${this.keyFile}
  keepalive: 200ms
  warntime: 800ms
  deadtime: 2s
  initdead: ${options.initdead ?? '8s'}
  links:
    - { interface: eth1 }
    - { interface: eth0, mode: unicast }
connectivity:
  ping: [192.168.1.254]
${this.#bmcs?.configText({ delay: '2s', timeout: '30s', powerTimeout: 3 }) ?? ''}groups:
${options.groups ?? this.groupText(options)}${options.witness === undefined ? '' : `witness: ${options.witness}\n`}${options.start === undefined ? '' : `start: ${options.start}\n`}${options.drill === undefined ? '' : `drill: ${options.drill}\n`}${options.schedule === undefined ? '' : `schedule: ${options.schedule}\n`}${options.notify === undefined ? '' : `notify:\n${options.notify}`}${options.web === undefined ? '' : `web: ${options.web}\n`}`;
  }

  get bmcs(): Bmcs {
    if (this.#bmcs === null) throw new Error('this office has no BMCs');
    return this.#bmcs;
  }

  groupText(options: OfficeOptions = {}): string {
    return `  office:
    preferred: primary
    failback: ${options.failback ?? 'manual'}
    failback-delay: 5s
    addresses: [${floatingAddress}/24 dev eth0]
    guests:
${guests.map((guest, index) => this.guestText(guest, index)).join('')}`;
  }

  guestText(guest: GuestName, index: number): string {
    return `      - name: ${guest}
        driver: qemu
        memory: 16M
        accel: tcg
        disk: { file: ${this.disk(guest)}, format: raw, locking: off }
        serial: ${this.serial(guest)}
        network: { bridge: br0, mac: "52:54:00:12:34:5${index}" }
        shutdown-timeout: 10s
`;
  }

  disk(guest: GuestName): string {
    return join(this.guestDir, `${guest}.raw`);
  }

  serial(guest: GuestName): string {
    return join(this.guestDir, `${guest}.serial`);
  }

  /** What the guest has shown so far: `start N`, `count N`, `stop N`. */
  shown(guest: GuestName): { readonly what: string; readonly count: number }[] {
    let text = '';
    try {
      text = readFileSync(this.serial(guest), 'latin1');
    } catch {
      return []; // It has not started yet.
    }
    return [...text.matchAll(/(start|count|stop) (\d+)\r\n/g)].map(([, what, count]) => ({
      what: what ?? '',
      count: Number(count),
    }));
  }

  lastCount(guest: GuestName): number {
    return this.shown(guest).at(-1)?.count ?? -1;
  }

  starts(guest: GuestName): number[] {
    return this.shown(guest)
      .filter(({ what }) => what === 'start')
      .map(({ count }) => count);
  }

  socket(host: HostName): string {
    return join(this.network.hosts[host].runDir, 'control.sock');
  }

  arguments(host: HostName): string[] {
    const { stateDir } = this.network.hosts[host];
    return [
      '--config',
      this.configFile,
      '--node',
      host,
      '--state-dir',
      stateDir,
      '--socket',
      this.socket(host),
    ];
  }

  async startDaemon(host: HostName): Promise<void> {
    const logFile = join(this.network.hosts[host].logsDir, 'daemon.log');
    const daemon = this.network.spawnOn(host, [commandLine, ...this.arguments(host), 'daemon'], { logFile });
    this.#daemons.set(host, daemon);
    let ended = false;
    void daemon.exited.then(() => {
      ended = true;
    });
    await waitFor(`the daemon of ${host} answers`, async () => {
      if (ended) return 'ended';
      return this.status(host);
    });
    if (ended) throw new Error(`the daemon of ${host} ended:\n${await this.log(host)}`);
  }

  /** Both at the same time. */
  async startDaemons(): Promise<void> {
    await Promise.all(hostNames.map((host) => this.startDaemon(host)));
  }

  daemon(host: HostName): HostProcess {
    const daemon = this.#daemons.get(host);
    if (daemon === undefined) throw new Error(`no daemon was started on ${host}`);
    return daemon;
  }

  async log(host: HostName): Promise<string> {
    return readFile(join(this.network.hosts[host].logsDir, 'daemon.log'), 'utf8').catch(() => '');
  }

  /** One battito command on a host, as a person types it. */
  battito(host: HostName, ...words: string[]): Promise<CommandResult> {
    return this.network.run(host, [commandLine, ...this.arguments(host), ...words], { timeoutMs: 120_000 });
  }

  status(host: HostName): Promise<Status> {
    return askDaemon<Status>(this.socket(host), 'GET', '/v1/status');
  }

  history(host: HostName): Promise<HistoryEntry[]> {
    return askDaemon<HistoryEntry[]>(this.socket(host), 'GET', '/v1/history?limit=1000');
  }

  wish(host: HostName, wish: OperatorRequest): Promise<RequestAnswer> {
    return askDaemon<RequestAnswer>(this.socket(host), 'POST', '/v1/requests', wish);
  }

  async phase(host: HostName, group = 'office'): Promise<string> {
    const { groups } = await this.status(host);
    return groups.find(({ name }) => name === group)?.phase ?? 'no such group';
  }

  async waitForPhase(host: HostName, phase: string, group = 'office'): Promise<void> {
    await waitFor(`${group} is ${phase} on ${host}`, async () => {
      const seen = await this.phase(host, group);
      if (seen !== phase) throw new Error(`it is ${seen}`);
      return true;
    });
  }

  async waitForVerdict(host: HostName, verdict: string): Promise<void> {
    await waitFor(`${host} concludes ${verdict}`, async () => {
      const seen = (await this.status(host)).verdict.kind;
      if (seen !== verdict) throw new Error(`it concludes ${seen}`);
      return true;
    });
  }

  /** The group runs on `active`, the other node is standby, both guests count. */
  async settled(active: HostName): Promise<void> {
    const standby = active === 'primary' ? 'secondary' : 'primary';
    await this.waitForPhase(active, 'active');
    await this.waitForPhase(standby, 'stopped');
    for (const host of hostNames) await this.waitForVerdict(host, 'alive');
    for (const guest of guests) await this.counts(guest);
  }

  /** Waits until the guest has counted on from here. */
  async counts(guest: GuestName): Promise<void> {
    const from = this.shown(guest).length;
    await waitFor(`${guest} counts`, () => this.shown(guest).length > from + 1);
  }

  /** Pid of the guest's QEMU on a host; null: none. */
  async guestPid(host: HostName, guest: GuestName): Promise<number | null> {
    const { pidFile } = guestPaths(this.network.hosts[host].runDir, guest);
    const found = await findGuestProcess(pidFile, { scan: true });
    return found === undefined ? null : found.pid;
  }

  async startClient(): Promise<GapClient> {
    for (const host of hostNames) await startEcho(this.network, host);
    return GapClient.start(this.network, floatingAddress);
  }

  async close(): Promise<void> {
    await this.network.close();
  }
}

/** An office for one ava test, closed when the test ends; the daemons' last words are shown when it failed. */
export async function useOffice(
  t: { teardown(fn: () => Promise<void>): void; log(...words: string[]): void; readonly passed: boolean },
  options: OfficeOptions = {},
): Promise<Office> {
  const office = await Office.open(options);
  t.teardown(async () => {
    if (!t.passed) {
      for (const host of hostNames) {
        const lines = (await office.log(host)).trim().split('\n').slice(-40);
        t.log(`daemon of ${host}:\n${lines.join('\n')}`);
      }
    }
    await office.close();
  });
  return office;
}

export function askDaemon<T>(socketPath: string, method: string, path: string, body?: unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path, timeout: 10_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(JSON.parse(text) as T));
    });
    call.on('timeout', () => call.destroy(new Error(`no answer at ${socketPath}`)));
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
