// The modelled DRBD resource against what 8.4 does: roles, disks, generations, resync, fencing, and lost writes.

import test from 'ava';
import {
  type Clockwork,
  createDrbd,
  type Drbd,
  type DrbdOptions,
  type Fencing,
  type HandlerAnswer,
  type PromoteOutcome,
  type Side,
} from '../../daemon/sim/drbd.ts';
import { compareGenerations, justCreated } from '../../daemon/sim/drbd-generations.ts';

interface Agenda extends Clockwork {
  run(durationMs: number): void;
}

function createAgenda(seed: number): Agenda {
  let now = 1000;
  let order = 0;
  let state = seed;
  const entries: Array<{ readonly at: number; readonly order: number; readonly act: () => void }> = [];
  return {
    now: () => now,
    later: (delayMs, act) => {
      const entry = { at: now + delayMs, order: order++, act };
      let index = entries.length;
      while (index > 0 && (entries[index - 1]?.at ?? 0) > entry.at) index -= 1;
      entries.splice(index, 0, entry);
    },
    random: () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
    run: (durationMs) => {
      const end = now + durationMs;
      for (let next = entries[0]; next !== undefined && next.at <= end; next = entries[0]) {
        entries.shift();
        now = next.at;
        next.act();
      }
      now = end;
    },
  };
}

interface Bench extends Drbd {
  readonly run: (durationMs: number) => void;
  /** Sides whose handler was called, in order. */
  readonly calls: Side[];
  /** What the handler says from now on; null: nothing. */
  answer: HandlerAnswer | null;
  readonly changes: string[];
  /** Promotes and waits. */
  readonly primary: (side: Side, how?: { force?: boolean; alone?: boolean }) => PromoteOutcome | 'pending';
  readonly secondary: (side: Side) => string;
  /** `role disk connection peerDisk suspended`. */
  readonly line: (side: Side) => string;
}

function createBench(fencing: Fencing = 'dont-care', options: Partial<DrbdOptions> = {}, seed = 1): Bench {
  const agenda = createAgenda(seed);
  const changes: string[] = [];
  const calls: Side[] = [];
  const drbd = createDrbd({
    clock: agenda,
    fencing,
    noticeMs: 1500,
    connectMs: 1000,
    resyncMs: 3000,
    handlerTimeoutMs: 20_000,
    fencePeer: (side, answer) => {
      calls.push(side);
      if (bench.answer !== null) answer(bench.answer);
    },
    changed: (side) => changes.push(`${agenda.now().toFixed(3)} ${side} ${bench.line(side)}`),
    ...options,
  });
  const bench: Bench = {
    ...drbd,
    run: agenda.run,
    calls,
    answer: null,
    changes,
    primary: (side, { force = false, alone = false } = {}) => {
      let seen: PromoteOutcome | 'pending' = 'pending';
      drbd.promote(side, { force, alone }, (outcome) => {
        seen = outcome;
      });
      agenda.run(2000);
      return seen;
    },
    secondary: (side) => {
      let seen = 'pending';
      drbd.demote(side, (outcome) => {
        seen = outcome;
      });
      agenda.run(1);
      return seen;
    },
    line: (side) => {
      const { role, disk, connection, peerDisk, suspended } = drbd.status(side);
      return `${role} ${disk} ${connection} ${peerDisk} ${suspended}`;
    },
  };
  return bench;
}

const otherOf = (side: Side): Side => (side === 'primary' ? 'secondary' : 'primary');

function writes(bench: Drbd, side: Side, count: number): string {
  let last = '';
  for (let done = 0; done < count; done += 1) last = bench.write(side);
  return last;
}

/** Both sides have been promoted without knowing of each other, each with writes of its own. */
function splitInTwo(seed = 1): Bench {
  const bench = createBench('dont-care', {}, seed);
  bench.primary('primary');
  bench.link(false);
  bench.run(2000);
  writes(bench, 'primary', 3);
  bench.primary('secondary');
  writes(bench, 'secondary', 2);
  bench.secondary('primary');
  return bench;
}

test('two fresh halves are connected, up to date and secondary', (t) => {
  const bench = createBench('resource-and-stonith');
  for (const side of ['primary', 'secondary'] as const) {
    t.is(bench.line(side), 'secondary up-to-date connected up-to-date no');
    t.is(bench.status(side).peerRole, 'secondary');
  }
  t.is(bench.write('primary'), 'error');
});

test('a write to a connected primary is on both copies', (t) => {
  const bench = createBench();
  t.is(bench.primary('primary'), 'done');
  t.is(bench.status('secondary').peerRole, 'primary');
  t.is(writes(bench, 'primary', 5), 'written');
  t.deepEqual(bench.truth().only, { primary: 0, secondary: 0 });
  t.true(bench.isNewest('secondary'));
});

test('two primaries are refused while connected', (t) => {
  const bench = createBench();
  bench.primary('primary');
  t.is(bench.primary('secondary'), 'multiple-primaries');
  t.is(bench.primary('secondary', { force: true }), 'multiple-primaries');
  t.is(bench.status('secondary').role, 'secondary');
});

