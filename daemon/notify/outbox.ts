// Messages on their way: kept until each channel has taken them, over restarts and while the network is down. Bounded;
// one attempt at a time; a channel that fails is tried again later and later, and said to fail once.
// Guarantees: nothing here is waited for by whoever puts a message in; never throws.

import type { Logger } from 'pino';
import * as z from 'zod';
import type { NotifyChannelConfig } from '../config/config.ts';
import type { Attention } from '../control/api.ts';
import { type Delivery, type Message, messageSchema } from './message.ts';
import type { Send } from './sender.ts';

const waitingSchema = z.object({
  message: messageSchema,
  channels: z.array(z.string()),
  sinceMs: z.number(),
});
export const outboxSchema = z.object({ waiting: z.array(waitingSchema), dropped: z.number() });

export type OutboxRecord = z.output<typeof outboxSchema>;
type Waiting = OutboxRecord['waiting'][number];

export interface Outbox {
  put(message: Message): void;
  /** The network may be back: what failed is tried again now. */
  hurry(): void;
  configure(channels: readonly NotifyChannelConfig[]): void;
  record(): OutboxRecord;
  attention(): readonly Attention[];
  close(): void;
}

export interface OutboxOptions {
  readonly known: OutboxRecord | null;
  readonly channels: readonly NotifyChannelConfig[];
  readonly send: Send;
  readonly logger: Logger;
  /** A clock that only goes on. */
  readonly nowMs: () => number;
  /** For what is kept over a restart. */
  readonly wallMs: () => number;
  /** Something is to be kept: before an attempt it is awaited. */
  readonly save: () => Promise<void>;
  /** The first wait after a failure; then twice that, and so on. */
  readonly againMs?: number;
}

const waitingMax = 100;
const dayMs = 24 * 3_600_000;
const ageMsMax = 7 * dayMs;
/** No message is older than this at a start: the clock may be years ahead, and each is to be tried yet. */
const ageAtStartMsMax = ageMsMax - dayMs;
const againMsMax = 5 * 60_000;
/** Nobody mends a password within minutes, and a server locks out whoever asks too often. */
const afterRefusalMs = 30 * 60_000;

interface Trouble {
  readonly failures: number;
  readonly nextAtMs: number;
  /** For a message that was not tried yet: what was refused may be at fault itself. */
  readonly freshAtMs: number;
  readonly delivery: Exclude<Delivery, { kind: 'sent' }>;
}

