// Tells people what went wrong: the daemon's end of daemon/notify. What is on its way, and what was told, is in one small
// file of the state directory, so that it survives a restart.
// Guarantees: nothing of the core or of an operation waits for it, and no failure of it is theirs.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import * as z from 'zod';
import type { Config, NotifyConfig } from '../config/config.ts';
import type { Attention, Note } from '../control/api.ts';
import type { Event } from '../core/events.ts';
import type { State } from '../core/state.ts';
import type { Message } from '../notify/message.ts';
import { createOutbox, outboxSchema } from '../notify/outbox.ts';
import { createSender } from '../notify/sender.ts';
import { createIncidentWatch, watchSchema } from '../notify/watch.ts';
import { monotonicMs } from './clock.ts';
import { openKeptFile } from './records/kept-file.ts';

export interface Notifications {
  /** An event, before the core sees it, and the state that it meets. */
  event(event: Event, state: State): void;
  note(note: Note): void;
  /** Something that is no incident. */
  send(message: Message): void;
  /** What is wrong with the ways on which it is told. */
  attention(): readonly Attention[];
  reload(config: NotifyConfig | null): void;
  close(): Promise<void>;
}

export interface NotificationsOptions {
  readonly config: Config;
  readonly self: string;
  readonly stateDir: string;
  readonly configPath: string;
  /** What needs a person now. */
  readonly needs: () => readonly Attention[];
  readonly logger: Logger;
}

const fileSchema = z.object({ watch: watchSchema, outbox: outboxSchema });
const lookEveryMs = 1000;
/** A disk that hangs does not hold a message back. */
const saveMsMax = 5000;
/** Signs that the network is there again. */
const networkIsBack: readonly string[] = ['link-heard', 'peer-alive'];

const off = { repeatAfterMs: 0, collectMs: 300_000, channels: [] } as const;

export async function openNotifications(options: NotificationsOptions): Promise<Notifications> {
  const { config, self, stateDir, configPath, needs, logger } = options;
  let notify: NotifyConfig = config.notify ?? off;
  const file = await openKeptFile({
    ...{ stateDir, name: 'notify.json', schema: fileSchema, logger },
    what: 'the record of notifications',
  });
  const ending = new AbortController();
  const save = () => file.save(() => ({ watch: watch.record(), outbox: outbox.record() }));

  const outbox = createOutbox({
    known: file.known?.outbox ?? null,
    channels: notify.channels,
    send: createSender({
      program: [process.execPath, ...process.execArgv, process.argv[1] ?? ''],
      options: ['--config', configPath, '--node', self],
      inUnit: process.env['INVOCATION_ID'] !== undefined && process.env['NOTIFY_SOCKET'] !== undefined,
      signal: ending.signal,
    }),
    logger,
    nowMs: monotonicMs,
    wallMs: Date.now,
    save: () => Promise.race([save(), sleep(saveMsMax, undefined, { ref: false })]),
  });
  const watch = createIncidentWatch({
    cluster: config.cluster,
    node: self,
    known: file.known?.watch ?? null,
    config: () => notify,
    attention: needs,
    tell: (message) => outbox.put(message),
    newId: randomUUID,
    monotonicMs,
    wallMs: Date.now,
  });

  let isBroken = false;
  const safely = (work: () => void) => {
    if (notify.channels.length === 0) return;
    try {
      work();
    } catch (error) {
      if (!isBroken) logger.error({ err: error }, 'notifications failed; all else goes on');
      isBroken = true;
    }
  };
  const timer = setInterval(
    () =>
      safely(() => {
        watch.look();
        void save();
      }),
    lookEveryMs,
  );
  timer.unref();

  return {
    event: (event, state) => safely(() => watch.event(event, state)),
    note: (note) =>
      safely(() => {
        watch.note(note);
        if (networkIsBack.includes(note.code)) outbox.hurry();
      }),
    send: (message) => safely(() => outbox.put(message)),
    attention: outbox.attention,
    reload(next) {
      notify = next ?? off;
      outbox.configure(notify.channels);
    },
    async close() {
      clearInterval(timer);
      safely(() => watch.close());
      outbox.close();
      ending.abort();
      if (notify.channels.length > 0) await Promise.race([save(), sleep(saveMsMax)]);
    },
  };
}