test('a primary that is held open is not demoted, and is once it is closed', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.open('primary');
  t.is(bench.secondary('primary'), 'held-open');
  t.is(bench.status('primary').role, 'primary');
  bench.close('primary');
  t.is(bench.secondary('primary'), 'done');
  t.is(bench.status('secondary').peerRole, 'secondary');
});

test('a handover while connected leaves nothing to resync', (t) => {
  const bench = createBench();
  bench.primary('primary');
  writes(bench, 'primary', 3);
  bench.secondary('primary');
  t.is(bench.primary('secondary'), 'done');
  writes(bench, 'secondary', 3);
  t.true(bench.isNewest('primary'));
  t.is(bench.status('primary').resync, null);
});

test('a lost link is noticed by both after the same time, and writes go on alone without fencing', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.link(false);
  bench.run(1400);
  t.is(bench.status('primary').connection, 'connected');
  t.is(bench.write('primary'), 'blocked');
  t.deepEqual(bench.truth().onlyAcknowledged, { primary: 0, secondary: 0 });
  t.true(bench.isNewest('secondary'), 'what nobody was told is safe does not count');
  bench.run(200);
  t.is(bench.line('primary'), 'primary up-to-date connecting unknown no');
  t.is(bench.line('secondary'), 'secondary up-to-date connecting unknown no');
  t.is(bench.truth().onlyAcknowledged.primary, 1);
  t.is(bench.write('primary'), 'written');
  t.false(bench.isNewest('secondary'));
  t.true(bench.isNewest('primary'));
});

test('a cut too short to be noticed loses nothing and changes nothing', (t) => {
  const bench = createBench();
  bench.primary('primary');
  const seen = bench.changes.length;
  bench.link(false);
  bench.write('primary');
  bench.run(1000);
  bench.link(true);
  bench.run(5000);
  t.is(bench.changes.length, seen);
  t.deepEqual(bench.truth().only, { primary: 0, secondary: 0 });
});

test('two cuts are two: the second is not noticed by the watch of the first', (t) => {
  const bench = createBench();
  bench.link(false);
  bench.run(1000);
  bench.link(true);
  bench.run(100);
  bench.link(false);
  bench.run(900);
  t.is(bench.status('primary').connection, 'connected');
  bench.run(700);
  t.is(bench.status('primary').connection, 'connecting');
});

test('a promotion of what has become primary meanwhile changes nothing', (t) => {
  const bench = createBench();
  const told: string[] = [];
  for (const name of ['first', 'second']) {
    bench.promote('primary', { force: false, alone: false }, (outcome) => told.push(`${name} ${outcome}`));
  }
  bench.run(2000);
  t.deepEqual(told, ['first done', 'second unchanged']);
});

test('two primaries allowed during a cut that nobody notices: the word gets there when the cable is mended', (t) => {
  const bench = createBench();
  const allowed = () => [bench.allowsTwo('primary'), bench.allowsTwo('secondary')];
  bench.link(false);
  t.is(bench.allowTwo('primary', true), 'done');
  t.deepEqual(allowed(), [true, false]);
  bench.link(true);
  t.deepEqual(allowed(), [true, true]);
  bench.link(false);
  bench.allowTwo('primary', false);
  bench.run(2000);
  bench.link(true);
  bench.run(5000);
  t.deepEqual(allowed(), [false, true], 'with the connection the word is lost');
  const connections = [bench.status('primary').connection, bench.status('secondary').connection];
  t.true(connections.includes('standalone'), 'and they do not agree');
});

test('the primary comes back after a cut and the other follows it', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.link(false);
  bench.run(2000);
  writes(bench, 'primary', 4);
  bench.link(true);
  bench.run(1100);
  t.is(bench.status('primary').resync?.direction, 'source');
  t.is(bench.line('secondary'), 'secondary inconsistent connected up-to-date no');
  t.true((bench.status('secondary').resync?.percent ?? 0) < 50);
  bench.run(3000);
  t.is(bench.line('secondary'), 'secondary up-to-date connected up-to-date no');
  t.true(bench.isNewest('secondary'));
  t.deepEqual(bench.truth().only, { primary: 0, secondary: 0 });
});

test('a crashed primary whose peer was promoted comes back as a sync target by itself', (t) => {
  const bench = createBench();
  bench.primary('primary');
  writes(bench, 'primary', 3);
  bench.powerLoss('primary');
  t.is(bench.status('primary').role, 'unknown');
  bench.run(2000);
  t.is(bench.primary('secondary'), 'done');
  writes(bench, 'secondary', 7);
  t.false(bench.isNewest('primary'));
  bench.powerOn('primary');
  t.is(bench.line('primary'), 'secondary up-to-date connecting unknown no');
  bench.run(1200);
  t.is(bench.line('primary'), 'secondary inconsistent connected up-to-date no');
  t.is(bench.status('primary').resync?.direction, 'target');
  bench.run(3000);
  t.is(bench.line('primary'), 'secondary up-to-date connected up-to-date no');
  t.true(bench.isNewest('primary'));
  t.is(bench.status('primary').peerRole, 'primary');
});