export function createOutbox(options: OutboxOptions): Outbox {
  const { send, logger, nowMs, wallMs, save, againMs = 5000 } = options;
  let { channels } = options;
  const [beganMs, beganWallMs] = [nowMs(), wallMs()];
  /** With `sinceMs` of this run's clock: one that is set, perhaps by years, makes no message old. */
  let waiting: Waiting[] = (options.known?.waiting ?? []).map((one) => ({
    ...one,
    sinceMs: beganMs - Math.min(ageAtStartMsMax, Math.max(0, beganWallMs - one.sinceMs)),
  }));
  let dropped = options.known?.dropped ?? 0;
  const troubles = new Map<string, Trouble>();
  /** Messages that a channel has refused; true: it has taken another one since, so it is this one that it does not want. */
  const refused = new Map<string, boolean>();
  const keyOf = (one: Waiting, name: string) => `${name} ${one.message.id}`;
  let timer: NodeJS.Timeout | undefined;
  let busy = false;
  let closed = false;

  const wants = ({ severity }: NotifyChannelConfig, { rank }: Message) =>
    severity === 'warning' || rank === 'alarm';

  const bound = () => {
    const known = new Set(channels.map(({ name }) => name));
    const oldest = nowMs() - ageMsMax;
    waiting = waiting
      .map((one) => ({ ...one, channels: one.channels.filter((name) => known.has(name)) }))
      .filter((one) => one.channels.length > 0);
    const isLate = ({ sinceMs }: Waiting) => sinceMs < oldest;
    const before = waiting.length;
    waiting = waiting.filter((one) => !isLate(one));
    // Of too many the oldest of those go that are the least urgent.
    while (waiting.length > waitingMax) {
      const index = waiting.findIndex(({ message }) => message.rank === 'warning');
      waiting.splice(Math.max(0, index), 1);
    }
    const left = new Set(waiting.flatMap((one) => one.channels.map((name) => keyOf(one, name))));
    for (const key of refused.keys()) if (!left.has(key)) refused.delete(key);
    const gone = before - waiting.length;
    if (gone > 0 && dropped === 0)
      logger.warn({ gone }, 'notifications are dropped: they are too many, or a week old');
    dropped += gone;
  };

  const settle = (one: Waiting, name: string, delivery: Delivery) => {
    const key = keyOf(one, name);
    const isUnwanted = delivery.kind === 'refused' && refused.get(key) === true;
    const isOver = delivery.kind === 'sent' || delivery.kind === 'failed' || isUnwanted;
    if (delivery.kind === 'refused') refused.set(key, isUnwanted);
    if (isOver) {
      refused.delete(key);
      waiting = waiting
        .map((other) =>
          other.message.id === one.message.id
            ? { ...other, channels: other.channels.filter((channel) => channel !== name) }
            : other,
        )
        .filter((other) => other.channels.length > 0);
    }
    const trouble = troubles.get(name);
    if (delivery.kind === 'sent') {
      logger.info({ channel: name, subject: one.message.subject }, `notified: ${delivery.message}`);
      if (trouble !== undefined) logger.info({ channel: name }, 'notifications get through again');
      troubles.delete(name);
      for (const other of refused.keys()) if (other.startsWith(`${name} `)) refused.set(other, true);
      return;
    }
    const { message, next } = delivery;
    if (isUnwanted)
      logger.warn(
        { channel: name, subject: one.message.subject },
        'this notification alone is refused: given up',
      );
    if (trouble === undefined || trouble.delivery.message !== message)
      logger.warn({ channel: name, next }, `a notification did not get through: ${message}`);
    const failures = (trouble?.failures ?? 0) + 1;
    const waitMs =
      delivery.kind === 'refused' ? afterRefusalMs : Math.min(againMsMax, againMs * 2 ** (failures - 1));
    const nextAtMs = isOver ? 0 : nowMs() + waitMs;
    troubles.set(name, { failures, nextAtMs, freshAtMs: Math.min(nextAtMs, nowMs() + againMsMax), delivery });
  };

  /** The oldest message of a channel that may be tried, one that was refused last; and when the next one may, from now. */
  const nextAttempt = () => {
    const now = nowMs();
    let waitMs = Number.POSITIVE_INFINITY;
    const all = waiting.flatMap((one) => one.channels.map((name) => ({ one, name })));
    const isFresh = ({ one, name }: (typeof all)[number]) => !refused.has(keyOf(one, name));
    for (const each of [...all.filter(isFresh), ...all.filter((other) => !isFresh(other))]) {
      const { one, name } = each;
      const channel = channels.find((known) => known.name === name);
      const trouble = troubles.get(name);
      const leftMs = ((isFresh(each) ? trouble?.freshAtMs : trouble?.nextAtMs) ?? 0) - now;
      if (channel !== undefined && leftMs <= 0) return { one, channel, waitMs: 0 };
      waitMs = Math.min(waitMs, leftMs);
    }
    return { one: null, channel: null, waitMs };
  };

  const work = async () => {
    if (busy || closed) return;
    busy = true;
    clearTimeout(timer);
    try {
      for (;;) {
        bound();
        const { one, channel, waitMs } = nextAttempt();
        if (closed) return;
        if (one === null) {
          if (Number.isFinite(waitMs)) timer = setTimeout(() => void work(), waitMs);
          timer?.unref();
          return;
        }
        await save(); // Whoever is ended now sends it the next time.
        const delivery = await send(one.message, channel);
        if (closed) return; // It may have been cut off by that: the next run tries again.
        settle(one, channel.name, delivery);
        await save();
      }
    } finally {
      busy = false;
    }
  };

  const begin = () =>
    void work().catch((error: unknown) => {
      logger.warn({ err: error }, 'notifications failed');
      timer = setTimeout(begin, againMsMax);
      timer.unref();
    });
  // Not before whoever makes this has it.
  if (waiting.length > 0) setImmediate(begin);

  return {
    put(message) {
      const names = channels.filter((channel) => wants(channel, message)).map(({ name }) => name);
      if (names.length > 0) waiting = [...waiting, { message, channels: names, sinceMs: nowMs() }];
      bound();
      begin();
    },
    hurry() {
      for (const [name, trouble] of troubles) {
        if (trouble.delivery.kind === 'later')
          troubles.set(name, { ...trouble, failures: 0, nextAtMs: 0, freshAtMs: 0 });
      }
      begin();
    },
    configure(next) {
      channels = next;
      troubles.clear();
      refused.clear();
      begin();
    },
    record: () => ({
      waiting: waiting.map((one) => ({ ...one, sinceMs: Math.round(wallMs() - nowMs() + one.sinceMs) })),
      dropped,
    }),
    attention: () =>
      [...troubles].map(([name, { delivery }]): Attention => {
        const count = waiting.filter((one) => one.channels.includes(name)).length;
        const wait = count === 0 ? '' : `; ${count} ${count === 1 ? 'message waits' : 'messages wait'}`;
        const message = `notifications by ${name} do not get through: ${delivery.message}${wait}`;
        return { severity: 'warning', code: 'notify-failed', message, next: delivery.next };
      }),
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
