// How guests start beside each other: in order of priority, after those that they need to be ready, as far as there is
// memory; and how they go to the other node.

import test from 'ava';
import type { GuestPolicy, Policy } from '../../daemon/core/policy.ts';
import { address, examplePolicy, mail, web } from '../sim/example.ts';
import { type OneCore, oneCore, stoppedReport } from './support/one-core.ts';
import { handover } from './support/requests.ts';
import {
  ableGuest,
  cellar,
  ofPrimary,
  owner,
  seeShop,
  shop,
  starting,
  withShop,
} from './support/situations.ts';

const dns = 'guest:dns';
const plain: GuestPolicy = {
  ...ableGuest,
  saveMs: null,
  migrateMs: null,
  cannot: { live: 'it shares its disk', save: 'there is no file system' },
};
const times = { startMs: 5000, stopMs: 5000 } as const;
/** Its memory can be kept, and is where nobody says anything else. */
const saved = { handover: 'save', saveMs: 90_000, cannot: { ...plain.cannot, save: null } } as const;

type Options = Readonly<Record<string, Partial<GuestPolicy>>>;

/** An address and guests, in this order. */
function guestsPolicy(options: Options, changes: Partial<Policy> = {}): Policy {
  const resources = [
    { id: address, kind: 'address', needs: [], ...times } as const,
    ...Object.entries(options).map(
      ([id, guest]) => ({ id, kind: 'guest', needs: [], ...times, guest: { ...plain, ...guest } }) as const,
    ),
  ];
  return { ...examplePolicy('primary', { resources }), ...changes };
}

const answered = (node: OneCore, at: number, resource: string) =>
  node.feed(at, { kind: 'guest-answered', group: 'office', resource });
const guestsAsked = (node: OneCore) => node.asked.filter((what) => !what.includes('address'));
const codes = (node: OneCore) => node.ofKind('note').map(({ note: { code } }) => code);
const failed = { kind: 'failed', code: 'x', message: 'no such image' } as const;

test('guests of higher priority start first, those of the same together, whatever their order', (t) => {
  const node = starting(guestsPolicy({ [web]: { priority: -5 }, [mail]: {}, [dns]: { priority: 10 } }));
  t.deepEqual(guestsAsked(node), [`start ${dns}`]);
  node.finish(1100, dns);
  t.deepEqual(guestsAsked(node), [`start ${dns}`, `start ${mail}`]);
  node.finish(1200, mail);
  t.deepEqual(guestsAsked(node).at(-1), `start ${web}`);
  const together = starting(guestsPolicy({ [web]: { priority: 3 }, [mail]: { priority: 3 } }));
  t.deepEqual(guestsAsked(together), [`start ${web}`, `start ${mail}`]);
});

test('a guest that comes after another one waits until that one is ready, not only until it runs', (t) => {
  const node = starting(guestsPolicy({ [mail]: { after: [dns] }, [dns]: { readyMs: 60_000 }, [web]: {} }));
  t.deepEqual(guestsAsked(node), [`start ${dns}`, `start ${web}`]);
  node.finish(1100, dns);
  node.finish(1100, web);
  node.go(20_000, { peer: ofPrimary });
  t.deepEqual(guestsAsked(node).length, 2);
  answered(node, 20_010, web);
  t.deepEqual(guestsAsked(node).length, 2, 'another one is ready');
  answered(node, 20_020, dns);
  t.deepEqual(guestsAsked(node).at(-1), `start ${mail}`);
  const ready = node.ofKind('note').filter(({ note: { code } }) => code === 'guest-ready');
  t.deepEqual(
    ready.map(({ note: { message, tookMs } }) => [message, tookMs]),
    [
      [`${web} is ready`, 18_910],
      [`${dns} is ready`, 18_920],
    ],
  );
  answered(node, 20_030, dns);
  t.is(codes(node).filter((code) => code === 'guest-ready').length, 2, 'said once');
});

test('the answer of a guest that is not seen up any more says nothing', (t) => {
  const node = starting(guestsPolicy({ [dns]: { readyMs: 60_000 }, [mail]: { after: [dns] } }));
  answered(node, 1080, dns);
  node.finish(1100, dns);
  t.deepEqual(guestsAsked(node), [`start ${dns}`]);
  t.is(node.resource(dns).readyAt, null);
  answered(node, 1200, dns);
  t.is(node.resource(dns).readyAt, 1200);
  node.seeOne(1300, dns, { kind: 'down' });
  t.is(node.resource(dns).readyAt, null, 'it has to answer again once it has been started again');
});

