// Parts of the page for whoever watches it, as server-sent events (HTML Standard, 9.2).
// Guarantees: nothing is rendered while nobody watches, and never more often than asked for; watchers are few, and one that
// does not read is let go.

import type { ServerResponse } from 'node:http';

/** A part of the page by the id of its element. */
export interface Fragment {
  readonly id: string;
  readonly markup: string;
  /** Only for who may act. */
  readonly isForActors?: boolean;
}

export interface Live {
  /** False: there are too many already. `mayAct` is asked again each time; when it changes, the watcher is let go. */
  add(response: ServerResponse, mayAct: () => boolean): boolean;
  readonly watchers: () => number;
  close(): void;
}

export interface LiveOptions {
  readonly render: () => readonly Fragment[];
  readonly onError: (error: unknown) => void;
  readonly everyMs?: number;
  readonly watchersMax?: number;
  readonly silentMsMax?: number;
  /** What a watcher has not read yet. */
  readonly unreadBytesMax?: number;
}

interface Watcher {
  readonly response: ServerResponse;
  readonly mayAct: () => boolean;
  readonly acts: boolean;
  wroteAtMs: number;
}

/** An event, not a comment, of which the script of the page would hear nothing. */
const beat = 'event: beat\ndata: still here\n\n';

const contentOf = (fragments: readonly Fragment[]) =>
  new Map(fragments.map(({ id, markup }) => [id, markup]));

export function createLive(options: LiveOptions): Live {
  const { render, onError, everyMs = 500, watchersMax = 16 } = options;
  const { silentMsMax = 5000, unreadBytesMax = 256 * 1024 } = options;
  const watchers = new Set<Watcher>();
  let timer: NodeJS.Timeout | null = null;
  let last = new Map<string, string>();

  const letGo = (watcher: Watcher) => {
    watchers.delete(watcher);
    watcher.response.destroy();
    if (watchers.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  };

  const write = (watcher: Watcher, text: string) => {
    watcher.response.write(text);
    watcher.wroteAtMs = performance.now();
  };

  const tell = (watcher: Watcher, fragments: readonly Fragment[]) => {
    const meant = fragments.filter(({ isForActors }) => isForActors !== true || watcher.acts);
    const text = meant.map(({ id, markup }) => `event: part\ndata: ${JSON.stringify({ id, markup })}\n\n`);
    if (text.length > 0) write(watcher, text.join(''));
  };

  const tick = () => {
    try {
      const fragments = render();
      const changed = fragments.filter(({ id, markup }) => last.get(id) !== markup);
      last = contentOf(fragments);
      for (const watcher of watchers) {
        const isStuck = watcher.response.writableLength > unreadBytesMax;
        if (isStuck || watcher.mayAct() !== watcher.acts) letGo(watcher);
        else if (changed.length > 0) tell(watcher, changed);
        else if (performance.now() - watcher.wroteAtMs > silentMsMax) write(watcher, beat);
      }
    } catch (error) {
      onError(error);
    }
  };

  return {
    add(response, mayAct) {
      if (watchers.size >= watchersMax) return false;
      const watcher = { response, mayAct, acts: mayAct(), wroteAtMs: performance.now() };
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.on('close', () => letGo(watcher));
      response.on('error', () => letGo(watcher));
      watchers.add(watcher);
      write(watcher, 'retry: 2000\n\n');
      try {
        const fragments = render();
        if (timer === null) last = contentOf(fragments);
        tell(watcher, fragments);
      } catch (error) {
        onError(error);
      }
      timer ??= setInterval(tick, everyMs);
      return true;
    },
    watchers: () => watchers.size,
    close() {
      for (const watcher of watchers) letGo(watcher);
    },
  };
}
