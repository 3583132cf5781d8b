// Linux-HA Heartbeat 3, version 1 style: ha.cf, haresources, authkeys. It broadcasts on the dedicated segment and sends
// to its peer on the LAN, as ours does.

import { floatingAddress, type HostName, hostNames } from '../../netns/support/hosts.ts';
import type { Configuration, Peer } from './peer.ts';

interface HeartbeatConfiguration extends Configuration {
  /** Lines of ha.cf; none: what the code has by itself. */
  readonly timings: readonly string[];
}

const configurations: readonly HeartbeatConfiguration[] = [
  {
    id: 'heartbeat-100ms',
    peer: 'heartbeat',
    label: 'heartbeat, keepalive 100 ms, deadtime 300 ms',
    windowMs: 300,
    timings: ['keepalive 100ms', 'warntime 200ms', 'deadtime 300ms', 'initdead 5'],
  },
  {
    id: 'heartbeat-default',
    peer: 'heartbeat',
    label: 'heartbeat, default (deadtime 30 s)',
    windowMs: 30_000,
    timings: [],
  },
];

export function haConfig(timings: readonly string[], peerAddress: string): string {
  const links = ['udpport 694', 'bcast eth1', `ucast eth0 ${peerAddress}`];
  const nodes = hostNames.map((host) => `node ${host}`);
  return [...timings, ...links, 'auto_failback off', ...nodes, 'logfacility none', ''].join('\n');
}

export const heartbeat: Peer = {
  name: 'heartbeat',
  packages: ['heartbeat'],
  configurations,
  open({ network, system }, { id }) {
    const { timings } = configurations.find((each) => each.id === id) ?? { timings: [] };
    const resources = `primary IPaddr2::${floatingAddress}/24/eth0\n`;
    return {
      async configure() {
        for (const host of hostNames) {
          const peer: HostName = host === 'primary' ? 'secondary' : 'primary';
          await system(host).write('/etc/ha.d/ha.cf', haConfig(timings, network.hosts[peer].address));
          await system(host).write('/etc/ha.d/haresources', resources);
          await system(host).write('/etc/ha.d/authkeys', 'auth 1\n1 sha1 office\n', 0o600);
        }
      },
      async start(host) {
        const folders = [
          '/run/heartbeat/ccm',
          '/run/heartbeat/dopd',
          '/run/heartbeat/rsctmp',
          '/run/heartbeat/crm',
        ];
        await system(host).command(['sh', '-c', 'mkdir -p "$@" && chown hacluster: "$@"', 'sh', ...folders]);
        system(host).spawn(['/usr/libexec/heartbeat/heartbeat']);
      },
      async isAtRest() {
        for (const host of hostNames) {
          const peer = host === 'primary' ? 'secondary' : 'primary';
          const seen = await system(host).command(['cl_status', 'nodestatus', peer]);
          if (seen.trim() !== 'active') throw new Error(`${host} sees its peer as ${seen.trim()}`);
          const held = await system(host).command(['cl_status', 'rscstatus']);
          if (!/^(local|foreign|all|none)$/.test(held.trim())) throw new Error(`${host}: ${held.trim()}`);
        }
        return true;
      },
      async handOver(from) {
        await system(from).command(['/usr/share/heartbeat/hb_standby', 'all']);
      },
    };
  },
};
