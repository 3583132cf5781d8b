// The web page as the daemon keeps it: opened where the configuration has one, opened anew where a reload changes it.
// Guarantees: it is loaded only then, and whatever is wrong with it is an item of the status and nothing else.

import type { WebConfig } from '../config/config.ts';
import type { Attention } from '../control/api.ts';
import { item } from '../control/attention-item.ts';
import type { OpenWebPage, WebOptions, WebPage } from '../control/web.ts';

export interface Web {
  attention(): readonly Attention[];
  /** Certificate and tokens are read again; `next`: the configuration that holds from now on, null: as before. */
  reload(next: WebConfig | null | undefined): void;
  close(): Promise<void>;
}

/** `load`: brings the program of the page. */
export function openWeb(
  load: () => Promise<OpenWebPage>,
  { config, ...options }: Omit<WebOptions, 'config'> & { readonly config: WebConfig | null },
): Web {
  let current = config;
  let page: WebPage | null = null;
  let failure: string | null = null;
  let work: Promise<void> = Promise.resolve();

  const open = async () => {
    failure = null;
    if (current === null) return;
    try {
      page = await (await load())({ ...options, config: current });
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
      options.logger.error({ err: error }, 'there is no web page');
    }
  };
  const close = async () => {
    const open = page;
    page = null;
    await open?.close();
  };
  const enqueue = (job: () => Promise<void>) => {
    work = work.then(job).catch((error: unknown) => {
      options.logger.error({ err: error }, 'the web page failed');
    });
  };
  enqueue(open);
  return {
    attention() {
      if (failure === null) return page?.attention() ?? [];
      const message = `there is no web page: ${failure}`;
      return [item('warning', 'web-down', message, 'battito check; then: systemctl reload battito')];
    },
    reload(next) {
      if (next === undefined || JSON.stringify(next) === JSON.stringify(current)) {
        if (failure === null) page?.refresh();
        else enqueue(open);
        return;
      }
      current = next;
      enqueue(close);
      enqueue(open);
    },
    async close() {
      enqueue(close);
      await work;
    },
  };
}
