// A test network's operations: cables, processes, power, addresses, and its release.
// Guarantees: traffic stays inside; only processes inside are signalled; `close` releases all of it.

import { mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CommandResult, runCommand } from '../../../daemon/drivers/command.ts';
import { waitFor } from '../../support.ts';
import { AddressWatch } from './address-watch.ts';
import {
  bootDirectories,
  bootLines,
  type Cable,
  type CutKind,
  cables,
  clientLines,
  describeHost,
  type HostName,
  hostLines,
  hostNames,
  ownLinks,
  type Place,
  type PortState,
  places,
  portLines,
  switches,
  switchLines,
  type TestHost,
} from './hosts.ts';
import {
  deleteNamespaces,
  ipBatch,
  killAllIn,
  newPrefix,
  output,
  pidsIn,
  presentNamespaces,
  releaseNow,
  signalAllIn,
  signalProcess,
} from './namespaces.ts';
import { type HostProcess, type SpawnOptions, spawnIn } from './processes.ts';

export interface NetworkOptions {
  /** Leaves the directories (`network.root`) when the network is closed. */
  readonly keepDirectories?: boolean;
}

export interface RunOptions {
  readonly timeoutMs?: number;
  readonly input?: string;
}

/** The part of `ip -d -j link show` that is looked at. */
interface LinkState {
  readonly flags: readonly string[];
  readonly linkinfo?: { readonly info_slave_data?: { readonly state?: string } };
}

export class TestNetwork {
  readonly prefix = newPrefix();
  readonly root: string;
  readonly hosts: Readonly<Record<HostName, TestHost>>;
  readonly #keepDirectories: boolean;
  readonly #onClosed: (network: TestNetwork) => void;
  readonly #ports = new Map<string, PortState>();
  readonly #processes = new Set<HostProcess>();

  /** Use `createNetwork` in cluster.ts, which also sees to the release when the process ends. */
  constructor(options: NetworkOptions, onClosed: (network: TestNetwork) => void) {
    this.#onClosed = onClosed;
    this.#keepDirectories = options.keepDirectories === true;
    this.root = mkdtempSync(join(tmpdir(), `${this.prefix}-`));
    const host = (name: HostName): TestHost => describeHost(name, this.namespace(name), this.root);
    this.hosts = { primary: host('primary'), secondary: host('secondary') };
  }

  /** The name of a place's namespace, for `ip netns exec`. */
  namespace(place: Place): string {
    return `${this.prefix}-${place}`;
  }

