// What an operator sees: the whole picture for each state that he may meet, as text. A change of a picture is a
// change of these texts.

import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import type { Look } from '../../daemon/cli/output.ts';
import { renderStatus } from '../../daemon/cli/status/view.ts';
import type { GroupView, Status } from '../../daemon/control/api.ts';
import { overallOf } from '../../daemon/control/overall.ts';
import { groupWords } from '../../daemon/control/words.ts';
import { group, groupAtPeer, link, resource, status } from './fixtures/cli/statuses.ts';

const wide: Look = { columns: 80, colour: false, unicode: true };
const narrow: Look = { columns: 50, colour: false, unicode: false };
const silent = { ageMs: 202_000, fresh: false, heardByPeer: null } as const;

/** The picture between the first and the last line break of the expectation. */
function shows(title: string, given: Status, look: Look, expected: string): void {
  pictured.push(given);
  test(title, (t) => {
    t.is(`\n${renderStatus(given, look)}\n`, expected);
  });
}

const pictured: Status[] = [];

/** The upper part of the picture when all is well. */
const nodesAllWell = ` office   tier: evidence                                                      OK

 ┌─ primary ──────────────┐                          ┌─ secondary ────────────┐
 │ 192.168.1.2            │━━ eth1  0.1 s ━━━━━━━━━━━│ 192.168.1.3            │
 │ this node              │━━ eth0  0.0 s ━━━━━━━━━━━│ alive                  │
 └────────────────────────┘                          └────────────────────────┘`;

shows(
  'When all is well, one look shows both nodes, both links and what runs where',
  status(),
  wide,
  `
${nodesAllWell}

 office  runs on primary for 3 min, generation 4
   ● address:192.168.1.1/24  up
   ● guest:mail              up

 what if: battito explain
 daemon: battito 0.1.0, process 4242, up for 2 h 5 min
`,
);

shows(
  'A guest that runs and does not answer yet is shown so, with what it said',
  status({
    groups: [
      group({
        resources: [
          resource('guest:mail', { ready: true }),
          resource('guest:web', { ready: false, readyWhy: '192.168.1.20:443: connection refused' }),
          resource('guest:files', { ready: false }),
        ],
      }),
    ],
  }),
  wide,
  `
${nodesAllWell}

 office  runs on primary for 3 min, generation 4
   ● guest:mail   up
   ◐ guest:web    up, not ready yet: 192.168.1.20:443: connection refused
   ◐ guest:files  up, not ready yet

 what if: battito explain
 daemon: battito 0.1.0, process 4242, up for 2 h 5 min
`,
);

shows(
  'On a narrow terminal without UTF-8 the nodes are stacked and drawn in ASCII',
  status(),
  narrow,
  `
 office   tier: evidence                        OK

 primary  192.168.1.2  this node
   | eth1  0.1 s
   | eth0  0.0 s
 secondary  192.168.1.3  alive

 office  runs on primary for 3 min, generation 4
   + address:192.168.1.1/24  up
   + guest:mail              up

 what if: battito explain
 daemon: battito 0.1.0, process 4242, up for
         2 h 5 min
`,
);

shows(
  'After a takeover the dead peer, what to do, and the group on its new node are shown',
  status({
    self: { ...status().peer },
    peer: { ...status().self },
    verdict: { kind: 'dead', forMs: 200_000, silentMs: 202_000, signs: [] },
    links: [link('eth1 broadcast', silent), link('eth0 unicast', silent)],
    groups: [group({ generation: 5, forMs: 199_000, runsOn: 'secondary', peer: null })],
    probes: [{ target: 'address 192.168.1.2 of primary', kind: 'peer', last: 'unanswered' }],
    attention: [
      {
        severity: 'warning',
        code: 'peer-dead',
        message: 'primary is dead: nothing protects secondary until it is back',
        next: 'find out why primary went down and start it; it comes back as standby by itself',
      },
    ],
  }),
  wide,
  `
 office   tier: evidence                                                DEGRADED
 NOT PROTECTED: primary is dead for 3 min, so nobody takes over if secondary
                fails

 WARNING primary is dead: nothing protects secondary until it is back
         next: find out why primary went down and start it; it comes back as
               standby by itself
 why: battito why peer-dead

 ┌─ secondary ────────────┐                          ┌─ primary ──────────────┐
 │ 192.168.1.3            │╌╌ eth1  silent 3 min ╌╌╌╌│ 192.168.1.2            │
 │ this node              │╌╌ eth0  silent 3 min ╌╌╌╌│ dead for 3 min         │
 └────────────────────────┘                          └────────────────────────┘

 office  runs on secondary for 3 min, generation 5, prefers primary
   ● address:192.168.1.1/24  up
   ● guest:mail              up

 no answer from: address 192.168.1.2 of primary
 what if: battito explain
 daemon: battito 0.1.0, process 4242, up for 2 h 5 min
`,
);

