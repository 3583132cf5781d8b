// Two daemons with real etcd as their witness, and partitions of each kind: whatever is cut, the floating address is on
// one node at most, and on one again after the heal. What took time is printed, and no test goes by it.

import test, { type ExecutionContext } from 'ava';
import { monotonicMs, waitFor } from '../support.ts';
import { cutPeers, Etcd, type EtcdOptions, mendPeers } from './support/etcd.ts';
import { floatingAddress, type HostName, hostNames } from './support/hosts.ts';
import { type Office, useOffice } from './support/office.ts';

const ttlMs = 4000;
const addressOnly = `  office: { preferred: primary, addresses: [${floatingAddress}/24 dev eth0] }\n`;

/** The group runs on the primary, by a lease. */
async function witnessed(t: ExecutionContext, given: EtcdOptions = {}) {
  const endpoints = Array.from({ length: given.members ?? 1 }, (_, index) => 2379 + 2 * index);
  const urls = endpoints.map((port) => `http://192.168.1.100:${port}`).join(', ');
  const witness = `{ endpoints: [${urls}], ttl: ${ttlMs}ms }`;
  const office = await useOffice(t, { idle: true, initdead: '4s', groups: addressOnly, witness });
  const { network } = office;
  const etcd = await Etcd.start(network, given);
  await office.startDaemons();
  await office.waitForPhase('primary', 'active');
  await leaseHeldBy(office, 'primary', 'primary');
  await leaseHeldBy(office, 'secondary', 'primary');
  await renewed(office, 'primary');
  return { office, network, etcd, watch: await network.watchAddress(floatingAddress) };
}

const leaseHeldBy = (office: Office, asked: HostName, holder: HostName | null) =>
  waitFor(`${asked} sees the lease with ${holder ?? 'nobody'}`, async () => {
    const { witness } = await office.status(asked);
    if (witness?.trouble === null && witness.answeredMs !== null && witness.holder === holder) return true;
    throw new Error(JSON.stringify(witness));
  });

/** A lease that was held once only says nothing of who had it in between: the next answer does. */
async function renewed(office: Office, host: HostName): Promise<void> {
  let leastMs = Infinity;
  await waitFor(`${host} has renewed the lease`, async () => {
    const leftMs = (await office.status(host)).witness?.leftMs ?? 0;
    if (leftMs > leastMs) return true;
    leastMs = Math.min(leastMs, leftMs);
    throw new Error(`${leftMs} ms are left of it`);
  });
}

const troubled = (office: Office, host: HostName) =>
  waitFor(`${host} warns of the witness`, async () => {
    const { attention } = await office.status(host);
    const found = attention.find(({ code }) => code === 'witness-unreachable');
    if (found === undefined) throw new Error(JSON.stringify(attention));
    return found;
  });

/** Since the note of this number, by code, the first one; throws as long as there is none. */
async function noteAfter(office: Office, host: HostName, after: number, code: string) {
  const found = (await office.history(host)).find((note) => note.monotonicMs > after && note.code === code);
  if (found === undefined) throw new Error(`${host} has no note ${code}`);
  return found;
}

const waitForNote = (office: Office, host: HostName, after: number, code: string) =>
  waitFor(`${host} notes ${code}`, () => noteAfter(office, host, after, code));

const notesSince = async (office: Office, host: HostName, after: number) =>
  (await office.history(host)).filter((note) => note.monotonicMs > after).map(({ code }) => code);

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