test('a crashed primary whose peer was not promoted is the source when it returns', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.powerLoss('primary');
  bench.run(2000);
  bench.powerOn('primary');
  bench.run(1200);
  t.is(bench.status('primary').resync?.direction, 'source');
  bench.run(3000);
  bench.powerLoss('primary');
  bench.run(2000);
  bench.powerOn('primary');
  bench.run(1200);
  t.is(bench.status('primary').resync, null, 'the mark of the crash is gone after the resync');
  t.is(bench.status('primary').connection, 'connected');
});

test('the mark of a crash outlasts a second loss of power', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.link(false);
  bench.powerLoss('primary');
  bench.run(2000);
  bench.powerOn('primary');
  bench.run(100);
  bench.powerLoss('primary');
  bench.powerOn('primary');
  bench.link(true);
  bench.run(1200);
  t.is(bench.status('primary').resync?.direction, 'source');
});

test('a crash of both is settled in favour of the one that was primary', (t) => {
  const bench = createBench();
  bench.primary('secondary');
  bench.powerLoss('primary');
  bench.powerLoss('secondary');
  bench.run(5000);
  bench.powerOn('primary');
  bench.powerOn('secondary');
  bench.run(1200);
  t.is(bench.status('secondary').resync?.direction, 'source');
  t.is(bench.status('primary').disk, 'inconsistent');
});

test('a secondary that was away while its primary was idle is resynced all the same', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.powerLoss('secondary');
  bench.run(2000);
  bench.powerOn('secondary');
  bench.run(1200);
  t.is(bench.status('secondary').resync?.direction, 'target');
});

test('two secondaries that lost each other meet again without a resync', (t) => {
  const bench = createBench();
  bench.link(false);
  bench.run(3000);
  bench.link(true);
  bench.run(1200);
  t.is(bench.line('primary'), 'secondary up-to-date connected up-to-date no');
  t.is(bench.status('primary').resync, null);
});

test('two separate promotions are a split brain and stand alone', (t) => {
  const bench = splitInTwo();
  t.false(bench.truth().bothWritable);
  t.false(bench.truth().splitBrain, 'not known before they meet');
  t.deepEqual(bench.truth().onlyAcknowledged, { primary: 3, secondary: 2 });
  bench.link(true);
  bench.run(1500);
  t.true(bench.truth().splitBrain);
  const connections = [bench.status('primary').connection, bench.status('secondary').connection];
  t.true(connections.includes('standalone'));
  t.false(connections.includes('connected'));
  bench.run(60_000);
  t.deepEqual([bench.status('primary').connection, bench.status('secondary').connection], connections);
});

test('a split brain leaves now one side and now both alone', (t) => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 60; seed += 1) {
    const bench = splitInTwo(seed);
    bench.link(true);
    bench.run(1500);
    seen.add(`${bench.status('primary').connection} ${bench.status('secondary').connection}`);
  }
  t.deepEqual([...seen].sort(), ['connecting standalone', 'standalone connecting', 'standalone standalone']);
});

test('discarding heals a split brain, and counts as wanted', (t) => {
  const bench = splitInTwo();
  bench.link(true);
  bench.run(1500);
  bench.disconnect('primary');
  bench.connect('primary', { discardMyData: true });
  bench.connect('secondary', { discardMyData: false });
  bench.run(1200);
  t.is(bench.status('primary').resync?.direction, 'target');
  bench.run(3000);
  t.is(bench.line('primary'), 'secondary up-to-date connected up-to-date no');
  t.deepEqual(bench.truth().only, { primary: 0, secondary: 0 });
  t.deepEqual(bench.truth().overwritten, { primary: 0, secondary: 0 });
  t.false(bench.truth().splitBrain);
});

test('a primary cannot discard its data, nor can both sides', (t) => {
  const bench = splitInTwo();
  bench.disconnect('primary');
  bench.disconnect('secondary');
  bench.link(true);
  bench.connect('secondary', { discardMyData: true });
  t.is(bench.status('secondary').connection, 'standalone');
  bench.secondary('secondary');
  bench.connect('secondary', { discardMyData: true });
  bench.connect('primary', { discardMyData: true });
  bench.run(1200);
  t.not(bench.status('primary').connection, 'connected');
  t.deepEqual(bench.truth().only, { primary: 3, secondary: 2 });
});

test('two writing primaries are seen by the truth before anybody else', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.link(false);
  t.false(bench.truth().bothWritable);
  t.is(bench.primary('secondary'), 'done', 'the ping of the promotion finds the peer gone');
  t.true(bench.truth().bothWritable);
  bench.suspend('primary');
  t.false(bench.truth().bothWritable);
});

test('a primary that would have to follow stands alone; the other goes on looking', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.suspend('primary');
  bench.link(false);
  bench.run(2000);
  bench.primary('secondary');
  writes(bench, 'secondary', 2);
  bench.secondary('secondary');
  bench.link(true);
  bench.run(1500);
  t.is(bench.status('primary').connection, 'standalone');
  t.is(bench.status('secondary').connection, 'connecting');
  t.false(bench.truth().splitBrain);
});

