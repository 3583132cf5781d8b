// The driver of the witness against a store that speaks as etcd does: one lease for the pair, whatever happens to
// questions and answers on their way.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { WitnessConfig } from '../../daemon/config/config.ts';
import type { LeaseAnswer, LoneMarks } from '../../daemon/drivers/driver.ts';
import { createWitness, type Witness } from '../../daemon/drivers/witness/witness.ts';
import { monotonicMs, temporaryDirectory, waitFor } from '../support.ts';
import { FakeEtcd, type Question } from './support/fake-etcd.ts';
import { makeCertificates } from './support/mail-server.ts';

/** Long, so that a slow machine is not taken for a witness that hangs. */
const deadlineMs = 20_000;
/** For what must run into it. */
const shortMs = 300;
const ttlS = 9;
const noMarks: LoneMarks = { alone: [], same: [] };
const holderKey = '/battito/office/holder';
const recordKey = '/battito/office/record';

function witnessOf(
  t: ExecutionContext,
  etcd: FakeEtcd,
  self: string,
  more: Partial<WitnessConfig> = {},
): Witness {
  const config: WitnessConfig = {
    kind: 'etcd',
    endpoints: etcd.endpoints,
    caFile: null,
    clientCertificate: null,
    login: null,
    ttlMs: ttlS * 1000,
    prefix: '/battito',
    ...more,
  };
  const peer = self === 'primary' ? 'secondary' : 'primary';
  const witness = createWitness({ config, cluster: 'office', self, peer, nowMs: monotonicMs });
  t.teardown(() => witness.close());
  return witness;
}

/** A pair whose record is old enough to be lent by. */
async function pair(t: ExecutionContext, members = 1) {
  const etcd = await FakeEtcd.start(t, members);
  const primary = witnessOf(t, etcd, 'primary');
  const secondary = witnessOf(t, etcd, 'secondary');
  await primary.look(deadlineMs);
  etcd.pass(ttlS);
  return { etcd, primary, secondary };
}

async function held(t: ExecutionContext, witness: Witness, marks = noMarks) {
  const answer = await witness.request(marks, deadlineMs);
  if (answer.kind !== 'held') throw new Error(JSON.stringify(answer));
  t.pass();
  return answer;
}

const isSwap = ({ path, body }: Question) =>
  path === '/v3/kv/txn' && ((body['compare'] as unknown[] | undefined)?.length ?? 0) > 0;

function unreachable(t: ExecutionContext, answer: LeaseAnswer): string {
  t.is(answer.kind, 'unreachable');
  return answer.kind === 'unreachable' ? answer.message : '';
}

test('one node has the lease, the other one is told who; it goes over when its time is up, in a new term', async (t) => {
  const { etcd, primary, secondary } = await pair(t);
  const { term } = await held(t, primary);
  const refused = { kind: 'refused', holder: 'primary', term, peerAlone: [] } as const;
  t.deepEqual(await secondary.request(noMarks, deadlineMs), refused);
  etcd.pass(ttlS - 1);
  t.is((await held(t, primary)).term, term);
  etcd.pass(ttlS - 1);
  t.deepEqual(
    await secondary.request(noMarks, deadlineMs),
    refused,
    'renewed, it is lent for its whole time again',
  );
  etcd.pass(1);
  t.is((await held(t, secondary)).term, term + 1);
  t.like(await primary.request(noMarks, deadlineMs), {
    kind: 'refused',
    holder: 'secondary',
    term: term + 1,
  });
});

test('whoever had the lease last and gets it again is in the same term: nobody has had it since', async (t) => {
  const { etcd, primary } = await pair(t);
  const { term } = await held(t, primary);
  etcd.pass(10 * ttlS);
  t.is((await held(t, primary)).term, term);
  primary.release();
  await waitFor('the lease is free', () => !etcd.values.has(holderKey));
  t.is((await held(t, primary)).term, term);
});

test('marks outlive the lease, are told to the other node, and are taken off both by whoever says that they are over', async (t) => {
  const { etcd, primary, secondary } = await pair(t);
  await held(t, primary, { alone: ['office', 'shop'], same: [] });
  t.like(await secondary.request(noMarks, deadlineMs), { kind: 'refused', peerAlone: ['office', 'shop'] });
  etcd.pass(10 * ttlS);
  t.deepEqual((await held(t, secondary, { alone: ['till'], same: ['shop'] })).peerAlone, ['office']);
  etcd.pass(ttlS);
  t.deepEqual((await held(t, primary, { alone: ['office'], same: ['office', 'till'] })).peerAlone, []);
  t.deepEqual(JSON.parse(etcd.text(recordKey) ?? '').alone, {});
});