shows(
  'A node that is cut off shows its frozen group and what would thaw it',
  status({
    verdict: { kind: 'isolated', forMs: 12_000, silentMs: 14_100, signs: [] },
    links: [
      link('eth1 broadcast', { ...silent, down: 'no carrier on eth1' }),
      link('eth0 unicast', { ...silent, down: 'no carrier on eth0' }),
    ],
    groups: [
      group({
        phase: 'frozen',
        forMs: 12_000,
        runsOn: null,
        reason: 'this node hears neither its peer nor the outside: frozen, since the peer may take over',
        resources: [
          resource('address:192.168.1.1/24', { status: 'down' }),
          resource('guest:mail', { status: 'paused' }),
        ],
      }),
    ],
    attention: [
      {
        severity: 'alarm',
        code: 'frozen',
        message: 'office is frozen: addresses released, guests paused, until secondary is heard',
        next: 'mend the network; or, if secondary is powered off: battito fence confirm secondary',
      },
    ],
  }),
  wide,
  `
 office   tier: evidence                                                    DOWN
 NOT PROTECTED: secondary is not to be judged for 12 s: this node is cut off, so
                nobody takes over if primary fails

 ALARM office is frozen: addresses released, guests paused, until secondary is
       heard
       next: mend the network; or, if secondary is powered off: battito fence
             confirm secondary
 why: battito why frozen

 ┌─ primary ──────────────┐                          ┌─ secondary ────────────┐
 │ 192.168.1.2            │╌╳ eth1  down           ╳╌│ 192.168.1.3            │
 │ this node              │╌╳ eth0  down           ╳╌│ not to be judged for   │
 │                        │                          │ 12 s: this node is cut │
 │                        │                          │ off                    │
 └────────────────────────┘                          └────────────────────────┘
 eth1 broadcast: cannot be used on primary: no carrier on eth1
 eth0 unicast: cannot be used on primary: no carrier on eth0

 office  frozen on primary for 12 s, generation 4
   why: this node hears neither its peer nor the outside: frozen, since the peer
        may take over
   ○ address:192.168.1.1/24  down
   ‖ guest:mail              paused

 what if: battito explain
 daemon: battito 0.1.0, process 4242, up for 2 h 5 min
`,
);

shows(
  'A group that is starting shows each resource with the operation under way',
  status({
    groups: [
      group({
        phase: 'starting',
        forMs: 400,
        generation: 5,
        reason: 'the peer agreed that this node runs the group',
        resources: [
          resource('address:192.168.1.1/24'),
          resource('guest:mail', {
            status: 'down',
            operation: { action: 'start', forMs: 412, leftMs: 119_588 },
          }),
          resource('guest:web', { status: 'down' }),
        ],
      }),
    ],
  }),
  wide,
  `
 office   tier: evidence                                                DEGRADED

 ┌─ primary ──────────────┐                          ┌─ secondary ────────────┐
 │ 192.168.1.2            │━━ eth1  0.1 s ━━━━━━━━━━━│ 192.168.1.3            │
 │ this node              │━━ eth0  0.0 s ━━━━━━━━━━━│ alive                  │
 └────────────────────────┘                          └────────────────────────┘

 office  starting on primary for 0.4 s, generation 5
   why: the peer agreed that this node runs the group
   ● address:192.168.1.1/24  up
   ◐ guest:mail              starting 0.4 s, at most 2 min more
   ○ guest:web               down

 what if: battito explain
 daemon: battito 0.1.0, process 4242, up for 2 h 5 min
`,
);