test('while the peers hear each other a lost witness is a warning and no more, whoever has lost it, and how', async (t) => {
  const { office, network, etcd, watch } = await witnessed(t);
  const begunAt = monotonicMs();
  await etcd.cut('primary', 'questions');
  t.is((await troubled(office, 'primary')).severity, 'warning');
  await waitFor('the lease is over', async () => (await etcd.get('/battito/office/holder')) === '');
  t.is(await office.phase('primary'), 'active', 'nothing comes of it');
  await etcd.mend('primary', 'questions');
  await leaseHeldBy(office, 'primary', 'primary');
  await etcd.cut('secondary', 'answers');
  t.is((await troubled(office, 'secondary')).severity, 'warning', 'also where nothing asks for the lease');
  await etcd.mend('secondary', 'answers');
  await leaseHeldBy(office, 'secondary', 'primary');
  const shown = await office.battito('secondary', 'status');
  t.regex(shown.stdout, /witness: the lease is held by primary, /);

  const record = await etcd.get('/battito/office/record');
  await etcd.kill();
  for (const host of hostNames) t.is((await troubled(office, host)).severity, 'warning');
  await etcd.startAll();
  await leaseHeldBy(office, 'primary', 'primary');
  t.is(await etcd.get('/battito/office/record'), record, 'it is the same term of the same record');

  await etcd.kill();
  await etcd.loseData();
  await etcd.startAll();
  await waitFor('a record that is new is begun, and not lent by', async () => {
    const { witness } = await office.status('primary');
    if (/has no record of office from before/.test(witness?.trouble?.message ?? '')) return true;
    throw new Error(JSON.stringify(witness));
  });
  await leaseHeldBy(office, 'primary', 'primary');
  await leaseHeldBy(office, 'secondary', 'primary');
  t.not(await etcd.get('/battito/office/record'), record);

  for (const host of hostNames) {
    const codes = await notesSince(office, host, begunAt);
    t.deepEqual(
      codes.filter((code) => ['freeze', 'yield', 'claim', 'take-over', 'hand-over'].includes(code)),
      [],
      host,
    );
  }
  t.is(await office.phase('primary'), 'active');
  t.is(await office.phase('secondary'), 'stopped');
  t.deepEqual(await watch.overlaps(), []);
  t.deepEqual(await network.addressHolders(floatingAddress), ['primary']);
});

test('the peers are cut from each other and both reach the witness: only the one with the lease goes on; when it loses the witness too it has given up before the other one starts', async (t) => {
  const { office, network, etcd, watch } = await witnessed(t);
  const cutAt = monotonicMs();
  await cutPeers(network);
  await waitForNote(office, 'secondary', cutAt, 'lease-not-held');
  await office.waitForPhase('secondary', 'blocked');
  const refused = (await office.status('secondary')).attention.find(({ code }) =>
    code.startsWith('blocked-'),
  );
  t.regex(
    refused?.message ?? '',
    /the witness has not lent this node the lease, so primary may still run it/,
  );
  await leaseHeldBy(office, 'primary', 'primary');
  t.is(await office.phase('primary'), 'active');
  t.deepEqual(await network.addressHolders(floatingAddress), ['primary']);

  const lostAt = monotonicMs();
  await etcd.cut('primary', 'answers');
  const frozen = await waitForNote(office, 'primary', lostAt, 'freeze');
  await office.waitForPhase('secondary', 'active');
  const lent = await noteAfter(office, 'secondary', lostAt, 'lease-held');
  t.log(
    `the witness was lost to the primary: given up after ${seconds(frozen.monotonicMs - lostAt)}, lent to the secondary after ${seconds(lent.monotonicMs - lostAt)} (ttl ${seconds(ttlMs)})`,
  );
  t.true(frozen.monotonicMs < lent.monotonicMs, 'it gave up before the lease was lent to the other one');
  t.deepEqual(await network.addressHolders(floatingAddress), ['secondary']);

  await etcd.mend('primary', 'answers');
  await waitFor('the primary reads whose the lease is', async () =>
    /secondary holds it/.test(
      (await office.history('primary')).findLast(({ code }) => code === 'lease-not-held')?.message ?? '',
    ),
  );
  t.not(await office.phase('primary'), 'active');
  await mendPeers(network);
  for (const host of hostNames) await office.waitForVerdict(host, 'alive');
  await office.waitForPhase('primary', 'stopped');
  await office.waitForPhase('secondary', 'active');
  t.deepEqual(await watch.overlaps(), []);
  t.deepEqual(await network.addressHolders(floatingAddress), ['secondary']);
});

