// The YAML surface of the configuration: which keys exist, what each takes, its default, its description.
// Every `error` here says what is EXPECTED; problem.ts makes the sentence. Rules between keys live in check.ts,
// since zod skips refinements of a mapping that has any other fault and every problem is to be shown at once.

import { z } from 'zod';
import { durationPattern, formatDuration, parseDuration } from './duration.ts';
import {
  canonicalHostAddress,
  deviceExpected,
  floatingAddressPattern,
  interfacePattern,
  isHostIPv4,
  isMulticastIPv4,
  macPattern,
  mountExpected,
  namePattern,
  nodeNamePattern,
  parseFloatingAddress,
  parseMac,
  parseSizeMiB,
  pathPattern,
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

/** Longest duration that any key takes; well below the limit of timers (2^31 ms). */
const durationMaxMs = 168 * 3_600_000;

export const expectedName =
  'a name of letters, digits, dots, dashes and underscores (at most 31, a letter or digit first)';
export const expectedNodeName = expectedName.replace('31', '63');

function text(expected: string, pattern: RegExp) {
  return z.string({ error: expected }).regex(pattern, { error: expected });
}

/** As `text`, for names: `7` and `true` are names too, only YAML does not take them for text. */
function nameText(expected: string, pattern: RegExp) {
  const error = ({ input }: { readonly input?: unknown }) =>
    typeof input === 'number' || typeof input === 'boolean' ? `${expected}, in quotes` : expected;
  return z.string({ error }).regex(pattern, { error: expected });
}

/** A text that `parse` understands; the parsed value is what the configuration holds. */
function parsed<Value>(expected: string, pattern: RegExp, parse: (text: string) => Value | undefined) {
  return text(expected, pattern)
    .refine((value) => parse(value) !== undefined, { error: expected })
    .transform((value) => parse(value) as Value);
}

function duration(durationMinMs = 0) {
  const within = (value: string) => {
    const durationMs = parseDuration(value) ?? durationMinMs;
    return durationMs >= durationMinMs && durationMs <= durationMaxMs;
  };
  const range = `from ${formatDuration(durationMinMs)} to ${formatDuration(durationMaxMs)}`;
  return text('a duration such as 200ms or 2s', durationPattern)
    .refine(within, { error: `a duration ${range}` })
    .transform((value) => parseDuration(value) as number);
}

function mapping<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, { error: `a mapping with the keys ${Object.keys(shape).join(', ')}` });
}

/** Names are checked in check.ts: zod does not look into the value of a record's wrong key. */
function named<Item extends z.ZodType>(expected: string, pattern: RegExp, item: Item) {
  return z
    .record(z.string(), item, { error: expected })
    .meta({ propertyNames: { type: 'string', pattern: pattern.source } });
}

function wholeNumber(expected: string, min: number, max: number) {
  return z.int({ error: expected }).min(min, { error: expected }).max(max, { error: expected });
}

const ipv4 = z
  .string({ error: 'an IPv4 address such as 192.168.1.2' })
  .refine(isHostIPv4, { error: 'an IPv4 address such as 192.168.1.2' })
  .meta({ format: 'ipv4' });
const hostAddress = z
  .string({ error: 'an IPv4 or IPv6 address' })
  .refine((value) => canonicalHostAddress(value) !== undefined, { error: 'an IPv4 or IPv6 address' })
  .transform((value) => canonicalHostAddress(value) as string);
const port = wholeNumber('a UDP port from 1 to 65535', 1, 65_535);
const interfaceName = text(
  'the name of a network interface such as eth0 (at most 15 characters)',
  interfacePattern,
);
const absolutePath = text('an absolute path', pathPattern);

/** As `absolutePath`, where more is expected of a path than its form; `expects` says what, null when it is met. */
function explainedPath(expects: (path: string) => string | null) {
  const error = ({ input }: { readonly input?: unknown }) =>
    (typeof input === 'string' ? expects(input) : null) ?? 'an absolute path';
  return z
    .string({ error })
    .regex(pathPattern, { error })
    .refine((path) => expects(path) === null, { error });
}

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
    .describe('Silence after which the peer counts as late.'),
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
      'Addresses beyond both nodes, such as the gateway, that tell "I am cut off" from "the peer is dead".',
    ),
});

const disk = z.union(
  [
    absolutePath.describe('Path of the image; its format follows from the extension.'),
    mapping({
      file: absolutePath.describe('Path of the image or block device.'),
      format: z
        .enum(['qcow2', 'raw'], { error: 'qcow2 or raw' })
        .optional()
        .describe('Format of the image. Default: qcow2 for .qcow2, else raw.'),
      locking: z
        .enum(['auto', 'off'], { error: 'auto or off' })
        .default('auto')
        .describe("QEMU's image locks; off for storage whose locks outlive a frozen host."),
    }),
  ],
  { error: 'an absolute path, or a mapping with the keys file, format, locking' },
);

const network = mapping({
  bridge: interfaceName.describe('Bridge that the guest is plugged into, the same on both nodes.'),
  mac: parsed('a MAC address of one card such as 52:54:00:12:34:56', macPattern, parseMac).describe(
    "The card's address, the same wherever the guest runs.",
  ),
  model: text('a QEMU network device such as virtio-net-pci', /^[A-Za-z0-9][A-Za-z0-9._-]*$/)
    .default('virtio-net-pci')
    .describe('Card that QEMU emulates.'),
});

const guest = mapping({
  name: nameText(expectedName, namePattern).describe('Name of the guest, unique in the cluster.'),
  driver: z.literal('qemu', { error: 'qemu' }).describe('qemu: the daemon runs QEMU itself.'),
  memory: parsed('a size such as 64M or 1G', sizePattern, parseSizeMiB).describe(
    'Memory, such as 64M or 1G.',
  ),
  cpus: wholeNumber('a whole number from 1 to 255', 1, 255).default(1).describe('Number of virtual CPUs.'),
  disk: disk.describe('The image that the guest boots from, reachable on both nodes.'),
  network: network.optional().describe('Network card. Default: none.'),
  vnc: text('a VNC display such as 127.0.0.1:1', /^[0-9A-Za-z.:[\]-]*:[0-9]{1,5}$/)
    .optional()
    .describe('VNC display as QEMU takes it, such as 127.0.0.1:1. Default: none.'),
  serial: absolutePath.optional().describe('File that the first serial port is appended to. Default: none.'),
  accel: z
    .enum(['auto', 'kvm', 'tcg'], { error: 'auto, kvm or tcg' })
    .default('auto')
    .describe('auto: KVM where there is one, else emulation.'),
  'shutdown-timeout': duration()
    .prefault('60s')
    .describe('How long an orderly shutdown may take before the guest is switched off.'),
  'start-timeout': duration(1000).prefault('30s').describe('How long a start may take; at least 1s.'),
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
  guests: z
    .array(guest, { error: 'a list of guests' })
    .default([])
    .describe('Guests, in the order of their start.'),
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
    const within: JsonSchema | undefined = withProperties(schema);
    schema =
      typeof segment === 'number'
        ? within?.items
        : (within?.properties?.[segment] ?? (within?.additionalProperties || undefined));
  }
  return Object.keys(withProperties(schema)?.properties ?? {});
}

function withProperties(schema: JsonSchema | undefined): JsonSchema | undefined {
  return schema?.anyOf?.find((branch) => branch.properties !== undefined) ?? schema;
}
