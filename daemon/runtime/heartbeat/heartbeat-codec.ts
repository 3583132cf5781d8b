// The payload of a heartbeat: a binary echo (16 bytes) and the content as compact JSON, so that twelve groups fit
// into one packet. What a version does not know is left out when reading, so that neighbouring versions understand
// each other: keys may be added, and fields at the end of a group. The content seldom changes, so a payload that
// equals the last one is not parsed again. Remarks, which are for people, are one more key of the JSON: what does not
// fit of them is left out, and what is wrong with them costs nothing of the content.

import * as z from 'zod';
import type { GroupRemarks } from '../../control/api.ts';
import {
  claimReasons,
  type Echo,
  type GroupReport,
  type HeartbeatContent,
  phaseKinds,
} from '../../core/heartbeat.ts';
import { isSame } from '../../core/same.ts';
import { payloadBytesMax } from '../../drivers/link/wire.ts';
import { decodeRemarks, encodeRemarks } from './remarks-codec.ts';

const echoBytes = 16;

/** Bits by position: only ever append. */
const groupFlags = [
  'holdsAddresses',
  'holdsRest',
  'offer',
  'willing',
  'alone',
  'outdated',
  'wantsOutdated',
  'discarding',
  'sole',
  'stuck',
  'apart',
] as const;
const nodeFlags = ['leaving', 'standby', 'lan'] as const;

const count = z.int().nonnegative();
const wireGroup = z
  .tuple([
    z.string(), // name
    count.max(phaseKinds.length - 1), // phase
    count, // generation
    count.max(2), // owner: 0 nobody, 1 the sender, 2 the receiver
    count, // flags
    z.union([z.literal(0), z.tuple([count, count.max(claimReasons.length - 1)])]), // claim: id, reason
    z.union([z.literal(0), z.tuple([count, count])]), // grant: incarnation, claim
    count, // up
    count, // total
    count, // quarantined
    count.max(2).default(0), // writer: as owner
    z.array(z.string()).optional(), // inviting; absent: to nothing
  ])
  .rest(z.unknown());

const wireContent = z.object({
  software: z.string(),
  config: z.string(),
  hears: count,
  links: count,
  flags: count,
  maintenance: count,
  freeze: z.number().nonnegative(),
  gateways: count.nullable().default(null),
  watchdog: z.number().nonnegative().nullable().default(null),
  groups: z.array(wireGroup),
});

type Flags<K extends string> = Readonly<Record<K, boolean>>;

function packFlags<K extends string>(names: readonly K[], flags: Flags<K>): number {
  return names.reduce((sum, name, bit) => sum + (flags[name] ? 2 ** bit : 0), 0);
}

function unpackFlags<K extends string>(names: readonly K[], packed: number): Flags<K> {
  return Object.fromEntries(names.map((name, bit) => [name, hasBit(packed, bit)])) as Flags<K>;
}

const hasBit = (packed: number, bit: number) => Math.floor(packed / 2 ** bit) % 2 === 1;

/** The names of the two nodes, as the wire does not repeat them. */
export interface Correspondents {
  readonly sender: string;
  readonly receiver: string;
}

const packName = (name: string | null, { sender, receiver }: Correspondents) =>
  name === sender ? 1 : name === receiver ? 2 : 0;

function packGroup(group: GroupReport, names: Correspondents): z.infer<typeof wireGroup> {
  const { claim, grant } = group;
  return [
    group.name,
    phaseKinds.indexOf(group.phase),
    group.generation,
    packName(group.owner, names),
    packFlags(groupFlags, group),
    claim === null ? 0 : [claim.id, claimReasons.indexOf(claim.reason)],
    grant === null ? 0 : [grant.incarnation, grant.claim],
    group.up,
    group.total,
    group.quarantined,
    packName(group.writer, names),
    ...(group.inviting.length === 0 ? [] : [[...group.inviting]]),
  ];
}

function unpackGroup(wire: z.infer<typeof wireGroup>, names: Correspondents): GroupReport {
  const [name, phase, generation, owner, flags, claim, grant, up, total, quarantined, writer, inviting = []] =
    wire;
  return {
    name,
    phase: phaseKinds[phase] ?? 'observing',
    generation,
    owner: [null, names.sender, names.receiver][owner] ?? null,
    writer: [null, names.sender, names.receiver][writer] ?? null,
    ...unpackFlags(groupFlags, flags),
    claim: claim === 0 ? null : { id: claim[0], reason: claimReasons[claim[1]] ?? 'nobody-runs-it' },
    grant: grant === 0 ? null : { incarnation: grant[0], claim: grant[1] },
    up,
    total,
    quarantined,
    inviting,
  };
}