test('after the time of its readiness a guest is waited for no longer, and that is said once', (t) => {
  const node = starting(
    guestsPolicy({ [dns]: { readyMs: 3000, startDelayMs: 9000 }, [mail]: { after: [dns] } }),
  );
  node.finish(1100, dns);
  node.go(4099, { peer: ofPrimary });
  t.deepEqual(guestsAsked(node), [`start ${dns}`]);
  t.false(codes(node).includes('guest-not-ready'));
  node.go(4100);
  t.deepEqual(guestsAsked(node).at(-1), `start ${mail}`);
  node.go(8000);
  const late = node.ofKind('note').filter(({ note: { code } }) => code === 'guest-not-ready');
  t.deepEqual(
    late.map(({ note: { severity, message } }) => [severity, message]),
    [['warning', `${dns} runs, but has not become ready within 3 s; the guests after it start all the same`]],
  );
  t.truthy(late[0]?.note.next);
});

test('nobody is said to be late who was ready in time', (t) => {
  const node = starting(guestsPolicy({ [dns]: { readyMs: 3000 } }));
  node.finish(1100, dns);
  answered(node, 2000, dns);
  node.go(9000, { peer: ofPrimary });
  t.false(codes(node).includes('guest-not-ready'));
});

test('the pause after a guest counts from when it is ready, or runs where nothing is asked of it', (t) => {
  const node = starting(guestsPolicy({ [dns]: { startDelayMs: 2000 }, [mail]: { after: [dns] } }));
  node.finish(1100, dns);
  node.go(3099, { peer: ofPrimary });
  t.deepEqual(guestsAsked(node), [`start ${dns}`]);
  node.go(3100);
  t.deepEqual(guestsAsked(node).at(-1), `start ${mail}`);
  const asked = starting(
    guestsPolicy({ [dns]: { readyMs: 60_000, startDelayMs: 2000 }, [mail]: { after: [dns] } }),
  );
  asked.finish(1100, dns);
  asked.go(5000, { peer: ofPrimary });
  answered(asked, 5000, dns);
  asked.go(6999);
  t.deepEqual(guestsAsked(asked), [`start ${dns}`]);
  asked.go(7000);
  t.deepEqual(guestsAsked(asked).at(-1), `start ${mail}`);
});

test('a guest that was given up is not waited for', (t) => {
  const node = starting(guestsPolicy({ [dns]: { priority: 5 }, [mail]: {} }));
  for (const at of [1100, 10_000]) {
    node.go(at, { peer: ofPrimary });
    node.finish(at, dns, failed);
    t.deepEqual(new Set(guestsAsked(node)), new Set([`start ${dns}`]), 'it is waited for while it is tried');
  }
  node.go(20_000);
  node.finish(20_000, dns, failed);
  t.is(node.resource(dns).quarantined, failed.message);
  t.deepEqual(guestsAsked(node).at(-1), `start ${mail}`);
});

test('nor is one that was tried as often and of which nobody can tell whether it started', (t) => {
  const node = starting(guestsPolicy({ [dns]: { priority: 5 }, [mail]: {} }));
  for (const at of [1100, 10_000, 20_000]) {
    t.false(guestsAsked(node).includes(`start ${mail}`));
    node.go(at, { peer: ofPrimary });
    node.finish(at, dns, { kind: 'unknown', message: 'no answer' });
    node.seeOne(at + 10, dns, { kind: 'down' });
  }
  t.is(node.resource(dns).quarantined, null);
  t.true(guestsAsked(node).includes(`start ${mail}`));
});

for (const kind of ['unknown', 'paused', 'failed'] as const) {
  test(`a guest that is ${kind} is waited for no longer than a start may take`, (t) => {
    const node = starting(guestsPolicy({ [dns]: { priority: 5 }, [mail]: {} }));
    node.go(1100, { peer: ofPrimary, prompt: false });
    node.finish(1100, dns, { kind: 'unknown', message: 'no answer' });
    const status = kind === 'paused' ? { kind } : { kind, message: 'it is so' };
    node.seeOne(1200, dns, status);
    const since = kind === 'unknown' ? 1100 : 1200;
    node.go(since + times.startMs - 1);
    t.false(guestsAsked(node).includes(`start ${mail}`));
    node.go(since + times.startMs);
    t.true(guestsAsked(node).includes(`start ${mail}`));
  });
}

