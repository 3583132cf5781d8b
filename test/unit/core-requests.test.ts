// What an operator is answered who wants a group here: what will happen, or why not and what to do about that.

import test from 'ava';
import type { OperatorRequest } from '../../daemon/core/events.ts';
import { address, examplePolicy, mail, protectedPolicy, web } from '../sim/example.ts';
import { activeReport, type OneCore, oneCore, stoppedReport } from './support/one-core.ts';
import { maintenance, peerOff, standbyOn, takeover, words } from './support/requests.ts';
import {
  idle,
  ofPrimary,
  owner,
  ownerOfTwo,
  phases,
  runningOwner,
  seeShop,
  taking,
  withShop,
} from './support/situations.ts';

for (const kind of ['takeover', 'accept-data', 'handover', 'retry'] as const) {
  test(`${kind} of a group that does not exist is refused with the names of those that do, and does nothing`, (t) => {
    const node = ownerOfTwo();
    const answer = node.request(2000, { kind, groups: ['office', 'attic'] });
    t.is(answer.kind, 'refused');
    t.is(words(answer), 'there is no group "attic" => the groups are: office, shop');
    t.is(node.ofKind('note').at(-1)?.note.code, 'request-refused');
    node.go(3000);
    t.deepEqual(phases(node), ['active', 'active']);
  });
}

test('every request is answered under its own id, and noted with what was asked', (t) => {
  const node = owner();
  const effects = node.feed(2000, { kind: 'operator-requested', id: 17, request: maintenance });
  t.deepEqual(
    node.ofKind('answer-request', effects).map(({ id, answer }) => [id, answer.kind]),
    [[17, 'accepted']],
  );
  const requests: readonly (readonly [OperatorRequest, string])[] = [
    [{ kind: 'maintenance', durationMs: 0 }, 'maintenance off'],
    [maintenance, 'maintenance 90 s'],
    [{ kind: 'standby', on: false }, 'standby off'],
    [{ kind: 'takeover', groups: ['office'] }, 'takeover office'],
    [{ kind: 'confirm-peer-off', node: 'secondary', force: false }, 'confirm-peer-off secondary'],
    [{ kind: 'handover', groups: ['office'], guests: 'live' }, 'handover office --guests live'],
    [standbyOn, 'standby on'],
  ];
  for (const [request, asked] of requests) {
    const answer = node.request(2000, request);
    const note = node.ofKind('note').findLast(({ note: { code } }) => code.startsWith('request'))?.note;
    const refusal = answer.kind === 'refused' ? 'refused: ' : '';
    t.is(note?.message, `operator: ${asked}: ${refusal}${answer.message}`);
    t.is(note?.next, answer.kind === 'refused' ? answer.next : null);
    t.is(note?.severity, answer.kind === 'refused' ? 'warning' : 'info');
  }
});

test('a takeover of what this node runs, or is starting, is done already', (t) => {
  const node = owner();
  t.is(words(node.request(2000, takeover)), 'primary runs it already');
  t.is(words(taking().request(1100, takeover)), 'primary runs it already');
});

const ownObstacles: readonly (readonly [string, RegExp, (node: OneCore) => unknown])[] = [
  ['its daemon is to stop', /is stopping => start it again/, (n) => n.feed(2000, { kind: 'stop-requested' })],
  ['it is in standby', /in standby => .*standby off/, (n) => n.request(2000, standbyOn)],
  ['it is in maintenance', /in maintenance => .*maintenance off/, (n) => n.request(2000, maintenance)],
  [
    'it cannot write its ledger',
    /cannot write its state file => free space/,
    (n) => n.feed(2000, { kind: 'ledger-not-persisted', revision: 1, message: 'no space left' }),
  ],
  [
    'it has no carrier',
    /no carrier on the LAN => mend its cable/,
    (n) => n.feed(2000, { kind: 'carrier-observed', interface: 'eth0', carrier: false }),
  ],
];

for (const [why, wanted, happens] of ownObstacles) {
  test(`a takeover is refused by a node that could not run the group itself: ${why}`, (t) => {
    const node = idle({ persists: false });
    happens(node);
    t.regex(words(node.request(2000, takeover)), wanted);
    t.is(node.phase()?.kind, 'stopped', 'and the peer is not asked for it');
  });
}