function packContent(content: HeartbeatContent, names: Correspondents): z.infer<typeof wireContent> {
  return {
    software: content.software,
    config: content.configDigest,
    hears: content.hears.reduce((sum, heard, bit) => sum + (heard ? 2 ** bit : 0), 0),
    links: content.hears.length,
    flags: packFlags(nodeFlags, content),
    maintenance: content.maintenanceMinutes,
    freeze: content.freezeAfterMs,
    gateways: content.gateways,
    watchdog: content.watchdogMs,
    groups: content.groups.map((group) => packGroup(group, names)),
  };
}

function unpackContent(wire: z.infer<typeof wireContent>, names: Correspondents): HeartbeatContent {
  return {
    software: wire.software,
    configDigest: wire.config,
    hears: Array.from({ length: Math.min(wire.links, 32) }, (_, bit) => hasBit(wire.hears, bit)),
    ...unpackFlags(nodeFlags, wire.flags),
    maintenanceMinutes: wire.maintenance,
    freezeAfterMs: wire.freeze,
    gateways: wire.gateways,
    watchdogMs: wire.watchdog,
    groups: wire.groups.map((group) => unpackGroup(group, names)),
  };
}

export interface HeartbeatEncoder {
  encode(echo: Echo | null, content: HeartbeatContent, remarks?: readonly GroupRemarks[]): Buffer;
}

/** Keeps the bytes of the last content, which the core hands over unchanged from one heartbeat to the next. */
export function createHeartbeatEncoder(names: Correspondents): HeartbeatEncoder {
  let last: HeartbeatContent | null = null;
  let json = Buffer.alloc(0);
  return {
    encode(echo, content, remarks = []) {
      if (content !== last) {
        json = packed(content, names);
        last = content;
      }
      const body = withRemarks(json, remarks);
      const payload = Buffer.allocUnsafe(echoBytes + body.length);
      payload.writeBigUInt64BE(BigInt(echo?.incarnation ?? 0), 0);
      payload.writeBigUInt64BE(BigInt(echo?.sequence ?? 0), 8);
      body.copy(payload, echoBytes);
      return payload;
    },
  };
}

/** Of devices to which the receiver is invited those that there is room for; the guests of the others go another way. */
function packed(content: HeartbeatContent, names: Correspondents): Buffer<ArrayBuffer> {
  let groups = content.groups;
  for (;;) {
    const json = Buffer.from(JSON.stringify(packContent({ ...content, groups }, names)));
    const last = groups.findLastIndex(({ inviting }) => inviting.length > 0);
    if (json.length <= payloadBytesMax - echoBytes || last < 0) return json;
    groups = groups.map((group, index) =>
      index === last ? { ...group, inviting: group.inviting.slice(0, -1) } : group,
    );
  }
}

const remarksKey = Buffer.from(',"remarks":');
const closingBrace = Buffer.from('}');

/** The object that `json` is, with one key more where there is something to remark and room for it. */
function withRemarks(json: Buffer, remarks: readonly GroupRemarks[]): Buffer {
  const room = payloadBytesMax - echoBytes - json.length - remarksKey.length;
  const text = encodeRemarks(remarks, room);
  if (text === null) return json;
  return Buffer.concat([json.subarray(0, -1), remarksKey, Buffer.from(text), closingBrace]);
}

/** `content` is null when the payload is not understood. */
export interface DecodedHeartbeat {
  readonly echo: Echo | null;
  readonly content: HeartbeatContent | null;
  /** Empty: there are none, or they are not understood. */
  readonly remarks: readonly GroupRemarks[];
}

export interface HeartbeatDecoder {
  decode(payload: Buffer): DecodedHeartbeat;
}

export function createHeartbeatDecoder(names: Correspondents): HeartbeatDecoder {
  let lastBytes = Buffer.alloc(0);
  let last: Parsed = nothing;
  return {
    decode(payload) {
      if (payload.length < echoBytes) return { echo: null, ...nothing };
      const incarnation = Number(payload.readBigUInt64BE(0));
      const echo = incarnation === 0 ? null : { incarnation, sequence: Number(payload.readBigUInt64BE(8)) };
      const bytes = payload.subarray(echoBytes);
      if (!bytes.equals(lastBytes)) {
        const parsed = parse(bytes, names);
        // The journal tells by identity that a content repeats: remarks that tick must not make it a new one.
        last = isSame(parsed.content, last.content) ? { ...parsed, content: last.content } : parsed;
        lastBytes = Buffer.from(bytes);
      }
      return { echo, ...last };
    },
  };
}

type Parsed = Omit<DecodedHeartbeat, 'echo'>;
const nothing: Parsed = { content: null, remarks: [] };

/** No more than that it has the key is asked of it here. */
const wireRemarked = z.object({ remarks: z.unknown() });

function parse(bytes: Buffer, names: Correspondents): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return nothing;
  }
  const { data } = wireContent.safeParse(value);
  if (data === undefined) return nothing;
  const { data: remarked } = wireRemarked.safeParse(value);
  return { content: unpackContent(data, names), remarks: decodeRemarks(remarked?.remarks) };
}
