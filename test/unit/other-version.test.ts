// A peer, or a daemon, of another version: what is said of it, and that what one of them does not know yet, or says more,
// keeps no command from its work.

import test from 'ava';
import type { Status } from '../../daemon/control/api.ts';
import { attentionOf } from '../../daemon/control/attention.ts';
import { explanationOf } from '../../daemon/why/explanations.ts';
import { protectedPolicy } from '../sim/example.ts';
import { scriptedDaemon } from './fixtures/cli/server.ts';
import { group, groupAtPeer, resource, status } from './fixtures/cli/statuses.ts';
import { run } from './fixtures/cli/terminal.ts';
import { oneCore } from './support/one-core.ts';

const state = oneCore({ policy: protectedPolicy('primary', {}) }).state();
type State = typeof state;
const seen = (kind: 'alive' | 'unresponsive', software: string | null = null): State => ({
  ...state,
  verdict: kind === 'alive' ? { kind } : { kind, signs: [] },
  peer: { ...state.peer, content: software === null ? null : ({ ...content, software } as never) },
});
const content = {
  standby: false,
  leaving: false,
  lan: true,
  configDigest: state.policy.configDigest,
  groups: [],
  hears: [],
};

test('a peer that speaks another version of the protocol is said to, with what to do, instead of doubts about the key', (t) => {
  const items = attentionOf(seen('unresponsive'), { 'unsupported-version': 7 });
  const said = items.find(({ code }) => code === 'peer-version-unsupported');
  t.like(said, { severity: 'alarm' });
  t.regex(
    said?.message ?? '',
    /another version of the heartbeat protocol arrive, 7 were refused: secondary may be well/,
  );
  t.regex(said?.next ?? '', /`battito --version` on both nodes.*do not power secondary off before/);
  t.false(items.some(({ code }) => code === 'packets-refused'));
  t.regex(items.find(({ code }) => code === 'peer-unresponsive')?.next ?? '', /why its packets are refused/);
  for (const code of ['peer-version-unsupported', 'software-differs']) t.truthy(explanationOf(code));
});

test('a forged packet while the peer is heard is no alarm; another release of the peer is a note', (t) => {
  const codes = (software: string) =>
    attentionOf(seen('alive', software), { 'unsupported-version': 7 }).map(
      ({ severity, code }) => `${severity} ${code}`,
    );
  t.false(codes(state.policy.software).some((one) => /version|software/.test(one)));
  t.true(codes('0.0.9').includes('info software-differs'));
});

const operation = { action: 'stop', forMs: 4000, leftMs: 56_000 };
const busy = [group({ phase: 'stopping', resources: [resource('guest:mail', { operation })] })];

/** The same, and of every object something more. */
function newer(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(newer);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, newer(inner)]);
  return { ...Object.fromEntries(entries), 'said-by-a-later-version': { more: [1, 2] } };
}

/** Without what was added since the first release. */
function older(value: Status): Status {
  const added = ['schedule', 'readiness', 'standbyMs', 'leftMs', 'resync', 'trouble', 'readyWhy'];
  return JSON.parse(
    JSON.stringify(value, (name, inner) => (added.includes(name) ? undefined : inner)),
  ) as Status;
}

const versions: Readonly<Record<string, (value: Status) => Status>> = {
  newer: (value) => newer(value) as Status,
  older,
};

for (const [which, as] of Object.entries(versions)) {
  test(`a daemon that is ${which} than the command: its status is shown, and its moves are waited for`, async (t) => {
    const well = await scriptedDaemon(t, { statuses: [as(status())] });
    const shown = await run(['status', '--socket', well.socketPath]);
    t.is(shown.exitCode, 0, shown.stderr);
    t.regex(shown.stdout, /office {2}runs on primary for 3 min/);
    const moving = await scriptedDaemon(t, {
      statuses: [status(), status({ groups: busy }), status({ groups: [groupAtPeer()] })].map(as),
    });
    const handed = await run(['handover', '--socket', moving.socketPath]);
    t.is(handed.exitCode, 0, handed.stderr);
    t.regex(handed.stdout, /secondary runs office now/);
    const { exitCode, stdout } = await run(['cl-status', 'rscstatus', '--socket', well.socketPath]);
    t.is(exitCode, 0);
    t.is(stdout, 'all\n');
  });
}
