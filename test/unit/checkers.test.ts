// The checkers of the simulation fire on traces that break their rule, and keep quiet on those that do not.

import test from 'ava';
import type { Effect, Event, Ledger } from '../../daemon/core/events.ts';
import type { Echo } from '../../daemon/core/heartbeat.ts';
import { initialState, ledgerGroup, type State } from '../../daemon/core/state.ts';
import type { Action, Side } from '../../daemon/sim/action.ts';
import type { Running, Trace } from '../../daemon/sim/trace.ts';
import { type Checkers, createCheckers, type Rule } from '../sim/checkers.ts';
import { plainSetup, policyOf, type Setup } from '../sim/setups.ts';

const mirrored: Setup = { ...plainSetup, drbd: 'dont-care' };
const fenced: Setup = { ...mirrored, guard: 'device' };
const emptyLedger: Ledger = { groups: [], peer: null, standby: false, left: false, maintenanceUntil: null };
const owned: Ledger = {
  ...emptyLedger,
  groups: [{ ...ledgerGroup(emptyLedger, 'office'), generation: 3, owner: 'primary' }],
};
const address = 'address:192.168.1.1/24';

const watch = (setup: Setup = mirrored, ledger: Ledger = emptyLedger): Checkers =>
  createCheckers(policyOf(setup, 'primary'), () => ledger);

const running = (at: number, side: Side, resource: string, now: Running): Trace => ({
  kind: 'running',
  at,
  side,
  group: 'office',
  resource,
  running: now,
});
const powered = (at: number, side: Side, on: boolean): Trace => ({
  kind: 'powered',
  at,
  side,
  on,
  why: 'fault',
});
const pause = (at: number, host: Side, ms: number): Trace => ({
  kind: 'action',
  at,
  action: { kind: 'pause-host', host, ms },
});
const storage = (at: number, bothWritable: boolean): Trace => ({
  kind: 'storage',
  at,
  side: 'primary',
  resource: 'drbd:r0',
  bothWritable,
});
const promoted = (at: number, side: Side, more: Partial<Extract<Trace, { kind: 'promoted' }>>): Trace => ({
  kind: 'promoted',
  at,
  side,
  group: 'office',
  resource: 'drbd:r0',
  disk: 'up-to-date',
  peerFencedOrOutdated: false,
  forced: false,
  newest: true,
  ...more,
});

interface Found {
  readonly rule: Rule;
  readonly at: number;
  readonly lastedMs: number | null;
}

function found(checkers: Checkers, traces: readonly Trace[], endsAt = 100_000): readonly Found[] {
  for (const trace of traces) checkers.see(trace);
  checkers.ended(endsAt);
  return checkers.violations.map(({ rule, at, lastedMs }) => ({ rule, at, lastedMs }));
}

test('S1: a guest that is up on both hosts at the same instant, and for how long', (t) => {
  const twice = [
    running(10, 'primary', 'guest:mail', 'up'),
    running(20, 'secondary', 'guest:mail', 'up'),
    running(25, 'primary', 'guest:mail', 'paused'),
  ];
  t.deepEqual(found(watch(), twice), [{ rule: 'S1', at: 20, lastedMs: 5 }]);
  const inTurn = [
    running(10, 'primary', 'guest:mail', 'up'),
    running(20, 'primary', 'guest:mail', 'paused'),
    running(20, 'secondary', 'guest:mail', 'up'),
    running(25, 'primary', 'guest:mail', 'down'),
    running(30, 'primary', 'guest:web', 'up'),
  ];
  t.deepEqual(found(watch(), inTurn), []);
});

test('S1: a guest on a host that stands still acts again when the host goes on', (t) => {
  const traces = [
    running(10, 'primary', 'guest:mail', 'up'),
    pause(20, 'primary', 1000),
    running(500, 'secondary', 'guest:mail', 'up'),
    running(1500, 'secondary', 'guest:mail', 'down'),
  ];
  t.deepEqual(found(watch(), traces), [{ rule: 'S1', at: 1020, lastedMs: 480 }]);
  const reset = [...traces.slice(0, 3), powered(900, 'primary', false)];
  t.deepEqual(found(watch(), reset), []);
});