  #namespaces(): string[] {
    return places.map((place) => this.namespace(place));
  }

  /** Called by `createNetwork` only. */
  async build(): Promise<void> {
    mkdirSync(join(this.root, 'logs'));
    for (const name of hostNames) bootDirectories(this.hosts[name]);
    await ipBatch(
      undefined,
      this.#namespaces().map((name) => `netns add ${name}`),
    );
    for (const cable of cables) {
      await ipBatch(
        this.namespace(switches[cable].place),
        switchLines(cable, (place) => this.namespace(place)),
      );
    }
    // A port out of its bridge (a silent cut) must not answer for the gateway's address on the bridge.
    await output([
      'ip',
      'netns',
      'exec',
      this.namespace('lan'),
      'sysctl',
      '-qw',
      'net.ipv4.conf.all.arp_ignore=1',
    ]);
    await Promise.all([
      ipBatch(this.namespace('client'), clientLines()),
      ...hostNames.map((name) => ipBatch(this.namespace(name), hostLines(this.hosts[name]))),
    ]);
    await Promise.all([
      this.#settled('client', 'lan'),
      ...hostNames.flatMap((name) => cables.map((cable) => this.#settled(name, cable))),
    ]);
  }

  // ---- cables ----

  /** Returns when the cut is in force. Cuts of both kinds add up; `mend` without a kind takes both back. */
  async cut(host: HostName, cable: Cable, how: CutKind = 'carrier'): Promise<void> {
    await this.#setPort(host, cable, how === 'carrier' ? { carrierCut: true } : { silentCut: true });
  }

  /** Returns when the cable carries packets again (unless its host is off). */
  async mend(host: HostName, cable: Cable, how?: CutKind): Promise<void> {
    await this.#setPort(host, cable, {
      ...(how === 'silent' ? {} : { carrierCut: false }),
      ...(how === 'carrier' ? {} : { silentCut: false }),
    });
  }

  async cutEverything(host: HostName, how: CutKind = 'carrier'): Promise<void> {
    await Promise.all(cables.map((cable) => this.cut(host, cable, how)));
  }

  async mendEverything(host: HostName): Promise<void> {
    await Promise.all(cables.map((cable) => this.mend(host, cable)));
  }

  /** Both switches lose their power: every cable of both hosts at once. */
  async switchesOff(how: CutKind = 'carrier'): Promise<void> {
    await Promise.all(hostNames.map((host) => this.cutEverything(host, how)));
  }

  async switchesOn(): Promise<void> {
    await Promise.all(hostNames.map((host) => this.mendEverything(host)));
  }

  /** The hosts do not hear each other on any cable, yet each of them reaches all else on the LAN. */
  async part(): Promise<void> {
    await this.cut('primary', 'heartbeat', 'silent');
    const lines = hostNames.map((host) => `link set dev ${host} isolated on`);
    const { place } = switches.lan;
    const argv = ['bridge', '-n', this.namespace(place), '-batch', '-'];
    const { exitCode, stderr } = await runCommand(argv, {
      timeoutMs: 10_000,
      input: `${lines.join('\n')}\n`,
    });
    if (exitCode !== 0) throw new Error(stderr);
  }

  async switchReboot(durationMs: number, how: CutKind = 'carrier'): Promise<void> {
    await this.switchesOff(how);
    await sleep(durationMs);
    await this.switchesOn();
  }

  #port(host: HostName, cable: Cable): PortState {
    return this.#ports.get(`${host} ${cable}`) ?? { off: false, carrierCut: false, silentCut: false };
  }

  /** Whether a host is on and its LAN cable is whole at the switch. */
  isConnected(host: HostName): boolean {
    const { off, carrierCut, silentCut } = this.#port(host, 'lan');
    return !off && !carrierCut && !silentCut;
  }

  async #setPort(host: HostName, cable: Cable, change: Partial<PortState>): Promise<void> {
    const port: PortState = { ...this.#port(host, cable), ...change };
    this.#ports.set(`${host} ${cable}`, port);
    await ipBatch(this.namespace(switches[cable].place), portLines(cable, host, port));
    if (!port.off && !port.carrierCut && !port.silentCut) await this.#settled(host, cable);
  }

  /** The port of a place forwards: a bridge learns of a port's carrier a little later than the host does. */
  async #settled(place: Place, cable: Cable): Promise<void> {
    const { place: switchPlace, hostInterface } = switches[cable];
    await waitFor(
      `the port of ${place} at the ${cable} switch forwards`,
      async () => {
        const port = await this.#link(switchPlace, place);
        if (port.linkinfo?.info_slave_data?.state === 'forwarding') return true;
        // Whoever took the interface down inside the host need not wait for a carrier.
        return !(await this.#link(place, hostInterface)).flags.includes('UP');
      },
      { intervalMs: 5 },
    );
  }

  async #link(place: Place, name: string): Promise<LinkState> {
    const text = await output(['ip', '-n', this.namespace(place), '-d', '-j', 'link', 'show', 'dev', name]);
    const [link] = JSON.parse(text) as LinkState[];
    if (link === undefined) throw new Error(`no link ${name} at ${place}`);
    return link;
  }

  // ---- processes ----

  /** Starts a command; on a host it finds the host's boot id through BATTITO_BOOT_ID_FILE. */
  spawnOn(place: Place, argv: readonly string[], options: SpawnOptions = {}): HostProcess {
    const host = place === 'primary' || place === 'secondary' ? this.hosts[place] : undefined;
    const env = { ...(host === undefined ? {} : { BATTITO_BOOT_ID_FILE: host.bootIdFile }), ...options.env };
    const started = spawnIn(this.namespace(place), argv, { ...options, env });
    this.#processes.add(started);
    void started.exited.then(() => this.#processes.delete(started));
    return started;
  }

  /** Runs a command to its end. Never rejects. */
  run(place: Place, argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    return runCommand(['ip', 'netns', 'exec', this.namespace(place), ...argv], {
      timeoutMs: 30_000,
      ...options,
    });
  }

  processesOn(place: Place): Promise<number[]> {
    return pidsIn(this.namespace(place));
  }

  /** Stops every process of a host. Its kernel goes on answering ARP, ping and TCP handshakes. */
  freeze(host: HostName): Promise<void> {
    return signalAllIn(this.namespace(host), 'SIGSTOP');
  }

  thaw(host: HostName): Promise<void> {
    return signalAllIn(this.namespace(host), 'SIGCONT');
  }

  freezeProcess(pid: number): void {
    signalProcess(pid, 'SIGSTOP');
  }

  thawProcess(pid: number): void {
    signalProcess(pid, 'SIGCONT');
  }

  // ---- power ----

  /** The plug is pulled: links first, then every process; what only memory holds is lost, the disk is not. */
  async powerLoss(name: HostName): Promise<void> {
    const namespace = this.namespace(name);
    await Promise.all(cables.map((cable) => this.#setPort(name, cable, { off: true })));
    await killAllIn([namespace]);
    const links = JSON.parse(await output(['ip', '-n', namespace, '-j', 'link', 'show'])) as {
      ifname: string;
    }[];
    const foreign = links.map(({ ifname }) => ifname).filter((link) => !ownLinks.includes(link));
    // A guest's tap goes by itself when the kernel is done with its process.
    const deletions = foreign.map((link) => `link del ${link}`);
    await ipBatch(namespace, deletions, { force: true });
    await ipBatch(namespace, [
      ...ownLinks.flatMap((link) => [`addr flush dev ${link}`, `link set ${link} down`]),
      'neigh flush all',
    ]);
    await rm(this.hosts[name].runDir, { recursive: true, force: true });
  }

  /** The host boots: its own addresses, an empty run directory, a new boot id; cut cables stay cut. */
  async powerOn(name: HostName): Promise<void> {
    bootDirectories(this.hosts[name]);
    await ipBatch(this.namespace(name), bootLines(this.hosts[name]));
    await Promise.all(cables.map((cable) => this.#setPort(name, cable, { off: false })));
  }

  // ---- addresses ----

  /** The hosts that carry an address (without prefix length) now, connected or not. */
  async addressHolders(address: string): Promise<HostName[]> {
    const holds = async (name: HostName): Promise<boolean> => {
      const text = await output(['ip', '-n', this.namespace(name), '-j', 'addr', 'show']);
      const links = JSON.parse(text) as { readonly addr_info?: readonly { readonly local?: string }[] }[];
      return links.some((link) => link.addr_info?.some((info) => info.local === address));
    };
    const held = await Promise.all(hostNames.map(holds));
    return hostNames.filter((_, index) => held[index]);
  }

  /** Records from now on who carries an address. */
  watchAddress(address: string): Promise<AddressWatch> {
    return AddressWatch.start(this, address);
  }

  // ---- the end ----

  /** Kills, removes and forgets everything. May be called again. */
  async close(): Promise<void> {
    const namespaces = presentNamespaces(this.#namespaces());
    try {
      await killAllIn(namespaces);
      await Promise.all([...this.#processes].map((each) => each.exited));
    } finally {
      await deleteNamespaces(namespaces);
      if (!this.#keepDirectories) await rm(this.root, { recursive: true, force: true });
      this.#onClosed(this);
    }
  }

  /** The last resort of a process that is ending; use `close`. */
  releaseNow(): void {
    releaseNow(this.#namespaces(), this.#keepDirectories ? [] : [this.root]);
  }
}
