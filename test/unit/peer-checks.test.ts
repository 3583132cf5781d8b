// The other node's check, over a channel that is a table of routes: one at a time, waited for in bounded steps, and what
// is said when there is none to be had.

import test from 'ava';
import { pino } from 'pino';
import type { Readiness } from '../../daemon/control/schedule.ts';
import type { CommandResult } from '../../daemon/drivers/command.ts';
import type { ChannelResult } from '../../daemon/runtime/peer-channel/client.ts';
import type { ChannelRoutes } from '../../daemon/runtime/peer-channel/server.ts';
import { createPeerChecks, type PeerChecksOptions } from '../../daemon/runtime/peer-checks.ts';
import { keepingAlive } from '../support.ts';
import { settled } from './support/schedule.ts';

const logger = pino({ level: 'silent' });
const ended = (changes: Partial<CommandResult>): CommandResult => ({
  ...{ exitCode: 0, stdout: '', stderr: '', timedOut: false },
  ...changes,
});

/** What one end asks is answered by the routes of the other. */
function channelTo(routes: () => ChannelRoutes) {
  let own: ChannelRoutes = {};
  const asked: string[] = [];
  return {
    asked,
    routes: () => own,
    channel: {
      serve: ({ routes: more }: { readonly routes: ChannelRoutes }) => {
        own = { ...own, ...more };
      },
      async request(method: string, path: string, body?: unknown): Promise<ChannelResult> {
        const { pathname, searchParams } = new URL(path, 'http://peer');
        asked.push(`${method} ${pathname}`);
        const route = routes()[`${method} ${pathname}`];
        if (route === undefined) return { kind: 'answered', status: 404, body: {} };
        const signal = new AbortController().signal;
        return { kind: 'answered', ...(await route({ query: searchParams, body, signal })) };
      },
    },
  };
}

function pair(options: Partial<PeerChecksOptions> = {}) {
  const runs: { argv: readonly string[]; end: (result: CommandResult) => void }[] = [];
  const heard: Readiness[] = [];
  const there = channelTo(() => here.routes());
  const here = channelTo(() => there.routes());
  const command = ['/usr/bin/battito', '--node', 'secondary'];
  const secondary = createPeerChecks({
    ...{
      channel: there.channel,
      command,
      peer: 'primary',
      logger,
      onReadiness: (found) => void heard.push(found),
    },
    run: (argv) => new Promise((end) => runs.push({ argv, end })),
    ...options,
  });
  const primary = createPeerChecks({
    ...{ channel: here.channel, command: ['battito'], peer: 'secondary', logger, onReadiness: () => {} },
    run: () => Promise.resolve(ended({})),
  });
  return { primary, secondary, runs, heard, asked: here.asked };
}

test('the peer runs its own check of this node alone, once for all who ask meanwhile', async (t) => {
  const { primary, runs } = pair();
  const both = Promise.all([primary.ask(), primary.ask()]);
  await settled();
  t.deepEqual(
    runs.map(({ argv }) => argv),
    [['/usr/bin/battito', '--node', 'secondary', 'check', '--json', '--this-node']],
  );
  runs[0]?.end(ended({ exitCode: 1, stdout: '{"findings":[]}' }));
  const checked = { kind: 'checked', node: 'secondary', report: { findings: [] } } as const;
  t.deepEqual(await both, [checked, checked], 'an exit code that says "problems" is an answer');
  const again = primary.ask();
  await settled();
  t.is(runs.length, 2, 'a new question is a new check');
  runs[1]?.end(ended({ stdout: '{}' }));
  t.deepEqual(await again, { ...checked, report: {} });
});

test('a check that prints nothing of use is said to have failed, with how', async (t) => {
  const { primary, runs } = pair();
  const asking = primary.ask();
  await settled();
  runs[0]?.end(ended({ exitCode: null, timedOut: true, stdout: 'oops' }));
  t.deepEqual(await asking, {
    ...{ kind: 'not-checked', node: 'secondary', next: 'on secondary: battito check' },
    why: 'its check failed: battito check --this-node: did not end in time',
  });
});

test('a peer that is away, has another key, or is too old: each with what mends it', async (t) => {
  const ask = (result: ChannelResult) => {
    const channel = { serve: () => {}, request: () => Promise.resolve(result) };
    const options = { command: ['battito'], peer: 'secondary', logger, onReadiness: () => {} };
    return createPeerChecks({ channel, ...options }).ask();
  };
  const message = '192.168.2.3:694: ECONNREFUSED';
  t.like(await ask({ kind: 'failed', reason: 'unreachable', message }), {
    kind: 'not-checked',
    why: message,
  });
  const foreign = await ask({ kind: 'failed', reason: 'key-refused', message });
  t.regex(foreign.kind === 'not-checked' ? foreign.next : '', /^copy the key file/);
  const older = await ask({ kind: 'answered', status: 404, body: {} });
  t.like(older, {
    why: 'its daemon cannot check for another node',
    next: 'install the same version on both nodes',
  });
  const odd = await ask({ kind: 'answered', status: 200, body: { run: 'one' } });
  t.regex(odd.kind === 'not-checked' ? odd.why : '', /nothing of use/);
});

test('one that never ends is given up by the deadline of who asked', async (t) => {
  const channel = {
    serve: () => {},
    request: (_method: string, path: string, _body: unknown, signal?: AbortSignal) =>
      path === '/v1/checks'
        ? Promise.resolve({ kind: 'answered', status: 202, body: { run: 1 } } as const)
        : new Promise<ChannelResult>((resolve) => {
            const aborted = { kind: 'failed', reason: 'aborted', message: 'given up' } as const;
            signal?.addEventListener('abort', () => resolve(aborted));
          }),
  };
  const options = { command: ['battito'], peer: 'secondary', logger, onReadiness: () => {}, withinMs: 20 };
  const answer = await keepingAlive(() => createPeerChecks({ channel, ...options }).ask());
  t.like(answer, {
    ...{ kind: 'not-checked', why: 'its check did not end in time', next: 'on secondary: battito check' },
  });
});

test('a readiness is told to the peer, which takes nothing that is none', async (t) => {
  const { primary, heard } = pair();
  const about = { at: '2026-03-01T03:00:00.000Z', by: 'primary', nodes: ['primary', 'secondary'] };
  const readiness = { ...about, score: 100, ready: true, losses: [] };
  primary.tellReadiness(readiness);
  await settled();
  t.deepEqual(heard, [readiness]);
  primary.tellReadiness({ ...readiness, score: 1000 });
  await settled();
  t.is(heard.length, 1);
});