test('a primary frozen before the loss follows its successor without a split brain', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.open('primary');
  bench.suspend('primary');
  t.is(bench.write('primary'), 'blocked');
  bench.link(false);
  bench.run(2000);
  bench.primary('secondary');
  writes(bench, 'secondary', 2);
  bench.close('primary');
  t.is(bench.secondary('primary'), 'done');
  bench.link(true);
  bench.run(1500);
  t.is(bench.status('primary').resync?.direction, 'target');
  t.is(bench.truth().overwritten.primary, 0);
});

test('an interrupted resync leaves the target inconsistent, and it is not promoted', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.link(false);
  bench.run(2000);
  writes(bench, 'primary', 4);
  bench.link(true);
  bench.run(2000);
  t.truthy(bench.status('secondary').resync);
  bench.powerLoss('primary');
  bench.run(2000);
  t.is(bench.line('secondary'), 'secondary inconsistent connecting unknown no');
  t.is(bench.status('secondary').resync, null);
  t.is(bench.primary('secondary'), 'need-up-to-date');
  t.false(bench.isNewest('secondary'));
  bench.powerLoss('secondary');
  bench.powerOn('secondary');
  t.is(bench.status('secondary').disk, 'inconsistent', 'the metadata remembers');
  bench.powerOn('primary');
  t.is(bench.line('primary'), 'secondary up-to-date connecting outdated no', 'and so does the source');
  bench.run(5000);
  t.is(bench.line('secondary'), 'secondary up-to-date connected up-to-date no');
  t.true(bench.isNewest('secondary'));
});

test('a resync that a short cut has held up is finished when the link is back', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.powerLoss('secondary');
  bench.run(2000);
  bench.powerOn('secondary');
  bench.run(1200);
  t.truthy(bench.status('secondary').resync);
  bench.run(1500);
  bench.link(false);
  bench.run(1400);
  t.is(bench.status('secondary').resync?.percent, 99);
  bench.link(true);
  bench.run(10);
  t.is(bench.line('secondary'), 'secondary up-to-date connected up-to-date no');
});

test('a sync target may be promoted while its source is there, and fails its guests without it', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.link(false);
  bench.run(2000);
  writes(bench, 'primary', 1);
  bench.secondary('primary');
  bench.link(true);
  bench.run(1200);
  t.is(bench.status('secondary').disk, 'inconsistent');
  t.is(bench.primary('secondary'), 'done');
  t.is(bench.write('secondary'), 'written');
  bench.link(false);
  bench.run(1600);
  t.is(bench.line('secondary'), 'primary inconsistent connecting unknown no');
  t.is(bench.write('secondary'), 'error');
});

test('a forced promotion of inconsistent data makes a generation of its own, and loses what it lacks', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.link(false);
  bench.run(2000);
  writes(bench, 'primary', 4);
  bench.link(true);
  bench.run(2000);
  bench.powerLoss('primary');
  bench.run(2000);
  t.is(bench.primary('secondary', { force: true }), 'done');
  t.is(bench.status('secondary').disk, 'up-to-date');
  t.is(bench.write('secondary'), 'written');
  t.false(bench.isNewest('secondary'));
  bench.powerOn('primary');
  bench.run(1500);
  t.not(bench.status('secondary').connection, 'connected');
});

const coldStarts: ReadonlyArray<readonly [Fencing, string]> = [
  ['dont-care', 'up-to-date'],
  ['resource-only', 'consistent'],
  ['resource-and-stonith', 'consistent'],
];
for (const [fencing, disk] of coldStarts) {
  test(`a copy in sync that starts alone is ${disk} with fencing ${fencing}`, (t) => {
    const bench = createBench(fencing, { initially: 'off' });
    t.is(bench.line('primary'), 'unknown unknown unknown unknown no');
    bench.powerOn('primary');
    t.is(bench.line('primary'), `secondary ${disk} connecting unknown no`);
    bench.powerOn('secondary');
    bench.run(1200);
    t.is(bench.line('primary'), 'secondary up-to-date connected up-to-date no');
  });
}

test('a copy that knows its peer outdated starts up to date whatever the fencing', (t) => {
  const bench = createBench('resource-only');
  bench.answer = 'outdated';
  bench.primary('primary');
  bench.link(false);
  bench.run(2000);
  t.is(bench.line('primary'), 'primary up-to-date connecting outdated no');
  bench.powerLoss('primary');
  bench.powerOn('primary');
  t.is(bench.line('primary'), 'secondary up-to-date connecting outdated no');
  bench.link(true);
  bench.run(5000);
  bench.powerLoss('primary');
  bench.powerOn('primary');
  t.is(bench.status('primary').disk, 'consistent', 'the mark is cleared by the connection');
});

test('an outdated copy stays so over a restart, is not promoted, and is healed by its peer', (t) => {
  const bench = createBench();
  bench.primary('primary');
  t.is(bench.outdate('secondary'), 'refused');
  bench.link(false);
  bench.run(2000);
  t.is(bench.outdate('primary'), 'refused');
  t.is(bench.outdate('secondary'), 'done');
  bench.powerLoss('secondary');
  bench.powerOn('secondary');
  t.is(bench.status('secondary').disk, 'outdated');
  t.is(bench.primary('secondary'), 'need-up-to-date');
  bench.link(true);
  bench.run(4500);
  t.is(bench.status('secondary').disk, 'up-to-date');
});

