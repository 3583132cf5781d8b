// The BMCs of two hosts: two of OpenIPMI's ipmi_sim at an address of neither, so that a host without power does not take
// its BMC with it. What a chassis is told comes to the test, which pulls the plug of that host or gives it power.

import { chmodSync, existsSync, mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandResult } from '../../../daemon/drivers/command.ts';
import { waitFor } from '../../support.ts';
import { gatewayAddress, type HostName, hostNames } from './hosts.ts';
import type { TestNetwork } from './network.ts';
import type { HostProcess } from './processes.ts';

/** obeys; ignores: its host keeps its power, and it says so; lies: the host keeps its power, and it says off. */
export type BmcMode = 'obeys' | 'ignores' | 'lies';

const ports: Readonly<Record<HostName, number>> = { primary: 9621, secondary: 9622 };
const password = 'hunter2-is-secret';

/** Where the BMCs are, and what they switch. */
export interface BmcSite {
  /** Theirs alone; removed by whoever made it. */
  readonly folder: string;
  readonly logFolder: string;
  /** The hosts reach them there. */
  readonly address: string;
  /** At that address. */
  spawn(argv: readonly string[], logFile: string): HostProcess;
  run(argv: readonly string[]): Promise<CommandResult>;
  /** Return when it is so. */
  powerOff(host: HostName): Promise<void>;
  powerOn(host: HostName): Promise<void>;
}

/** With the gateway of a test network, on its LAN. */
export function siteIn(network: TestNetwork): BmcSite {
  return {
    folder: network.root,
    logFolder: join(network.root, 'logs'),
    address: gatewayAddress,
    spawn: (argv, logFile) => network.spawnOn('lan', argv, { logFile }),
    run: (argv) => network.run('lan', argv),
    powerOff: (host) => network.powerLoss(host),
    powerOn: (host) => network.powerOn(host),
  };
}

export interface FencingTimes {
  readonly delay: string;
  readonly timeout: string;
  /** Of the agent's own waiting, seconds. */
  readonly powerTimeout: number;
}

/** Two machine's-eye views of one thing: `power` is what the BMC says, `wanted` what it was told. */
export class Bmcs {
  readonly #site: BmcSite;
  readonly #sims = new Map<HostName, HostProcess>();
  /** What each was told, in order. */
  readonly told: { readonly host: HostName; readonly to: 'on' | 'off' }[] = [];
  /** What went wrong while a plug was pulled: the test is to fail with it. */
  failure: unknown = null;

  private constructor(site: BmcSite) {
    this.#site = site;
  }

  static async start(site: BmcSite): Promise<Bmcs> {
    const bmcs = new Bmcs(site);
    writeFileSync(bmcs.secretsFile, bmcs.secretsText, { mode: 0o600 });
    for (const host of hostNames) bmcs.#prepare(host);
    await Promise.all(hostNames.map((host) => bmcs.plugIn(host)));
    return bmcs;
  }