test('S1: a copy that a person started behind the back of the daemon does not count until it was down', (t) => {
  const byHand: Trace = {
    kind: 'action',
    at: 20,
    action: { kind: 'start-by-hand', host: 'secondary', resource: 'guest:mail' },
  };
  const first = [
    running(10, 'primary', 'guest:mail', 'up'),
    byHand,
    running(20, 'secondary', 'guest:mail', 'up'),
  ];
  t.deepEqual(found(watch(), first), []);
  const later = [
    ...first,
    running(30, 'secondary', 'guest:mail', 'down'),
    running(40, 'secondary', 'guest:mail', 'up'),
  ];
  t.deepEqual(
    found(watch(), later, 50).map(({ rule, at }) => [rule, at]),
    [['S1', 40]],
  );
});

test('S2: two copies of a device that take writes from guests on both hosts', (t) => {
  const traces = [
    running(10, 'primary', 'guest:mail', 'up'),
    storage(20, true),
    running(30, 'secondary', 'guest:web', 'up'),
    storage(45, false),
  ];
  t.deepEqual(found(watch(), traces), [{ rule: 'S2', at: 30, lastedMs: 15 }]);
  const frozen = [traces[0], running(15, 'primary', 'guest:mail', 'paused'), ...traces.slice(1)] as Trace[];
  t.deepEqual(found(watch(), frozen), []);
});

test('S2: a file system that is mounted writes, whoever sleeps on it', (t) => {
  const mount = 'filesystem:/srv/r0';
  const traces = [
    running(10, 'primary', mount, 'up'),
    running(10, 'primary', 'guest:mail', 'paused'),
    storage(20, true),
    running(30, 'secondary', 'guest:web', 'up'),
    running(40, 'primary', mount, 'down'),
  ];
  t.deepEqual(found(watch({ ...mirrored, guestsOn: 'filesystem' }), traces), [
    { rule: 'S2', at: 30, lastedMs: 10 },
  ]);
  t.deepEqual(found(watch(), traces), [], 'there it is not of the device');
});

test('S3: nothing but the newest, up-to-date data without a word', (t) => {
  const rulesOf = (traces: readonly Trace[], setup = fenced) => found(watch(setup), traces).length;
  t.is(rulesOf([promoted(10, 'primary', {})]), 0);
  t.is(rulesOf([promoted(10, 'primary', { disk: 'outdated' })]), 1);
  t.is(rulesOf([promoted(10, 'primary', { disk: 'consistent' })]), 0, 'idle there, and no newer');
  const peerIsPrimary = running(5, 'secondary', 'drbd:r0', 'up');
  t.is(rulesOf([peerIsPrimary, promoted(10, 'primary', { disk: 'consistent' })]), 1);
  t.is(rulesOf([promoted(10, 'primary', { disk: 'consistent', peerFencedOrOutdated: true })]), 0);
  t.is(rulesOf([promoted(10, 'primary', { newest: false })]), 1);
  t.is(rulesOf([promoted(10, 'primary', { forced: true })]), 1, 'forced, and nobody said so');
  const accepted: Trace = {
    kind: 'answered',
    at: 5,
    side: 'primary',
    request: { kind: 'accept-data', groups: ['office'] },
    answer: { kind: 'accepted', message: 'as it is' },
  };
  t.is(rulesOf([accepted, promoted(10, 'primary', { forced: true, newest: false })]), 0);
  const frozen = [
    running(1, 'secondary', 'guest:mail', 'up'),
    running(2, 'secondary', 'guest:mail', 'paused'),
  ];
  t.is(rulesOf([...frozen, promoted(10, 'primary', { newest: false })], mirrored), 0, 'given up by design');
  t.is(rulesOf([...frozen, promoted(10, 'primary', { newest: false })], fenced), 1);
});

test('S3: what was given up by design is so for what goes on there later, until the other copy is used again', (t) => {
  const goesOn = (at: number, side: Side, newest: boolean): Trace => ({
    kind: 'resumed',
    at,
    side,
    resource: 'drbd:r0',
    newest,
  });
  const taken = [
    running(1, 'secondary', 'guest:mail', 'up'),
    running(2, 'secondary', 'guest:mail', 'paused'),
    promoted(10, 'primary', { newest: false }),
  ];
  const older = goesOn(20, 'primary', false);
  t.is(found(watch(), [older]).length, 1);
  t.is(found(watch(), [...taken, older]).length, 0);
  t.is(found(watch(), [...taken, goesOn(15, 'secondary', true), older]).length, 1, 'it was written to there');
  t.is(found(watch(), [...taken, promoted(15, 'secondary', {}), older]).length, 1);
});

