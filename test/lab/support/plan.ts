// What a lab looks like: its nodes, its cables, its addresses. The image (test/lab/image) says the same of the inside.

export const nodeNames = ['primary', 'secondary'] as const;
export type NodeName = (typeof nodeNames)[number];

/** The cables that a test may pull: the office's LAN (eth0), and the dedicated segment (eth1). */
export const cables = ['lan', 'heartbeat'] as const;
export type Cable = (typeof cables)[number];

/** Every network, with the cards in the order of their slots. The last is the way in, and is never cut. */
export const networks = ['lan', 'heartbeat', 'mgmt'] as const;
export type NetworkName = (typeof networks)[number];

/** Whoever else is on the LAN. */
export const outsiders = ['gateway', 'client'] as const;
export type Outsider = (typeof outsiders)[number];

export const lanPrefixBits = 24;
export const outsiderAddresses: Readonly<Record<Outsider, string>> = {
  gateway: '192.168.1.254',
  client: '192.168.1.100',
};

interface NodePlan {
  readonly lan: string;
  readonly heartbeat: string;
  readonly mgmt: string;
  readonly machineId: string;
  /** The last byte of its cards' addresses. */
  readonly number: number;
}

export const nodePlans: Readonly<Record<NodeName, NodePlan>> = {
  primary: {
    lan: '192.168.1.2',
    heartbeat: '10.0.0.2',
    mgmt: '172.31.255.2',
    machineId: '00000000000000000000000000000002',
    number: 2,
  },
  secondary: {
    lan: '192.168.1.3',
    heartbeat: '10.0.0.3',
    mgmt: '172.31.255.3',
    machineId: '00000000000000000000000000000003',
    number: 3,
  },
};

/** Our own end of the management network. */
export const mgmtAddress = '172.31.255.1/24';

/** The interface inside the node. */
export const interfaceOf: Readonly<Record<NetworkName, string>> = {
  lan: 'eth0',
  heartbeat: 'eth1',
  mgmt: 'mgmt',
};

const shortNames: Readonly<Record<NetworkName, string>> = { lan: 'lan', heartbeat: 'hb', mgmt: 'mgmt' };

/** The tap that is this node's port on the switch: at most 15 characters. */
export const tapName = (network: NetworkName, node: NodeName) => `${shortNames[network]}-${node}`;

export const bridgeName = (network: NetworkName) => `br-${shortNames[network]}`;

export function cardAddress(network: NetworkName, node: NodeName): string {
  return `52:54:00:00:0${networks.indexOf(network)}:0${nodePlans[node].number}`;
}

/**
 * The cards of everybody who is no node have fixed addresses as well: nodes that go on from a saved state remember
 * those of the lab where it was saved, and would talk to nobody for half a minute.
 */
export const ourAddress = (network: NetworkName) => `52:54:00:00:1${networks.indexOf(network)}:01`;

export const outsiderCard = (outsider: Outsider) => `52:54:00:00:20:0${outsiders.indexOf(outsider) + 1}`;

export const otherNode = (node: NodeName): NodeName => (node === 'primary' ? 'secondary' : 'primary');