  get secretsFile(): string {
    return join(this.#site.folder, 'fence-secrets');
  }

  get secretsText(): string {
    return `username=battito\npassword=${password}\n`;
  }

  get password(): string {
    return password;
  }

  directory(host: HostName): string {
    return join(this.#site.folder, `bmc-${host}`);
  }

  /** The part `fencing:` of the configuration. @param secretsFile where a host has what {@link secretsText} says */
  configText({ delay, timeout, powerTimeout }: FencingTimes, secretsFile: string = this.secretsFile): string {
    const device = (host: HostName) =>
      `    bmc-${host}: { agent: fence_ipmilan, secrets: ${secretsFile}, options: { ip: ${this.#site.address}, ipport: ${ports[host]}, lanplus: true, cipher: 3, power_wait: 0, power_timeout: ${powerTimeout} } }`;
    return `fencing:
  delay: ${delay}
  timeout: ${timeout}
  devices:
${hostNames.map(device).join('\n')}
  nodes:
${hostNames.map((host) => `    ${host}: [[bmc-${host}]]`).join('\n')}
`;
  }

  mode(host: HostName, mode: BmcMode): void {
    writeFileSync(join(this.directory(host), 'mode'), `${mode}\n`);
  }

  says(host: HostName): 'on' | 'off' {
    return readFileSync(join(this.directory(host), 'power'), 'utf8').trim() === '1' ? 'on' : 'off';
  }

  /** Its host has lost its power, or got it, by other hands. */
  sees(host: HostName, power: 'on' | 'off'): void {
    writeFileSync(join(this.directory(host), 'power'), power === 'on' ? '1\n' : '0\n');
  }

  /** The BMC gets power itself, and answers. */
  async plugIn(host: HostName): Promise<void> {
    const directory = this.directory(host);
    const argv = ['ipmi_sim', '-n', '-c', join(directory, 'lan.conf'), '-f', join(directory, 'commands')];
    const logFile = join(this.#site.logFolder, `bmc-${host}.log`);
    const sim = this.#site.spawn([...argv, '-s', join(directory, 'state')], logFile);
    this.#sims.set(host, sim);
    await waitFor(`the BMC of ${host} answers`, async () => {
      const ask = ['ipmitool', '-I', 'lanplus', '-C', '3', '-N', '1', '-R', '1', '-H', this.#site.address];
      const whom = ['-p', String(ports[host]), '-U', 'battito', '-P', password, 'chassis', 'power', 'status'];
      return (await this.#site.run([...ask, ...whom])).exitCode === 0;
    });
  }

  async unplug(host: HostName): Promise<void> {
    await this.#sims.get(host)?.stop();
  }

  async close(): Promise<void> {
    for (const sim of this.#sims.values()) await sim.stop();
  }

  #prepare(host: HostName): void {
    const directory = this.directory(host);
    mkdirSync(join(directory, 'state'), { recursive: true });
    const chassis = join(directory, 'chassis');
    this.mode(host, 'obeys');
    writeFileSync(join(directory, 'power'), '1\n');
    writeFileSync(
      chassis,
      `#!/bin/sh
# As ipmi_sim calls it: get power | set power 0|1
cd ${directory}
read -r mode < mode
case "$1 $2" in
  "get power") echo "power:$(cat power)" ;;
  "set power")
    echo "$3" >> told
    case $mode in
      obeys) echo "$3" > wanted ;;
      lies) echo "$3" > power ;;
    esac ;;
esac
`,
    );
    chmodSync(chassis, 0o755);
    writeFileSync(
      join(directory, 'lan.conf'),
      `name "${host}"
set_working_mc 0x20
  startlan 1
    addr ${this.#site.address} ${ports[host]}
    priv_limit admin
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "${chassis}"
  user 2 true "battito" "${password}" admin 10 none md2 md5 straight
`,
    );
    writeFileSync(
      join(directory, 'commands'),
      'mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n',
    );
    watch(directory, { persistent: false }, (_, file) => {
      if (file === 'wanted') void this.#carryOut(host);
    }).on('error', () => {}); // Removed at the end.
  }

  #busy = Promise.resolve();

  /** A BMC says off when it is so, and not before. */
  async #carryOut(host: HostName): Promise<void> {
    const file = join(this.directory(host), 'wanted');
    this.#busy = this.#busy.then(async () => {
      const wanted = existsSync(file) ? readFileSync(file, 'utf8').trim() : ''; // Gone: the test has ended.
      const to = wanted === '1' ? 'on' : 'off';
      if (wanted === '' || this.says(host) === to) return;
      this.told.push({ host, to });
      try {
        await (to === 'on' ? this.#site.powerOn(host) : this.#site.powerOff(host));
        writeFileSync(join(this.directory(host), 'power'), `${wanted}\n`);
      } catch (error) {
        this.failure = error;
      }
    });
    await this.#busy;
  }
}
