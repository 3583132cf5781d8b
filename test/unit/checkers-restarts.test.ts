// Rule S14 fires where a guest is ended only to be started again where it was, and keeps quiet where it had to be ended.

import test from 'ava';
import type { Ledger, ResourceAction } from '../../daemon/core/events.ts';
import { ownContent } from '../../daemon/core/report.ts';
import { type GroupState, initialState, noRecord, type Phase, type State } from '../../daemon/core/state.ts';
import type { Action, Side } from '../../daemon/sim/action.ts';
import type { Running, Trace } from '../../daemon/sim/trace.ts';
import { createCheckers } from '../sim/checkers.ts';
import { mail, web } from '../sim/example.ts';
import { plainSetup, policyOf, type Setup } from '../sim/setups.ts';

const empty: Ledger = { groups: [], peer: null, standby: false, left: false, maintenanceUntil: null };
const ledgerOf = (generation: number): Ledger => ({
  ...empty,
  groups: [{ ...noRecord('office'), generation, owner: 'primary' }],
});

const mirrored: Setup = { ...plainSetup, drbd: 'dont-care' };
const alone: Setup = { ...plainSetup, guard: 'lease', drbd: 'none' };
const fenced: Setup = { ...mirrored, guard: 'lease' };
const claim = { id: 1, reason: 'resume' } as const;
const frozen: Phase = { kind: 'frozen', generation: 3, claim, peerRun: 7 };
const active: Phase = { kind: 'active', generation: 3 };
const starting: Phase = { kind: 'starting', generation: 3, resuming: false };
const stopped: Phase = { kind: 'stopped' };
const discarding: Phase = { kind: 'stopping', generation: 3, reason: 'discard' };

type Known = Partial<Pick<State, 'verdict' | 'lease' | 'leavingSince' | 'ledger' | 'peer'>>;
interface Step extends Known {
  readonly phase: Phase;
  readonly side?: Side;
  readonly grant?: GroupState['grant'];
  readonly rule?: string;
  /** Of its resources. */
  readonly inDoubt?: boolean;
}

const states = {
  primary: initialState({ at: 0, policy: policyOf(mirrored, 'primary'), incarnation: 1, ledger: empty }),
  secondary: initialState({ at: 0, policy: policyOf(mirrored, 'secondary'), incarnation: 7, ledger: empty }),
};

function step(at: number, of: Step): Trace {
  const { phase, side = 'primary', grant = null, rule = 'row', inDoubt = false, ...known } = of;
  const before = { ...states[side], ...known, verdict: known.verdict ?? ({ kind: 'alive' } as const) };
  const after = {
    ...before,
    groups: before.groups.map((group) => ({
      ...group,
      ...{ phase, grant, rule },
      resources: group.resources.map((resource) => ({ ...resource, inDoubt })),
    })),
  };
  return { kind: 'stepped', at, side, event: { kind: 'time-passed', at }, before, after, effects: [] };
}

const is = (at: number, running: Running, side: Side = 'primary', resource = mail): Trace => ({
  kind: 'running',
  at,
  side,
  group: 'office',
  resource,
  running,
});

const asks = (at: number, action: ResourceAction): Trace => ({
  kind: 'operation',
  at,
  side: 'primary',
  operation: 1,
  group: 'office',
  resource: mail,
  action,
  outcome: 'started',
});

const does = (at: number, action: Action): Trace => ({ kind: 'action', at, action });
const daemon = (at: number, side: Side, incarnation: number, runs = true): Trace => ({
  kind: 'daemon',
  at,
  side,
  runs,
  incarnation,
});

const peerRuns = daemon(0, 'secondary', 7);
const came = [peerRuns, step(100, { phase: starting }), is(200, 'up'), step(300, { phase: active })];
const froze = [...came, step(10_000, { phase: frozen }), is(10_010, 'paused')];
const ended = [asks(20_010, 'destroy'), is(20_020, 'down')];
const again = [step(20_030, { phase: stopped }), step(20_040, { phase: starting }), is(20_100, 'up')];

interface Watched {
  readonly setup?: Setup;
  readonly generations?: Readonly<Record<Side, number>>;
}

