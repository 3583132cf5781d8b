// A page that is watched: that nothing is heard any more is seen, also where no connection was closed.

import type { ServerResponse } from 'node:http';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { createLive } from '../../daemon/web/live.ts';
import { script } from '../../daemon/web/script.ts';
import { waitFor } from '../support.ts';

type Listener = (event: { readonly data: string }) => void;

/** A browser with a clock of its own. */
function browser() {
  const element = () => ({
    textContent: '',
    hidden: true,
    innerHTML: '',
    contains: () => false,
    querySelectorAll: () => [],
  });
  const elements = new Map(['live', 'announce', 'headline'].map((id) => [id, element()]));
  const sources: { readonly listeners: Map<string, Listener>; closed: boolean }[] = [];
  const timers = new Map<number, { readonly at: number; readonly call: () => void }>();
  let now = 0;
  let last = 0;
  class EventSource {
    readonly listeners = new Map<string, Listener>();
    closed = false;
    readyState = 0;
    constructor() {
      sources.push(this);
    }
    addEventListener(name: string, listener: Listener) {
      this.listeners.set(name, listener);
    }
    close() {
      this.closed = true;
    }
  }
  runInNewContext(script, {
    document: {
      getElementById: (id: string) => elements.get(id) ?? null,
      activeElement: null,
      body: { classList: { toggle: () => {} } },
    },
    EventSource: Object.assign(EventSource, { CLOSED: 2 }),
    addEventListener: () => {},
    setTimeout: (call: () => void, ms: number) => {
      last += 1;
      timers.set(last, { at: now + ms, call });
      return last;
    },
    clearTimeout: (id: number) => void timers.delete(id),
  });
  return {
    sources,
    said: () => elements.get('live')?.textContent ?? '',
    hear: (name: string, data = '') => sources.at(-1)?.listeners.get(name)?.({ data }),
    pass(ms: number) {
      now += ms;
      for (const [id, { at, call }] of [...timers]) {
        if (at <= now && timers.delete(id)) call();
      }
    },
  };
}

test('a page that hears nothing any more says so, though its connection was never closed, and looks for a new one', (t) => {
  const page = browser();
  page.hear('open');
  for (let time = 0; time < 10; time += 1) {
    page.pass(5000);
    page.hear('beat', 'still here');
  }
  t.is(page.said(), '');
  page.pass(15_000);
  t.regex(page.said(), /may be old/);
  t.deepEqual(
    page.sources.map(({ closed }) => closed),
    [true, false],
  );
  page.pass(15_000);
  t.regex(page.said(), /may be old/, 'the new one did not open either');
  page.hear('open');
  t.is(page.said(), '');
});

test('who watches hears from the daemon though nothing changes', async (t) => {
  const written: string[] = [];
  const response = {
    ...{ writeHead: () => {}, on: () => {}, destroy: () => {}, writableLength: 0 },
    write: (text: string) => void written.push(text),
  } as unknown as ServerResponse;
  const live = createLive({ render: () => [], onError: () => {}, everyMs: 5, silentMsMax: 20 });
  live.add(response, () => false);
  await waitFor('an event', () => written.some((text) => text.startsWith('event: beat\ndata: ')));
  live.close();
  t.pass();
});
