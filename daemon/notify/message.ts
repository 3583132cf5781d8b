// One message, whatever the channel: what is mailed, posted and handed to a hook, and what waits in the queue's file.

import * as z from 'zod';
import type { NotifyChannelConfig } from '../config/config.ts';

const severity = z.enum(['info', 'warning', 'alarm']);

const line = z.object({
  /** Milliseconds since the beginning. */
  atMs: z.number(),
  severity,
  group: z.string().nullable(),
  code: z.string(),
  text: z.string(),
  next: z.string().nullable(),
  tookMs: z.number().nullable(),
});

export const messageSchema = z.object({
  /** The same in every attempt: whoever got it already can tell. */
  id: z.string(),
  cluster: z.string(),
  node: z.string(),
  /** An incident's, or what else is told: test, recovered, repeated. */
  kind: z.string(),
  severity,
  /** The severity that a channel must want to get it: a recovery goes where the trouble was told. */
  rank: z.enum(['warning', 'alarm']),
  groups: z.array(z.string()),
  startedAt: z.string(),
  durationMs: z.number(),
  /** From the peer's last packet until a group that was taken over was up. */
  outageMs: z.number().nullable(),
  summary: z.string(),
  subject: z.string(),
  /** All of it, for a person. */
  text: z.string(),
  lines: z.array(line),
  /** What needs a person now, most urgent first. */
  attention: z.array(z.object({ severity, code: z.string(), message: z.string(), next: z.string() })),
  /** How often the same came since it was told last. */
  repeats: z.number(),
});

export type Message = z.output<typeof messageSchema>;
export type MessageLine = Message['lines'][number];
export type Rank = Message['rank'];

/**
 * What became of one attempt. `later`: worth another one soon; `refused`: a person has to mend something, then it is
 * worth another one; `failed`: it is not to be tried again.
 */
export type Delivery =
  | { readonly kind: 'sent'; readonly message: string }
  | { readonly kind: 'later' | 'refused' | 'failed'; readonly message: string; readonly next: string };

export const deliverySchema: z.ZodType<Delivery> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('sent'), message: z.string() }),
  z.object({ kind: z.enum(['later', 'refused', 'failed']), message: z.string(), next: z.string() }),
]);

const mail = { to: z.array(z.string()), from: z.string().nullable() };
const channelSchema: z.ZodType<NotifyChannelConfig> = z.object({
  name: z.string(),
  severity: z.enum(['warning', 'alarm']),
  timeoutMs: z.number(),
  secrets: z.string().nullable(),
  caFile: z.string().nullable(),
  way: z.discriminatedUnion('kind', [
    z.object({
      ...{ kind: z.literal('smtp'), ...mail, host: z.string(), port: z.number() },
      tls: z.enum(['starttls', 'implicit', 'none']),
    }),
    z.object({ kind: z.literal('sendmail'), ...mail, program: z.string() }),
    z.object({ kind: z.literal('webhook'), url: z.string() }),
    z.object({ kind: z.literal('hook'), program: z.string() }),
  ]),
});

/** What the process that sends is told: also the channel as the daemon knows it, whatever has become of the file since. */
export const orderSchema = z.object({ message: messageSchema, channel: channelSchema });

/** Short, and the same for the same kind of thing, so that a filter can go by it. */
export function subjectOf(cluster: string, kind: string, what: string, node: string): string {
  return `[battito ${cluster}] ${kind}: ${what === '' ? '' : `${what} on `}${node}`;
}
