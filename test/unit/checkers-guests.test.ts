// The rules about guests beside each other fire on traces that break them, and keep quiet on those that do not.

import test from 'ava';
import type { Effect, Event, Ledger, ResourceStatus } from '../../daemon/core/events.ts';
import type { ResourceState } from '../../daemon/core/resource.ts';
import { initialState, type State } from '../../daemon/core/state.ts';
import type { Side } from '../../daemon/sim/action.ts';
import type { Trace } from '../../daemon/sim/trace.ts';
import { createCheckers } from '../sim/checkers.ts';
import { mail, web } from '../sim/example.ts';
import { plainSetup, policyOf, type Setup } from '../sim/setups.ts';

const till = 'guest:till';
const ordered: Setup = { ...plainSetup, guests: 'ordered', groups: 2 };
const policy = policyOf(ordered, 'primary');
const ledger: Ledger = { groups: [], peer: null, standby: false, left: false, maintenanceUntil: null };
const rested = initialState({ at: 0, policy, incarnation: 1, ledger });

function messagesOf(rule: 'S8' | 'S9', traces: readonly Trace[], setup = ordered): readonly string[] {
  const checkers = createCheckers(policyOf(setup, 'primary'), () => ledger);
  for (const trace of traces) checkers.see(trace);
  checkers.ended(100_000);
  return checkers.violations.filter((one) => one.rule === rule).map(({ message }) => message);
}

type Restored = Extract<Trace, { readonly kind: 'restored' }>;

const restored = (image: number, more: Partial<Restored> = {}): Trace => ({
  kind: 'restored',
  at: 10,
  side: 'primary',
  resource: mail,
  image,
  sameDisk: true,
  lastingly: true,
  newest: true,
  ...more,
});

test('S8: memory that is gone on from twice, where nothing is missing', (t) => {
  t.deepEqual(messagesOf('S8', [restored(1), restored(2)]), []);
  t.deepEqual(messagesOf('S8', [restored(1), restored(1)]), [
    `${mail} goes on from memory that was gone on from before`,
  ]);
  t.deepEqual(messagesOf('S8', [restored(1), restored(1, { newest: false })]), [], 'S3 is about that');
  t.deepEqual(messagesOf('S8', [restored(1, { lastingly: false }), restored(1)]), []);
});

test('S8: what was gone on from on a disk that a person has replaced is there for the other copy', (t) => {
  const replaced = (host: Side): Trace => ({
    kind: 'action',
    at: 15,
    action: { kind: 'replace-disk', host },
  });
  const again = restored(1, { side: 'secondary' });
  t.deepEqual(messagesOf('S8', [restored(1), replaced('primary'), again]), []);
  t.is(messagesOf('S8', [restored(1), replaced('secondary'), again]).length, 1, 'another disk');
  t.is(messagesOf('S8', [restored(1), replaced('primary'), again, again]).length, 1, 'good for once');
});

test('S8: memory with a disk that was written to since, unless by whom a person started', (t) => {
  const stale = restored(1, { sameDisk: false });
  const byHand: Trace = {
    kind: 'action',
    at: 5,
    action: { kind: 'start-by-hand', host: 'primary', resource: mail },
  };
  const what = [`${mail} goes on from memory that its disk is no longer of`];
  t.deepEqual(messagesOf('S8', [stale]), what);
  t.deepEqual(messagesOf('S8', [byHand, stale]), []);
  t.deepEqual(messagesOf('S8', [byHand, stale, restored(2, { sameDisk: false })]), what, 'good for once');
});

type Seen = Readonly<Record<string, Partial<ResourceState>>>;
const up = { kind: 'up' } as const;
const down = { kind: 'down' } as const;

/** Guests that nothing is said of are down. */
function stateAt(now: number, seen: Seen): State {
  const groups = rested.groups.map((group) => ({
    ...group,
    resources: group.resources.map((one) => ({ ...one, status: down, ...seen[one.id] })),
  }));
  return { ...rested, now, groups };
}

const startOf = (resource: string): Effect => ({
  kind: 'start-operation',
  operation: 1,
  group: 'office',
  resource,
  action: 'start',
  forced: false,
  deadlineMs: 1000,
});

