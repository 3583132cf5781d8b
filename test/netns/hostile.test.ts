// Hostile packets, against real daemons that run real guests: everything is counted, nothing is answered, and
// nothing that a node decides depends on a packet whose sender cannot prove who it is and that it lives now.

import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { Status } from '../../daemon/control/api.ts';
import type { Event } from '../../daemon/core/events.ts';
import { readJournal } from '../../daemon/incident/read.ts';
import { monotonicMs, waitFor } from '../support.ts';
import { Attacker, type AttackKind } from './support/attack.ts';
import { clientAddress, floatingAddress, type HostName, hostNames } from './support/hosts.ts';
import { guests, type Office, useOffice } from './support/office.ts';

const deadtimeMs = 2000;
const keepaliveMs = 200;

/** What can be sent without having heard a heartbeat. */
const inventions: readonly AttackKind[] = ['wrong-key', 'wrong-cluster', 'wrong-sender', 'random'];
const forgeries: readonly AttackKind[] = [
  ...inventions,
  'wrong-link',
  'wrong-version',
  'wrong-signature',
  'wrong-number',
  'replayed',
  'replayed-from-before',
  'truncated',
  'oversized',
];
const inventionRefusals = ['unknown-key', 'foreign-cluster', 'unknown-sender', 'bad-magic'];
const refusals = [
  ...inventionRefusals,
  'wrong-link',
  'unsupported-version',
  'bad-signature',
  'bad-number',
  'replayed',
  'stale-incarnation',
  'too-short',
  'bad-length',
  'too-long',
];

const both = async <T>(ask: (host: HostName) => Promise<T>): Promise<Record<HostName, T>> => {
  const [primary, secondary] = await Promise.all([ask('primary'), ask('secondary')]);
  return { primary, secondary };
};

const guestPids = (office: Office) =>
  both(async (host) => Promise.all(guests.map((guest) => office.guestPid(host, guest))));

const incarnations = (office: Office) => both(async (host) => (await office.status(host)).daemon.incarnation);

const codesSince = async (office: Office, host: HostName, count: number) =>
  (await office.history(host)).slice(count).map(({ code }) => code);

/** All that no packet may change. */
const standing = async (office: Office) => ({
  groups: await both(async (host) =>
    (await office.status(host)).groups.map(({ name, phase, generation, runsOn }) => ({
      name,
      phase,
      generation,
      runsOn,
    })),
  ),
  pids: await guestPids(office),
  holders: await office.network.addressHolders(floatingAddress),
  incarnations: await incarnations(office),
});

/** Every verdict that a host has come to until `stop`. */
function watchVerdicts(office: Office, host: HostName) {
  const seen = new Set<string>();
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      seen.add((await office.status(host)).verdict.kind);
      await sleep(20);
    }
  })();
  return {
    async stop(): Promise<readonly string[]> {
      stopped = true;
      await watching;
      return [...seen];
    },
  };
}

/** When the host's daemon took in a packet of its peer, from its own flight recorder (CLOCK_MONOTONIC). */
async function admittedAt(office: Office, host: HostName, sinceMs: number): Promise<readonly number[]> {
  const times: number[] = [];
  const event = ({ kind, at }: Event) => {
    if (kind === 'heartbeat-received' && at >= sinceMs) times.push(at);
  };
  await readJournal(office.network.hosts[host].stateDir, [{ event }]);
  return times;
}

const longestStep = (times: readonly number[]) =>
  Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? time)));

const restart = async (office: Office, host: HostName) => {
  office.daemon(host).signal('SIGKILL');
  await office.daemon(host).exited;
  await office.startDaemon(host);
};

const refusedOn = (status: Status, link: number) => status.links[link]?.refused ?? {};