test('what runs already is not put in order: a daemon that starts adopts it', (t) => {
  const node = oneCore({
    policy: guestsPolicy({ [dns]: { priority: 5, readyMs: 60_000 }, [mail]: {} }),
    record: ofPrimary,
  });
  node.see(1, 'up');
  node.go(3000, { peer: ofPrimary });
  t.deepEqual(guestsAsked(node), []);
  t.is(node.phase()?.kind, 'active');
});

test('a group is active once the last guest in order is up', (t) => {
  const node = starting(guestsPolicy({ [dns]: { priority: 5 }, [mail]: {} }));
  node.finish(1100, address);
  node.finish(1100, dns);
  node.go(1200, { peer: ofPrimary, prompt: false });
  t.is(node.phase()?.kind, 'starting');
  node.finish(1300, mail);
  t.is(node.phase()?.kind, 'active');
});

const scarce = { guestMemoryMiB: 2500 };

test('where there is no memory for all, the guests of higher priority start, and it is said who is left out', (t) => {
  const node = starting(
    guestsPolicy({ [web]: { priority: -5 }, [mail]: {}, [dns]: { priority: 10 } }, scarce),
  );
  node.finish(1100, address);
  node.finish(1100, dns);
  node.finish(1100, mail);
  node.go(5000, { peer: ofPrimary, prompt: false });
  t.deepEqual(guestsAsked(node), [`start ${dns}`, `start ${mail}`]);
  t.true(node.resource(web).leftOut);
  t.is(node.phase()?.kind, 'active', 'the group is active without it');
  const alarms = node.ofKind('note').filter(({ note: { code } }) => code === 'guest-left-out');
  t.is(alarms.length, 1, 'said once');
  t.is(
    alarms[0]?.note.message,
    `${web} is left out: it needs 1024 MiB, more than is left of the 2500 MiB for guests on primary`,
  );
  t.regex(alarms[0]?.note.next ?? '', /starts by itself .* bring secondary back/);
});

test('a guest that was left out starts as soon as there is memory; one that runs is not put out for it', (t) => {
  const node = starting(guestsPolicy({ [mail]: { priority: 1 }, [dns]: {}, [web]: {} }, scarce));
  node.obey(1100);
  t.true(node.resource(web).leftOut);
  node.seeOne(1200, mail, { kind: 'down' });
  t.deepEqual(guestsAsked(node).slice(2), [`start ${mail}`], 'its place is still its own');
  node.obey(1300);
  node.seeOne(1400, dns, { kind: 'unknown', message: 'its monitor does not answer' });
  node.go(1500, { peer: ofPrimary, prompt: false });
  t.true(node.resource(web).leftOut, 'what cannot be told may still have its memory');
  for (const at of [2000, 10_000, 20_000]) {
    node.go(at);
    if (node.resource(dns).status?.kind !== 'down') node.seeOne(at, dns, { kind: 'down' });
    node.finish(at, dns, failed);
  }
  t.is(node.resource(dns).quarantined, failed.message);
  t.is(guestsAsked(node).at(-1), `start ${web}`);
  t.false(node.resource(web).leftOut);
});

test('what may have been started keeps its memory, and is not started again once somebody has taken that', (t) => {
  const node = starting(guestsPolicy({ [mail]: {}, [dns]: {}, [web]: {} }, scarce));
  node.finish(1100, address);
  node.finish(1100, dns);
  node.finish(1100, mail, { kind: 'unknown', message: 'no answer' });
  node.seeOne(1200, mail, { kind: 'down' });
  t.true(node.resource(mail).inDoubt);
  const starts = () => guestsAsked(node).filter((what) => what === `start ${mail}`).length;
  node.go(5000, { peer: ofPrimary, prompt: false });
  t.is(starts(), 2, 'it has a place of its own');
  node.finish(5100, mail, { kind: 'unknown', message: 'no answer' });
  node.seeOne(5200, mail, { kind: 'down' });
  node.seeOne(5300, web, { kind: 'up' });
  node.go(10_000, { peer: ofPrimary, prompt: false });
  t.is(starts(), 2);
  t.true(node.resource(mail).leftOut);
  t.is(node.phase()?.kind, 'active', 'the group is active without it');
  node.seeOne(10_100, web, { kind: 'paused' });
  node.go(11_000, { peer: ofPrimary, prompt: false });
  t.is(starts(), 2, 'a guest that is paused has its memory');
  node.seeOne(11_100, dns, { kind: 'down' });
  node.go(12_000, { peer: ofPrimary, prompt: false });
  t.is(starts(), 3);
  t.true(node.resource(dns).leftOut, 'what came before it to be started keeps its place');
});

