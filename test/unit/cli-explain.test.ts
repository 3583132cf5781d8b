// `battito explain` against daemons in all kinds of situations: each is a real core that lived through it in the
// modelled world. What is told must begin as things are, and must say who, in what order, or why nobody and what next.

import test, { type ExecutionContext } from 'ava';
import type { Note } from '../../daemon/core/events.ts';
import { exitCodes } from '../../daemon/errors.ts';
import type { Side } from '../../daemon/sim/action.ts';
import { parseTimedAction } from '../../daemon/sim/action-text.ts';
import { createWorld } from '../../daemon/sim/world.ts';
import type { ScenarioReport, WhatIfReport } from '../../daemon/whatif/report.ts';
import { faultsIn } from '../schemas.ts';
import { address, type Protection, protectedPolicy } from '../sim/example.ts';
import { scriptedDaemon } from './fixtures/cli/server.ts';
import { entry, status } from './fixtures/cli/statuses.ts';
import { run } from './fixtures/cli/terminal.ts';

/** All tests of this file share one thread, and each of them works out many faults. */
const deadlineMs = 120_000;

interface Life {
  readonly on?: Side;
  readonly protection?: Protection;
  /** What happened after both daemons had started. */
  readonly story?: readonly string[];
}

/** The state of one node's core after this life. */
function stateAfter({ on = 'primary', protection = {}, story = [] }: Life) {
  const world = createWorld({ seed: 11, policy: (side) => protectedPolicy(side, protection), bootMs: 1000 });
  world.apply({ kind: 'start-daemon', host: 'primary' });
  world.apply({ kind: 'start-daemon', host: 'secondary' });
  const actions = story.map((text) => parseTimedAction(text));
  for (const { atMs, action } of actions) world.at(world.now() + atMs, action);
  world.run(Math.max(5000, ...actions.map(({ atMs }) => atMs)) + 20_000);
  const state = world.state(on);
  if (state === null) throw new Error(`no daemon runs on ${on}`);
  return state;
}

async function explain(
  t: ExecutionContext,
  life: Life,
  words: readonly string[],
  notes: readonly Note[] = [],
) {
  const { socketPath } = await scriptedDaemon(t, {
    statuses: [status()],
    state: stateAfter(life),
    histories: [notes.map((note) => ({ ...entry(note.message), ...note }))],
  });
  return run(['explain', ...words, '--socket', socketPath], { deadlineMs });
}

async function report(t: ExecutionContext, life: Life, ...words: readonly string[]): Promise<WhatIfReport> {
  const { exitCode, stdout, stderr } = await explain(t, life, [...words, '--json']);
  t.is(stderr, '');
  t.is(exitCode, 0);
  const answer = JSON.parse(stdout) as WhatIfReport;
  t.deepEqual(faultsIn('explain', answer), []);
  t.deepEqual(answer.basis.differences, [], 'the simulation begins as things are');
  return answer;
}

function scenario({ scenarios }: WhatIfReport, id: string): ScenarioReport {
  const found = scenarios.find((one) => one.id === id);
  if (found === undefined) throw new Error(`no ${id} among ${scenarios.map((one) => one.id).join(', ')}`);
  return found;
}

const office = ({ ending }: ScenarioReport) => {
  const [group] = ending.groups;
  if (group === undefined) throw new Error('no group');
  return group;
};

const fates = ({ scenarios }: WhatIfReport) =>
  Object.fromEntries(scenarios.map((one) => [one.id, `${office(one).fate} ${office(one).to ?? '-'}`]));

test('While all is well it says of each usual fault who has the group afterwards', async (t) => {
  const answer = await report(t, {});
  t.deepEqual(fates(answer), {
    'power primary': 'moved secondary',
    'power secondary': 'untouched primary',
    'link eth1': 'untouched primary',
    'link eth0 primary': 'moved secondary',
    'link eth0 secondary': 'untouched primary',
    'daemon primary': 'untouched primary',
    'daemon primary stays-down': 'untouched primary',
    gateway: 'untouched primary',
    'power both': 'back primary',
  });
  for (const { otherEndings, ending } of answer.scenarios) {
    t.deepEqual(otherEndings, []);
    t.true(ending.atRest);
  }
});