test('outdated with equal data vanishes at the next connection', (t) => {
  const bench = createBench();
  bench.link(false);
  bench.run(2000);
  bench.outdate('secondary');
  bench.link(true);
  bench.run(1200);
  t.is(bench.line('secondary'), 'secondary up-to-date connected up-to-date no');
  t.is(bench.status('secondary').resync, null);
});

const frozenAnswers: ReadonlyArray<readonly [HandlerAnswer, string]> = [
  ['inconsistent', 'primary up-to-date connecting inconsistent no'],
  ['outdated', 'primary up-to-date connecting outdated no'],
  ['unreachable', 'primary up-to-date connecting outdated no'],
  ['fenced', 'primary up-to-date connecting outdated no'],
  ['primary', 'primary up-to-date connecting unknown fencing'],
  ['unsure', 'primary up-to-date connecting unknown fencing'],
];
for (const [answer, line] of frozenAnswers) {
  test(`a primary frozen for fencing that hears «${answer}» is then ${line}`, (t) => {
    const bench = createBench('resource-and-stonith');
    bench.primary('primary');
    bench.open('primary');
    bench.link(false);
    bench.write('primary');
    bench.run(1501);
    t.deepEqual(bench.calls, ['primary']);
    t.is(bench.line('primary'), 'primary up-to-date connecting unknown fencing');
    t.is(bench.write('primary'), 'blocked');
    t.is(bench.truth().onlyAcknowledged.primary, 0);

    const told = createBench('resource-and-stonith');
    told.answer = answer;
    told.primary('primary');
    told.open('primary');
    told.link(false);
    told.write('primary');
    told.run(2000);
    t.is(told.line('primary'), line);
    const isFrozen = line.endsWith('fencing');
    t.is(told.truth().onlyAcknowledged.primary, isFrozen ? 0 : 1);
    t.is(told.write('primary'), isFrozen ? 'blocked' : 'written');
    told.run(60_000);
    t.deepEqual(told.calls, ['primary'], 'it is not called again by itself');
  });
}

test('a handler that never answers counts as unsure, and its late answer is not heard', (t) => {
  const late: Array<(code: HandlerAnswer) => void> = [];
  const bench = createBench('resource-and-stonith', {
    fencePeer: (_, answer) => late.push(answer),
    handlerTimeoutMs: 5000,
  });
  bench.primary('primary');
  bench.link(false);
  bench.run(10_000);
  late[0]?.('fenced');
  t.is(bench.line('primary'), 'primary up-to-date connecting unknown fencing');
});

test('IO frozen for fencing flows again when the connection comes back, and nothing is lost', (t) => {
  const bench = createBench('resource-and-stonith');
  bench.primary('primary');
  bench.open('primary');
  bench.link(false);
  bench.write('primary');
  bench.run(2000);
  bench.write('primary');
  bench.link(true);
  bench.run(1200);
  t.is(bench.line('primary'), 'primary up-to-date connected up-to-date no');
  t.is(bench.status('secondary').resync, null);
  t.deepEqual(bench.truth().only, { primary: 0, secondary: 0 });
});

test('a freeze for fencing that a connection has ended leaves no generation behind', (t) => {
  const bench = createBench('resource-and-stonith');
  bench.primary('primary');
  bench.link(false);
  bench.run(2000);
  bench.link(true);
  bench.run(1200);
  bench.resume('primary');
  bench.answer = 'fenced';
  bench.powerLoss('primary');
  bench.run(2000);
  t.is(bench.primary('secondary'), 'done');
  bench.powerOn('primary');
  bench.run(1200);
  t.is(bench.status('primary').resync?.direction, 'target');
});

test('an answer from before a connection came and went is ignored', (t) => {
  const late: Array<(code: HandlerAnswer) => void> = [];
  const bench = createBench('resource-and-stonith', { fencePeer: (_, answer) => late.push(answer) });
  bench.primary('primary');
  bench.link(false);
  bench.run(2000);
  bench.link(true);
  bench.run(1200);
  t.is(bench.status('primary').connection, 'connected');
  bench.link(false);
  bench.run(2000);
  t.is(late.length, 2);
  late[0]?.('fenced');
  t.is(bench.status('primary').suspended, 'fencing');
  late[1]?.('fenced');
  t.is(bench.status('primary').suspended, 'no');
});

test('frozen IO is not sent to a peer that has started anew: that one is resynced', (t) => {
  const bench = createBench('resource-and-stonith');
  bench.primary('primary');
  bench.open('primary');
  bench.write('primary');
  bench.powerLoss('secondary');
  bench.run(2000);
  t.is(bench.status('primary').suspended, 'fencing');
  bench.powerOn('secondary');
  bench.run(2500);
  t.is(bench.status('primary').resync?.direction, 'source');
  t.is(bench.status('primary').suspended, 'no');
});

