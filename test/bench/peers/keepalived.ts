// keepalived: VRRP on the LAN, as its documentation has it. The standby's priority is the highest that still leaves one
// for the owner, so that its window is three advertisements and next to no skew: the fastest that it can be.

import type { HostName } from '../../netns/support/hosts.ts';
import { floatingAddress } from '../../netns/support/hosts.ts';
import type { Cluster, Configuration, Peer, Site } from './peer.ts';

interface KeepalivedConfiguration extends Configuration {
  readonly advertMs: number;
}

const configurations: readonly KeepalivedConfiguration[] = [
  { id: 'keepalived-10ms', label: 'keepalived, advert 10 ms', advertMs: 10 },
  { id: 'keepalived-20ms', label: 'keepalived, advert 20 ms', advertMs: 20 },
  { id: 'keepalived-100ms', label: 'keepalived, advert 100 ms', advertMs: 100 },
  { id: 'keepalived-1s', label: 'keepalived, default (advert 1 s)', advertMs: 1000 },
].map((each) => ({ ...each, peer: 'keepalived', windowMs: 3 * each.advertMs }));

const file = '/etc/keepalived/keepalived.conf';

export function keepalivedText(host: HostName, advertMs: number): string {
  const isFirst = host === 'primary';
  // Version 3, since version 2 of VRRP knows whole seconds only. Below one its manual advises a realtime priority; ours
  // runs at the same one.
  const priority = advertMs < 1000 ? '\n  vrrp_rt_priority 1' : '';
  const global = `global_defs {\n  vrrp_version 3${priority}\n}\n`;
  return `${global}vrrp_instance office {
  state ${isFirst ? 'MASTER' : 'BACKUP'}
  interface eth0
  virtual_router_id 51
  priority ${isFirst ? 254 : 253}
  advert_int ${advertMs / 1000}
  virtual_ipaddress {
    ${floatingAddress}/24 dev eth0
  }
}
`;
}

export const keepalived: Peer = {
  name: 'keepalived',
  packages: ['keepalived'],
  configurations,
  open: (site, { id }) => {
    const advertMs = configurations.find((each) => each.id === id)?.advertMs ?? 1000;
    return openKeepalived(site, advertMs);
  },
};

function openKeepalived(site: Site, advertMs: number): Cluster {
  return {
    async configure() {
      for (const host of ['primary', 'secondary'] as const)
        await site.system(host).write(file, keepalivedText(host, advertMs));
    },
    async start(host) {
      site.system(host).spawn(['keepalived', '--dont-fork', '--log-console', '--use-file', file]);
    },
    // It has no notion of a peer that is there: the kernels say who has the address, and the bench waits on.
    isAtRest: async () => true,
    // The documented way is to stop the owner, which then sends an advertisement of priority 0.
    async handOver(from) {
      await site.system(from).command(['sh', '-c', 'kill -TERM "$(cat /run/keepalived.pid)"']);
    },
  };
}
