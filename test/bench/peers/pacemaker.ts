// Pacemaker on corosync: two knet links as ours has, two nodes, no fencing (with fencing it would need a device as ours
// would). Tuned: a token of 300 ms and knet's pings to match.

import type { TestNetwork } from '../../netns/support/cluster.ts';
import { floatingAddress, hostNames } from '../../netns/support/hosts.ts';
import { waitFor } from '../../support.ts';
import type { Configuration, Peer } from './peer.ts';

const configurations: readonly Configuration[] = [
  { id: 'pacemaker-300ms', peer: 'pacemaker', label: 'pacemaker, token 300 ms, knet tuned', windowMs: 300 },
  { id: 'pacemaker-default', peer: 'pacemaker', label: 'pacemaker, default (token 3 s)', windowMs: 3000 },
];

export function corosyncText(hosts: TestNetwork['hosts'], isTuned: boolean): string {
  const pings = '\n    knet_ping_interval: 50\n    knet_ping_timeout: 150\n    knet_pong_count: 1';
  const link = (number: number) => `
  interface {
    linknumber: ${number}${isTuned ? pings : ''}
  }`;
  const nodes = hostNames.map(
    (host, index) => `
  node {
    name: ${host}
    nodeid: ${index + 1}
    ring0_addr: ${hosts[host].heartbeatAddress}
    ring1_addr: ${hosts[host].address}
  }`,
  );
  return `totem {
  version: 2
  cluster_name: office
  transport: knet${isTuned ? '\n  token: 300' : ''}${link(0)}${link(1)}
}
nodelist {${nodes.join('')}
}
quorum {
  provider: corosync_votequorum
  two_node: 1
  wait_for_all: 0
}
logging {
  to_syslog: no
  to_stderr: yes
}
`;
}

const address = `<primitive id="address" class="ocf" provider="heartbeat" type="IPaddr2">
  <instance_attributes id="address-attributes">
    <nvpair id="address-ip" name="ip" value="${floatingAddress}"/>
    <nvpair id="address-prefix" name="cidr_netmask" value="24"/>
    <nvpair id="address-interface" name="nic" value="eth0"/>
  </instance_attributes>
  <operations><op id="address-monitor" name="monitor" interval="10s"/></operations>
</primitive>`;
const preference = '<rsc_location id="address-prefers" rsc="address" node="primary" score="50"/>';

export const pacemaker: Peer = {
  name: 'pacemaker',
  packages: ['pacemaker', 'corosync', 'pacemaker-cli-utils', 'resource-agents'],
  configurations,
  open({ network, system }, { id }) {
    let isSetUp = false;
    return {
      async configure() {
        const text = corosyncText(network.hosts, id === 'pacemaker-300ms');
        for (const host of hostNames) await system(host).write('/etc/corosync/corosync.conf', text);
      },
      async start(host) {
        system(host).spawn(['corosync', '-f']);
        await waitFor(`corosync of ${host} answers`, () => system(host).command(['corosync-cfgtool', '-s']));
        system(host).spawn(['pacemakerd', '-f']);
      },
      async isAtRest() {
        const status = await system('primary').command(['crm_mon', '--one-shot', '--output-as=xml']);
        const online = status.match(/<node [^>]*\bonline="true"/g)?.length ?? 0;
        if (online < hostNames.length || !status.includes('with_quorum="true"'))
          throw new Error(`${online} nodes are online`);
        if (!isSetUp) {
          isSetUp = true;
          for (const [scope, name, value] of [
            ['crm_config', 'stonith-enabled', 'false'],
            ['crm_config', 'no-quorum-policy', 'ignore'],
            ['rsc_defaults', 'resource-stickiness', '100'],
          ] as const) {
            await system('primary').command(['crm_attribute', '-t', scope, '-n', name, '-v', value]);
          }
          for (const [scope, xml] of [
            ['resources', address],
            ['constraints', preference],
          ] as const) {
            await system('primary').command(['cibadmin', '--create', '--scope', scope, '--xml-text', xml]);
          }
          return false;
        }
        const controller = await system('primary').command(['crmadmin', '--dc_lookup']);
        const name = /: (\w+)\s*$/.exec(controller.trim())?.[1] ?? 'primary';
        const state = await system('primary').command(['crmadmin', `--status=${name}`]);
        return state.includes('S_IDLE');
      },
      async handOver(from) {
        const other = from === 'primary' ? 'secondary' : 'primary';
        await system(from).command(['crm_resource', '--move', '--resource', 'address', '--node', other]);
      },
    };
  },
};
