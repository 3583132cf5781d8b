// The payload of a heartbeat: a binary echo (16 bytes) and the content as JSON. What a version does not know is
// left out when reading, so that neighbouring versions understand each other. The content seldom changes, so a
// payload that equals the last one is not parsed again.

import { z } from 'zod';
import type { Echo, HeartbeatContent } from '../core/heartbeat.ts';

const echoBytes = 16;

const groupReport = z.object({
  name: z.string(),
  phase: z.enum(['observing', 'stopped', 'blocked', 'claiming', 'starting', 'active', 'frozen', 'stopping']),
  generation: z.int().nonnegative(),
  owner: z.string().nullable(),
  holdsAddresses: z.boolean(),
  holdsRest: z.boolean(),
  claim: z
    .object({
      id: z.int().nonnegative(),
      reason: z.enum(['nobody-runs-it', 'offered', 'operator', 'resume']),
    })
    .nullable(),
  grant: z.object({ incarnation: z.int().nonnegative(), claim: z.int().nonnegative() }).nullable(),
  offer: z.boolean(),
  willing: z.boolean(),
  up: z.int().nonnegative(),
  total: z.int().nonnegative(),
  quarantined: z.int().nonnegative(),
});

const contentSchema = z.object({
  software: z.string(),
  configDigest: z.string(),
  hears: z.array(z.boolean()),
  leaving: z.boolean(),
  standby: z.boolean(),
  maintenanceMinutes: z.int().nonnegative(),
  lan: z.boolean(),
  groups: z.array(groupReport),
}) satisfies z.ZodType<HeartbeatContent>;

export interface HeartbeatEncoder {
  encode(echo: Echo | null, content: HeartbeatContent): Buffer;
}

/** Keeps the bytes of the last content, which the core hands over unchanged from one heartbeat to the next. */
export function createHeartbeatEncoder(): HeartbeatEncoder {
  let last: HeartbeatContent | null = null;
  let json = Buffer.alloc(0);
  return {
    encode(echo, content) {
      if (content !== last) {
        json = Buffer.from(JSON.stringify(content));
        last = content;
      }
      const payload = Buffer.allocUnsafe(echoBytes + json.length);
      payload.writeBigUInt64BE(BigInt(echo?.incarnation ?? 0), 0);
      payload.writeBigUInt64BE(BigInt(echo?.sequence ?? 0), 8);
      json.copy(payload, echoBytes);
      return payload;
    },
  };
}

/** `content` is null when the payload is not understood. */
export interface DecodedHeartbeat {
  readonly echo: Echo | null;
  readonly content: HeartbeatContent | null;
}

export interface HeartbeatDecoder {
  decode(payload: Buffer): DecodedHeartbeat;
}

export function createHeartbeatDecoder(): HeartbeatDecoder {
  let lastBytes = Buffer.alloc(0);
  let lastContent: HeartbeatContent | null = null;
  return {
    decode(payload) {
      if (payload.length < echoBytes) return { echo: null, content: null };
      const incarnation = Number(payload.readBigUInt64BE(0));
      const echo = incarnation === 0 ? null : { incarnation, sequence: Number(payload.readBigUInt64BE(8)) };
      const bytes = payload.subarray(echoBytes);
      if (!bytes.equals(lastBytes)) {
        lastContent = parseContent(bytes);
        lastBytes = Buffer.from(bytes);
      }
      return { echo, content: lastContent };
    },
  };
}

function parseContent(bytes: Buffer): HeartbeatContent | null {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
  return contentSchema.safeParse(value).data ?? null;
}
