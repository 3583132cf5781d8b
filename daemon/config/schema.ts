// The YAML surface of the configuration: which keys exist, what each takes, its default, its description.
// Every `error` here says what is EXPECTED; problem.ts makes the sentence. Guests have a file of their own. Rules between
// keys live in check.ts, since zod skips refinements of a mapping that has any other fault and every problem is to be
// shown at once.

import * as z from 'zod';
import { drill } from './schema-drill.ts';
import { fencing } from './schema-fencing.ts';
import { guests } from './schema-guests.ts';
import { metrics } from './schema-metrics.ts';
import { notify } from './schema-notify.ts';
import {
  absolutePath,
  duration,
  expectedName,
  explainedPath,
  interfaceName,
  mapping,
  named,
  nameText,
  parsed,
  text,
  wholeNumber,
} from './schema-parts.ts';
import { schedule } from './schema-schedule.ts';
import { watchdog } from './schema-watchdog.ts';
import { web } from './schema-web.ts';
import { witness } from './schema-witness.ts';
import {
  canonicalHostAddress,
  deviceExpected,
  floatingAddressPattern,
  isHostIPv4,
  isMulticastIPv4,
  libvirtUriPattern,
  mountExpected,
  namePattern,
  nodeNamePattern,
  parseFloatingAddress,
  parseSizeMiB,
  sizePattern,
} from './values.ts';

/** Heartbeat's timings when the file does not give them. */
export const defaultTimings = {
  keepalive: '200ms',
  warntime: '800ms',
  deadtime: '2s',
  initdead: '30s',
} as const;
export const defaultMulticastGroup = '239.255.66.94';
export const defaultLibvirtUri = 'qemu:///system';

const ipv4 = z
  .string({ error: 'an IPv4 address such as 192.168.1.2' })
  .refine(isHostIPv4, { error: 'an IPv4 address such as 192.168.1.2' })
  .meta({ format: 'ipv4' });
const hostAddress = z
  .string({ error: 'an IPv4 or IPv6 address' })
  .refine((value) => canonicalHostAddress(value) !== undefined, { error: 'an IPv4 or IPv6 address' })
  .transform((value) => canonicalHostAddress(value) as string);
const port = wholeNumber('a UDP port from 1 to 65535', 1, 65_535);

const node = mapping({
  address: ipv4.describe("The node's own IPv4 address on the LAN, never the floating one."),
});

const link = mapping({
  interface: interfaceName.describe("The kernel's name of the interface, the same on both nodes."),
  mode: z
    .enum(['broadcast', 'multicast', 'unicast'], { error: 'broadcast, multicast or unicast' })
    .default('broadcast')
    .describe('How packets reach the peer on this link.'),
  port: port.optional().describe('UDP port of this link. Default: heartbeat.port.'),
  group: z
    .string({ error: `an IPv4 multicast address such as ${defaultMulticastGroup}` })
    .refine(isMulticastIPv4, { error: `an IPv4 multicast address such as ${defaultMulticastGroup}` })
    .meta({ format: 'ipv4' })
    .optional()
    .describe(`Multicast address; only for mode multicast. Default: ${defaultMulticastGroup}.`),
  addresses: named('a mapping of each node to its address on this link', nodeNamePattern, ipv4)
    .optional()
    .describe("Each node's address on this link; only for mode unicast. Default: the nodes' addresses."),
});

const heartbeat = mapping({
  'key-file': absolutePath
    .default('/etc/battito/key')
    .describe('File with the shared key, made by `battito keygen`, mode 0600, the same on both nodes.'),
  port: port.default(694).describe('UDP port of every link that does not give its own.'),
  keepalive: duration(10)
    .prefault(defaultTimings.keepalive)
    .describe('Time between two heartbeats; at least 10ms.'),
  warntime: duration()
    .prefault(defaultTimings.warntime)
    .describe('Silence after which the peer counts as late; at least twice keepalive.'),
  deadtime: duration().prefault(defaultTimings.deadtime).describe('Silence after which the peer is judged.'),
  initdead: duration()
    .prefault(defaultTimings.initdead)
    .describe('How long a node that starts alone waits for its peer; at least deadtime.'),
  links: z
    .array(link, { error: 'a list of at least one link' })
    .min(1, { error: 'a list of at least one link' })
    .describe('Paths for heartbeats. The peer is alive while any of them is fresh; give two or more.'),
});

const connectivity = mapping({
  ping: z
    .array(hostAddress, { error: 'a list of addresses' })
    .default([])
    .describe(
      'Addresses beyond both nodes, such as the gateway, that tell "I am cut off" from "the peer is dead"; of several, a group goes to the node that reaches more.',
    ),
});

const libvirt = mapping({
  uri: text("a URI of libvirt's QEMU driver such as qemu:///system", libvirtUriPattern)
    .default(defaultLibvirtUri)
    .describe('Where libvirt is asked, as virsh -c takes it.'),
});

const start = mapping({
  parallel: wholeNumber('a whole number from 1 to 64', 1, 64)
    .optional()
    .describe('How many guests may start at the same time, from 1 to 64. Default: by the number of cores.'),
  'memory-reserve': parsed('a size such as 512M or 1G', sizePattern, parseSizeMiB)
    .optional()
    .describe("What guests leave free, such as 1G. Default: by the host's memory."),
});

