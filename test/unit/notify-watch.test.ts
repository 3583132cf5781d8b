// What is told, when, by whom and how often: notes of a node in a modelled time.

import test from 'ava';
import type { Attention, Note } from '../../daemon/control/api.ts';
import type { Event } from '../../daemon/core/events.ts';
import type { HeartbeatContent } from '../../daemon/core/heartbeat.ts';
import { initialState, type State } from '../../daemon/core/state.ts';
import type { Message } from '../../daemon/notify/message.ts';
import { createIncidentWatch, type WatchRecord } from '../../daemon/notify/watch.ts';
import { examplePolicy } from '../sim/example.ts';

const started = Date.parse('2026-03-01T03:00:00Z');

function watched({
  known = null,
  repeatAfterMs = 3_600_000,
}: {
  known?: WatchRecord | null;
  repeatAfterMs?: number;
} = {}) {
  const time = { ms: 1000 };
  /** What the wall clock is ahead. */
  const step = { ms: 0 };
  const told: Message[] = [];
  const attention: Attention[] = [];
  const policy = examplePolicy('primary');
  const ledger = { groups: [], peer: null, standby: false, left: false, maintenanceUntil: null };
  let state: State = initialState({ at: 0, policy, incarnation: 1, ledger });
  const watch = createIncidentWatch({
    ...{ cluster: 'office', node: 'primary', known },
    config: () => ({ repeatAfterMs, collectMs: 300_000 }),
    attention: () => attention,
    tell: (message) => void told.push(message),
    newId: () => `id-${told.length + 1}`,
    monotonicMs: () => time.ms,
    wallMs: () => started + time.ms + step.ms,
  });
  const event = (more: Partial<Event> = {}) =>
    watch.event({ kind: 'time-passed', at: time.ms, ...more } as Event, state);
  const phase = (kind: string) => {
    const groups = state.groups.map((group) => ({
      ...group,
      phase: { kind, generation: 1, obstacle: 'isolated' },
    }));
    state = { ...state, groups } as unknown as State;
  };
  phase('active');
  event();
  return {
    watch,
    step,
    told,
    attention,
    phase,
    event,
    setState: (change: (state: State) => State) => {
      state = change(state);
    },
    note(severity: Note['severity'], code: string, more: Partial<Note> = {}) {
      watch.note({
        severity,
        code,
        group: null,
        message: `${code} happened`,
        next: null,
        tookMs: null,
        ...more,
      });
    },
    /** Second by second. */
    pass(ms: number) {
      for (let left = ms; left > 0; left -= 1000) {
        time.ms += 1000;
        event();
        watch.look();
      }
    },
  };
}

const alive = (runsThere: boolean, hears: readonly boolean[]) => (state: State) =>
  ({
    ...state,
    verdict: { kind: 'alive' },
    peer: {
      ...state.peer,
      incarnation: 7,
      content: {
        hears,
        configDigest: state.policy.configDigest,
        groups: [{ phase: runsThere ? 'active' : 'stopped' }],
      } as unknown as HeartbeatContent,
    },
  }) as State;

const heard = (hears: readonly boolean[]) => ({ kind: 'heartbeat-received', content: { hears } }) as never;
const item = (code: string, severity: Attention['severity'] = 'alarm'): Attention => ({
  ...{ severity, code, message: `${code} is so`, next: `mend ${code}` },
});

test('an incident is told once, when it is quiet; then that all is well', (t) => {
  const node = watched();
  node.attention.push(item('peer-dead'));
  node.note('alarm', 'peer-dead', { next: 'see what has become of it' });
  node.note('warning', 'take-over', { group: 'office', message: 'stopped -> starting: the peer is gone' });
  node.phase('starting');
  node.pass(5000);
  node.note('info', 'operation-done', { group: 'office', message: 'start guest:mail', tookMs: 412 });
  node.note('info', 'started', { group: 'office', message: 'starting -> active: all is up' });
  node.phase('active');
  t.deepEqual(node.told, []);
  node.pass(15_000);
  const [message, ...more] = node.told;
  t.deepEqual(more, []);
  t.like(message, {
    kind: 'takeover',
    rank: 'alarm',
    groups: ['office'],
    subject: '[battito office] takeover: office on primary',
    startedAt: '2026-03-01T03:00:01.000Z',
  });
  t.regex(message?.text ?? '', /^primary has taken over office from secondary\b/);
  const [past = ''] = /What happened:[\s\S]*(?=What to do now:)/.exec(message?.text ?? '') ?? [];
  t.true(past.includes('peer-dead'));
  t.false(past.includes('next:'), 'what was to be done then is not what is to be done now');
  t.regex(message?.text ?? '', /\+5\.000 s {5}office: start guest:mail: done \(took 412 ms\)/);
  t.regex(message?.text ?? '', /What to do now:\n {2}!! peer-dead is so\n {5}next: mend peer-dead\n/);
  node.pass(600_000);
  t.is(node.told.length, 1);
  node.attention.length = 0;
  node.pass(30_000);
  t.deepEqual(
    node.told.map(({ kind }) => kind),
    ['takeover', 'recovered'],
  );
  t.is(node.told[1]?.rank, 'alarm', 'whoever was told of the trouble is told of its end');
  node.pass(600_000);
  t.is(node.told.length, 2);
});