test('a consistent copy is promoted only when the handler knows the peer passed', (t) => {
  const promoted = (answer: HandlerAnswer | null): readonly [string, string, number] => {
    const bench = createBench('resource-and-stonith', { initially: 'off', handlerTimeoutMs: 100 });
    bench.answer = answer;
    bench.powerOn('secondary');
    const outcome = bench.primary('secondary');
    return [outcome, bench.line('secondary'), bench.calls.length];
  };
  t.deepEqual(promoted('outdated'), ['done', 'primary up-to-date connecting outdated no', 1]);
  t.deepEqual(promoted('fenced'), ['done', 'primary up-to-date connecting outdated no', 1]);
  t.deepEqual(promoted('inconsistent'), ['done', 'primary up-to-date connecting inconsistent no', 1]);
  const refused = 'secondary consistent connecting unknown no';
  t.deepEqual(promoted('unreachable'), ['need-up-to-date', refused, 4]);
  t.deepEqual(promoted('unsure'), ['need-up-to-date', refused, 4]);
  t.deepEqual(promoted(null), ['need-up-to-date', refused, 4]);
  t.deepEqual(promoted('primary'), ['need-up-to-date', 'secondary outdated connecting unknown no', 1]);
});

test('a disk that fails while the handler is asked is not raised by its answer', (t) => {
  let answered = (_answer: HandlerAnswer): void => t.fail('the handler was not called');
  const bench = createBench('resource-and-stonith', {
    initially: 'off',
    fencePeer: (_side, answer) => {
      answered = answer;
    },
  });
  bench.powerOn('secondary');
  t.is(bench.primary('secondary'), 'pending');
  bench.diskFailure('secondary');
  answered('fenced');
  bench.run(10);
  t.is(bench.line('secondary'), 'secondary diskless connecting outdated no');
});

test('an up-to-date copy that lost its peer takes «unreachable» for an answer, and needs one', (t) => {
  const promoted = (answer: HandlerAnswer, force = false): string => {
    const bench = createBench('resource-only');
    bench.answer = answer;
    bench.powerLoss('primary');
    bench.run(2000);
    return `${bench.primary('secondary', { force })}, ${bench.line('secondary')}`;
  };
  t.is(promoted('unreachable'), 'done, primary up-to-date connecting outdated no');
  t.is(promoted('fenced'), 'done, primary up-to-date connecting outdated no');
  t.is(promoted('unsure'), 'peer-not-outdated, secondary up-to-date connecting unknown no');
  t.is(promoted('primary'), 'need-up-to-date, secondary outdated connecting unknown no');
  t.is(promoted('unsure', true), 'done, primary up-to-date connecting outdated no');
});

test('with fencing, who leaves a primary is outdated, so a lone takeover of a live peer fails', (t) => {
  const bench = createBench('resource-only');
  bench.answer = 'fenced';
  bench.primary('primary');
  t.is(bench.primary('secondary', { alone: true }), 'need-up-to-date');
  bench.run(500);
  t.is(bench.status('primary').role, 'primary');
  t.deepEqual(bench.truth().only, { primary: 0, secondary: 0 });
  bench.run(5000);
  t.is(bench.line('secondary'), 'secondary up-to-date connected up-to-date no', 'and it is back');
});

test('a lone takeover past a dead peer disconnects, is primary, and looks for the peer again', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.powerLoss('primary');
  let outcome = '';
  bench.promote('secondary', { force: false, alone: true }, (seen) => {
    outcome = seen;
  });
  bench.run(1000);
  t.is(outcome, '', 'the disconnect waits until the peer is known to be lost');
  bench.run(600);
  t.is(outcome, 'done');
  t.is(bench.line('secondary'), 'primary up-to-date connecting unknown no');
  bench.powerOn('primary');
  bench.run(1200);
  t.is(bench.status('primary').resync?.direction, 'target');
});

test('a host that loses its power while it asks is never told', (t) => {
  const bench = createBench('resource-only');
  bench.powerLoss('primary');
  bench.run(2000);
  let outcome = 'never';
  bench.promote('secondary', { force: false, alone: false }, (seen) => {
    outcome = seen;
  });
  bench.run(10);
  bench.powerLoss('secondary');
  bench.run(60_000);
  t.is(outcome, 'never');
  t.is(bench.primary('secondary'), 'not-up');
});

test('suspended IO waits, is carried out on resume while the device is open, and is dropped when not', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.open('primary');
  bench.link(false);
  bench.run(2000);
  bench.suspend('primary');
  t.is(bench.status('primary').suspended, 'user');
  writes(bench, 'primary', 3);
  t.is(bench.truth().only.primary, 0);
  bench.resume('primary');
  t.is(bench.truth().onlyAcknowledged.primary, 3);
  bench.suspend('primary');
  writes(bench, 'primary', 2);
  bench.close('primary');
  bench.resume('primary');
  t.is(bench.truth().onlyAcknowledged.primary, 3);
});

test('resume-io ends the freeze for fencing as well, as in 8.4', (t) => {
  const bench = createBench('resource-and-stonith');
  bench.primary('primary');
  bench.link(false);
  bench.run(2000);
  t.is(bench.status('primary').suspended, 'fencing');
  bench.resume('primary');
  t.is(bench.status('primary').suspended, 'no');
  t.is(bench.write('primary'), 'written');
});