const acceptance = (at: number, side: Side): Trace => ({
  kind: 'answered',
  at,
  side,
  request: { kind: 'accept-data', groups: ['office'] },
  answer: { kind: 'accepted', message: 'as it is' },
});
const daemonOn = (at: number, side: Side, runs: boolean, incarnation = 1): Trace => ({
  kind: 'daemon',
  at,
  side,
  runs,
  incarnation,
});
const brokenIn = (setup: Setup, traces: readonly Trace[], rule: Rule = 'S3') =>
  found(watch(setup), traces).filter((one) => one.rule === rule).length;

test('S3: the word of a person is good for one start, by the daemon that he asked', (t) => {
  const forced = (at: number, side: Side = 'primary') => promoted(at, side, { forced: true, newest: false });
  const accepted = acceptance(5, 'primary');
  t.is(brokenIn(fenced, [accepted, forced(10)]), 0);
  t.is(brokenIn(fenced, [accepted, forced(10, 'secondary')]), 1, 'he said it of the other copy');
  t.is(brokenIn(fenced, [accepted, forced(10), forced(20)]), 0, 'the start was undone before a guest ran');
  const run = running(15, 'primary', 'guest:mail', 'up');
  t.is(brokenIn(fenced, [accepted, forced(10), run, forced(20)]), 1, 'once');
  const overtaken = promoted(15, 'secondary', {});
  t.is(brokenIn(fenced, [accepted, forced(10), overtaken, forced(20)]), 1, 'the other copy was used since');
  t.is(
    brokenIn(fenced, [accepted, daemonOn(7, 'primary', false), forced(10)]),
    1,
    'the daemon has forgotten it',
  );
  t.is(
    brokenIn(fenced, [accepted, promoted(7, 'secondary', {}), meetsAt(8), forced(10)]),
    1,
    'the other one has been used since',
  );
  const usedBefore = [promoted(4, 'secondary', {}), accepted, meetsAt(8)];
  t.is(brokenIn(fenced, [...usedBefore, forced(10)]), 0, 'he said it after that');
  const unheard = [accepted, promoted(7, 'secondary', {})];
  t.is(brokenIn(fenced, [...unheard, forced(10)]), 0, 'nothing told the daemon of it');
  const begins = stepOf({ at: 6, effects: [{ ...starts('start', 'drbd:r0'), forced: true } as Effect] });
  const carriedThrough = [accepted, begins, daemonOn(7, 'primary', false), forced(10)];
  t.is(brokenIn(fenced, carriedThrough), 0, 'it had begun');
  t.is(brokenIn(fenced, [...carriedThrough, forced(20)]), 1);
});

test('S3: what a failed disk took is missed until a new one has been resynced', (t) => {
  const fails: Trace = { kind: 'action', at: 1, action: { kind: 'disk-failure', host: 'secondary' } };
  const shows = (at: number, disk: 'inconsistent' | 'up-to-date'): Trace => ({
    kind: 'device',
    at,
    side: 'secondary',
    resource: 'drbd:r0',
    disk,
    connection: 'connected',
  });
  const lacking = promoted(10, 'primary', { newest: false });
  t.is(brokenIn(fenced, [lacking]), 1);
  t.is(brokenIn(fenced, [fails, lacking]), 0);
  t.is(brokenIn(fenced, [fails, shows(5, 'inconsistent'), lacking]), 0);
  t.is(brokenIn(fenced, [fails, shows(5, 'inconsistent'), shows(6, 'up-to-date'), lacking]), 1);
  const unsure = promoted(10, 'primary', { disk: 'consistent' });
  const held = running(2, 'secondary', 'drbd:r0', 'up');
  t.is(brokenIn(fenced, [fails, held, unsure]), 0);
  t.is(brokenIn(fenced, [fails, held, shows(6, 'up-to-date'), unsure]), 1);
});