shows(
  'A blocked group says why, and the alarm with its way out comes first',
  status({
    verdict: {
      kind: 'unresponsive',
      forMs: 30_000,
      silentMs: 32_000,
      signs: ['192.168.1.3 answers'],
    },
    links: [link('eth1 broadcast', silent), link('eth0 unicast', silent)],
    groups: [
      groupAtPeer({
        phase: 'blocked',
        forMs: 30_000,
        runsOn: null,
        reason: 'the peer is silent, but the group may not be started here',
      }),
    ],
    attention: [
      {
        severity: 'alarm',
        code: 'blocked-peer-unresponsive',
        message: 'office is not started here: secondary may still run it',
        next: 'power secondary off, then: battito fence confirm secondary',
      },
    ],
  }),
  wide,
  `
 office   tier: evidence                                                    DOWN
 NOT PROTECTED: secondary is silent for 32 s, but not dead, so nobody takes over
                if primary fails

 ALARM office is not started here: secondary may still run it
       next: power secondary off, then: battito fence confirm secondary
 why: battito why blocked-peer-unresponsive

 ┌─ primary ──────────────┐                          ┌─ secondary ────────────┐
 │ 192.168.1.2            │╌╌ eth1  silent 3 min ╌╌╌╌│ 192.168.1.3            │
 │ this node              │╌╌ eth0  silent 3 min ╌╌╌╌│ silent for 32 s, but   │
 │                        │                          │ not dead               │
 └────────────────────────┘                          └────────────────────────┘

 office  not started here, blocked for 30 s
   why: the peer is silent, but the group may not be started here
   ○ address:192.168.1.1/24  down
   ○ guest:mail              down

 life of secondary: 192.168.1.3 answers
 what if: battito explain
 daemon: battito 0.1.0, process 4242, up for 2 h 5 min
`,
);

shows(
  'A guest that was given up is marked while the others run',
  status({
    groups: [
      group({
        resources: [
          resource('address:192.168.1.1/24'),
          resource('guest:mail'),
          resource('guest:web', {
            status: 'down',
            quarantined:
              'qemu-system-x86_64: -drive file=/srv/guests/web.qcow2: Could not open it: No such file',
          }),
        ],
      }),
    ],
    attention: [
      {
        severity: 'alarm',
        code: 'quarantined',
        message: 'guest:web is given up',
        next: 'mend the cause, then: battito retry office',
      },
    ],
  }),
  wide,
  `
 office   tier: evidence                                                DEGRADED

 ALARM guest:web is given up
       next: mend the cause, then: battito retry office
 why: battito why quarantined

 ┌─ primary ──────────────┐                          ┌─ secondary ────────────┐
 │ 192.168.1.2            │━━ eth1  0.1 s ━━━━━━━━━━━│ 192.168.1.3            │
 │ this node              │━━ eth0  0.0 s ━━━━━━━━━━━│ alive                  │
 └────────────────────────┘                          └────────────────────────┘

 office  runs on primary for 3 min, generation 4
   ● address:192.168.1.1/24  up
   ● guest:mail              up
   ✗ guest:web               given up: qemu-system-x86_64: -drive
                             file=/srv/guests/web.qcow2: Could not open it: No
                             such file

 what if: battito explain
 daemon: battito 0.1.0, process 4242, up for 2 h 5 min
`,
);

shows(
  'A link that is down, one that is heard one way only, and refused packets are told apart',
  status({
    links: [
      link('eth1 broadcast', { ...silent, down: 'no carrier on eth1', refused: { 'unknown-key': 12 } }),
      link('eth0 unicast', { heardByPeer: false }),
      link('eth2 multicast', { ...silent, ageMs: 4200 }),
    ],
  }),
  wide,
  `
 office   tier: evidence                                                      OK

 ┌─ primary ──────────────┐                          ┌─ secondary ────────────┐
 │ 192.168.1.2            │╌╳ eth1  down           ╳╌│ 192.168.1.3            │
 │ this node              │◀━ eth0  one-way 0.1 s ━━━│ alive                  │
 │                        │╌╌ eth2  silent 4.2 s ╌╌╌╌│                        │
 └────────────────────────┘                          └────────────────────────┘
 eth1 broadcast: cannot be used on primary: no carrier on eth1
 eth1 broadcast: packets refused: 12 unknown-key
 eth0 unicast: secondary is heard, but does not hear primary
 eth2 multicast: nothing heard from secondary for 4.2 s

 office  runs on primary for 3 min, generation 4
   ● address:192.168.1.1/24  up
   ● guest:mail              up

 what if: battito explain
 daemon: battito 0.1.0, process 4242, up for 2 h 5 min
`,
);

shows(
  "Maintenance shows the time that is left, and the peer's, too",
  status({
    self: { ...status().self, maintenanceMs: 3_541_000 },
    peer: { ...status().peer, maintenanceMs: 125_000 },
  }),
  wide,
  `
 office   tier: evidence                                             UNPROTECTED
 NOT PROTECTED: primary is in maintenance and looks after nothing; secondary is
                in maintenance and looks after nothing

 ┌─ primary ──────────────┐                          ┌─ secondary ────────────┐
 │ 192.168.1.2            │━━ eth1  0.1 s ━━━━━━━━━━━│ 192.168.1.3            │
 │ this node              │━━ eth0  0.0 s ━━━━━━━━━━━│ alive                  │
 │ maintenance, 1 h left  │                          │ maintenance, 3 min     │
 │                        │                          │ left                   │
 └────────────────────────┘                          └────────────────────────┘

 office  runs on primary for 3 min, generation 4
   ● address:192.168.1.1/24  up
   ● guest:mail              up

 what if: battito explain
 daemon: battito 0.1.0, process 4242, up for 2 h 5 min
`,
);