test('a freeze that outlasts a loss makes a generation of its own on resume, and a later crash a split brain', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.suspend('primary');
  bench.link(false);
  bench.run(2000);
  bench.link(true);
  bench.run(1200);
  t.is(bench.line('primary'), 'primary up-to-date connected up-to-date user');
  bench.resume('primary');
  bench.powerLoss('primary');
  bench.run(2000);
  t.is(bench.primary('secondary'), 'done');
  bench.powerOn('primary');
  bench.run(1500);
  t.true(bench.truth().splitBrain);
});

test('a secondary whose disk fails leaves the primary ahead; a primary works through its peer', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.diskFailure('secondary');
  t.is(bench.status('primary').peerDisk, 'diskless');
  t.is(bench.write('primary'), 'written');
  t.true(bench.isNewest('secondary'), 'it reads what its peer has');
  bench.link(false);
  bench.run(2000);
  t.false(bench.isNewest('secondary'));

  const other = createBench();
  other.primary('primary');
  other.diskFailure('primary');
  t.is(other.line('primary'), 'primary diskless connected up-to-date no');
  t.is(other.write('primary'), 'written');
  t.is(other.truth().only.secondary, 1);
  t.true(other.isNewest('primary'));
  other.link(false);
  other.run(2000);
  t.false(other.isNewest('primary'));
  t.is(other.write('primary'), 'error');
  other.link(true);
  other.run(1200);
  t.is(other.status('primary').connection, 'connected', 'the same data is taken back');
});

test('an empty disk in the place of a failed one takes all from the peer; what only the failed one held is gone', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.link(false);
  bench.run(2000);
  bench.write('primary');
  t.false(bench.isNewest('secondary'));
  bench.diskFailure('primary');
  bench.replaceDisk('primary');
  t.is(bench.status('primary').disk, 'diskless', 'not while it has power');
  bench.powerLoss('primary');
  bench.replaceDisk('primary');
  t.true(bench.isNewest('secondary'), 'there is nothing newer any more');
  bench.powerOn('primary');
  t.is(bench.status('primary').disk, 'inconsistent');
  t.is(bench.primary('primary'), 'need-up-to-date');
  bench.link(true);
  bench.run(1100);
  t.is(bench.line('secondary'), 'secondary up-to-date connected inconsistent no');
  bench.run(13_000);
  t.is(bench.line('primary'), 'secondary up-to-date connected up-to-date no');
});

test('a primary without a disk takes no writes once it is alone', (t) => {
  const bench = createBench();
  bench.primary('primary');
  bench.diskFailure('primary');
  bench.link(false);
  bench.run(2000);
  t.is(bench.primary('secondary', { alone: true }), 'done');
  t.false(bench.truth().bothWritable);
});

test('a failing handshake calls the handler of a frozen primary again', (t) => {
  const bench = createBench('resource-and-stonith');
  bench.answer = 'unsure';
  bench.primary('primary');
  bench.link(false);
  bench.run(2000);
  bench.disconnect('primary');
  bench.run(10);
  t.deepEqual(bench.calls, ['primary', 'primary']);
});

test('generations are compared in the order of the kernel', (t) => {
  const parties = {
    selfCrashedPrimary: false,
    peerCrashedPrimary: false,
    selfPrimary: false,
    peerPrimary: false,
    tieToSelf: true,
  };
  type Four = readonly [number, number, number, number];
  const compare = (self: Four, peer: Four, changes: Partial<typeof parties> = {}): string => {
    const [selfSet, peerSet] = [self, peer].map(([current, bitmap, younger, older]) => ({
      current,
      bitmap,
      younger,
      older,
    }));
    if (selfSet === undefined || peerSet === undefined) return '';
    const verdict = compareGenerations(selfSet, peerSet, { ...parties, ...changes });
    const { kind, rule } = verdict;
    if (kind !== 'resync') return `${rule} ${kind}`;
    return `${rule} from ${verdict.from}${verdict.full ? ' full' : ''}`;
  };
  const [a, b, c, d, e, f] = [100, 200, 300, 400, 500, 600] as const;
  t.is(compare([justCreated, 0, 0, 0], [justCreated, 0, 0, 0]), '10 equal');
  t.is(compare([justCreated, 0, 0, 0], [a, 0, 0, 0]), '20 from peer full');
  t.is(compare([a, 0, 0, 0], [justCreated, 0, 0, 0]), '30 from self full');
  t.is(compare([a, b, c, d], [a, 0, b, c]), '34 from self');
  t.is(compare([a, 0, b, c], [a, b, c, d]), '35 from peer');
  t.is(compare([a, b, c, d], [a, 0, e, f]), '36 from self');
  t.is(compare([a, 0, e, f], [a, b, c, d]), '37 from peer');
  t.is(compare([a, 0, b, c], [a, 0, b, c]), '40 equal');
  t.is(compare([a, 0, b, c], [a, 0, b, c], { selfCrashedPrimary: true }), '40 from self');
  t.is(compare([a, 0, b, c], [a, 0, b, c], { peerCrashedPrimary: true }), '40 from peer');
  const bothCrashed = { selfCrashedPrimary: true, peerCrashedPrimary: true };
  t.is(compare([a, 0, b, c], [a, 0, b, c], bothCrashed), '40 from self');
  t.is(compare([a, 0, b, c], [a, 0, b, c], { ...bothCrashed, tieToSelf: false }), '40 from peer');
  t.is(compare([a, 0, b, c], [a, 0, b, c], { ...bothCrashed, peerPrimary: true }), '41 from peer');
  t.is(compare([a, 0, b, c], [d, a, b, c]), '50 from peer');
  t.is(compare([a, 0, b, c], [d, a + 1, a, b]), '51 from peer');
  t.is(compare([a, 0, b, c], [d, 0, e, a]), '60 from peer full');
  t.is(compare([d, a, b, c], [a, 0, b, c]), '70 from self');
  t.is(compare([d, a + 1, a, b], [a, 0, b, c]), '71 from self');
  t.is(compare([d, 0, e, a], [a, 0, b, c]), '80 from self full');
  t.is(compare([d, a, b, c], [e, a, b, c]), '90 split-brain');
  t.is(compare([d, e, b, c], [f, a, c, 7]), '100 split-brain');
  t.is(compare([1, 2, 3, 5], [6, 7, 8, 9]), '100 unrelated');
});