test('ten thousand hostile packets a second for five seconds are counted by reason, never answered, and change nothing', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const attacker = await Attacker.onSegment(office.network);
  const outsider = await Attacker.onLan(office.network, clientAddress);
  await attacker.listen(20, await incarnations(office));
  for (const host of hostNames) await restart(office, host); // What was heard so far is of an earlier run now.
  await office.settled('primary');
  await attacker.listen(20, await incarnations(office));

  const before = await standing(office);
  const notes = await both(async (host) => (await office.history(host)).length);
  const answers = [await attacker.answers(), await outsider.answers()];
  const verdicts = hostNames.map((host) => watchVerdicts(office, host));
  const sentBefore = await both((host) => office.status(host));
  const startedAt = monotonicMs();

  const sent = await Promise.all([
    attacker.flood(forgeries, 40_000, 8000),
    outsider.flood(inventions, 10_000, 2000),
  ]);
  const tookMs = monotonicMs() - startedAt;
  t.log(`${sent.join(' + ')} packets in ${Math.round(tookMs)} ms`);

  for (const guest of guests) await office.counts(guest);
  const after = await both((host) => office.status(host));
  const elapsedMs = monotonicMs() - startedAt;
  for (const watch of verdicts) t.deepEqual(await watch.stop(), ['alive']);
  t.deepEqual(await standing(office), before);
  for (const [index, host] of hostNames.entries()) {
    t.deepEqual(
      (await codesSince(office, host, notes[host])).filter((code) => code !== 'stalled'),
      [],
      `${host} has nothing to tell`,
    );
    const counted = refusedOn(after[host], 0);
    t.log(`${host} refused on the segment`, JSON.stringify(counted));
    for (const reason of refusals) t.true((counted[reason] ?? 0) > 0, `${host} counted ${reason}`);
    const countedOnLan = refusedOn(after[host], 1);
    for (const reason of inventionRefusals) {
      t.true((countedOnLan[reason] ?? 0) > 0, `${host} counted ${reason} on the LAN`);
    }
    // Heartbeats are a keepalive apart; whatever was sent in answer to a packet would come on top.
    for (const [link, view] of after[host].links.entries()) {
      const sentMeanwhile = view.sent - (sentBefore[host].links[link]?.sent ?? 0);
      t.true(sentMeanwhile <= elapsedMs / keepaliveMs + 2, `${host} sent ${sentMeanwhile} on ${view.name}`);
    }
    t.deepEqual(await (index === 0 ? attacker : outsider).answers(), answers[index], 'nothing came back');
    const until = monotonicMs();
    const times = await waitFor('the flight recorder has all of it', async () => {
      const admitted = await admittedAt(office, host, startedAt);
      return (admitted.at(-1) ?? 0) > until && admitted;
    });
    t.log(`${host}: at most ${Math.round(longestStep(times))} ms from one heartbeat to the next`);
    t.true(longestStep(times) < deadtimeMs, 'the heartbeats were never missing for deadtime');
  }
  await waitFor('all is well', async () => (await office.battito('primary', 'status')).exitCode === 0);
});

test('the heartbeats of a node that lost its power, played back to its peer, do not keep the takeover from happening', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const attacker = await Attacker.onSegment(office.network);
  await attacker.listen(40, await incarnations(office));
  const notes = (await office.history('secondary')).length;

  await office.network.powerLoss('primary');
  const packets = await attacker.replay('primary', 1000);
  t.true(packets >= 40);
  await office.waitForPhase('secondary', 'active');
  for (const guest of guests) await office.counts(guest);
  const codes = await codesSince(office, 'secondary', notes);
  t.true(codes.includes('peer-dead'));
  t.false(codes.includes('peer-alive'), 'it was never taken for alive');
  t.true((refusedOn(await office.status('secondary'), 0)['replayed'] ?? 0) > 0);

  // The survivor's daemon starts afresh, and hears nothing but the past.
  const pids = await Promise.all(guests.map((guest) => office.guestPid('secondary', guest)));
  const generation = (await office.status('secondary')).groups[0]?.generation;
  const later = (await office.history('secondary')).length;
  await restart(office, 'secondary');
  await office.waitForVerdict('secondary', 'dead');
  const status = await office.status('secondary');
  t.is(status.groups[0]?.phase, 'active');
  t.is(status.groups[0]?.generation, generation);
  t.deepEqual(await Promise.all(guests.map((guest) => office.guestPid('secondary', guest))), pids);
  t.deepEqual(await office.network.addressHolders(floatingAddress), ['secondary']);
  t.false((await codesSince(office, 'secondary', later)).includes('peer-alive'));
  t.true((refusedOn(status, 0)['replayed'] ?? 0) > 0, 'the ledger knows the newest packet of the dead node');

  await office.network.powerOn('primary');
  await office.startDaemon('primary');
  await office.settled('secondary');
  t.deepEqual(await Promise.all(guests.map((guest) => office.guestPid('secondary', guest))), pids);
  t.pass('the true node is told from its past, which is still being played');
  t.true((refusedOn(await office.status('secondary'), 0)['stale-incarnation'] ?? 0) > 0);
  await attacker.rest();
});

test('the goodbye of a handover, played back later, does not make a living owner look gone', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const attacker = await Attacker.onSegment(office.network);
  await attacker.listen(5, await incarnations(office));
  office.daemon('primary').signal('SIGTERM'); // It hands over and says goodbye; the attacker hears it.
  await office.daemon('primary').exited;
  await office.waitForPhase('secondary', 'active');
  await office.startDaemon('primary');
  await office.settled('secondary');
  t.is((await office.battito('primary', 'takeover')).exitCode, 0);
  await office.settled('primary');

  const before = await standing(office);
  const notes = await both(async (host) => (await office.history(host)).length);
  const verdicts = hostNames.map((host) => watchVerdicts(office, host));
  await attacker.replay('primary', 1000);
  await waitFor('the secondary has refused the goodbye', async () => {
    const refused = refusedOn(await office.status('secondary'), 0);
    return (refused['stale-incarnation'] ?? 0) + (refused['replayed'] ?? 0) > 2000;
  });
  await attacker.rest();
  for (const watch of verdicts) t.deepEqual(await watch.stop(), ['alive']);
  t.deepEqual(await standing(office), before);
  for (const host of hostNames) {
    t.deepEqual(
      (await codesSince(office, host, notes[host])).filter((code) => code !== 'stalled'),
      [],
    );
  }
});