test('there is memory again for a guest whose turn has not come: it is waited for like any other', (t) => {
  const node = starting(
    guestsPolicy({ [dns]: { priority: 9 }, [mail]: { priority: 5 }, [web]: { priority: 3 } }, scarce),
  );
  node.obey(1100);
  t.true(node.resource(web).leftOut);
  node.seeOne(1200, dns, { kind: 'unknown', message: 'it is being looked for' });
  node.feed(1300, { kind: 'policy-replaced', policy: { ...node.state().policy, guestMemoryMiB: 4096 } });
  t.false(node.resource(web).leftOut);
  t.false(guestsAsked(node).includes(`start ${web}`), 'it comes after one that nobody can tell');
});

test('a small guest starts in the room that is too small for a larger one before it', (t) => {
  const node = starting(
    guestsPolicy({ [mail]: { memoryMiB: 3000, priority: 1 }, [dns]: { memoryMiB: 2500 } }, scarce),
  );
  t.deepEqual(guestsAsked(node), [`start ${dns}`]);
  t.true(node.resource(mail).leftOut);
});

test('what another group runs here counts, and a guest of higher priority in another group goes first', (t) => {
  const base = withShop(guestsPolicy({ [mail]: {}, [dns]: {} }, { guestMemoryMiB: 3072 }));
  const groups = base.groups.map((group) => ({
    ...group,
    resources: group.resources.map((one) =>
      one.id === shop || one.id === cellar ? { ...one, guest: { ...plain, priority: 4 } } : one,
    ),
  }));
  const node = oneCore({ policy: { ...base, groups }, record: ofPrimary });
  node.see(1, 'up');
  node.seeOne(1, dns, { kind: 'down' });
  seeShop(node, 1, 'up', 'down');
  const reports = ['office', 'shop'].map((name) => ({ ...stoppedReport, ...ofPrimary, name }));
  node.go(2000, { says: { groups: reports }, prompt: false });
  t.deepEqual(guestsAsked(node), [`start ${cellar}`]);
  t.true(node.resource(dns).leftOut);
});

test('without a figure for the memory everybody starts', (t) => {
  const node = starting(guestsPolicy({ [mail]: { memoryMiB: 1_000_000 } }));
  t.deepEqual(guestsAsked(node), [`start ${mail}`]);
});

/** The primary, which hands the group over; its drivers do nothing by themselves. */
function handingOver(options: Options): OneCore {
  const node = owner({ policy: guestsPolicy(options) });
  node.go(2050, { prompt: false });
  node.request(2050, handover);
  const claim = { id: 1, reason: 'offered' } as const;
  node.hear(2060, { ...ofPrimary, claim });
  node.go(2100, { peer: { ...ofPrimary, claim } });
  node.finish(2110, address);
  return node;
}

test('in a handover the memory of a guest is kept where it is to be; else it is shut down', (t) => {
  const node = handingOver({ [mail]: saved, [web]: {} });
  const ends = node.ofKind('start-operation').filter(({ resource }) => resource !== address);
  t.deepEqual(
    ends.map(({ action, resource, deadlineMs }) => [action, resource, deadlineMs]),
    [
      ['save', mail, 90_000],
      ['stop', web, times.stopMs],
    ],
  );
  node.finish(2200, mail);
  node.finish(2200, web);
  t.is(node.resource(mail).status?.kind, 'down');
  t.is(node.phase()?.kind, 'stopped');
});

test('a guest whose memory cannot be kept is shut down, and then switched off', (t) => {
  const node = handingOver({ [mail]: saved });
  node.finish(2200, mail, failed);
  node.go(5000);
  node.finish(5000, mail, failed);
  node.go(10_000);
  t.deepEqual(node.askedOf(mail), ['save', 'stop', 'destroy']);
});

test('nothing is saved where nobody goes on from it at once: a daemon that stops alone shuts its guests down', (t) => {
  const node = owner({ policy: guestsPolicy({ [mail]: saved }) });
  node.go(9000, { peer: null });
  node.go(9050, { prompt: false });
  node.feed(9050, { kind: 'stop-requested' });
  node.finish(9060, address);
  t.is(guestsAsked(node).at(-1), `stop ${mail}`);
});