test('S3: without a mirror, a group that ran on the other host last', (t) => {
  const ran = running(1, 'secondary', 'guest:mail', 'up');
  const begins = (at = 9) => stepOf({ at, effects: [starts('start', 'guest:web')] });
  t.is(brokenIn(plainSetup, [ran, begins()]), 1);
  t.is(brokenIn(mirrored, [ran, begins()]), 0, 'the mirror knows better');
  const heard = meetsAt(5);
  t.is(brokenIn(plainSetup, [ran, heard, begins()]), 0);
  const refused = stepOf({ at: 5, event: packetOf(1, 1, { incarnation: 1, sequence: 1 }) });
  t.is(brokenIn(plainSetup, [ran, refused, begins()]), 1, 'the core did not take it in');
  t.is(brokenIn(plainSetup, [ran, heard, daemonOn(6, 'primary', true), begins()]), 1);
  const accepted = acceptance(2, 'primary');
  t.is(brokenIn(plainSetup, [ran, accepted, begins()]), 0);
  t.is(brokenIn(plainSetup, [ran, accepted, daemonOn(6, 'primary', true), begins()]), 1, 'another daemon');
  const used = [ran, accepted, begins(3), running(4, 'primary', 'guest:mail', 'up')];
  t.is(brokenIn(plainSetup, [...used, running(6, 'secondary', 'guest:mail', 'up'), begins()]), 1, 'once');
});

test('S3: without a mirror, the word of a person holds once it is on record, also for the next daemon', (t) => {
  const onDisk = (at: number, owner: Side): Trace => ({
    kind: 'ledger-on-disk',
    at,
    side: 'primary',
    ledger: { ...owned, groups: owned.groups.map((group) => ({ ...group, owner })) },
  });
  const word = [running(1, 'secondary', 'guest:mail', 'up'), acceptance(3, 'primary')];
  const anew = daemonOn(5, 'primary', true);
  const begins = stepOf({ at: 9, effects: [starts('start', 'guest:web')] });
  t.is(brokenIn(plainSetup, [...word, anew, begins]), 1, 'the daemon has forgotten it');
  t.is(brokenIn(plainSetup, [...word, onDisk(4, 'primary'), anew, begins]), 0);
  t.is(brokenIn(plainSetup, [...word, onDisk(4, 'secondary'), anew, begins]), 1, 'that says nothing of it');
  t.is(brokenIn(plainSetup, [...word, anew, onDisk(6, 'primary'), begins]), 1, 'nobody asked this daemon');
  const ranThere = running(7, 'secondary', 'guest:mail', 'up');
  t.is(
    brokenIn(plainSetup, [...word, onDisk(4, 'primary'), anew, ranThere, begins]),
    1,
    'it ran there since',
  );
});

test('S3: without a mirror, who starts a guest by hand uses the data of its group there', (t) => {
  const ran = running(1, 'secondary', 'guest:mail', 'up');
  const byHand: Trace = {
    kind: 'action',
    at: 2,
    action: { kind: 'start-by-hand', host: 'primary', resource: 'guest:mail' },
  };
  const isUp = running(2, 'primary', 'guest:mail', 'up');
  const begins = stepOf({ at: 9, effects: [starts('start', 'guest:web')] });
  t.is(brokenIn(plainSetup, [ran, byHand, isUp, daemonOn(3, 'primary', true), begins]), 0);
  t.is(brokenIn(plainSetup, [ran, byHand, begins]), 1, 'it has not come up');
  const ranThere = running(4, 'secondary', 'guest:mail', 'up');
  t.is(brokenIn(plainSetup, [ran, byHand, isUp, ranThere, begins]), 1, 'it ran there since');
});

test('S3: without a mirror, a paused guest goes on after its group ran on the other host', (t) => {
  const paused = [running(1, 'primary', 'guest:mail', 'up'), running(2, 'primary', 'guest:mail', 'paused')];
  const goesOn = running(9, 'primary', 'guest:mail', 'up');
  t.is(brokenIn(plainSetup, [...paused, goesOn]), 0);
  const elsewhere = running(5, 'secondary', 'guest:web', 'up');
  t.is(brokenIn(plainSetup, [...paused, elsewhere, goesOn]), 1);
  t.is(brokenIn(mirrored, [...paused, elsewhere, goesOn]), 0, 'the mirror knows better');
  t.is(brokenIn(plainSetup, [...paused, elsewhere, running(8, 'primary', 'guest:mail', 'down'), goesOn]), 0);
  const byHand: Trace = {
    kind: 'action',
    at: 8,
    action: { kind: 'start-by-hand', host: 'primary', resource: 'guest:mail' },
  };
  t.is(brokenIn(plainSetup, [...paused, elsewhere, byHand, goesOn]), 0);
});