test('a takeover is refused while the peer lives and the copy of the disks here is behind', (t) => {
  const node = idle({ policy: protectedPolicy('secondary', { disk: true }) });
  node.show(2000, { disk: 'inconsistent' });
  t.regex(words(node.request(2000, takeover)), /not up to date => wait for the end of the resync/);
  node.show(2010, { disk: 'up-to-date' });
  t.is(node.request(2010, takeover).kind, 'accepted');
});

test('a takeover from a peer that lives asks it for the groups that were named, and for no others', (t) => {
  const policy = withShop(examplePolicy('secondary'));
  const groups = [
    { ...stoppedReport, ...activeReport },
    { ...stoppedReport, ...activeReport, name: 'shop' },
  ];
  for (const [named, expected] of [
    [[], 'office, shop'],
    [['shop'], 'shop'],
  ] as const) {
    const node = idle({ policy }, { groups });
    seeShop(node, 2000, 'down', 'down');
    t.is(
      words(node.request(2000, { kind: 'takeover', groups: named })),
      `primary is asked to hand over ${expected}`,
    );
    t.deepEqual(phases(node), [named.length === 0 ? 'claiming' : 'stopped', 'claiming']);
  }
});

test('a takeover from a peer in maintenance is refused', (t) => {
  const node = idle({}, { maintenanceMinutes: 3 });
  t.is(
    words(node.request(2000, takeover)),
    'primary is in maintenance => run `battito maintenance off` on primary first',
  );
});

test('a takeover from a peer of which nothing is known yet is refused, until it is', (t) => {
  const node = idle();
  node.go(3000, { peer: null });
  t.is(node.state().verdict.kind, 'late');
  t.regex(words(node.request(3000, takeover)), /is alive is not known yet => wait .*fence confirm primary/);
  const fresh = oneCore({ self: 'secondary' });
  fresh.see(1, 'down');
  t.regex(words(fresh.request(2, takeover)), /is alive is not known yet/);
});

test('a takeover is refused while the peer may run the group, as one that is unresponsive', (t) => {
  const node = idle();
  node.go(10_000, { peer: null, addresses: 'answered' });
  t.regex(
    words(node.request(10_000, takeover)),
    /primary is unresponsive: .* twice => .*fence confirm primary/,
  );
});

test('a takeover by a node that cannot be told what runs on it is refused, and says where to look', (t) => {
  const node = oneCore({ self: 'secondary' });
  for (const id of [address, web]) node.seeOne(1, id, { kind: 'down' });
  node.seeOne(1, mail, { kind: 'unknown', message: 'libvirtd does not answer' });
  node.go(2000, { peer: { ...activeReport, owner: 'primary' }, prompt: false });
  node.pass(2001);
  node.go(6000, { peer: null });
  t.is(node.state().verdict.kind, 'dead');
  t.regex(
    words(node.request(6000, takeover)),
    /^it cannot be told yet what of office runs on secondary => .*status/,
  );
  node.seeOne(6010, mail, { kind: 'down' });
  t.regex(words(node.request(6020, takeover)), /runs it already|by itself/);
});

test('a takeover from a dead peer goes on by itself, as is said', (t) => {
  const node = idle();
  node.pass(2001);
  node.go(4000, { peer: null });
  t.is(node.state().verdict.kind, 'dead');
  t.is(node.phase()?.kind, 'stopped');
  t.is(words(node.request(4000, takeover)), 'primary is dead: secondary takes over by itself');
});

test('a takeover of a group that is blocked although the peer is off is refused with what blocks it', (t) => {
  const policy = withShop(protectedPolicy('secondary', { disk: true }));
  const node = oneCore({ self: 'secondary', policy });
  node.see(1, 'down');
  node.show(1, { disk: 'outdated' });
  seeShop(node, 1, 'down', 'unknown');
  node.go(100, { peer: activeReport, prompt: false });
  node.go(3500, { peer: null });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'outdated-data' });
  const answer = node.request(3500, takeover);
  t.is(answer.kind, 'refused');
  t.regex(
    words(answer),
    /^office may not be started here: drbd:r0 is outdated: primary has newer data.* => start primary .*--accept-data office/,
  );
  const other = { kind: 'takeover', groups: ['shop'] } as const;
  t.regex(words(node.request(3500, other)), /^it cannot be told yet what of shop runs on secondary/);
  seeShop(node, 3510, 'down', 'down');
  t.is(node.request(3520, other).kind, 'accepted', 'the other one is not');
});