test('The standby explains the same as the active node', async (t) => {
  const asked = await report(t, { on: 'secondary' });
  t.is(asked.self, 'secondary');
  const { 'daemon secondary': ofDaemon, ...others } = fates(asked);
  t.is(ofDaemon, 'untouched primary');
  t.is(others['power primary'], 'moved secondary');
  t.is(others['power secondary'], 'untouched primary');
});

test('The loss of power of the active node: address and guests in order, after the deadtime', async (t) => {
  const answer = await report(t, {}, 'self-power');
  t.is(answer.scenarios.length, 1);
  const told = scenario(answer, 'power primary');
  const group = office(told);
  t.deepEqual(group.order, [address, 'guest:mail', 'guest:web']);
  t.true((group.takenAfter?.lowMs ?? 0) >= 1000);
  t.true((group.addresses[0]?.backAfter?.lowMs ?? 0) >= (group.takenAfter?.lowMs ?? Infinity));
  t.true(group.guests.every(({ wasUp, isUp, backAfter }) => wasUp && isUp && backAfter !== null));
  t.regex(
    told.ending.verdict,
    /^secondary takes office over after about .* s; 192\.168\.1\.1 answers again /,
  );
  t.deepEqual(told.faults, ['power-loss primary @0ms']);
  const codes = told.timeline.filter(({ node }) => node === 'secondary').map(({ code }) => code);
  t.true(codes.indexOf('peer-dead') < codes.indexOf('take-over'));
  t.true(codes.indexOf('take-over') < codes.indexOf('started'));
});

test('With a mirrored disk the disk is promoted before the guests are started', async (t) => {
  const told = scenario(await report(t, { protection: { disk: true } }, 'power', 'primary'), 'power primary');
  t.deepEqual(office(told).order, [address, 'drbd:r0', 'guest:mail', 'guest:web']);
});

/** Who takes nothing over, and the word that says why and what next. */
const hindered: readonly (readonly [what: string, life: Life, code: string, why: RegExp, next: RegExp])[] = [
  [
    'in standby',
    { story: ['operator secondary standby on @4s'] },
    'standby',
    /^secondary is in standby/,
    /^on secondary: battito standby off$/,
  ],
  [
    'in maintenance',
    { story: ['operator secondary maintenance 30m @4s'] },
    'maintenance',
    /^secondary is in maintenance/,
    /^on secondary: battito maintenance off$/,
  ],
  [
    'without LAN',
    { story: ['cut secondary lan @4s'] },
    'isolated',
    /^secondary is or was cut off/,
    /^on secondary: mend the network/,
  ],
  [
    'with a gateway that is gone',
    { story: ['gateway off @4s'] },
    'isolated',
    /cut off/,
    /battito fence confirm primary/,
  ],
  [
    'told that this node is in maintenance',
    { story: ['operator primary maintenance 30m @4s'] },
    'peer-in-maintenance',
    /^primary is in maintenance/,
    /wait until it ends/,
  ],
  [
    'with a disk that is not mirrored',
    { protection: { disk: true }, story: ['cut primary dedicated @4s'] },
    'outdated-data',
    /drbd:r0 is outdated, without its mirror/,
    /battito takeover --accept-data office/,
  ],
];

for (const [what, life, code, why, next] of hindered) {
  test(`With a peer ${what} nobody takes over, and it is said why and what to do`, async (t) => {
    const told = scenario(await report(t, life, 'self-power'), 'power primary');
    const { fate, to, hindrances } = office(told);
    t.is(fate, 'lost');
    t.is(to, null);
    t.is(hindrances[0]?.code, code);
    t.regex(hindrances[0]?.why ?? '', why);
    t.regex(hindrances[0]?.next ?? '', next);
    t.regex(told.ending.verdict, /^office is NOT started anywhere: /);
  });
}