test('S3: a ledger that calls itself the only owner is no excuse, but what a person did to the other one is', (t) => {
  const sole: Ledger = {
    ...owned,
    groups: owned.groups.map((group) => ({ ...group, sole: true })),
  };
  const brokenBy = (traces: readonly Trace[]) =>
    found(watch(plainSetup, sole), traces).filter(({ rule }) => rule === 'S3').length;
  const begins = stepOf({ at: 9, effects: [starts('start', 'guest:web')] });
  t.is(brokenBy([running(1, 'secondary', 'guest:mail', 'up'), begins]), 1);
  const older = [
    running(1, 'primary', 'guest:mail', 'up'),
    acceptance(3, 'secondary'),
    running(4, 'secondary', 'guest:mail', 'up'),
  ];
  t.is(brokenBy([...older, begins]), 0, 'it cannot know');
  const handedOver = [
    running(1, 'secondary', 'guest:mail', 'up'),
    meetsAt(2),
    { kind: 'ledger-on-disk', at: 2, side: 'primary', ledger: sole } as const,
  ];
  const usedByWord = [acceptance(3, 'secondary'), running(4, 'secondary', 'guest:mail', 'up')];
  const anew = daemonOn(5, 'primary', true);
  t.is(brokenBy([...handedOver, ...usedByWord, anew, begins]), 0, 'nor of what it was handed and never ran');
  t.is(brokenBy([...handedOver, ...usedByWord.slice(1), anew, begins]), 1, 'nobody gave his word');
  const meets = meetsAt(5);
  t.is(brokenBy([...older, meets, daemonOn(6, 'primary', true), begins]), 1, 'it has been told');
  const ranThere = running(1, 'secondary', 'guest:mail', 'up');
  const stateFile = (condition: 'old' | 'lost', host: Side): Trace => ({
    kind: 'action',
    at: 2,
    action: { kind: 'state-file', host, condition },
  });
  const begun = daemonOn(3, 'primary', true);
  t.is(brokenBy([ranThere, stateFile('old', 'primary'), begun, begins]), 0, 'it was true once');
  t.is(brokenBy([ranThere, stateFile('old', 'secondary'), begun, begins]), 1);
  t.is(brokenBy([ranThere, stateFile('lost', 'primary'), begun, begins]), 1);
  t.is(brokenBy([ranThere, stateFile('old', 'primary'), begun, meets, begun, begins]), 1, 'it has been told');
  const goodbye = (heard: readonly Trace[]) => [
    running(1, 'primary', 'guest:mail', 'up'),
    ...heard,
    stepOf({ at: 3000, effects: [{ kind: 'exit' }] }),
    daemonOn(3000, 'primary', false),
    running(3010, 'secondary', 'guest:mail', 'up'),
    daemonOn(4000, 'primary', true),
    stepOf({ at: 4100, effects: [starts('start', 'guest:web')] }),
  ];
  const hears = meetsAt(2900);
  t.is(brokenBy(goodbye([])), 1, 'who took over after it had left, it has to be told');
  t.is(brokenBy(goodbye([hears])), 1, 'somebody was there to take over');
});