const drbdName = nameText(
  'the name of a DRBD resource such as r0 (letters, digits, dots, dashes and underscores)',
  namePattern,
).refine((name) => name !== 'all', {
  error: "the name of one DRBD resource such as r0 (all is drbdadm's word for every one)",
});

const filesystem = mapping({
  device: explainedPath(deviceExpected).describe(
    'Block device, such as /dev/drbd0 or /dev/drbd/by-res/r0/0.',
  ),
  mount: explainedPath(mountExpected).describe('Where it is mounted; an empty directory on both nodes.'),
  type: text('a file system type such as ext4 or xfs', /^[a-z0-9_.-]{1,31}$/)
    .default('ext4')
    .describe('Type of the file system.'),
  options: text('options of mount(8) such as noatime,discard', /^[!-~]{1,255}$/)
    .default('defaults')
    .describe('Options, as mount -o takes them.'),
  fsck: z
    .boolean({ error: 'true or false' })
    .default(false)
    .describe('Whether it is checked (fsck -p) before it is mounted; a journal is replayed in any case.'),
});

const group = mapping({
  preferred: nameText('the name of a node', nodeNamePattern).describe(
    'Node that runs the group when both could.',
  ),
  failback: z
    .enum(['manual', 'automatic'], { error: 'manual or automatic' })
    .default('manual')
    .describe('Whether the group goes back to the preferred node by itself.'),
  'failback-delay': duration()
    .prefault('1m')
    .describe(
      'How long the preferred node must have been back, without a gap, before an automatic failback.',
    ),
  addresses: z
    .array(
      parsed('an address such as 192.168.1.1/24 dev eth0', floatingAddressPattern, parseFloatingAddress),
      { error: 'a list of addresses such as 192.168.1.1/24 dev eth0' },
    )
    .default([])
    .describe('Floating addresses, IPv4 or IPv6, as `ip address add` takes them.'),
  drbd: z
    .array(drbdName, { error: 'a list of DRBD resources such as r0' })
    .default([])
    .describe('DRBD resources that are promoted where the group runs, before anything that stands on them.'),
  filesystems: z
    .array(filesystem, { error: 'a list of file systems' })
    .default([])
    .describe(
      'File systems that are mounted where the group runs, before its guests; one under another comes after it.',
    ),
  guests: guests
    .default([])
    .describe(
      'Guests: a list of names, of mappings with options, and of the word all; or only all. all is every libvirt domain whose disks all lie on the storage of the group, and has the options that are the default.',
    ),
});

/** The whole file. Its output still has the file's shape; load.ts makes a `Config` of it. */
export const configSchema = mapping({
  cluster: nameText(expectedName, namePattern).describe(
    'Name of the cluster; packets of another one are ignored.',
  ),
  nodes: named('a mapping of exactly two nodes', nodeNamePattern, node)
    .meta({
      minProperties: 2,
      maxProperties: 2,
      propertyNames: { type: 'string', pattern: nodeNamePattern.source },
    })
    .describe('The two nodes by name; by default a daemon is the node with the name of its host.'),
  heartbeat: heartbeat.describe('How the nodes watch each other.'),
  connectivity: connectivity.prefault({}).describe('How a node tells whether it is cut off itself.'),
  libvirt: libvirt.prefault({}).describe('How guests that are libvirt domains are reached.'),
  start: start.prefault({}).describe('How many guests a node takes, and how many at once.'),
  fencing: fencing
    .optional()
    .describe('What switches a silent node off, so that a takeover needs no guess. Default: nothing does.'),
  witness: witness
    .optional()
    .describe('A third party that lends one lease to one of the two nodes at a time.'),
  watchdog: watchdog
    .optional()
    .describe('What resets a host whose daemon no longer decides, or that may not go on and cannot stop.'),
  drill: drill.optional().describe('What is drilled by itself, and when. Default: nothing is.'),
  schedule: schedule.prefault({}),
  notify: notify
    .optional()
    .describe('Who is told what went wrong, what was done and what is to do. Default: nobody.'),
  metrics: metrics
    .optional()
    .describe('Where what is measured is written for node_exporter. Default: nowhere.'),
  web: web
    .optional()
    .describe(
      'The web page of each node: its status, live, and actions after a login. Default: there is none.',
    ),
  groups: named('a mapping of at least one group', namePattern, group)
    .meta({ minProperties: 1, propertyNames: { type: 'string', pattern: namePattern.source } })
    .describe('What moves together, by name.'),
}).meta({ title: 'Battito configuration' });

export type ConfigFile = z.output<typeof configSchema>;

/** The part of a JSON Schema that this program reads. */
export interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | false;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly description?: string;
}

/** JSON Schema (draft 2020-12) of the file as it is written, for editors and for the documentation. */
export function configJsonSchema(): JsonSchema {
  return z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema;
}

/** Keys that the mapping at `path` takes, in the order of the schema. */
export function knownKeysAt(path: readonly (string | number)[]): string[] {
  let schema: JsonSchema | undefined = configJsonSchema();
  for (const segment of path) {
    const within: JsonSchema | undefined = withParts(schema);
    schema =
      typeof segment === 'number'
        ? within?.items
        : (within?.properties?.[segment] ?? (within?.additionalProperties || undefined));
  }
  return Object.keys(withParts(schema)?.properties ?? {});
}

function withParts(schema: JsonSchema | undefined): JsonSchema | undefined {
  return schema?.anyOf?.find((branch) => (branch.properties ?? branch.items) !== undefined) ?? schema;
}