function said(traces: readonly Trace[], { setup = mirrored, generations }: Watched = {}): readonly string[] {
  const ledgerOn = (side: Side) => ledgerOf(generations?.[side] ?? 3);
  const checkers = createCheckers(policyOf(setup, 'primary'), ledgerOn);
  for (const trace of traces) checkers.see(trace);
  checkers.ended(100_000);
  return checkers.violations.filter(({ rule }) => rule === 'S14').map(({ message }) => message);
}

const broken = [`${mail} was ended by row, and is started again where it was`];
const discards = (known: Known = {}) => step(20_000, { phase: discarding, ...known });
const healed = (...more: readonly Trace[]) => [...froze, discards(), ...ended, ...more, ...again];

test('S14: what was frozen is ended after a heal and started afresh', (t) => {
  t.deepEqual(said(healed()), broken);
  const before = step(20_005, { phase: starting });
  t.deepEqual(said([...froze, before, ...ended, ...again]), broken, 'instead of going on');
  t.deepEqual(said([...froze, before, is(20_010, 'up')]), [], 'it goes on');
  t.deepEqual(said([...froze, discards(), ...ended]), [], 'it is not started again');
  t.deepEqual(said(healed(is(20_025, 'up', 'primary', web))), broken, 'another guest is another matter');
});

test('S14: what a daemon finds running is ended and started again', (t) => {
  const restarted = [...came, daemon(5000, 'primary', 1, false), daemon(5600, 'primary', 2)];
  const leaves = step(20_000, { phase: { ...discarding, generation: 0, reason: 'leave' } });
  const stops = [asks(20_010, 'stop'), is(20_020, 'down')];
  t.deepEqual(said([...restarted, leaves, ...stops, ...again]), broken);
  const content = ownContent(states.secondary);
  const groups = content.groups.map((one) => ({ ...one, generation: 3 }));
  const peer = { ...states.primary.peer, content: { ...content, groups } };
  const heard = step(20_000, { phase: { ...discarding, generation: 0, reason: 'leave' }, peer });
  t.deepEqual(said([...restarted, heard, ...stops, ...again]), broken, 'the peer knows of no later one');
  const adopted = [...restarted, step(5700, { phase: active })];
  t.deepEqual(said([...adopted, leaves, ...stops, ...again]), broken);
  const saves = [asks(20_010, 'save'), is(20_020, 'down')];
  t.deepEqual(said([...adopted, leaves, ...saves, ...again]), broken);
});

test('S14: the other node had the group meanwhile, or was given it', (t) => {
  const taken = (at: number) => [
    step(at, { phase: starting, side: 'secondary' }),
    step(at + 5, { phase: stopped, side: 'secondary' }),
  ];
  const [first] = taken(20_023);
  t.deepEqual(said(healed(...taken(20_021))), [], 'in between');
  t.deepEqual(said(healed(is(20_021, 'up', 'secondary'))), [], 'a guest came up there');
  t.deepEqual(said([...froze, ...taken(15_000), ...healed().slice(froze.length)]), [], 'while it was frozen');
  t.deepEqual(said([...came, ...taken(5000), ...healed().slice(came.length)]), broken, 'before it was');
  t.deepEqual(said([...froze, first as Trace, ...healed().slice(froze.length)]), [], 'and still has it');
  const grant = { incarnation: 7, claim: 3 };
  const granted = [step(19_000, { phase: active, grant }), step(20_000, { phase: discarding, grant })];
  t.deepEqual(said([...came, ...granted, ...ended, ...again]), [], 'it was granted it');
  t.deepEqual(said(healed(step(20_025, { phase: stopped, grant }))), [], 'it was granted it afterwards');
});

test('S14: the other node has said that it knows of a later generation, or the witness that it wrote', (t) => {
  const { lease, peer } = states.primary;
  const content = ownContent(states.secondary);
  const [report] = content.groups;
  if (report === undefined) throw new Error('it says nothing of a group');
  const hears = (generation: number) => ({
    peer: { ...peer, content: { ...content, groups: [{ ...report, generation }] } },
  });
  const discarded = (known: Known) => said([...froze, discards(known), ...ended, ...again]);
  t.deepEqual(discarded(hears(4)), []);
  t.deepEqual(discarded(hears(3)), broken);
  t.deepEqual(discarded({ lease: { ...lease, peerAlone: ['office'] } }), []);
  t.deepEqual(discarded({ lease: { ...lease, ownAlone: ['office'] } }), broken);
});

