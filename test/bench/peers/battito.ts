// Ours, from this checkout, at the priority that its unit gives it. One group with the one address, both links.

import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateKeyFile } from '../../../daemon/config/key-file.ts';
import type { RequestAnswer, Status } from '../../../daemon/control/api.ts';
import { floatingAddress, gatewayAddress, type HostName, hostNames } from '../../netns/support/hosts.ts';
import { askDaemon, commandLine } from '../../netns/support/office.ts';
import type { Configuration, Peer, Site } from './peer.ts';

export interface BattitoTimings {
  readonly keepaliveMs: number;
  readonly warntimeMs: number;
  readonly deadtimeMs: number;
}

type BattitoConfiguration = Configuration & BattitoTimings;

/**
 * A takeover comes a little after deadtime, since a peer that lives needs time to freeze: deadtime is shorter than the window
 * by that. An owner freezes by what its peer has echoed, which may be two keepalives old: so there are more of them in the
 * window than the three advertisements of keepalived. 57 ms is about the shortest that the check of a configuration accepts.
 */
export const battitoConfigurations: readonly BattitoConfiguration[] = [
  { id: 'battito-10ms', keepaliveMs: 10, warntimeMs: 20, deadtimeMs: 57, windowMs: 60, times: '10 ms' },
  { id: 'battito-50ms', keepaliveMs: 50, warntimeMs: 100, deadtimeMs: 285, windowMs: 300, times: '50 ms' },
  {
    id: 'battito-500ms',
    keepaliveMs: 500,
    warntimeMs: 1000,
    deadtimeMs: 2850,
    windowMs: 3000,
    times: '500 ms',
  },
  {
    id: 'battito-default',
    ...{ keepaliveMs: 200, warntimeMs: 800, deadtimeMs: 2000, windowMs: 2100 },
    times: 'default (200 ms)',
  },
].map(({ times, ...each }) => ({
  ...each,
  peer: 'battito',
  label: `battito, keepalive ${times}, deadtime ${each.deadtimeMs} ms`,
}));

/** @param keyFile the same on both hosts */
export function battitoText(
  { keepaliveMs, warntimeMs, deadtimeMs }: BattitoTimings,
  keyFile: string,
): string {
  return `cluster: office
nodes:
  primary: { address: 192.168.1.2 }
  secondary: { address: 192.168.1.3 }
heartbeat:
  key-file: ${keyFile}
  keepalive: ${keepaliveMs}ms
  warntime: ${warntimeMs}ms
  deadtime: ${deadtimeMs}ms
  initdead: 10s
  links:
    - { interface: eth1 }
    - { interface: eth0, mode: unicast }
connectivity:
  ping: [${gatewayAddress}]
groups:
  office:
    preferred: primary
    addresses: [${floatingAddress}/24 dev eth0]
`;
}

export const battito: Peer = {
  name: 'battito',
  packages: [],
  configurations: battitoConfigurations,
  open(site, { id }) {
    const configuration = battitoConfigurations.find((each) => each.id === id);
    if (configuration === undefined) throw new Error(`there is no ${id}`);
    return openBattito(site, configuration);
  },
};

/** Ours with other timings than those that are held against peers. */
export function battitoWith(timings: BattitoTimings): { peer: Peer; configuration: Configuration } {
  const id = `battito-${timings.deadtimeMs}ms`;
  const configuration = { ...timings, id, label: id, peer: 'battito', windowMs: timings.deadtimeMs } as const;
  return { peer: { ...battito, open: (site) => openBattito(site, configuration) }, configuration };
}

function openBattito({ network }: Site, configuration: BattitoConfiguration) {
  const file = join(network.root, 'battito.yaml');
  const socket = (host: HostName) => join(network.hosts[host].runDir, 'control.sock');
  const status = (host: HostName) => askDaemon<Status>(socket(host), 'GET', '/v1/status');
  return {
    async configure() {
      const keyFile = join(network.root, 'key');
      await rm(keyFile, { force: true });
      generateKeyFile(keyFile);
      await writeFile(file, battitoText(configuration, keyFile));
    },
    async start(host: HostName) {
      const { stateDir, logsDir } = network.hosts[host];
      const places = ['--config', file, '--node', host, '--state-dir', stateDir, '--socket', socket(host)];
      const priority = ['chrt', '--rr', '--reset-on-fork', '1'];
      const logFile = join(logsDir, 'daemon.log');
      network.spawnOn(host, [...priority, commandLine, ...places, 'daemon'], { logFile });
    },
    async isAtRest() {
      for (const host of hostNames) {
        const { verdict, groups } = await status(host);
        const phase = groups[0]?.phase;
        if (verdict.kind !== 'alive' || (phase !== 'active' && phase !== 'stopped')) {
          throw new Error(`${host}: its peer is ${verdict.kind}, the group ${phase}`);
        }
      }
      return true;
    },
    async handOver(from: HostName) {
      const wish = { kind: 'handover', groups: [] };
      const answer = await askDaemon<RequestAnswer>(socket(from), 'POST', '/v1/requests', wish);
      if (answer.kind !== 'accepted') throw new Error(`the handover was refused: ${answer.message}`);
    },
  };
}