test('a takeover of what is frozen here is refused while the peer is silent, and asks it once it lives', (t) => {
  const node = runningOwner();
  node.go(4000, { peer: null, gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'frozen');
  t.regex(words(node.request(4000, takeover)), /frozen here: secondary may have .* => mend the network/);
  node.hear(4010, ofPrimary);
  t.is(words(node.request(4010, takeover)), 'secondary is asked to hand over office');
});

test('of several groups one that is frozen here is enough for that', (t) => {
  const node = oneCore({ policy: withShop(examplePolicy('primary')), record: ofPrimary });
  node.see(1, 'up');
  seeShop(node, 1, 'down', 'down');
  const groups = [
    { ...stoppedReport, ...ofPrimary },
    { ...stoppedReport, ...activeReport, name: 'shop' },
  ];
  node.go(2000, { says: { groups } });
  node.go(5000, { peer: null, gateway: 'unanswered' });
  t.deepEqual(phases(node), ['frozen', 'blocked']);
  t.regex(words(node.request(5000, takeover)), /frozen here/);
});

test('data are accepted only by name, and only of a group that waits for that', (t) => {
  const node = idle();
  t.regex(words(node.request(2000, { kind: 'accept-data', groups: [] })), /no group was named => name the/);
  const nothing = /office does not wait for this => .*battito status/;
  t.regex(words(node.request(2000, { kind: 'accept-data', groups: ['office'] })), nothing);
  node.go(6000, { peer: null, gateway: 'unanswered' });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'isolated' });
  t.regex(
    words(node.request(6000, { kind: 'accept-data', groups: ['office'] })),
    nothing,
    'it waits for more',
  );
});

test('data are accepted of a group that was found running with no record of it', (t) => {
  const node = oneCore();
  node.see(1, 'up');
  t.is(node.phase()?.kind, 'active');
  const answer = node.request(2, { kind: 'accept-data', groups: ['office'] });
  t.is(words(answer), 'the data of office on primary is accepted as it is');
  t.true(node.group().dataAccepted);
  const known = owner().request(2000, { kind: 'accept-data', groups: ['office'] });
  t.is(known.kind, 'refused', 'there is nothing to accept of a group that is on record');
});

test('of two groups that wait for it, data are accepted of the one that is named', (t) => {
  const node = oneCore({ policy: withShop(examplePolicy('primary')) });
  node.see(1, 'down');
  seeShop(node, 1, 'down', 'down');
  node.go(31_000, { peer: null });
  t.deepEqual(phases(node), ['blocked', 'blocked']);
  t.is(node.request(31_000, { kind: 'accept-data', groups: ['shop'] }).kind, 'accepted');
  node.go(35_000);
  t.deepEqual(phases(node), ['blocked', 'starting']);
});

test('only the peer can be called off, by its name', (t) => {
  const node = idle();
  node.go(10_000, { peer: null, addresses: 'answered' });
  for (const name of ['secondary', 'third'])
    t.is(
      words(node.request(10_000, { kind: 'confirm-peer-off', node: name, force: true })),
      `the peer's name is primary, not ${name} => type the name primary`,
    );
  t.is(node.state().verdict.kind, 'unresponsive');
});

test('a peer whose heartbeats arrive, or that is only late, cannot be called off, not even by force', (t) => {
  const node = idle();
  for (const verdict of ['alive', 'late'] as const) {
    t.is(node.state().verdict.kind, verdict);
    const answer = node.request(node.state().now, { ...peerOff, force: true });
    t.regex(words(answer), /primary is not off: its heartbeats arrive => .*battito takeover/);
    node.go(3000, { peer: null });
  }
});

test('a peer that answers is called off only by force; one that could not be asked needs none', (t) => {
  const node = idle();
  node.go(10_000, { peer: null, addresses: 'answered' });
  const refusal = words(node.request(10_000, peerOff));
  t.regex(refusal, /not off: peer-lan still answers; peer-heartbeat still answers; .* => power primary off/);
  t.is(
    words(node.request(10_000, { ...peerOff, force: true })),
    'primary is taken to be powered off because the operator says so',
  );
  const other = idle();
  other.go(10_000, { peer: null, addresses: 'failed' });
  t.is(other.state().verdict.kind, 'unresponsive');
  t.is(other.request(10_000, peerOff).kind, 'accepted');
});
