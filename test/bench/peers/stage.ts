// One configuration of one peer on two hosts with a client: brought up clean before each fault, watched from outside.
// The kernels of both hosts say who has the address; the client says for how long it did not answer.

import { mkdir, readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AddressWatch, createNetwork, type TestNetwork } from '../../netns/support/cluster.ts';
import { GapClient, startEcho } from '../../netns/support/gap.ts';
import { floatingAddress, type HostName, hostNames } from '../../netns/support/hosts.ts';
import { signalProcess } from '../../netns/support/namespaces.ts';
import { waitFor } from '../../support.ts';
import { HostSystem } from './host-system.ts';
import type { Cluster, Configuration, Peer } from './peer.ts';

/** At rest for so long, besides the window itself: what a start still does is over. */
const settleMs = 1000;
const startTimeoutMs = 80_000;
const logLinesShown = 12;

export class Stage {
  readonly network: TestNetwork;
  readonly client: GapClient;
  readonly watch: AddressWatch;
  readonly configuration: Configuration;
  readonly #peer: Peer;
  /** Of the peer's packages; null for ours. */
  readonly #root: string | null;
  readonly #systems = new Map<HostName, HostSystem>();
  /** Processes on a host that are no part of the peer. */
  readonly #others = new Map<HostName, ReadonlySet<number>>();
  #cluster: Cluster | null = null;

  private constructor(
    network: TestNetwork,
    watch: AddressWatch,
    client: GapClient,
    peer: Peer,
    configuration: Configuration,
    root: string | null,
  ) {
    this.network = network;
    this.watch = watch;
    this.client = client;
    this.configuration = configuration;
    this.#peer = peer;
    this.#root = root;
  }

  static async open(peer: Peer, configuration: Configuration, root: string | null): Promise<Stage> {
    const network = await createNetwork();
    try {
      const watch = await network.watchAddress(floatingAddress);
      const client = await GapClient.start(network, floatingAddress, { realtime: true });
      return new Stage(network, watch, client, peer, configuration, root);
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  /** Ends whatever the hosts still run, and starts the peer from nothing; returns when `primary` has the address. */
  async begin(): Promise<void> {
    await Promise.all(hostNames.map((host) => this.#clean(host)));
    const site = {
      network: this.network,
      system: (host: HostName) => {
        const system = this.#systems.get(host);
        if (system === undefined) throw new Error(`${host} has no system of its own`);
        return system;
      },
    };
    const cluster = this.#peer.open(site, this.configuration);
    this.#cluster = cluster;
    await cluster.configure();
    for (const host of hostNames) {
      this.#others.set(host, new Set(await this.network.processesOn(host)));
      await cluster.start(host);
    }
    await this.atRest('primary');
  }

  async #clean(host: HostName): Promise<void> {
    const { stateDir } = this.network.hosts[host];
    await this.network.powerLoss(host);
    this.#systems.delete(host);
    await this.network.powerOn(host);
    await this.network.mendEverything(host);
    await rm(stateDir, { recursive: true, force: true });
    await mkdir(stateDir);
    await startEcho(this.network, host, { realtime: true });
    if (this.#root !== null) this.#systems.set(host, await HostSystem.open(this.network, host, this.#root));
  }

  /** The host alone has the address, the client hears it, and both nodes have been quiet for a while. */
  async atRest(active: HostName): Promise<void> {
    const cluster = this.#cluster;
    if (cluster === null) throw new Error('nothing was started');
    const isSo = async () => {
      if (!(await cluster.isAtRest())) throw new Error('something is under way');
      const holders = await this.network.addressHolders(floatingAddress);
      if (holders.join() !== active)
        throw new Error(`the address is on ${holders.join(' and ') || 'neither'}`);
      return true;
    };
    const options = { timeoutMs: startTimeoutMs, intervalMs: 200 };
    await waitFor(`${this.configuration.id} is at rest on ${active}`, isSo, options);
    await sleep(settleMs + Math.min(this.configuration.windowMs, 3000));
    await waitFor(`${this.configuration.id} stays at rest on ${active}`, isSo, options);
    await this.client.waitForAnswerFrom(active);
  }

  handOver(from: HostName): Promise<void> {
    if (this.#cluster === null) throw new Error('nothing was started');
    return this.#cluster.handOver(from);
  }

  /** Every process of the peer on a host, its own children included. */
  async pids(host: HostName): Promise<number[]> {
    const others = this.#others.get(host) ?? new Set();
    return (await this.network.processesOn(host)).filter((pid) => !others.has(pid));
  }

  async signal(host: HostName, signal: 'SIGKILL' | 'SIGSTOP'): Promise<void> {
    const pids = await this.pids(host);
    if (pids.length === 0) throw new Error(`${this.configuration.id} has no process on ${host}`);
    for (const pid of pids) signalProcess(pid, signal);
  }

  /** Its links only, so that what follows on this machine does not take the survivor's processor. */
  async powerLoss(host: HostName): Promise<void> {
    await this.network.cutEverything(host);
  }

  /** The end of what the daemons wrote. */
  async lastWords(): Promise<string> {
    const texts = await Promise.all(
      hostNames.map(async (host) => {
        const file = `${this.network.hosts[host].logsDir}/daemon.log`;
        const text = await readFile(file, 'utf8').catch(() => '');
        return `${host}:\n${text.trim().split('\n').slice(-logLinesShown).join('\n')}`;
      }),
    );
    return texts.join('\n');
  }

  async close(): Promise<void> {
    await this.network.close();
  }
}