shows(
  'A node in standby shows its groups on the peer, without their resources here',
  status({
    self: { ...status().self, standby: true },
    groups: [groupAtPeer()],
  }),
  wide,
  `
 office   tier: evidence                                             UNPROTECTED
 NOT PROTECTED: primary is in standby and takes nothing over

 ┌─ primary ──────────────┐                          ┌─ secondary ────────────┐
 │ 192.168.1.2            │━━ eth1  0.1 s ━━━━━━━━━━━│ 192.168.1.3            │
 │ this node              │━━ eth0  0.0 s ━━━━━━━━━━━│ alive                  │
 │ standby                │                          │                        │
 └────────────────────────┘                          └────────────────────────┘

 office  runs on secondary, generation 5, prefers primary
   ● 2 of 2 up on secondary

 what if: battito explain
 daemon: battito 0.1.0, process 4242, up for 2 h 5 min
`,
);

shows(
  'A peer that was never heard is not called dead',
  status({
    verdict: { kind: 'listening', forMs: 4200, silentMs: null, signs: [] },
    links: [
      link('eth1 broadcast', { ...silent, ageMs: null }),
      link('eth0 unicast', { ...silent, ageMs: null }),
    ],
    groups: [
      groupAtPeer({
        forMs: 4200,
        runsOn: null,
        peer: null,
        reason: 'the daemon has started and the group is not running here',
      }),
    ],
    peer: { ...status().peer, software: null, configDigest: null, lan: null },
  }),
  narrow,
  `
 office   tier: evidence                      DOWN
 NOT PROTECTED: secondary is never heard yet,
                listening for 4.2 s, so nobody
                takes over if primary fails

 primary  192.168.1.2  this node
   : eth1  never heard
   : eth0  never heard
 secondary  192.168.1.3
   never heard yet, listening for 4.2 s

 office  not running here for 4.2 s
   why: the daemon has started and the group is
        not running here
   - address:192.168.1.1/24  down
   - guest:mail              down

 what if: battito explain
 daemon: battito 0.1.0, process 4242, up for
         2 h 5 min
`,
);

test('No line is wider than the terminal, with and without colour, from 32 to 120 columns', (t) => {
  for (const given of pictured) {
    for (let columns = 32; columns <= 120; columns += 1) {
      for (const colour of [false, true]) {
        const text = stripVTControlCharacters(
          renderStatus(given, { columns, colour, unicode: columns % 2 === 0 }),
        );
        const widest = Math.max(...text.split('\n').map((line) => [...line].length));
        t.true(widest <= columns, `${widest} of ${columns} columns:\n${text}`);
      }
    }
  }
});

test('A word is broken only where it is longer than the line, and is never pulled apart', (t) => {
  const targets = [
    'address 192.168.1.3 of secondary',
    'secondary on eth1 broadcast',
    'address:192.168.1.1/24',
  ];
  const probes = targets.map((target) => ({ ...status().probes[0], target, last: 'unanswered' as const }));
  const given = status({ probes: probes as never });
  for (let columns = 32; columns <= 100; columns += 1) {
    const text = renderStatus(given, { ...wide, columns });
    t.true(text.replaceAll(/\s+/g, ' ').includes(`no answer from: ${targets.join(', ')}`), text);
  }
});

test('What fits behind its label stands there, also in a narrow terminal', (t) => {
  const lines = renderStatus(status(), { ...narrow, columns: 32 }).split('\n');
  t.true(lines.includes('   + address:192.168.1.1/24  up'), lines.join('\n'));
});

test('A group that the other node is about to run, or to stop, is not said to run there', (t) => {
  const said = (phase: 'starting' | 'stopping' | 'frozen' | 'active') => {
    const peer = { ...groupAtPeer().peer, phase, generation: 5, up: 1 } as GroupView['peer'];
    return groupWords(groupAtPeer({ peer }), status());
  };
  t.deepEqual(said('starting'), { text: 'starting on secondary, generation 5', colour: 'yellow' });
  t.deepEqual(said('stopping'), { text: 'stopping on secondary, generation 5', colour: 'yellow' });
  t.deepEqual(said('frozen'), { text: 'frozen on secondary, generation 5', colour: 'red' });
  t.deepEqual(said('active'), { text: 'runs on secondary, generation 5', colour: 'green' });
});