test('the same alarm is counted, and its number told at the end of the time, also over a restart', (t) => {
  const node = watched();
  for (let time = 0; time < 3; time += 1) {
    node.note('warning', 'stalled');
    node.pass(60_000);
  }
  t.deepEqual(
    node.told.map(({ subject }) => subject),
    ['[battito office] stall: stalled on primary'],
  );
  const next = watched({ known: JSON.parse(JSON.stringify(node.watch.record())) });
  next.note('warning', 'stalled');
  next.pass(60_000);
  t.deepEqual(next.told, []);
  next.pass(3_600_000);
  t.like(next.told, [
    { kind: 'repeated', repeats: 3, subject: '[battito office] stall: stalled on primary' },
  ]);
  const each = watched({ repeatAfterMs: 0 });
  for (let time = 0; time < 2; time += 1) {
    each.note('warning', 'stalled');
    each.pass(60_000);
  }
  t.is(each.told.length, 2);
});

test('after it was told that all is well, the same alarm is counted while it is short, and told when it lasts', (t) => {
  const node = watched();
  node.phase('stopped');
  const down = (ms: number) => {
    node.attention.push(item('peer-dead'));
    node.note('alarm', 'peer-dead');
    node.pass(ms);
  };
  const well = () => {
    node.attention.length = 0;
    node.pass(60_000);
  };
  const kinds = () => node.told.map(({ kind }) => kind);
  down(60_000);
  well();
  t.deepEqual(kinds(), ['alarm', 'recovered']);
  for (let time = 0; time < 3; time += 1) {
    down(90_000);
    well();
  }
  t.deepEqual(kinds(), ['alarm', 'recovered']);
  down(400_000);
  t.deepEqual(kinds(), ['alarm', 'recovered', 'alarm']);
  t.true((node.told[2]?.repeats ?? 0) >= 3);
  well();
  t.deepEqual(kinds(), ['alarm', 'recovered', 'alarm', 'recovered']);
});

test('a clock that was years ahead and is set right keeps no alarm back', (t) => {
  const node = watched();
  node.phase('stopped');
  node.step.ms = 4 * 365 * 86_400_000;
  node.note('alarm', 'peer-dead');
  node.pass(60_000);
  node.step.ms = 0;
  node.pass(60_000);
  node.note('alarm', 'peer-dead');
  node.pass(60_000);
  t.deepEqual(
    node.told.map(({ kind, startedAt }) => `${kind} ${startedAt.slice(0, 4)}`),
    ['alarm 2030', 'alarm 2026'],
  );
});

test('a group that stands still is told of at once, and one that moves for long as it stands, then its end', (t) => {
  const stuck = watched();
  stuck.note('alarm', 'block', { group: 'office', message: 'not started here: isolated' });
  stuck.phase('blocked');
  stuck.pass(30_000);
  t.like(stuck.told, [{ kind: 'refusal' }]);
  t.is(stuck.told.length, 1);

  const slow = watched();
  slow.note('warning', 'take-over', { group: 'office', message: 'stopped -> starting: the peer is gone' });
  slow.phase('starting');
  slow.pass(310_000);
  t.is(slow.told.length, 1);
  t.regex(slow.told[0]?.text ?? '', /\nIt is still going on\.\n/);
  slow.note('info', 'started', { group: 'office', message: 'starting -> active: all is up' });
  slow.phase('active');
  slow.pass(30_000);
  t.is(slow.told.length, 2);
  t.regex(slow.told[1]?.text ?? '', /all is up/);
});

test('what both nodes saw is told by the one that runs something; in doubt, and when nobody is heard, by both', (t) => {
  const silent = (runsThere: boolean, missed: boolean) => {
    const node = watched();
    if (runsThere) node.phase('stopped');
    node.setState(alive(runsThere, [true, true]));
    node.event();
    node.note('warning', 'link-silent');
    node.event(heard([!missed, true]));
    node.pass(60_000);
    return node.told.length;
  };
  t.is(silent(false, true), 1, 'this node runs the group');
  t.is(silent(true, true), 0, 'the peer does');
  t.is(silent(true, false), 1, 'the peer never said that it saw it');

  const restarted = watched();
  restarted.setState(alive(true, [true, true]));
  restarted.event();
  restarted.phase('stopped');
  restarted.note('warning', 'link-silent');
  restarted.event(heard([false, true]));
  restarted.setState((state) => ({ ...state, peer: { ...state.peer, incarnation: 8 } }));
  restarted.pass(60_000);
  t.is(restarted.told.length, 1, 'another run of the peer knows nothing of it');

  const alone = watched();
  alone.phase('stopped');
  alone.note('alarm', 'peer-dead');
  alone.pass(60_000);
  t.is(alone.told.length, 1);
});

test('an alarm that no note told of is told; what somebody wants so is not, nor does it keep all from being well', (t) => {
  const node = watched();
  node.attention.push(item('witness-away'), item('standby', 'warning'));
  node.pass(50_000);
  t.deepEqual(node.told, []);
  node.pass(60_000);
  t.like(node.told, [{ subject: '[battito office] alarm: witness-away on primary' }]);
  node.attention.shift();
  node.pass(60_000);
  t.deepEqual(
    node.told.map(({ kind }) => kind),
    ['alarm', 'recovered'],
  );
});

test('a daemon that ends tells what it has', (t) => {
  const node = watched();
  node.note('alarm', 'peer-dead');
  node.watch.close();
  t.is(node.told.length, 1);
});
