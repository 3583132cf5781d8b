// Rule S10 fires where a host that is well is to be powered off, and keeps quiet where anything may have been wrong.

import test from 'ava';
import type { Ledger } from '../../daemon/core/events.ts';
import { initialState } from '../../daemon/core/state.ts';
import type { Action } from '../../daemon/sim/action.ts';
import type { Trace } from '../../daemon/sim/trace.ts';
import { createCheckers } from '../sim/checkers.ts';
import { plainSetup, policyOf, type Setup } from '../sim/setups.ts';

const fenced: Setup = { ...plainSetup, guard: 'device', keepaliveMs: 250, deadtimeMs: 1500 };
const policy = policyOf(fenced, 'primary');
const ledger: Ledger = { groups: [], peer: null, standby: false, left: false, maintenanceUntil: null };
const state = initialState({ at: 0, policy, incarnation: 1, ledger });
const wellMs = 2000;

const daemon = (at: number, side: 'primary' | 'secondary', runs: boolean): Trace => ({
  kind: 'daemon',
  at,
  side,
  runs,
  incarnation: 1,
});
const action = (at: number, what: Action): Trace => ({ kind: 'action', at, action: what });
const both = [daemon(0, 'primary', true), daemon(0, 'secondary', true)];

/** The secondary has the primary powered off at that time, after all that. */
function judged(at: number, traces: readonly Trace[], isLossy = false): readonly string[] {
  const checkers = createCheckers(policy, () => ledger, isLossy);
  const asks: Trace = {
    kind: 'stepped',
    at,
    side: 'secondary',
    event: { kind: 'time-passed', at },
    before: state,
    after: state,
    effects: [{ kind: 'fence-peer', operation: 1, deadlineMs: 5000 }],
  };
  for (const trace of [...both, ...traces, asks]) checkers.see(trace);
  checkers.ended(100_000);
  return checkers.violations.filter(({ rule }) => rule === 'S10').map(({ message }) => message);
}

const broken = ['primary is to be powered off, and is well'];

test('a host that has been well for the deadtime and two heartbeats is not to be powered off', (t) => {
  t.deepEqual(judged(wellMs - 1, []), []);
  t.deepEqual(judged(wellMs, []), broken);
  t.deepEqual(judged(wellMs, [], true), [], 'packets are lost all the time');
});

test('a host without power or daemon, or that was so just now, is not judged', (t) => {
  const off: Trace = { kind: 'powered', at: 9000, side: 'primary', on: false, why: 'fault' };
  const gone = daemon(9000, 'primary', false);
  t.deepEqual(judged(20_000, [gone]), []);
  t.deepEqual(judged(20_000, [off, gone]), []);
  const back = daemon(10_000, 'primary', true);
  t.deepEqual(judged(10_000 + wellMs - 1, [gone, back]), []);
  t.deepEqual(judged(10_000 + wellMs, [gone, back]), broken);
});

test('nor is one that stood still, or whose daemon did', (t) => {
  for (const kind of ['pause-host', 'pause-daemon'] as const) {
    const pause = action(9000, { kind, host: 'primary', ms: 1000 });
    t.deepEqual(judged(10_000 + wellMs - 1, [pause]), []);
    t.deepEqual(judged(10_000 + wellMs, [pause]), broken);
  }
});

test('that the asker stood still is no excuse, unless something was wrong just before', (t) => {
  for (const kind of ['pause-host', 'pause-daemon'] as const) {
    const pause = action(9000, { kind, host: 'secondary', ms: 4000 });
    t.deepEqual(judged(13_000, [pause]), broken);
    const cut = action(6500, { kind: 'partition' });
    const healed = action(7500, { kind: 'heal' });
    t.deepEqual(judged(13_000, [cut, healed, pause]), []);
    t.deepEqual(judged(13_000 + wellMs, [cut, healed, pause]), broken);
  }
});

test('a network that is cut, or was just now, on every segment', (t) => {
  const cut = (segment: 'dedicated' | 'lan', host: 'primary' | 'secondary' = 'primary') =>
    action(9000, { kind: 'cut', host, segment, direction: 'out' });
  const mend = (segment: 'dedicated' | 'lan', host: 'primary' | 'secondary' = 'primary') =>
    action(10_000, { kind: 'mend', host, segment });
  t.deepEqual(judged(20_000, [cut('dedicated')]), broken, 'the LAN is whole');
  t.deepEqual(judged(20_000, [cut('dedicated'), cut('lan', 'secondary')]), []);
  const mended = [cut('dedicated'), cut('lan', 'secondary'), mend('lan', 'secondary')];
  t.deepEqual(judged(10_000 + wellMs - 1, mended), []);
  t.deepEqual(judged(10_000 + wellMs, mended), broken);
  const parted = [action(9000, { kind: 'partition' }), action(10_000, { kind: 'heal' })];
  t.deepEqual(judged(20_000, parted.slice(0, 1)), []);
  t.deepEqual(judged(10_000 + wellMs, parted), broken);
});

test('a network that loses packets, until it does not', (t) => {
  const network = (at: number, segment: 'dedicated' | 'lan', loss: number) =>
    action(at, { kind: 'network', segment, loss, duplicate: 0, late: 0, delayMs: 0 });
  const lossy = [network(9000, 'dedicated', 0.5), network(9000, 'lan', 0.5)];
  t.deepEqual(judged(20_000, lossy), []);
  t.deepEqual(judged(20_000, [...lossy, network(10_000, 'lan', 0)]), broken);
});