test('to renew writes the record no more than it must: the history of etcd grows by one key', async (t) => {
  const { etcd, primary } = await pair(t);
  await held(t, primary, { alone: ['office'], same: [] });
  const before = etcd.values.get(recordKey)?.modRevision;
  await held(t, primary, { alone: ['office'], same: [] });
  t.is(etcd.values.get(recordKey)?.modRevision, before);
  await held(t, primary, { alone: ['office', 'shop'], same: [] });
  t.not(etcd.values.get(recordKey)?.modRevision, before);
});

test('a record that is new is not lent by for one time of the lease: whoever had it by a lost one counts on it', async (t) => {
  const { etcd, primary, secondary } = await pair(t);
  const { term } = await held(t, primary);
  etcd.forget();
  const message = unreachable(t, await secondary.request(noMarks, deadlineMs));
  t.regex(
    message,
    /no record of office from before: it is new, or has lost its data, and lends nothing for 9 s/,
  );
  unreachable(t, await primary.request(noMarks, deadlineMs));
  etcd.pass(ttlS - 1);
  unreachable(t, await secondary.request(noMarks, deadlineMs));
  etcd.pass(1);
  t.not((await held(t, secondary)).term, term + 1, 'a term is never that of a lost record');
});

test('what is remembered of an etcd that has lost its data since is not taken for what it has now', async (t) => {
  const { etcd, primary, secondary } = await pair(t);
  await held(t, primary);
  const before = [recordKey, holderKey].map((key) => etcd.values.get(key)?.modRevision);
  // The primary stands still meanwhile, and all goes the same way once more, for the other node.
  etcd.forget();
  await secondary.look(deadlineMs);
  etcd.pass(ttlS);
  await held(t, secondary);
  t.deepEqual(
    [recordKey, holderKey].map((key) => etcd.values.get(key)?.modRevision),
    before,
  );
  t.like(await primary.request(noMarks, deadlineMs), { kind: 'refused', holder: 'secondary' });
  t.is(etcd.text(holderKey), 'secondary');
});

test('two that ask at the same moment: one has it, whoever comes second in etcd', async (t) => {
  const { etcd, primary, secondary } = await pair(t);
  const both = Promise.withResolvers<void>();
  let swaps = 0;
  etcd.fate = (question) => {
    if (!isSwap(question)) return 'pass';
    swaps += 1;
    if (swaps === 2) both.resolve();
    return swaps <= 2 ? () => both.promise : 'pass';
  };
  const answers = await Promise.all([primary, secondary].map((one) => one.request(noMarks, deadlineMs)));
  t.deepEqual(answers.map(({ kind }) => kind).toSorted(), ['held', 'refused']);
});

test('a request whose answer is lost is asked again, and is not taken for somebody else', async (t) => {
  const { etcd, primary } = await pair(t);
  let lost = 0;
  etcd.fate = (question) => (isSwap(question) && lost++ === 0 ? 'mute' : 'pass');
  const { term } = await primary.request(noMarks, 3000).then((answer) => {
    if (answer.kind !== 'held') throw new Error(JSON.stringify(answer));
    return answer;
  });
  t.is(lost, 2);
  t.is(JSON.parse(etcd.text(recordKey) ?? '').term, term);
});

test('an endpoint that hangs costs a part of the deadline, and the next question goes to the other one first', async (t) => {
  const { etcd, primary } = await pair(t, 3);
  const [first = ''] = etcd.endpoints;
  const port = Number(new URL(first).port);
  etcd.fate = (question) => (question.port === port ? 'hang' : 'pass');
  const begun = etcd.questions.length;
  t.is((await primary.request(noMarks, 3000)).kind, 'held');
  const ports = etcd.questions.slice(begun).map((question) => question.port);
  t.deepEqual([ports[0], ports.filter((other) => other === port).length], [port, 1]);
});