test('A gateway that only one node reaches is told apart from one that is off', async (t) => {
  const here = { story: ['way-out primary gateway shut @4s'] };
  const there = { story: ['way-out secondary gateway shut @4s'] };
  const peerTakes = office(scenario(await report(t, here, 'self-power'), 'power primary'));
  t.is(`${peerTakes.fate} ${peerTakes.to}`, 'moved secondary');
  const moves = office(scenario(await report(t, here, 'gateway'), 'gateway'));
  t.is(moves.fate, 'untouched', 'once it is off for both there is nowhere to go');
  const nobody = office(scenario(await report(t, there, 'self-power'), 'power primary'));
  t.is(`${nobody.fate} ${nobody.hindrances[0]?.code}`, 'lost isolated');
  const given = office(scenario(await report(t, here, 'link', 'eth1'), 'link eth1'));
  t.is(`${given.fate} ${given.to}`, 'moved secondary', 'it was about to move');
});

test('What nothing moves at may still be what protects: a second fault tells', async (t) => {
  const answer = await report(t, { protection: { disk: true } });
  t.regex(scenario(answer, 'gateway').secondFault?.verdict ?? '', /^office is NOT started anywhere/);
  t.regex(scenario(answer, 'link eth1').secondFault?.verdict ?? '', /^office is NOT started anywhere/);
  const plain = await report(t, {}, 'link', 'eth1');
  t.is(scenario(plain, 'link eth1').secondFault?.title, 'if primary then loses power');
  t.is(scenario(plain, 'link eth1').secondFault?.verdict, 'secondary still takes office over');
});

test('In no usual fault does a guest run while it is being started on the other node', async (t) => {
  for (const protection of [{}, { disk: true }, { device: true }, { lease: true }]) {
    for (const { id, ending, otherEndings } of (await report(t, { protection })).scenarios) {
      const groups = [ending, ...otherEndings].flatMap((one) => one.groups);
      t.true(
        groups.every(({ overlapFor, doubledFor }) => overlapFor === null && doubledFor === null),
        `${JSON.stringify(protection)}: ${id}`,
      );
    }
  }
});

test('A device and a witness are asked about where there are some', async (t) => {
  const ids = (await report(t, { protection: { device: true, lease: true } })).scenarios.map(({ id }) => id);
  for (const id of ['witness', 'fence-device primary', 'fence-device secondary'])
    t.true(ids.includes(id), id);
});

/** The peer is silent: what it is explained from, and what would end it. */
const silent: readonly (readonly [what: string, life: Life, now: RegExp, id: string, fate: string])[] = [
  [
    'is dead and was taken over',
    { on: 'secondary', story: ['power-loss primary @4s'] },
    /^office is on secondary; primary is gone$/,
    'return primary',
    'untouched secondary',
  ],
  [
    'was powered off by its device',
    { on: 'secondary', protection: { device: true }, story: ['kill-daemon primary stays-down @4s'] },
    /^office is on secondary; primary is gone$/,
    'return primary',
    'untouched secondary',
  ],
  [
    'has a dead daemon, and runs what it ran',
    { on: 'secondary', story: ['kill-daemon primary stays-down @4s'] },
    /^office was last on primary; primary is silent, but its host answers$/,
    'confirm primary',
    'moved secondary',
  ],
  [
    'has left in an orderly way',
    { on: 'secondary', story: ['stop-daemon primary @4s'] },
    /^office is on secondary; primary has stopped its daemon$/,
    'return primary',
    'untouched secondary',
  ],
  [
    'is gone since before this daemon started, with data that may be newer',
    {
      story: ['power-loss secondary @4s', 'power-loss primary @4s', 'power-on primary @5s'],
    },
    /^office runs nowhere; secondary is gone$/,
    'return secondary',
    'started primary',
  ],
  [
    'cannot be heard, since this node is cut off',
    { story: ['partition @4s', 'cut primary lan in @4s'] },
    /^office is paused on primary; secondary cannot be judged, since this node is cut off$/,
    'return secondary',
    'untouched secondary',
  ],
];