function stepAt(now: number, seen: Seen, asked: readonly string[] = [], event?: Event): Trace {
  const kind = 'time-passed';
  const operation = { id: 1, action: 'start', since: now, cancelled: false } as const;
  const starting = Object.fromEntries(asked.map((id) => [id, { ...seen[id], operation }]));
  return {
    kind: 'stepped',
    at: now,
    side: 'primary',
    event: event ?? { kind, at: now },
    before: rested,
    after: stateAt(now, { ...seen, ...starting }),
    effects: asked.map(startOf),
  };
}

const answered = (at: number, resource: string): Event => ({
  kind: 'guest-answered',
  at,
  group: 'office',
  resource,
});

test('S9: a guest that starts before one that comes before it is there', (t) => {
  const of = (...traces: readonly Trace[]) => messagesOf('S9', traces);
  const waits = (why: string) => [`start ${web} while ${mail} is ${why}`];
  t.deepEqual(of(stepAt(10, {}, [mail])), []);
  t.deepEqual(of(stepAt(10, {}, [web])), waits('down'));
  t.deepEqual(of(stepAt(10, {}, [till])), [], 'of another group');
  t.deepEqual(of(stepAt(10, { [mail]: { quarantined: 'given up' } }, [web])), []);
  t.deepEqual(of(stepAt(10, { [mail]: { failures: 2 } }, [web])), waits('down'));
  t.deepEqual(of(stepAt(10, { [mail]: { failures: 3 } }, [web])), [], 'it was tried often enough');
  t.deepEqual(of(stepAt(10, { [mail]: { leftOut: true } }, [web])), []);
  const seen = (status: ResourceStatus) => ({ [mail]: { status } });
  for (const status of [{ kind: 'failed', message: '' }, { kind: 'paused' }] as const) {
    t.deepEqual(of(stepAt(10, seen(status)), stepAt(2009, seen(status), [web])), waits(status.kind));
    t.deepEqual(of(stepAt(10, seen(status)), stepAt(2010, seen(status), [web])), []);
  }
});

test('S9: a guest that starts before one that comes before it has answered, within its time', (t) => {
  const seen = { [mail]: { status: up } };
  const since = stepAt(10, seen);
  const of = (...traces: readonly Trace[]) => messagesOf('S9', [since, ...traces]);
  const waits = (why: string) => [`start ${web} while ${mail} is ${why}`];
  t.deepEqual(of(stepAt(809, seen, [web])), waits('not ready'));
  t.deepEqual(of(stepAt(810, seen, [web])), [], 'it is waited for no longer');
  const answers = stepAt(300, seen, [], answered(300, mail));
  t.deepEqual(of(answers, stepAt(399, seen, [web])), waits('only just ready'));
  t.deepEqual(of(answers, stepAt(400, seen, [web])), []);
  const another = stepAt(300, seen, [], answered(300, web));
  t.deepEqual(of(another, stepAt(500, seen, [web])), waits('not ready'));
  const again = [stepAt(450, {}), stepAt(500, seen)];
  t.deepEqual(of(answers, ...again, stepAt(900, seen, [web])), waits('not ready'), 'it was away');
  const restarted: Trace = { kind: 'daemon', at: 450, side: 'primary', runs: true, incarnation: 2 };
  t.deepEqual(of(answers, restarted, stepAt(500, seen), stepAt(900, seen, [web])), waits('not ready'));
});

test('S9: guests that have more memory together than there is', (t) => {
  const both = { [mail]: { status: up, readyAt: 0 } };
  const all = { ...both, [web]: { status: up } };
  const tooMuch = [`start ${till} although that makes 3072 of 2048 MiB`];
  t.deepEqual(messagesOf('S9', [stepAt(10, both, [till])]), []);
  t.deepEqual(messagesOf('S9', [stepAt(10, all, [till])]), tooMuch);
  t.deepEqual(messagesOf('S9', [stepAt(10, { ...both, [web]: { inDoubt: true } }, [till])]), tooMuch);
  const plain = { ...ordered, guests: 'plain' } as const;
  t.deepEqual(messagesOf('S9', [stepAt(10, all, [till])], plain), [], 'nobody looks at it there');
});
