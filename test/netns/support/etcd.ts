// Real etcd as the witness of an office, at a place beyond both hosts; and the cuts between it and each of them.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describeFailure } from '../../../daemon/drivers/command.ts';
import { waitFor } from '../../support.ts';
import { clientAddress, type HostName, hostNames } from './hosts.ts';
import { ipBatch } from './namespaces.ts';
import type { TestNetwork } from './network.ts';
import type { HostProcess } from './processes.ts';

/** `questions`: what the host asks does not arrive. `answers`: it does, and what is answered is lost. */
export type CutWay = 'questions' | 'answers';

export interface EtcdOptions {
  readonly members?: number;
  /** Options of etcd beside those of a member, such as `--cert-file=…`. */
  readonly options?: readonly string[];
  readonly scheme?: 'http' | 'https';
}

const firstPort = 2379;

export class Etcd {
  readonly endpoints: readonly string[];
  readonly #network: TestNetwork;
  readonly #options: EtcdOptions;
  readonly #members: (HostProcess | null)[] = [];

  private constructor(network: TestNetwork, options: EtcdOptions) {
    this.#network = network;
    this.#options = options;
    const { members = 1, scheme = 'http' } = options;
    this.endpoints = Array.from(
      { length: members },
      (_, index) => `${scheme}://${clientAddress}:${firstPort + 2 * index}`,
    );
  }

  /** Returns when it answers. */
  static async start(network: TestNetwork, options: EtcdOptions = {}): Promise<Etcd> {
    const etcd = new Etcd(network, options);
    await etcd.startAll();
    return etcd;
  }

  #peer(index: number): string {
    return `http://127.0.0.1:${firstPort + 1 + 2 * index}`;
  }

  #directory(index: number): string {
    return join(this.#network.root, `etcd-${index}`);
  }

  /** With the data that it had. */
  async startAll(): Promise<void> {
    for (const index of this.endpoints.keys()) await this.#startMember(index);
    await this.healthy();
  }

  async #startMember(index: number): Promise<void> {
    const endpoint = this.endpoints[index] ?? '';
    await mkdir(this.#directory(index), { recursive: true, mode: 0o700 });
    const cluster = this.endpoints.map((_, other) => `m${other}=${this.#peer(other)}`).join(',');
    const argv = [
      ...['etcd', '--name', `m${index}`, '--data-dir', this.#directory(index)],
      ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
      ...['--listen-peer-urls', this.#peer(index), '--initial-advertise-peer-urls', this.#peer(index)],
      ...['--initial-cluster', cluster, ...(this.#options.options ?? [])],
    ];
    const logFile = join(this.#network.root, 'logs', `etcd-${index}.log`);
    this.#members[index] = this.#network.spawnOn('client', argv, { logFile });
  }

  member(index: number): HostProcess {
    const member = this.#members[index];
    if (member === null || member === undefined) throw new Error(`etcd ${index} does not run`);
    return member;
  }

  /** As a power cut has it. */
  async kill(): Promise<void> {
    for (const index of this.endpoints.keys()) {
      this.member(index).signal('SIGKILL');
      await this.member(index).exited;
    }
  }

  async loseData(): Promise<void> {
    for (const index of this.endpoints.keys()) {
      await rm(this.#directory(index), { recursive: true });
    }
  }

  async healthy(): Promise<void> {
    if (this.#options.scheme === 'https') return;
    await waitFor('etcd answers', () => this.get('/any').then(() => true));
  }

  async #ctl(...words: string[]): Promise<string> {
    const argv = ['etcdctl', `--endpoints=${this.endpoints.join(',')}`, ...words];
    const result = await this.#network.run('client', ['env', 'ETCDCTL_API=3', ...argv]);
    if (result.exitCode !== 0) throw new Error(describeFailure(argv, result));
    return result.stdout;
  }

  /** The value of a key; empty: there is none. */
  async get(key: string): Promise<string> {
    return (await this.#ctl('get', key, '--print-value-only')).trim();
  }

  // ---- cuts ----

  async cut(host: HostName, way: CutWay): Promise<void> {
    await this.#route(host, way, 'replace');
  }

  async mend(host: HostName, way: CutWay): Promise<void> {
    await this.#route(host, way, 'del');
  }

  async #route(host: HostName, way: CutWay, verb: 'replace' | 'del'): Promise<void> {
    const target = this.#network.hosts[host];
    const [place, address] =
      way === 'questions'
        ? [target.namespace, clientAddress]
        : [this.#network.namespace('client'), target.address];
    await ipBatch(place, [`route ${verb} blackhole ${address}/32`]);
  }
}

/** Every path between the hosts, while both go on reaching everybody else. */
export async function cutPeers(network: TestNetwork): Promise<void> {
  await network.cut('primary', 'heartbeat', 'silent');
  await setIsolated(network, 'on');
}

export async function mendPeers(network: TestNetwork): Promise<void> {
  await network.mend('primary', 'heartbeat');
  await setIsolated(network, 'off');
}

/** Ports of a bridge that are isolated reach the others, and not each other (ip-link(8), bridge_slave). */
async function setIsolated(network: TestNetwork, value: 'on' | 'off'): Promise<void> {
  const lines = hostNames.map((host) => `link set dev ${host} type bridge_slave isolated ${value}`);
  await ipBatch(network.namespace('lan'), lines);
}