test('Colour changes nothing but the colour', (t) => {
  for (const given of pictured) {
    const coloured = renderStatus(given, { ...wide, colour: true });
    t.not(coloured, renderStatus(given, wide));
    const plain = stripVTControlCharacters(coloured).split('\n').slice(1).join('\n');
    t.is(plain, renderStatus(given, wide).split('\n').slice(1).join('\n'));
  }
});

test('Long names of nodes, links and resources are shortened or wrapped, never spilt', (t) => {
  const node = 'n'.repeat(63);
  const name = 'g'.repeat(31);
  const given = status({
    self: { ...status().self, name: node },
    links: [
      link('interface-names broadcast', { ...silent, ageMs: 80_000_000 }),
      link('interface-names unicast'),
    ],
    groups: [group({ name, runsOn: node, resources: [resource(`guest:${name}`, { lastError: name })] })],
  });
  for (let columns = 32; columns <= 100; columns += 1) {
    const lines = renderStatus(given, { ...wide, columns }).split('\n');
    t.true(Math.max(...lines.map((line) => [...line].length)) <= columns, lines.join('\n'));
  }
});

test('Terminal control characters in what others said are made harmless', (t) => {
  const message = 'look \u001b[2J\u0007here\nand there';
  const given = status({ attention: [{ severity: 'alarm', code: 'x', message, next: 'nothing' }] });
  t.true(renderStatus(given, wide).includes('look ?[2J?here; and there'));
});

test('It is OK only when every group runs, the peer is alive and nothing needs attention', (t) => {
  const item = { code: 'x', message: 'm', next: 'n' };
  t.is(overallOf(status()), 'OK');
  t.is(overallOf(status({ groups: [groupAtPeer()] })), 'OK');
  t.is(overallOf(status({ attention: [{ severity: 'info', ...item }] })), 'OK');
  t.is(overallOf(status({ attention: [{ severity: 'warning', ...item }] })), 'DEGRADED');
  t.is(overallOf(status({ verdict: { kind: 'late', forMs: 1, silentMs: 900, signs: [] } })), 'DEGRADED');
  t.is(overallOf(status({ groups: [group({ phase: 'starting' })] })), 'DEGRADED');
  t.is(overallOf(status({ groups: [group({ phase: 'stopping', runsOn: null })] })), 'DEGRADED');
});

test('It is UNPROTECTED when all runs and a failure would not be made good, also by wish', (t) => {
  const { self, peer } = status();
  t.is(overallOf(status({ self: { ...self, standby: true }, groups: [groupAtPeer()] })), 'UNPROTECTED');
  t.is(overallOf(status({ peer: { ...peer, maintenanceMs: 60_000 } })), 'UNPROTECTED');
  t.is(overallOf(status({ tierLacks: 'no fencing device answers' })), 'UNPROTECTED');
  const item = { severity: 'warning', code: 'x', message: 'm', next: 'n' } as const;
  t.is(overallOf(status({ peer: { ...peer, standby: true }, attention: [item] })), 'DEGRADED');
});

test('It is DOWN when a group runs nowhere and nobody is about to start it, or when it is frozen', (t) => {
  t.is(
    overallOf(status({ groups: [group(), group({ name: 'web', phase: 'stopped', runsOn: null })] })),
    'DOWN',
  );
  t.is(overallOf(status({ groups: [group({ phase: 'blocked', runsOn: null })] })), 'DOWN');
  t.is(overallOf(status({ groups: [group({ phase: 'frozen', runsOn: null })] })), 'DOWN');
});

shows(
  'A cluster that nothing protects says so first, for all reasons at once',
  status({
    self: { ...status().self, standby: true, standbyMs: 1_500_000 },
  }),
  { columns: 60, colour: false, unicode: false },
  `
 office   tier: evidence                         UNPROTECTED
 NOT PROTECTED: primary is in standby and takes nothing over

 primary  192.168.1.2  this node  standby, 25 min left
   | eth1  0.1 s
   | eth0  0.0 s
 secondary  192.168.1.3  alive

 office  runs on primary for 3 min, generation 4
   + address:192.168.1.1/24  up
   + guest:mail              up

 what if: battito explain
 daemon: battito 0.1.0, process 4242, up for 2 h 5 min
`,
);
