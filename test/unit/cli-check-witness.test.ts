// What `battito check` says of the witness and of the tier, and what `battito status` shows.

import test, { type ExecutionContext } from 'ava';
import { type Finding, reporter } from '../../daemon/cli/check/finding.ts';
import { checkTier } from '../../daemon/cli/check/tier.ts';
import { checkWitness } from '../../daemon/cli/check/witness.ts';
import { renderStatus } from '../../daemon/cli/status/view.ts';
import { parseConfig } from '../../daemon/config/load.ts';
import { attentionOfWitness, tierInForce, witnessView } from '../../daemon/control/safeguards.ts';
import { witnessWords } from '../../daemon/control/words.ts';
import type { Policy } from '../../daemon/core/policy.ts';
import type { State } from '../../daemon/core/state.ts';
import type { WitnessSight } from '../../daemon/drivers/witness/witness.ts';
import { buildPolicy } from '../../daemon/runtime/policy.ts';
import { status } from './fixtures/cli/statuses.ts';
import { FakeEtcd } from './support/fake-etcd.ts';
import { runningOwner } from './support/situations.ts';

function configOf(endpoints: readonly string[], more = '') {
  const result = parseConfig(
    `cluster: office
nodes: { primary: { address: 192.0.2.2 }, secondary: { address: 192.0.2.3 } }
heartbeat: { links: [{ interface: eth1 }] }
groups: { office: { preferred: primary, addresses: [192.0.2.1/24 dev br0] } }
witness: { endpoints: [${endpoints.join(', ')}]${more} }
`,
    'battito.yaml',
  );
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

const told = (findings: readonly Finding[]) => findings.map(({ level, message }) => `${level}: ${message}`);
const worst = (findings: readonly Finding[]) =>
  findings.filter(({ level }) => level === 'problem' || level === 'warning').map(({ message }) => message);

test('check lends itself a lease at each endpoint, and leaves the real one as it is', async (t) => {
  const etcd = await FakeEtcd.start(t, 2);
  etcd.values.set('/battito/office/holder', { value: 'eA==', createRevision: 1, modRevision: 1, lease: '0' });
  const config = configOf(etcd.endpoints);
  const findings = await checkWitness(config, 'primary');
  const oks = findings.filter(({ level }) => level === 'ok').map(({ message }) => message);
  t.is(oks.length, 2);
  for (const [index, message] of oks.entries()) {
    t.true(
      message.startsWith(`${etcd.endpoints[index]}: etcd 3.4.23; a lease was lent, used and given back in `),
    );
  }
  t.deepEqual([...etcd.values.keys()], ['/battito/office/holder'], 'nothing of the check is left');
  t.is(etcd.leases.size, 0);
  t.deepEqual(worst(findings), [
    'without TLS whoever is on the way can answer in the place of the witness, and a guest may then run twice',
  ]);
});

test('an endpoint that is gone is a warning beside others, and a problem when it is the only one', async (t) => {
  const etcd = await FakeEtcd.start(t);
  const gone = { endpoints: ['http://127.0.0.9:2379'] }; // Nobody else has this address.
  const both = await checkWitness(configOf([...etcd.endpoints, ...gone.endpoints]), 'primary');
  const refused = `${gone.endpoints[0]}: connection refused`;
  t.true(told(both).includes(`warning: ${refused}`));
  t.true(told(both).some((line) => line.startsWith('warning: 1 of 2 endpoints can be used')));
  t.true(told(await checkWitness(configOf(gone.endpoints), 'primary')).includes(`problem: ${refused}`));
});

test('endpoints of two different etcds are a problem: each would lend a lease', async (t) => {
  const [one, other] = [await FakeEtcd.start(t), await FakeEtcd.start(t)];
  const findings = await checkWitness(configOf([...one.endpoints, ...other.endpoints]), 'primary');
  const problems = findings.filter(({ level }) => level === 'problem').map(({ message }) => message);
  t.is(problems.length, 2);
  for (const message of problems) t.regex(message, /they are not of one etcd, and would lend a lease each/);
});

test('a file that is missing is named', async (t) => {
  const findings = await checkWitness(
    configOf(['https://192.0.2.9:2379'], ', ca: /nowhere/ca.pem'),
    'primary',
  );
  t.deepEqual(told(findings), ['problem: /nowhere/ca.pem: no such file']);
});

const plain = buildPolicy(configOf(['http://192.0.2.9:2379']), 'primary', '0');
const fencing = { delayMs: 0, deadlineMs: 1000 };
const watchdog = { timeoutMs: 10_000 };

/** Nothing wrong is found of what a takeover rests on. */
const well = { fencingLacks: null, findings: [] };

function tierText(t: ExecutionContext, policy: Partial<Policy>): string {
  const findings = checkTier({ ...plain, ...policy }, null, well);
  t.true(findings.every(({ area }) => area === 'guarantee'));
  return told(findings).join('\n');
}

test('the tier says what it promises, what is left, and what would raise it', (t) => {
  const nothing = tierText(t, { witness: null });
  t.regex(
    nothing,
    /^ok: tier evidence: no guest runs twice when one host dies, loses a network, or is wholly cut off\n/,
  );
  t.regex(nothing, /info: what is left without fencing: every path between the nodes is cut/);
  t.regex(
    nothing,
    /info: what would raise it to fenced: .*`fencing`.* or a witness .* together with a watchdog/,
  );
  const witness = tierText(t, {});
  t.regex(
    witness,
    /^ok: tier evidence: .*nor when every path between the nodes is cut, since only one of them has the lease/,
  );
  t.regex(witness, /info: what would raise it to fenced: .* or a watchdog on both nodes/);
  const lease = tierText(t, { watchdog });
  t.regex(
    lease,
    /^ok: tier fenced: .* a takeover waits until the lease of secondary is over for longer than its watchdog/,
  );
  t.regex(lease, /info: what would add to it: a device that powers secondary off/);
  t.regex(
    tierText(t, { fencing, witness: null }),
    /^ok: tier fenced: .* until the fencing device has secondary off/,
  );
  t.regex(tierText(t, { fencing, watchdog }), /has secondary off .*, or the lease of secondary is over/);
  t.notRegex(tierText(t, { witness: null, watchdog }), /warning/, 'that is said of the watchdog');
});

test('the tier is not ok while the same check finds that no way to prove the peer off works', async (t) => {
  const gone = await checkWitness(configOf(['http://127.0.0.9:2379']), 'primary');
  const found = (policy: Partial<Policy>, fencingLacks: string | null, findings: readonly Finding[]) =>
    told(checkTier({ ...plain, ...policy }, null, { fencingLacks, findings }))[0];
  const none = 'no device could switch secondary off now';
  const lease = 'witness: http://127.0.0.9:2379: connection refused';
  const nothing = (tier: string, why: string) =>
    `warning: tier: ${tier}, but no takeover now: nothing would be taken over from a dead secondary: ${why}`;
  t.is(found({ fencing, witness: null }, none, []), nothing('fenced', `fencing: ${none}`));
  t.is(found({ watchdog }, null, gone), nothing('fenced', lease));
  t.is(found({}, null, gone), nothing('evidence', lease));
  t.is(found({ fencing, watchdog }, none, gone), nothing('fenced', `fencing: ${none}; ${lease}`));
  t.regex(found({ fencing, watchdog }, null, gone) ?? '', /^ok: tier fenced/, 'one way is left');
  t.regex(found({ fencing, watchdog }, none, []) ?? '', /^ok: tier fenced/);
  const expired = reporter('witness');
  expired.problem('certificate-expires', 'it was valid', 'make a new one');
  t.regex(found({ watchdog }, null, expired.findings) ?? '', /^ok: tier fenced/, 'yet it was answered');
});

/** The primary runs the group, and the peer is heard; nothing guards the pair. */
function running(): State {
  const state = runningOwner().state();
  return { ...state, policy: { ...state.policy, fencing: null, witness: null, watchdog: null } };
}

const seen: WitnessSight = { askedAt: 1000, holder: 'secondary', leftMs: 9000, trouble: null, away: [] };
const trouble = { message: 'http://192.0.2.9:2379: no answer in time', next: 'see that it is on' };

test('what does not work now is said at the tier, as long as no other way is left', (t) => {
  const state = running();
  const mute = { ...state, policy: { ...state.policy, witness: { ttlMs: 9000 }, watchdog } };
  t.is(tierInForce(mute, seen).lacks, 'watchdog: secondary says of none');
  const { content } = mute.peer;
  if (content === null) throw new Error('the peer was heard');
  const peer = { ...mute.peer, content: { ...content, watchdogMs: watchdog.timeoutMs } };
  const withWitness = { ...mute, peer };
  t.deepEqual(tierInForce(withWitness, seen), { tier: 'fenced', lacks: null });
  const lacks = `witness: ${trouble.message}`;
  t.deepEqual(tierInForce(withWitness, { ...seen, trouble }), { tier: 'fenced', lacks });
  const both = { ...withWitness, policy: { ...withWitness.policy, fencing } };
  t.is(tierInForce(both, { ...seen, trouble }).lacks, null);
  const header = renderStatus(status({ tier: 'fenced', tierLacks: lacks }), {
    columns: 80,
    colour: false,
    unicode: true,
  }).split('\n')[0];
  t.regex(header ?? '', /tier: fenced, but no takeover now/);
  t.deepEqual(
    checkTier(plain, status({ tierLacks: lacks }), well).filter(({ level }) => level === 'warning').length,
    1,
  );
});

test('a witness that is lost is a warning while the peer is heard, and an alarm when it is not', (t) => {
  const state = running();
  const severity = (kind: 'alive' | 'dead' | 'departed') =>
    attentionOfWitness({ ...state, verdict: { kind } }, { ...seen, trouble }).map((one) => one.severity);
  t.deepEqual(
    [severity('alive'), severity('dead'), severity('departed')],
    [['warning'], ['alarm'], ['warning']],
  );
  t.deepEqual(attentionOfWitness(state, seen), []);
  t.deepEqual(attentionOfWitness(state, null), []);
  const away = attentionOfWitness(state, { ...seen, away: [trouble] });
  t.deepEqual(
    away.map(({ code }) => code),
    ['witness-endpoint-away'],
  );
});

test('status shows who has the lease and for how long, and since when the witness is silent', (t) => {
  const state = running();
  t.is(witnessView(state, null, 5000), null);
  const view = witnessView(state, seen, 5000);
  t.deepEqual(view, { holder: 'secondary', leftMs: 5000, answeredMs: 4000, trouble: null, away: [] });
  const own = { ...state, now: 5000, lease: { ...state.lease, validUntil: 12_000 } };
  t.like(witnessView(own, seen, 5000), { holder: 'primary', leftMs: 7000 });
  const shown = { holder: 'secondary', leftMs: 5000, answeredMs: 4000, trouble: null, away: [] };
  t.is(witnessWords(shown), 'the lease is held by secondary, 5.0 s left');
  t.is(witnessWords({ ...shown, leftMs: 0 }), 'the lease is held by secondary (asked 4.0 s ago)');
  t.regex(witnessWords({ ...shown, leftMs: 0, trouble }), /ago; the lease was held by secondary$/);
  t.is(witnessWords({ ...shown, holder: null, leftMs: null }), 'nobody has the lease');
  t.regex(
    witnessWords({ ...shown, trouble }),
    /^http:.*: no answer in time; answered last 4\.0 s ago; the lease is held/,
  );
  const text = renderStatus(status({ witness: shown }), { columns: 80, colour: false, unicode: true });
  t.regex(text, /witness: the lease is held by secondary, 5\.0 s left/);
});