test('S14: the other node has said, if only in a packet that came late, that it runs it with a better right', (t) => {
  const { peer } = states.secondary;
  const content = ownContent(states.primary);
  const says = (phase: 'active' | 'stopped', generation: number) => ({
    peer: {
      ...peer,
      content: { ...content, groups: content.groups.map((one) => ({ ...one, phase, generation })) },
    },
  });
  const yields = (side: Side, known: Known) => {
    const at = (when: number, of: Step) => step(when, { ...of, side });
    const off = {
      kind: 'operation',
      at: 20_010,
      side,
      operation: 1,
      group: 'office',
      resource: mail,
    } as const;
    return said([
      ...[peerRuns, at(100, { phase: starting }), is(200, 'up', side), at(300, { phase: active })],
      at(20_000, { phase: { ...discarding, reason: 'yield' }, rule: 'yield', ...known }),
      { ...off, action: 'destroy', outcome: 'started' },
      is(20_020, 'down', side),
      ...[at(20_030, { phase: stopped }), at(20_040, { phase: starting }), is(20_100, 'up', side)],
    ]);
  };
  const restarted = [`${mail} was ended by yield, and is started again where it was`];
  t.deepEqual(yields('secondary', says('active', 3)), [], 'of two alike the preferred node runs it');
  t.deepEqual(yields('primary', says('active', 3)), restarted);
  t.deepEqual(yields('primary', says('active', 4)), []);
  t.deepEqual(yields('secondary', says('stopped', 3)), restarted);
});

test('S14: a node that has lost its record of what is frozen gives way to one that has a record', (t) => {
  const { peer } = states.primary;
  const content = ownContent(states.secondary);
  const hears = (generation: number) => ({
    peer: { ...peer, content: { ...content, groups: content.groups.map((one) => ({ ...one, generation })) } },
  });
  const lost = does(15_000, { kind: 'state-file', host: 'primary', condition: 'lost' });
  const gives = (known: Known, generation: number, before: readonly Trace[] = [lost]) => {
    const gone = step(20_000, { phase: { ...discarding, generation }, ...known });
    return said([...froze, ...before, gone, ...ended, ...again], {
      generations: { primary: 3, secondary: 3 },
    });
  };
  t.deepEqual(gives(hears(3), 0), []);
  t.deepEqual(gives(hears(3), 0, []), broken, 'it still has it');
  t.deepEqual(gives(hears(3), 3), broken);
  t.deepEqual(gives(hears(0), 0), broken, 'neither has one');
});

test('S14: it was declined, or might have come up at any time', (t) => {
  const declines = step(20_000, { phase: { ...discarding, reason: 'decline' } });
  t.deepEqual(said([...came, declines, ...ended, ...again]), []);
  const doubtful = step(20_000, { phase: discarding, inDoubt: true });
  t.deepEqual(said([...froze, doubtful, ...ended, ...again]), []);
});

test('S14: what is found frozen and given up in one step, while only a peer that is away could say whether it ran', (t) => {
  const found = [...froze, daemon(15_000, 'primary', 1, false), daemon(15_600, 'primary', 2)];
  const gives = (rule: string, known: Known = {}) => [
    ...found,
    step(15_700, { phase: { kind: 'observing' } }),
    step(20_000, { phase: discarding, rule, ...known }),
    ...ended,
    ...again,
  ];
  const away = { verdict: { kind: 'departed' } } as const;
  t.deepEqual(said(gives('discard-when-fenced', away)), []);
  t.deepEqual(said(gives('discard-when-fenced')), [
    `${mail} was ended by discard-when-fenced, and is started again where it was`,
  ]);
  t.deepEqual(said(gives('yield', away)), [`${mail} was ended by yield, and is started again where it was`]);
});