test('peer and witness are both gone: the active node gives up within the lease, nobody else starts, and it goes on when the witness is back', async (t) => {
  const { office, network, etcd, watch } = await witnessed(t);
  await etcd.kill();
  const goneAt = monotonicMs();
  await cutPeers(network);
  const frozen = await waitForNote(office, 'primary', goneAt, 'freeze');
  t.log(
    `peer and witness gone: given up after ${seconds(frozen.monotonicMs - goneAt)} (ttl ${seconds(ttlMs)}, deadtime 2 s)`,
  );
  const alarm = await troubled(office, 'primary');
  t.is(alarm.severity, 'alarm');
  await waitForNote(office, 'secondary', goneAt, 'lease-not-held');
  await waitFor('nobody has the address', async () => {
    const holders = await network.addressHolders(floatingAddress);
    if (holders.length > 0) throw new Error(`${holders.join()} has it`);
    return true;
  });
  t.regex((await office.battito('secondary', 'status')).stdout, /next: see there: systemctl status etcd/);

  await etcd.startAll();
  await office.waitForPhase('primary', 'active');
  await noteAfter(office, 'primary', goneAt, 'resume-by-lease');
  await waitFor('the secondary reads whose the lease is', async () =>
    /primary holds it/.test(
      (await office.history('secondary')).findLast(({ code }) => code === 'lease-not-held')?.message ?? '',
    ),
  );
  await mendPeers(network);
  for (const host of hostNames) await office.waitForVerdict(host, 'alive');
  t.is(await office.phase('primary'), 'active');
  await office.waitForPhase('secondary', 'stopped');
  t.deepEqual(await watch.overlaps(), []);
  const held = (await watch.history()).flatMap(({ holders }) => holders);
  t.false(held.includes('secondary'));
});

test('the active host loses its power: the other one takes over when the lease is over; a daemon that stops gives it back', async (t) => {
  const { office, network, etcd, watch } = await witnessed(t);
  const offAt = monotonicMs();
  await network.powerLoss('primary');
  await office.waitForPhase('secondary', 'active');
  const { monotonicMs: activeAt } = await waitForNote(office, 'secondary', offAt, 'lease-held');
  t.log(`power loss: the lease went over after ${seconds(activeAt - offAt)} (ttl ${seconds(ttlMs)})`);
  t.deepEqual(await network.addressHolders(floatingAddress), ['secondary']);
  await network.powerOn('primary');
  await office.startDaemon('primary');
  for (const host of hostNames) await office.waitForVerdict(host, 'alive');
  await office.waitForPhase('primary', 'stopped');
  await leaseHeldBy(office, 'primary', 'secondary');

  office.daemon('secondary').signal('SIGTERM');
  await office.daemon('secondary').exited;
  await office.waitForPhase('primary', 'active');
  await leaseHeldBy(office, 'primary', 'primary');
  t.is(await etcd.get('/battito/office/holder'), 'primary');
  office.daemon('primary').signal('SIGTERM');
  await office.daemon('primary').exited;
  t.is(await etcd.get('/battito/office/holder'), '', 'given back, not left to its time');
  t.deepEqual(await watch.overlaps(), []);
});

test('a cluster of three: a member that hangs costs no lease; without most of them there is none', async (t) => {
  const { office, etcd } = await witnessed(t, { members: 3 });
  const begunAt = monotonicMs();
  etcd.member(0).signal('SIGSTOP');
  await waitFor('the endpoint is told of', async () => {
    const { attention } = await office.status('primary');
    return attention.some(
      ({ code, message }) => code === 'witness-endpoint-away' && message.includes(':2379'),
    );
  });
  await waitFor('two times of the lease pass', () => monotonicMs() - begunAt > 2 * ttlMs);
  const lost = (await notesSince(office, 'primary', begunAt)).filter((code) => code === 'lease-not-held');
  t.true(lost.length <= 1, 'an election at most');
  await leaseHeldBy(office, 'primary', 'primary');
  etcd.member(1).signal('SIGSTOP');
  const { message } = await troubled(office, 'primary');
  t.regex(message, /the witness cannot be used: /);
  t.is(await office.phase('primary'), 'active');
  for (const member of [0, 1]) etcd.member(member).signal('SIGCONT');
  await leaseHeldBy(office, 'primary', 'primary');
});