test('S3: a mirrored copy that its record vouches for, where nothing could tell otherwise, until the nodes have met', (t) => {
  const sole: Ledger = { ...owned, groups: owned.groups.map((group) => ({ ...group, sole: true })) };
  const brokenBy = (traces: readonly Trace[], ledger = sole) =>
    found(watch(fenced, ledger), traces).filter(({ rule }) => rule === 'S3').length;
  const begun = daemonOn(20, 'primary', true);
  const meets = meetsAt(25);
  const older = promoted(30, 'primary', { newest: false });
  const byWord = [acceptance(5, 'secondary'), promoted(10, 'secondary', { forced: true, newest: false })];
  t.is(brokenBy([begun, older]), 1);
  t.is(brokenBy([...byWord, begun, older]), 0, 'a person had the other one used');
  t.is(brokenBy([...byWord, begun, meets, older]), 1, 'it has been told');
  t.is(brokenBy([meetsAt(1), ...byWord, older]), 1, 'it has met the peer, and must ask it');
  t.is(brokenBy([...byWord, meetsAt(15), begun, older]), 1, 'it was told before it started anew');
  const stateFile = (condition: 'old' | 'lost', host: Side): Trace => ({
    kind: 'action',
    at: 15,
    action: { kind: 'state-file', host, condition },
  });
  t.is(brokenBy([stateFile('old', 'primary'), begun, older]), 0, 'it was true once');
  t.is(
    brokenBy([stateFile('old', 'primary'), begun, older], owned),
    1,
    'that record says nothing of the kind',
  );
  t.is(brokenBy([stateFile('old', 'secondary'), begun, older]), 1);
  t.is(brokenBy([stateFile('lost', 'primary'), begun, older]), 1);
  t.is(brokenBy([stateFile('old', 'primary'), begun, meets, older]), 1, 'it has been told');
});

test('S4: an address that both hosts announce for longer than the bound', (t) => {
  const both = [running(10, 'primary', address, 'up'), running(20, 'secondary', address, 'up')];
  const ended = (at: number) => [...both, running(at, 'primary', address, 'down')];
  t.deepEqual(found(watch(), ended(1000)), []);
  t.deepEqual(found(watch(), ended(3000)), [{ rule: 'S4', at: 20, lastedMs: 2980 }]);
  t.is(found(watch(), both, 5000).length, 1, 'still so at the end');
  const unplugged: Trace = {
    kind: 'action',
    at: 15,
    action: { kind: 'cut', host: 'primary', segment: 'lan', direction: 'both' },
  };
  t.deepEqual(found(watch(), [...both.slice(0, 1), unplugged, ...both.slice(1)], 9000), []);
});

test('S4: an address that cannot be moved is excused while that is so, and as long again', (t) => {
  const both = [running(10, 'primary', address, 'up'), running(20, 'secondary', address, 'up')];
  const breaks = (at: number, how: 'stuck' | 'ok'): Trace => ({
    kind: 'action',
    at,
    action: { kind: 'break', host: 'primary', resource: address, how },
  });
  const ended = (at: number) => running(at, 'primary', address, 'down');
  const of = (traces: readonly Trace[]) =>
    found(watch(), traces).map(({ rule, lastedMs }) => [rule, lastedMs]);
  t.deepEqual(of([...both, breaks(30, 'stuck'), ended(9000)]), []);
  t.deepEqual(of([...both, breaks(30, 'stuck'), breaks(1030, 'ok'), ended(4000)]), []);
  t.deepEqual(of([...both, breaks(30, 'stuck'), breaks(1030, 'ok'), ended(9000)]), [['S4', 5470]]);
  t.deepEqual(of([...both, breaks(5000, 'stuck'), ended(9000)]), [['S4', 4980]], 'what was before counts');
  const byHand: Trace = {
    kind: 'action',
    at: 15,
    action: { kind: 'start-by-hand', host: 'primary', resource: address },
  };
  t.deepEqual(of([byHand, ...both, ended(9000)]), []);
  const again = [running(9100, 'primary', address, 'up'), ended(12_000)];
  t.deepEqual(of([byHand, ...both, ended(9000), ...again]), [['S4', 2900]]);
});

test('S4: an address of guests that stand paused for longer than the bound, unless something of the group does not do what it is told', (t) => {
  const paused = [
    running(10, 'primary', address, 'up'),
    ...['guest:mail', 'guest:web'].map((guest) => running(20, 'primary', guest, 'paused')),
  ];
  const mended = running(30_000, 'primary', 'guest:mail', 'up');
  t.deepEqual(found(watch(), [...paused, mended]), [{ rule: 'S4', at: 20, lastedMs: 29_980 }]);
  for (const resource of ['guest:mail', 'drbd:r0']) {
    const action: Action = { kind: 'break', host: 'primary', resource, how: 'stuck' };
    t.deepEqual(found(watch(), [{ kind: 'action', at: 15, action }, ...paused, mended]), [], resource);
  }
});