test('endpoints that refuse connections cost nothing, and are named when all do', async (t) => {
  const { etcd } = await pair(t);
  const gone = await FakeEtcd.start(t, 2);
  await gone.close();
  const mixed = witnessOf(t, etcd, 'primary', { endpoints: [...gone.endpoints, ...etcd.endpoints] });
  await held(t, mixed);
  const dead = witnessOf(t, gone, 'primary');
  const message = unreachable(t, await dead.request(noMarks, deadlineMs));
  t.is(message, `${gone.endpoints.join(', ')}: connection refused (see there: systemctl status etcd)`);
  t.like(dead.sight(), {
    askedAt: null,
    holder: null,
    trouble: { next: 'see there: systemctl status etcd' },
  });
});

test('a witness that hangs is unreachable at the deadline, with the same words each time', async (t) => {
  const { etcd, primary } = await pair(t);
  etcd.fate = () => 'hang';
  const first = unreachable(t, await primary.request(noMarks, shortMs));
  t.is(
    first,
    `${etcd.endpoints[0]}: no answer in time (see that it is on, and that cables and firewalls let this node reach it)`,
  );
  t.is(unreachable(t, await primary.request(noMarks, shortMs)), first);
  etcd.fate = () => 'pass';
  await held(t, primary);
});

test('errors of the server are unreachable, and say what to do', async (t) => {
  const { etcd } = await pair(t);
  const passwordFile = await fileWith(t, 'any\n');
  const login = { user: 'battito', passwordFile };
  const primary = witnessOf(t, etcd, 'primary', { login });
  const says = async (status: number, message: string) => {
    etcd.fate = () => ({ status, body: { error: message, message, code: 2 } });
    return unreachable(t, await primary.request(noMarks, deadlineMs));
  };
  t.regex(await says(503, 'etcdserver: no leader'), /no leader: most members of etcd are away/);
  t.regex(
    await says(429, 'etcdserver: mvcc: database space exceeded'),
    /database is full \(run it with --auto-compaction/,
  );
  t.regex(
    await says(403, 'etcdserver: permission denied'),
    /may not read and write there \(etcdctl role grant-permission ROLE readwrite --prefix=true \/battito\/\)/,
  );
  t.regex(await says(500, 'something new'), /it says 500: something new/);
  t.regex(await says(400, 'Client sent an HTTP request to an HTTPS server.\n'), /it wants TLS/);
  etcd.fate = () => ({ status: 200, body: '<html>' });
  t.regex(unreachable(t, await primary.request(noMarks, deadlineMs)), /no JSON \(see that it is etcd\)/);
  etcd.fate = () => ({ status: 200, body: { responses: 7 } });
  t.regex(unreachable(t, await primary.request(noMarks, deadlineMs)), /not one of etcd 3.4 or later/);
});

test('after a release no earlier request has an effect, whenever it arrives', async (t) => {
  const { etcd, primary, secondary } = await pair(t);
  await held(t, primary);
  const late = Promise.withResolvers<void>();
  const carriedOut = Promise.withResolvers<void>();
  const swaps: Question[] = [];
  etcd.fate = (question) => {
    if (!isSwap(question)) return 'pass';
    swaps.push(question);
    return () => late.promise.finally(() => setImmediate(carriedOut.resolve));
  };
  const asked = primary.request(noMarks, deadlineMs);
  await waitFor('the request is on its way', () => swaps.length > 0);
  primary.release();
  t.deepEqual(await asked, { kind: 'unreachable', message: 'no longer wanted' });
  await waitFor('the lease is free', () => !etcd.values.has(holderKey));
  late.resolve();
  await carriedOut.promise;
  t.false(etcd.values.has(holderKey));
  etcd.fate = () => 'pass';
  await held(t, secondary);
});

test('a release that is slow does not take a lease that was asked for after it', async (t) => {
  const { etcd, primary } = await pair(t);
  await held(t, primary);
  const late = Promise.withResolvers<void>();
  let revoked = 0;
  etcd.fate = ({ path }) => {
    if (path !== '/v3/lease/revoke') return 'pass';
    revoked += 1;
    return () => late.promise;
  };
  primary.release();
  await waitFor('the release is on its way', () => revoked > 0);
  await held(t, primary);
  late.resolve();
  await primary.close();
  t.is(etcd.text(holderKey), 'primary');
});

test('a release leaves the lease of the other node alone', async (t) => {
  const { etcd, primary, secondary } = await pair(t);
  await held(t, primary);
  etcd.pass(ttlS);
  await held(t, secondary);
  primary.release();
  await primary.close();
  t.is(etcd.text(holderKey), 'secondary');
});

test('a request without an answer is not taken back: what this node counts on may hang on it', async (t) => {
  const { etcd, primary } = await pair(t);
  await held(t, primary);
  etcd.fate = (question) => (isSwap(question) ? 'mute' : 'pass');
  unreachable(t, await primary.request(noMarks, shortMs));
  t.is(etcd.text(holderKey), 'primary');
  t.deepEqual(etcd.asked('/v3/lease/revoke'), []);
});

/** A file of the test's own. */
async function fileWith(t: ExecutionContext, text: string): Promise<string> {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'password');
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

test('a user logs in, again when etcd has forgotten it, and the password is in no message', async (t) => {
  const { etcd } = await pair(t);
  etcd.user = { name: 'battito', password: 'Geheim-7' };
  const passwordFile = await fileWith(t, 'Geheim-7\nnot this\n');
  const primary = witnessOf(t, etcd, 'primary', { login: { user: 'battito', passwordFile } });
  await held(t, primary);
  await held(t, primary);
  t.is(etcd.asked('/v3/auth/authenticate').length, 1);
  etcd.tokens.clear();
  await held(t, primary);
  t.is(etcd.asked('/v3/auth/authenticate').length, 2);

  etcd.user = { name: 'battito', password: 'another' };
  etcd.tokens.clear();
  const message = unreachable(t, await primary.request(noMarks, deadlineMs));
  t.regex(message, /wrong user or password \(etcdctl user passwd battito;/);
  t.notRegex(`${message} ${JSON.stringify(primary.sight())}`, /Geheim|another|token\.\d/);
  await writeFile(passwordFile, 'another\n');
  await held(t, primary);
  t.pass('the file was read again');
});

test('a standby that only looks reads a password again that was refused, and its first request has it', async (t) => {
  const { etcd } = await pair(t);
  const passwordFile = await fileWith(t, 'Geheim-7\n');
  etcd.user = { name: 'battito', password: 'Geheim-7' };
  const standby = witnessOf(t, etcd, 'secondary', { login: { user: 'battito', passwordFile } });
  await standby.look(deadlineMs);
  etcd.user = { name: 'battito', password: 'another' };
  etcd.tokens.clear();
  await standby.look(deadlineMs);
  t.regex(standby.sight().trouble?.message ?? '', /wrong user or password/);
  await writeFile(passwordFile, 'another\n');
  await standby.look(deadlineMs);
  t.like(standby.sight(), { trouble: null });
  const refused = etcd.asked('/v3/auth/authenticate').length;
  await held(t, standby);
  t.is(etcd.asked('/v3/auth/authenticate').length, refused, 'the look has the token already');
});

test('a password is read again before the first request, though only a look was refused', async (t) => {
  const { etcd } = await pair(t);
  const passwordFile = await fileWith(t, 'wrong\n');
  etcd.user = { name: 'battito', password: 'right' };
  const standby = witnessOf(t, etcd, 'secondary', { login: { user: 'battito', passwordFile } });
  await standby.look(deadlineMs);
  await writeFile(passwordFile, 'right\n');
  const begun = etcd.asked('/v3/auth/authenticate').length;
  await held(t, standby);
  t.is(etcd.asked('/v3/auth/authenticate').length, begun + 1);
});

test('renewed certificates need no restart of a standby, though it only looks', async (t) => {
  const [before, renewed] = [
    makeCertificates(temporaryDirectory(t)),
    makeCertificates(temporaryDirectory(t)),
  ];
  const { key, cert } = renewed;
  const ca = await readFile(renewed.caFile, 'utf8');
  const etcd = await FakeEtcd.start(t, 1, { key, cert, ca, requestCert: true });
  const [certificateFile, keyFile] = [await fileWith(t, before.cert), await fileWith(t, before.key)];
  const standby = witnessOf(t, etcd, 'secondary', {
    caFile: before.caFile,
    clientCertificate: { certificateFile, keyFile },
  });
  const looksAndSees = async (trouble: RegExp) => {
    await standby.look(deadlineMs);
    t.regex(standby.sight().trouble?.message ?? '', trouble);
  };
  await looksAndSees(/not signed by the authority in witness\.ca/);
  await writeFile(before.caFile, ca);
  await looksAndSees(/does not take the certificate of this node|connection reset/);
  await writeFile(certificateFile, cert);
  await writeFile(keyFile, key);
  await standby.look(deadlineMs);
  t.like(standby.sight(), { trouble: null });
});

test('an endpoint that is away costs the others neither connection nor login; a file that is missing stands in the way there alone', async (t) => {
  const { etcd } = await pair(t);
  const gone = await FakeEtcd.start(t);
  const passwordFile = await fileWith(t, 'any\n');
  etcd.user = { name: 'battito', password: 'any' };
  const standby = witnessOf(t, etcd, 'secondary', {
    endpoints: [...gone.endpoints, ...etcd.endpoints],
    login: { user: 'battito', passwordFile },
  });
  await gone.close();
  await standby.look(deadlineMs);
  const connections = etcd.connections;
  await rm(passwordFile);
  for (let look = 0; look < 3; look++) await standby.look(deadlineMs);
  t.is(etcd.connections, connections);
  t.is(etcd.asked('/v3/auth/authenticate').length, 1);
  const sight = standby.sight();
  t.is(sight.trouble, null);
  t.regex(sight.away[0]?.message ?? '', /password: no such password file$/);
  t.regex(sight.away[0]?.next ?? '', /^Write the password of witness\.user into the file's first line/);
  await held(t, standby);
});

test('without a user where one is wanted, and with one where none is known', async (t) => {
  const { etcd, primary } = await pair(t);
  const passwordFile = await fileWith(t, 'any\n');
  await held(t, witnessOf(t, etcd, 'secondary', { login: { user: 'battito', passwordFile } }));
  etcd.user = { name: 'battito', password: 'any' };
  const message = unreachable(t, await primary.request(noMarks, deadlineMs));
  t.regex(message, /it wants a user \(give witness\.user and witness\.password-file\)/);
});

test('what somebody else keeps under the key is left alone', async (t) => {
  const { etcd, primary } = await pair(t);
  const value = Buffer.from('{"hello":1}').toString('base64');
  etcd.values.set(recordKey, { value, createRevision: 1, modRevision: 1, lease: '0' });
  const message = unreachable(t, await primary.request(noMarks, deadlineMs));
  t.regex(message, /is no record of this program \(give another witness\.prefix/);
  t.is(etcd.text(recordKey), '{"hello":1}');
});

test('the lease of a node that is not of this pair is nobody to take over from', async (t) => {
  const { etcd, primary } = await pair(t);
  await held(t, witnessOf(t, etcd, 'stranger'));
  const message = unreachable(t, await primary.request(noMarks, deadlineMs));
  t.regex(message, /held by stranger, which is neither primary nor secondary/);
});

test('endpoints that are no members of one etcd are found out, and none of them is believed', async (t) => {
  const { etcd } = await pair(t);
  const other = await FakeEtcd.start(t);
  await witnessOf(t, other, 'secondary').look(deadlineMs);
  other.pass(ttlS);
  const primary = witnessOf(t, etcd, 'primary', { endpoints: [...etcd.endpoints, ...other.endpoints] });
  await primary.look(deadlineMs);
  t.regex(primary.sight().trouble?.message ?? '', /are not one etcd: each has a record of its own/);
  t.regex(unreachable(t, await primary.request(noMarks, deadlineMs)), /are not one etcd/);
});

test('a look shows who has the lease and for how long, and which endpoints are away', async (t) => {
  const { etcd, primary, secondary } = await pair(t, 2);
  await held(t, primary);
  etcd.pass(4);
  await secondary.look(deadlineMs);
  t.like(secondary.sight(), { holder: 'primary', leftMs: 5000, trouble: null, away: [] });
  const [first = ''] = etcd.endpoints;
  etcd.fate = ({ port }) => (port === Number(new URL(first).port) ? 'hang' : 'pass');
  await secondary.look(shortMs);
  t.like(secondary.sight(), { holder: 'primary', trouble: null });
  t.deepEqual(
    secondary.sight().away.map(({ message }) => message),
    [`${first}: no answer in time`],
  );
  etcd.fate = () => 'hang';
  await secondary.look(shortMs);
  t.regex(secondary.sight().trouble?.message ?? '', /no answer in time/);
});