test('S14: the other node knows of a later generation', (t) => {
  t.deepEqual(said(healed(), { generations: { primary: 3, secondary: 4 } }), []);
  t.deepEqual(said(healed(), { generations: { primary: 4, secondary: 3 } }), broken);
  const unwritten = step(15_000, { phase: stopped, side: 'secondary', ledger: ledgerOf(4) });
  t.deepEqual(said([...froze, unwritten, ...healed().slice(froze.length)]), [], 'not on disk yet');
});

test('S14: the daemon leaves, the host loses its power, a person or a crash ends the guest', (t) => {
  const leaves = discards({ leavingSince: 19_000 });
  t.deepEqual(said([...froze, leaves, ...ended, ...again]), []);
  const leavesLater = step(20_025, { phase: stopped, leavingSince: 20_024 });
  t.deepEqual(said(healed(leavesLater)), []);
  t.deepEqual(said(healed({ kind: 'powered', at: 20_021, side: 'primary', on: false, why: 'fault' })), []);
  t.deepEqual(
    said(healed({ kind: 'powered', at: 20_021, side: 'secondary', on: false, why: 'fault' })),
    broken,
  );
  const stops = does(20_015, { kind: 'stop-by-hand', host: 'primary', resource: mail });
  const dies = does(20_015, { kind: 'guest-dies', host: 'primary', guest: mail });
  const asked = [...froze, discards(), asks(20_010, 'destroy')];
  for (const how of [stops, dies]) t.deepEqual(said([...asked, how, is(20_015, 'down'), ...again]), []);
  t.deepEqual(said([...asked, is(20_012, 'failed'), is(20_015, 'down'), ...again]), []);
  const failed = [...came, is(20_000, 'failed'), ...ended, ...again];
  t.deepEqual(said(failed), [], 'a crashed one is switched off and started again');
});

test('S14: what came up by hand, or when its node no longer counted on it, is none of its guests', (t) => {
  const byHand = does(200, { kind: 'start-by-hand', host: 'primary', resource: mail });
  const strayed = [step(100, { phase: stopped }), byHand, is(200, 'up'), discards()];
  t.deepEqual(said([...strayed, ...ended, ...again]), []);
  const late = [step(100, { phase: stopped }), is(200, 'up'), discards()];
  t.deepEqual(said([...late, ...ended, ...again]), []);
  const startsIt = does(20_100, { kind: 'start-by-hand', host: 'primary', resource: mail });
  t.deepEqual(said([...froze, discards(), ...ended, startsIt, is(20_100, 'up')]), []);
});

test('S14: only a peer that is away could say whether it has run what is frozen here', (t) => {
  const away = { kind: 'fenced', by: 'lease' } as const;
  const unbroken = { ...states.primary.lease, unbroken: true, validUntil: 1_000_000 };
  const story = (known: Known) => [...froze, discards(known), ...ended, ...again];
  t.deepEqual(said(story({ verdict: away }), { setup: fenced }), []);
  t.deepEqual(said(story({ verdict: { kind: 'departed' } })), []);
  t.deepEqual(said(story({ verdict: { kind: 'late' } })), broken);
  t.deepEqual(
    said(story({ verdict: away, lease: unbroken }), { setup: fenced }),
    broken,
    'nobody had the lease',
  );
  const runs = [...came, discards({ verdict: away }), ...ended, ...again];
  t.deepEqual(said(runs, { setup: fenced }), broken, 'it was not frozen');
});

test('S14: a peer whose daemon was restarted may have forgotten that it ran what no disk is on record of', (t) => {
  const unbroken = { ...states.primary.lease, unbroken: true, validUntil: 1_000_000 };
  const story = (run: number, known: Known = {}) => [
    ...froze,
    daemon(15_000, 'secondary', run),
    discards(known),
    ...ended,
    ...again,
  ];
  t.deepEqual(said(story(8), { setup: alone }), []);
  t.deepEqual(said(story(7), { setup: alone }), broken, 'it is the run that was heard before');
  t.deepEqual(said(story(8, { lease: unbroken }), { setup: alone }), broken, 'nobody had the lease');
  t.deepEqual(said(story(8), { setup: fenced }), broken, 'of the disks the witness has a record');
  t.deepEqual(said(story(8)), broken, 'there is no witness');
});