/** A long random story; what is asserted holds after every step of it. */
function story(seed: number, fencing: Fencing, check: (bench: Bench, linkUp: boolean) => void): Bench {
  const dice = createAgenda(seed * 7919);
  const bench = createBench(fencing, {}, seed);
  const answers: ReadonlyArray<HandlerAnswer | null> = ['outdated', 'unreachable', 'fenced', 'unsure', null];
  let linkUp = true;
  const acts: ReadonlyArray<(side: Side) => void> = [
    () => {
      linkUp = dice.random() < 0.6;
      bench.link(linkUp);
    },
    (side) => bench.powerLoss(side),
    (side) => bench.powerOn(side),
    (side) => bench.powerOn(otherOf(side)),
    (side) => bench.promote(side, { force: false, alone: dice.random() < 0.3 }, () => {}),
    (side) => bench.promote(side, { force: false, alone: false }, () => {}),
    (side) => bench.demote(side, () => {}),
    (side) => bench.suspend(side),
    (side) => bench.resume(side),
    (side) => bench.disconnect(side),
    (side) => bench.connect(side, { discardMyData: dice.random() < 0.2 }),
    (side) => bench.outdate(side),
  ];
  for (let index = 0; index < 60; index += 1) {
    bench.answer = answers[Math.floor(dice.random() * answers.length)] ?? null;
    acts[Math.floor(dice.random() * acts.length)]?.(dice.random() < 0.5 ? 'primary' : 'secondary');
    writes(bench, 'primary', 1);
    writes(bench, 'secondary', 1);
    bench.run(dice.random() * 2500);
    check(bench, linkUp);
  }
  return bench;
}

test('the same seed tells the same story, another seed another', (t) => {
  const tell = (seed: number) => story(seed, 'resource-and-stonith', () => {}).changes;
  t.deepEqual(tell(11), tell(11));
  t.notDeepEqual(tell(11), tell(12));
  t.true(tell(11).length > 10, String(tell(11).length));
});

/** What does not fit together; empty: all does. */
function misfits(bench: Bench, linkUp: boolean, fencing: Fencing): readonly string[] {
  const [here, there] = [bench.status('primary'), bench.status('secondary')];
  const { only, onlyAcknowledged, bothWritable } = bench.truth();
  const problems: string[] = [];
  for (const status of [here, there]) {
    const isConnected = status.connection === 'connected';
    if (isConnected && status.role === 'primary' && status.peerRole === 'primary') problems.push('two');
    if (isConnected !== (status.peerRole !== 'unknown')) problems.push('peer role');
    if (isConnected && (status.disk === 'outdated' || status.disk === 'consistent')) problems.push('disk');
    if (status.resync?.direction === 'target' && status.disk !== 'inconsistent') problems.push('target');
    if (status.suspended === 'fencing' && fencing !== 'resource-and-stonith') problems.push('frozen');
  }
  for (const side of ['primary', 'secondary'] as const) {
    if (onlyAcknowledged[side] < 0 || onlyAcknowledged[side] > only[side]) problems.push(`only ${side}`);
  }
  if (bothWritable && (here.role !== 'primary' || there.role !== 'primary')) problems.push('writable');
  const isWhole = [here, there].every(
    ({ connection, disk }) => connection === 'connected' && disk === 'up-to-date',
  );
  if (linkUp && isWhole && only.primary + only.secondary > 0) problems.push('silent divergence');
  return problems;
}

test('whatever happens, the halves fit together, and what is shown in sync is in sync', (t) => {
  let synced = 0;
  for (const fencing of ['dont-care', 'resource-only', 'resource-and-stonith'] as const) {
    for (let seed = 1; seed <= 200; seed += 1) {
      story(seed, fencing, (bench, linkUp) => {
        const problems = misfits(bench, linkUp, fencing);
        if (problems.length > 0) t.fail(`${fencing}, seed ${seed}: ${problems.join(', ')}`);
        if (bench.status('primary').resync !== null) synced += 1;
      });
    }
  }
  t.true(synced > 500, String(synced));
});
