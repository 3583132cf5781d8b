// Standby for a limited time: until when it lasts over a restart, a reboot and a clock that is set; and who ends it.

import { readdirSync } from 'node:fs';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { RequestAnswer } from '../../daemon/control/api.ts';
import type { OperatorRequest } from '../../daemon/core/events.ts';
import { openStandbyEnd, standbyLeftMs } from '../../daemon/runtime/standby-end.ts';
import { createWishes } from '../../daemon/runtime/wishes.ts';
import { temporaryDirectory } from '../support.ts';

const hour = 3_600_000;
const known = {
  bootId: 'a',
  untilMonotonicMs: 10_000 + hour,
  untilWallMs: 1_000_000 + hour,
  durationMs: hour,
};
const left = (bootId: string, monotonicMs: number, wallMs: number) =>
  standbyLeftMs(known, { bootId, monotonicMs, wallMs });

test('within a boot the monotonic clock alone counts, wherever the wall clock was set', (t) => {
  t.is(left('a', 10_000 + hour / 2, 1_000_000), hour / 2);
  t.is(left('a', 10_000 + hour / 2, 99_000_000_000), hour / 2);
  t.is(left('a', 10_000 + hour / 2, 0), hour / 2);
  t.true(left('a', 10_001 + hour, 0) < 0);
});

test('over a reboot the wall clock counts, and never gives more than was asked for', (t) => {
  t.is(left('b', 5, 1_000_000 + hour / 4), (hour * 3) / 4);
  t.true(left('b', 5, 1_000_001 + hour) < 0, 'its time passed while the host was off');
  t.is(left('b', 5, 0), hour, 'the clock was set back');
  t.true(left('b', 5, 99_000_000_000) < 0, 'set forward: it ends early');
});

/** A core of one thing: standby. */
async function node(
  t: ExecutionContext,
  stateDir: string,
  { standby = false, refuses = false }: { readonly standby?: boolean; readonly refuses?: boolean } = {},
) {
  const end = await openStandbyEnd(stateDir);
  t.teardown(() => end.close());
  const state = { standby };
  const asked: OperatorRequest[] = [];
  const notes: string[] = [];
  const ended = Promise.withResolvers<void>();
  const requests = createWishes({
    async toCore(request): Promise<RequestAnswer> {
      asked.push(request);
      if (refuses) return { kind: 'refused', code: 'peer-cannot-take-over', message: 'no', next: 'wait' };
      if (request.kind === 'standby') state.standby = request.on;
      if (request.kind === 'standby' && !request.on) ended.resolve();
      return { kind: 'accepted', message: 'as you wish' };
    },
    prepare: async () => {},
    isStandby: () => state.standby,
    standbyEnd: () => end,
    tell: ({ code }) => void notes.push(code),
  });
  return { requests, end, state, asked, notes, ended: ended.promise };
}

test('standby for a limited time ends by itself, once, and says so', async (t) => {
  const { requests, state, asked, notes, ended } = await node(t, temporaryDirectory(t));
  requests.watchStandby();
  t.deepEqual(await requests.ask({ kind: 'standby', on: true, forMs: 20 }), {
    kind: 'accepted',
    message: 'as you wish; it ends by itself in 20ms',
  });
  await ended;
  t.false(state.standby);
  t.deepEqual(notes, ['standby-ended']);
  t.deepEqual(asked, [
    { kind: 'standby', on: true },
    { kind: 'standby', on: false },
  ]);
});

test('its end outlives the daemon: the next one goes on with what is left, or ends what is over', async (t) => {
  const stateDir = temporaryDirectory(t);
  const first = await node(t, stateDir);
  await first.requests.ask({ kind: 'standby', on: true, forMs: hour });
  first.end.close();
  const second = await node(t, stateDir, { standby: true });
  const leftMs = second.end.leftMs() ?? 0;
  t.true(leftMs > hour - 60_000 && leftMs <= hour);

  const file = join(stateDir, 'standby-ends.json');
  const content = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  await writeFile(file, JSON.stringify({ ...content, untilMonotonicMs: 1 }));
  const third = await node(t, stateDir, { standby: true });
  third.requests.watchStandby();
  await third.ended;
  t.deepEqual(third.notes, ['standby-ended']);
});

test('standby without a time, and its end by hand, forget an earlier time', async (t) => {
  for (const wish of [{ on: true }, { on: false }]) {
    const stateDir = temporaryDirectory(t);
    const { requests, end } = await node(t, stateDir);
    await requests.ask({ kind: 'standby', on: true, forMs: hour });
    const { message } = await requests.ask({ kind: 'standby', ...wish });
    t.is(/; it no longer ends by itself$/.test(message), wish.on, 'who only says it again is told');
    t.is(end.leftMs(), null);
    t.deepEqual(readdirSync(stateDir), []);
  }
});

test('what the core refuses leaves no end behind, nor changes the one that there was', async (t) => {
  const stateDir = temporaryDirectory(t);
  const { requests, end } = await node(t, stateDir, { refuses: true });
  t.like(await requests.ask({ kind: 'standby', on: true, forMs: hour }), { kind: 'refused' });
  t.is(end.leftMs(), null);
  t.deepEqual(readdirSync(stateDir), []);
});

test('standby whose end cannot be kept does not begin', async (t) => {
  const stateDir = temporaryDirectory(t);
  const { requests, asked } = await node(t, stateDir);
  await rm(stateDir, { recursive: true });
  const answer = await requests.ask({ kind: 'standby', on: true, forMs: hour });
  t.like(answer, { kind: 'refused', code: 'ledger-not-written' });
  t.deepEqual(asked, []);
});

test('a file that cannot be understood is as if there were none', async (t) => {
  const stateDir = temporaryDirectory(t);
  for (const text of ['', 'nonsense', '{}', '{"bootId":1}']) {
    await writeFile(join(stateDir, 'standby-ends.json'), text);
    await chmod(join(stateDir, 'standby-ends.json'), 0o600);
    const end = await openStandbyEnd(stateDir);
    t.is(end.leftMs(), null, text);
    end.close();
  }
});