for (const [what, life, now, id, fate] of silent) {
  test(`A peer that ${what}: the present is explained, and what would end it`, async (t) => {
    const answer = await report(t, life);
    t.regex(answer.now.summary, now);
    t.is(fates(answer)[id], fate);
  });
}

test('A guest that is given up here is expected to start there, which is said', async (t) => {
  const story = ['break primary guest:web fails @3s', 'guest-dies primary guest:web @4s'];
  const answer = await report(t, { story }, 'self-power');
  const web = office(scenario(answer, 'power primary')).guests.find(({ id }) => id === 'guest:web');
  t.like(web, { wasUp: false, isUp: true });
  t.true(answer.basis.assumptions.includes('guest:web, given up on primary, can start on secondary'));
});

test('Times come from the starts in the history, and are assumed where there are none', async (t) => {
  const done = (tookMs: number): Note => ({
    severity: 'info',
    code: 'operation-done',
    group: 'office',
    message: 'start guest:mail',
    next: null,
    tookMs,
  });
  const { stdout } = await explain(t, {}, ['self-power', '--json'], [done(400), done(500), done(900)]);
  const { durations } = (JSON.parse(stdout) as WhatIfReport).basis;
  t.like(durations.find(({ resource }) => resource === 'guest:mail') ?? {}, {
    ms: 500,
    from: 'recorded',
    count: 3,
  });
  t.is(durations.find(({ resource }) => resource === 'guest:web')?.from, 'assumed');
});

test('A person reads the verdict first, then what to do, and what it was computed from', async (t) => {
  const { exitCode, stdout } = await explain(t, { story: ['operator secondary standby on @4s'] }, []);
  t.is(exitCode, 0);
  const text = stdout.replaceAll(/\s+/g, ' ');
  t.true(text.includes('Now: office is on primary; both nodes are heard'));
  t.true(
    text.includes(
      'If primary (this node) loses power: Office is NOT started anywhere: secondary is in standby and takes nothing over; next: on secondary: battito standby off.',
    ),
  );
  t.true(text.includes('Simulated from the state of now, each 5 times'));
  t.deepEqual(
    stdout.split('\n').filter((line) => line.length > 80),
    [],
  );
});

test('One fault is told moment by moment', async (t) => {
  const { stdout } = await explain(t, {}, ['peer-power']);
  t.regex(stdout, /^ If secondary loses power:\n {3}Nothing moves\.$/m);
  t.regex(stdout, /^ +0\.00 s +what happens: power-loss secondary$/m);
  t.regex(stdout, /secondary is dead: no heartbeat on any link/);
});

test('What cannot be asked about is refused with what can', async (t) => {
  const { exitCode, stdout, stderr } = await explain(t, {}, ['link', 'eth7']);
  t.is(exitCode, exitCodes.usage);
  t.is(stdout, '');
  t.regex(stderr, /^battito: there is no "link eth7" to ask about\nnext: ask about one of: power primary, /);
});

test('A daemon that is still listening for its peer is asked later', async (t) => {
  const world = createWorld({ seed: 1, policy: (side) => protectedPolicy(side, {}) });
  world.apply({ kind: 'power-loss', host: 'secondary' });
  world.apply({ kind: 'start-daemon', host: 'primary' });
  world.run(500);
  const state = world.state('primary');
  if (state === null) throw new Error('no daemon');
  const { socketPath } = await scriptedDaemon(t, { statuses: [status()], state });
  const { exitCode, stderr } = await run(['explain', '--socket', socketPath], { deadlineMs });
  t.is(exitCode, exitCodes.timedOut);
  t.regex(stderr, /does not know yet what to think of its peer\nnext: ask again/);
});
