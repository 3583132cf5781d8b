// ucarp: CARP on the LAN; two scripts add and remove the address. SIGUSR2 makes the master step down (ucarp(8)).

import type { HostName } from '../../netns/support/hosts.ts';
import { floatingAddress } from '../../netns/support/hosts.ts';
import type { Peer } from './peer.ts';

const script = (verb: 'add' | 'del') => `#!/bin/sh\nexec ip addr ${verb} "$2/24" dev "$1"\n`;

export const ucarp: Peer = {
  name: 'ucarp',
  packages: ['ucarp'],
  configurations: [{ id: 'ucarp-1s', peer: 'ucarp', label: 'ucarp, default (1 s)', windowMs: 3000 }],
  open: ({ network, system }) => ({
    async configure() {
      for (const host of ['primary', 'secondary'] as const) {
        await system(host).write('/etc/vip-up', script('add'), 0o755);
        await system(host).write('/etc/vip-down', script('del'), 0o755);
      }
    },
    async start(host: HostName) {
      system(host).spawn([
        ...[
          'ucarp',
          '--interface=eth0',
          `--srcip=${network.hosts[host].address}`,
          `--addr=${floatingAddress}`,
        ],
        ...[
          '--vhid=1',
          '--pass=office',
          '--upscript=/etc/vip-up',
          '--downscript=/etc/vip-down',
          '--shutdown',
        ],
        `--advskew=${host === 'primary' ? 0 : 1}`,
      ]);
    },
    isAtRest: async () => true,
    async handOver(from) {
      await system(from).command(['pkill', '-USR2', '-x', 'ucarp']);
    },
  }),
};