interface StepParts {
  readonly at?: number;
  readonly event?: Event;
  readonly before?: State;
  readonly after?: State;
  readonly effects?: readonly Effect[];
}

const rested = initialState({
  at: 0,
  policy: policyOf(mirrored, 'primary'),
  incarnation: 1,
  ledger: emptyLedger,
});

function stepOf({ at = 10, event, before = rested, after = before, effects = [] }: StepParts): Trace {
  return {
    kind: 'stepped',
    at,
    side: 'primary',
    event: event ?? { kind: 'time-passed', at },
    before,
    after,
    effects,
  };
}

const packetOf = (incarnation: number, sequence: number, echo: Echo | null): Event => ({
  kind: 'heartbeat-received',
  at: 10,
  link: 0,
  incarnation,
  sequence,
  echo,
  content: {} as Extract<Event, { kind: 'heartbeat-received' }>['content'],
});

/** The core has taken a packet in, which shows that its sender reads this run. */
const meetsAt = (at: number): Trace =>
  stepOf({
    at,
    event: packetOf(1, 1, { incarnation: 1, sequence: 1 }),
    after: { ...rested, peer: { ...rested.peer, lastHeardAt: at } },
  });

/** The same state with its first group changed. */
function withGroup(state: State, change: Partial<State['groups'][number]>): State {
  const [group] = state.groups;
  if (group === undefined) throw new Error('no group');
  return { ...state, groups: [{ ...group, ...change }] };
}

const starts = (action: 'start' | 'stop', resource: string): Effect => ({
  kind: 'start-operation',
  operation: 1,
  group: 'office',
  resource,
  action,
  forced: false,
  deadlineMs: 1000,
});

test('S5: a start whose generation is not on disk', (t) => {
  const starting = (generation: number) =>
    withGroup(rested, { phase: { kind: 'starting', generation, resuming: false } });
  const step = (generation: number) =>
    stepOf({ after: starting(generation), effects: [starts('start', address)] });
  t.is(found(watch(mirrored, owned), [step(3)]).length, 0);
  t.is(found(watch(mirrored, owned), [step(4)]).length, 1);
  t.is(found(watch(mirrored, emptyLedger), [step(3)]).length, 1);
});

test('S6: a packet that was delivered before and changes something', (t) => {
  const packet = (incarnation: number, sequence: number) =>
    packetOf(incarnation, sequence, { incarnation: rested.incarnation, sequence: 1 });
  const first = stepOf({ event: packet(2, 5), after: { ...rested, sequence: 1 } });
  const [link, ...others] = rested.links;
  if (link === undefined) throw new Error('no link');
  const counted = { ...rested, links: [{ ...link, refused: { ...link.refused, replayed: 1 } }, ...others] };
  const heard = { ...rested, links: [{ ...link, lastHeardAt: 10 }, ...others] };
  t.is(found(watch(), [first, stepOf({ event: packet(2, 5), after: counted })]).length, 0);
  t.is(found(watch(), [first, stepOf({ event: packet(2, 5), after: heard })]).length, 1);
  t.is(found(watch(), [first, stepOf({ event: packet(2, 6), after: heard })]).length, 0);
  const changing = (incarnation: number) =>
    stepOf({ event: packet(incarnation, 9), after: { ...rested, sequence: 9 } });
  const runs = (...incarnations: readonly number[]) =>
    incarnations.map((incarnation) => daemonOn(0, 'secondary', true, incarnation));
  t.is(found(watch(), [...runs(1, 2), first, changing(1)]).length, 1);
  t.is(found(watch(), [...runs(2, 1), first, changing(1)]).length, 0, 'a later run with a lower number');
  t.is(found(watch(), [...runs(2, 1, 3), first, changing(1), changing(2)]).length, 1);
  t.is(found(watch(), [...runs(9, 2), first, changing(9)]).length, 0, 'of a run that it has never known');
  t.is(found(watch(), [first, stepOf({ event: packet(2, 4), effects: [{ kind: 'exit' }] })]).length, 1);
  const believed = { ...rested, peer: { ...rested.peer, lastHeardAt: 10 } };
  const captured = (echo: Echo | null) => stepOf({ event: packetOf(7, 1, echo), after: believed });
  t.is(found(watch(), [captured({ incarnation: rested.incarnation, sequence: 1 })]).length, 0);
  t.is(found(watch(), [captured(null)]).length, 1, 'its sender has not read this run');
});

