// What the daemon and its web page know of each other. The page is given what the control API is given, and what
// commands it runs it runs as an operator would.

import type { Logger } from 'pino';
import type { WebConfig } from '../config/config.ts';
import type { Attention, OperatorWish, RequestAnswer } from './api.ts';
import type { ControlSource } from './server.ts';
import { withDisks } from './storage.ts';

/** The longest silence of the peer on a link, minute by minute, oldest first; null: nothing was heard in it. */
export interface LinkMinutes {
  readonly name: string;
  readonly longestMs: readonly (number | null)[];
}

type Shared = 'status' | 'history' | 'request' | 'note' | 'plan' | 'metrics';

export interface WebSource extends Pick<ControlSource, Shared> {
  minutes(): readonly LinkMinutes[];
}

export interface WebOptions {
  readonly source: WebSource;
  readonly config: WebConfig;
  /** Of this node. */
  readonly address: string;
  /** Under which the host may be asked for, besides those of the configuration. */
  readonly nodes: readonly string[];
  /** `battito` with the options that name this daemon. */
  readonly command: readonly string[];
  readonly logger: Logger;
}

export interface WebPage {
  /** Why it cannot be reached; empty: it can. */
  attention(): readonly Attention[];
  /** Reads certificate and tokens again. */
  refresh(): void;
  close(): Promise<void>;
}

/** Never throws: a page that cannot be had is something that needs a person. */
export type OpenWebPage = (options: WebOptions) => Promise<WebPage>;

/** What a person asks for, into the history, and then to the core. */
export async function askFor(
  source: Pick<ControlSource, 'status' | 'request' | 'note'>,
  wish: OperatorWish,
  said: string | null,
): Promise<RequestAnswer> {
  if (said !== null) {
    const message = `operator: ${wish.kind} was asked for by: ${said}`;
    source.note({
      ...{ severity: 'info', code: 'operator-said', message },
      ...{ group: null, next: null, tookMs: null },
    });
  }
  return withDisks(await source.request(wish), wish, () => source.status());
}