test('a peer with a better right ends a save', (t) => {
  const node = handingOver({ [mail]: saved });
  node.hear(2300, { ...ofPrimary, generation: 9, phase: 'active', holdsRest: true });
  t.is(node.ofKind('cancel-operation').length, node.phase()?.kind === 'stopping' ? 0 : 1);
});

test('a guest that has crashed is switched off and started again, not for ever', (t) => {
  const node = owner({ policy: guestsPolicy({ [mail]: {} }) });
  node.go(2050, { prompt: false });
  const crashed = { kind: 'failed', message: 'the guest has crashed' } as const;
  node.seeOne(2100, mail, crashed);
  t.deepEqual(guestsAsked(node), [`destroy ${mail}`]);
  const said = node.ofKind('note').find(({ note: { code } }) => code === 'resource-changed');
  t.is(said?.note.message, `${mail} is failed: the guest has crashed`);
  node.finish(2200, mail);
  t.deepEqual(guestsAsked(node), [`destroy ${mail}`, `start ${mail}`]);
  for (let at = 2300; node.resource(mail).quarantined === null; at += 1000) {
    if (at > 60_000) break;
    node.finish(at, mail);
    node.seeOne(at + 100, mail, crashed);
    node.finish(at + 200, mail);
    node.go(at + 300);
  }
  t.regex(node.resource(mail).quarantined ?? '', /started 8 times within an hour/);
});

test('of a group that runs without a right a crashed guest is left alone', (t) => {
  const node = oneCore({ policy: guestsPolicy({ [mail]: {}, [web]: {} }) });
  node.see(1, 'up');
  node.go(31_000, { peer: null });
  node.seeOne(31_010, web, { kind: 'failed', message: 'it has crashed' });
  node.go(35_000);
  t.deepEqual(guestsAsked(node), []);
});

test('what has crashed here although the peer owns the group is switched off', (t) => {
  const node = oneCore({ self: 'primary', policy: guestsPolicy({ [mail]: {} }) });
  node.see(1, 'down');
  node.go(2000, {
    peer: { ...ofPrimary, owner: 'secondary', generation: 4, phase: 'active', holdsRest: true },
  });
  node.seeOne(2100, mail, { kind: 'failed', message: 'it has crashed' });
  node.go(3000);
  t.is(guestsAsked(node).at(-1), `destroy ${mail}`);
});

test('guests come and go with the policy: a new one is looked at first, one in use is kept until it is down', (t) => {
  const node = owner({ policy: guestsPolicy({ [mail]: {}, [web]: {} }) });
  node.go(2050, { prompt: false });
  node.feed(2100, { kind: 'policy-replaced', policy: guestsPolicy({ [dns]: {}, [mail]: { priority: 7 } }) });
  const ids = () => node.group().resources.map(({ id }) => id);
  t.deepEqual(ids(), [address, dns, mail, web]);
  t.deepEqual(
    node.group().policy.resources.map(({ id }) => id),
    ids(),
    'in the same order',
  );
  t.is(node.resource(mail).status?.kind, 'up', 'what is known of it stays');
  t.is(node.group().policy.resources.find(({ id }) => id === mail)?.guest?.priority, 7);
  t.deepEqual(guestsAsked(node), [], 'what the new one is, is not known yet');
  node.seeOne(2200, dns, { kind: 'down' });
  t.deepEqual(guestsAsked(node), [`start ${dns}`]);
  node.finish(2300, dns);
  t.is(node.phase()?.kind, 'active');
  node.seeOne(2400, web, { kind: 'down' });
  t.deepEqual(guestsAsked(node), [`start ${dns}`], 'nobody wants it back');
  node.feed(2410, { kind: 'policy-replaced', policy: guestsPolicy({ [dns]: {}, [mail]: {} }) });
  t.deepEqual(ids(), [address, dns, mail]);
});

test('a guest that is named again before it was down is looked after again', (t) => {
  const both = guestsPolicy({ [mail]: {}, [web]: {} });
  const node = owner({ policy: both });
  node.go(2050, { prompt: false });
  node.feed(2100, { kind: 'policy-replaced', policy: guestsPolicy({ [mail]: {} }) });
  t.is(node.resource(web).quarantined, 'it is none of its group any more');
  node.feed(2200, { kind: 'policy-replaced', policy: both });
  node.seeOne(2300, web, { kind: 'down' });
  t.deepEqual(guestsAsked(node), [`start ${web}`]);
});