test('S7: a guest that is stopped in order while the address is still there', (t) => {
  const stopping = (kind: 'up' | 'down', failures = 0) =>
    withGroup(rested, {
      phase: { kind: 'stopping', generation: 1, reason: 'handover' },
      resources: (rested.groups[0]?.resources ?? []).map((resource) =>
        resource.id === address ? { ...resource, status: { kind }, failures } : resource,
      ),
    });
  const step = (after: State) => stepOf({ after, effects: [starts('stop', 'guest:mail')] });
  t.is(found(watch(), [step(stopping('down'))]).length, 0);
  t.is(found(watch(), [step(stopping('up'))]).length, 1);
  t.is(
    found(watch(), [step(stopping('up', 2))]).length,
    0,
    'an address that cannot be taken down holds nobody up',
  );
});

test('S6: a forged packet that is taken for one of the peer', (t) => {
  t.is(found(watch(), [{ kind: 'forged', at: 1, side: 'primary', how: 'one bit is another' }]).length, 1);
});

test('L3: a refusal that does not say what to do, or what it is about', (t) => {
  const refusal = (message: string, next: string, groups: readonly string[] = []): readonly Trace[] => [
    {
      kind: 'answered',
      at: 1,
      side: 'primary',
      request: { kind: 'takeover', groups },
      answer: { kind: 'refused', code: 'group-unknown', message, next },
    },
  ];
  const isTold = (...[message, next, groups]: Parameters<typeof refusal>) =>
    found(watch(), refusal(message, next, groups)).length === 0;
  t.true(isTold('primary is in standby', 'run `battito standby off` first'));
  t.true(isTold('office is in use', 'wait until it is not', ['office']));
  t.false(isTold('primary is in standby', ' '));
  t.false(isTold('', 'wait'));
  t.false(isTold('primary is in standby', 'it is what it is'));
  t.false(isTold('primary is in standby', 'see'.repeat(3)));
  t.false(isTold('it is in use', 'wait until it is not', ['office']));
});

test('L3: an alarm that does not say what to do, or what it is about', (t) => {
  const isTold = (group: string | null, message: string, next: string | null) =>
    found(watch(), [
      {
        kind: 'note',
        at: 1,
        side: 'primary',
        note: { severity: 'alarm', code: 'any', group, message, next, tookMs: null },
      },
    ]).length === 0;
  t.true(isTold('office', 'blocked', 'mend the LAN cable'));
  t.true(isTold(null, 'secondary is dead', 'power it on'));
  t.true(isTold(null, 'the state file cannot be written', 'free space'));
  t.true(isTold(null, 'secondary is dead', 'if you know why, then `systemctl start battito` there'));
  t.false(isTold('office', 'blocked', null));
  t.false(isTold('office', 'blocked', 'good luck'));
  t.false(isTold('office', 'blocked', 'the `right thing` helps'));
  t.false(isTold(null, 'something is wrong', 'mend it'));
  const warning: Trace = {
    kind: 'note',
    at: 1,
    side: 'primary',
    note: { severity: 'warning', code: 'any', group: null, message: 'late', next: null, tookMs: null },
  };
  t.is(found(watch(), [warning]).length, 0);
});

test('of one rule no more than a few violations are kept', (t) => {
  const traces = Array.from({ length: 50 }, (_, index) =>
    promoted(index, 'primary', { disk: 'outdated', newest: false }),
  );
  t.is(found(watch(), traces).length, 3);
});

test('S3: a guest that goes on with older data, unless a disk has failed', (t) => {
  const resumed = (newest: boolean): Trace => ({
    kind: 'resumed',
    at: 10,
    side: 'primary',
    resource: 'drbd:r0',
    newest,
  });
  t.is(found(watch(mirrored), [resumed(true)]).length, 0);
  const [violation] = found(watch(mirrored), [resumed(false)]);
  t.is(violation?.rule, 'S3');
  for (const host of ['primary', 'secondary'] as const) {
    const failure: Trace = { kind: 'action', at: 5, action: { kind: 'disk-failure', host } };
    t.is(found(watch(mirrored), [failure, resumed(false)]).length, 0, host);
  }
});
