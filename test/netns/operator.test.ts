// What an operator does, with the command line as it is typed, against real daemons that run real guests.

import { rm, writeFile } from 'node:fs/promises';
import test from 'ava';
import { commandNames } from '../../daemon/cli/commands.ts';
import type { HistoryEntry, Status } from '../../daemon/control/api.ts';
import { deriveTimings } from '../../daemon/core/policy.ts';
import { faultsIn } from '../schemas.ts';
import { waitFor } from '../support.ts';
import { Attacker } from './support/attack.ts';
import { floatingAddress, type HostName, hostNames } from './support/hosts.ts';
import { type GuestName, guests, type Office, useOffice } from './support/office.ts';

const pids = async (office: Office, host: HostName) =>
  Promise.all(guests.map((guest) => office.guestPid(host, guest)));

const codes = async (office: Office, host: HostName, since = 0) =>
  (await office.history(host)).slice(since).map(({ code }) => code);

const noteCount = async (office: Office, host: HostName) => (await office.history(host)).length;

const groupOn = async (office: Office, host: HostName) => {
  const [group] = (await office.status(host)).groups;
  if (group === undefined) throw new Error('the office has no group');
  return group;
};

const attentionOn = async (office: Office, host: HostName) =>
  (await office.status(host)).attention.map(({ code }) => code);

/** The guest was shut down and started, without losing a count, as often as its group was moved. */
const moves = (office: Office, guest: GuestName) => {
  const story = office.shown(guest);
  const lost = story.filter(({ what, count }, index) => {
    const next = story[index + 1];
    return what === 'stop' && next !== undefined && next.count !== count;
  });
  return { stops: story.filter(({ what }) => what === 'stop').length, lost };
};

const killDaemon = async (office: Office, host: HostName) => {
  office.daemon(host).signal('SIGKILL');
  await office.daemon(host).exited;
};

const logOf = async (office: Office, host: HostName, from: number, pattern: RegExp) =>
  waitFor(`${host} logs ${pattern}`, async () => {
    const text = (await office.log(host)).slice(from);
    if (!pattern.test(text)) throw new Error(text);
    return text;
  });

// ---- moving groups ----

test('takeover pulls the group, handover gives it back, and each tells its steps and how it ended', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const watch = await office.network.watchAddress(floatingAddress);

  const taken = await office.battito('secondary', 'takeover');
  t.is(taken.exitCode, 0, taken.stderr);
  t.regex(taken.stdout, /primary is asked to hand over office/);
  t.regex(taken.stdout, /secondary runs office now; it took /);
  await office.settled('secondary');
  t.deepEqual(await office.network.addressHolders(floatingAddress), ['secondary']);

  const again = await office.battito('secondary', 'takeover', 'office');
  t.is(again.exitCode, 0);
  t.regex(again.stdout, /secondary runs it already/);
  const elsewhere = await office.battito('primary', 'handover');
  t.is(elsewhere.exitCode, 0);
  t.regex(elsewhere.stdout, /primary runs none of it/);

  const given = await office.battito('secondary', 'handover', 'office', '--json');
  t.is(given.exitCode, 0, given.stdout);
  const answer = JSON.parse(given.stdout) as { done: boolean; message: string; notes: HistoryEntry[] };
  t.true(answer.done);
  t.is(answer.message, 'primary runs office now');
  t.true(answer.notes.some(({ code }) => code === 'hand-over'));
  await office.settled('primary');
  t.deepEqual(await watch.overlaps(), []);
  for (const guest of guests) t.deepEqual(moves(office, guest), { stops: 2, lost: [] });

  const wrong = await office.battito('primary', 'handover', 'offic');
  t.is(wrong.exitCode, 64);
  t.regex(wrong.stderr, /there is no group "offic".*\n.*did you mean `office`/s);
});

test('a node in standby gives everything away, takes nothing even when its peer dies, and stays so over a restart', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const on = await office.battito('primary', 'standby');
  t.is(on.exitCode, 0, on.stderr);
  t.regex(on.stdout, /primary is in standby, secondary runs office now/);
  await office.settled('secondary');
  const shown = await office.battito('primary', 'status');
  t.is(shown.exitCode, 3);
  t.regex(shown.stdout, /battito standby off/);
  const refused = await office.battito('primary', 'takeover');
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /primary is in standby\nnext: .*standby off/);
  const back = await office.battito('secondary', 'handover');
  t.is(back.exitCode, 1, 'the other node cannot send it back');
  t.regex(back.stderr, /primary is in standby\nnext: .*standby off.* on primary/);

  await killDaemon(office, 'primary');
  await office.startDaemon('primary');
  await office.settled('secondary');
  t.true((await office.status('primary')).self.standby);
  await office.network.powerLoss('secondary');
  await office.waitForVerdict('primary', 'dead');
  t.is((await groupOn(office, 'primary')).runsOn, null);
  t.deepEqual(await pids(office, 'primary'), [null, null]);
  t.deepEqual(await office.network.addressHolders(floatingAddress), []);

  t.is((await office.battito('primary', 'standby', 'off')).exitCode, 0);
  await office.waitForPhase('primary', 'active');
  for (const guest of guests) await office.counts(guest);
});

// ---- maintenance ----

test('in maintenance the daemon may stop and start as it likes: guests stay, and the peer takes nothing', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const before = await pids(office, 'primary');
  const on = await office.battito('primary', 'maintenance', 'on', '--for', '10m');
  t.is(on.exitCode, 0, on.stderr);
  t.regex(on.stdout, /touches nothing for 10 min/);
  await waitFor('the peer knows', async () =>
    (await attentionOn(office, 'secondary')).includes('peer-maintenance'),
  );
  const notes = await noteCount(office, 'secondary');

  office.daemon('primary').signal('SIGTERM');
  t.is((await office.daemon('primary').exited).exitCode, 0);
  t.deepEqual(
    await pids(office, 'primary'),
    before,
    'a daemon that is stopped in maintenance leaves all as it is',
  );
  await office.waitForPhase('secondary', 'blocked');
  t.true((await attentionOn(office, 'secondary')).includes('blocked-peer-in-maintenance'));
  for (const guest of guests) await office.counts(guest);
  t.deepEqual(await pids(office, 'secondary'), [null, null]);
  t.deepEqual(await office.network.addressHolders(floatingAddress), ['primary']);

  await office.startDaemon('primary');
  await office.settled('primary');
  t.true((await office.status('primary')).self.maintenanceMs > 0, 'it outlives the restart');
  process.kill(before[0] ?? 0, 'SIGKILL');
  await office.network.run('primary', ['ip', 'addr', 'del', `${floatingAddress}/24`, 'dev', 'eth0']);
  await waitFor(
    'the daemon sees it',
    async () =>
      (await groupOn(office, 'primary')).resources.filter(({ status }) => status === 'down').length === 2,
  );
  t.is((await office.battito('primary', 'handover')).exitCode, 1);
  t.is(await office.guestPid('primary', 'mail'), null, 'and it is not started again');
  t.false((await codes(office, 'secondary', notes)).includes('take-over'));

  t.is((await office.battito('primary', 'maintenance', 'off')).exitCode, 0);
  await office.settled('primary');
  t.is(await office.guestPid('primary', 'web'), before[1] ?? null);
  t.deepEqual(await office.network.addressHolders(floatingAddress), ['primary']);
  await waitFor('all is well', async () => (await office.battito('secondary', 'status')).exitCode === 0);
});

test('maintenance ends by itself when its time is up, and what broke meanwhile is mended then', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  t.is((await office.battito('primary', 'maintenance', 'on', '--for', '4s')).exitCode, 0);
  process.kill((await office.guestPid('primary', 'mail')) ?? 0, 'SIGKILL');
  await waitFor('mail was started again', () => office.starts('mail').length === 2);
  t.is((await office.status('primary')).self.maintenanceMs, 0);
  const noted = await codes(office, 'primary');
  const restarted = (await office.history('primary')).findLastIndex(
    ({ message }) => message === 'start guest:mail',
  );
  t.true(noted.includes('maintenance-ended') && noted.indexOf('maintenance-ended') < restarted);
  await office.settled('primary');
});

test('a host that dies in maintenance is not taken over by itself, but is by an operator who knows that it is off', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  t.is((await office.battito('primary', 'maintenance', 'on', '--for', '1h')).exitCode, 0);
  await waitFor('the peer knows', async () =>
    (await attentionOn(office, 'secondary')).includes('peer-maintenance'),
  );
  await office.network.powerLoss('primary');
  await office.waitForVerdict('secondary', 'dead');
  await office.waitForPhase('secondary', 'blocked');
  const told = await office.battito('secondary', 'fence', 'confirm', 'primary', '--yes');
  t.is(told.exitCode, 0, told.stderr);
  t.regex(told.stdout, /because the operator says so/);
  await office.waitForPhase('secondary', 'active');
  for (const guest of guests) await office.counts(guest);
});

// ---- the operator's word ----

test('that the peer is off is not believed while anything of it answers', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const alive = await office.battito('secondary', 'fence', 'confirm', 'primary', '--yes');
  t.is(alive.exitCode, 1);
  t.regex(alive.stderr, /primary is not off: its heartbeats arrive/);
  const misnamed = await office.battito('secondary', 'fence', 'confirm', 'secondary');
  t.is(misnamed.exitCode, 64);
  t.regex(misnamed.stderr, /"secondary" is not the other node; that is primary/);

  await killDaemon(office, 'primary');
  await office.waitForVerdict('secondary', 'unresponsive');
  const there = await office.battito('secondary', 'fence', 'confirm', 'primary', '--yes');
  t.is(there.exitCode, 1);
  t.regex(there.stderr, /primary is not off: .*still answers/);
  t.regex(there.stderr, /power primary off/);
  t.deepEqual(await pids(office, 'secondary'), [null, null]);

  await office.network.powerLoss('primary');
  await office.waitForPhase('secondary', 'active');
  const taken = await office.battito('secondary', 'takeover');
  t.is(taken.exitCode, 0);
  t.regex(taken.stdout, /secondary runs it already/);
});

test('a node that was cut off for long may take over only when the operator says that the peer is off', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  await office.network.cutEverything('secondary');
  await office.waitForVerdict('secondary', 'isolated');
  await office.network.powerLoss('primary');
  const cut = await office.battito('secondary', 'takeover');
  t.is(cut.exitCode, 1);
  t.regex(cut.stderr, /next: .*(cable|fence confirm primary)/);

  const { staleAfterMs } = deriveTimings((await office.status('secondary')).timings);
  await waitFor(
    'what it knows of its peer is out of date',
    async () => ((await office.status('secondary')).verdict.silentMs ?? 0) > staleAfterMs,
  );
  await office.network.mendEverything('secondary');
  await office.waitForVerdict('secondary', 'dead');
  const unsure = await office.battito('secondary', 'takeover');
  t.is(unsure.exitCode, 1);
  t.regex(unsure.stderr, /was cut off/);
  t.is(await office.phase('secondary'), 'blocked');
  t.regex(unsure.stderr, /battito fence confirm primary/);
  t.deepEqual(await pids(office, 'secondary'), [null, null]);

  const told = await office.battito('secondary', 'fence', 'confirm', 'primary', '--yes');
  t.is(told.exitCode, 0, told.stderr);
  t.regex(told.stdout, /secondary runs office now/);
  t.is((await office.status('secondary')).verdict.kind, 'fenced');
  for (const guest of guests) await office.counts(guest);

  await office.network.powerOn('primary');
  await office.startDaemon('primary');
  await office.settled('secondary');
  t.deepEqual(await pids(office, 'primary'), [null, null]);
});

test('both hosts lost power and the owner returns alone: only the operator may accept its data', async (t) => {
  const office = await useOffice(t, { initdead: '4s' });
  await office.settled('primary');
  await Promise.all(hostNames.map((host) => office.network.powerLoss(host)));
  await office.network.powerOn('primary');
  await office.startDaemon('primary');
  await office.waitForPhase('primary', 'blocked');
  t.true((await attentionOn(office, 'primary')).includes('blocked-unproven-data'));
  t.deepEqual(await pids(office, 'primary'), [null, null]);
  const refused = await office.battito('primary', 'takeover');
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /secondary may have written to it last/);
  t.regex(refused.stderr, /battito takeover --accept-data office/);

  const accepted = await office.battito('primary', 'takeover', '--accept-data', 'office');
  t.is(accepted.exitCode, 0, accepted.stderr);
  t.regex(accepted.stdout, /primary runs office now/);
  for (const guest of guests) {
    await office.counts(guest);
    t.is(office.starts(guest).length, 2);
  }
  const late = await office.battito('primary', 'takeover', '--accept-data', 'office');
  t.is(late.exitCode, 1, 'it waits for nothing any more');

  const running = await pids(office, 'primary');
  await office.network.powerOn('secondary');
  await office.startDaemon('secondary');
  await office.settled('primary');
  t.deepEqual(await pids(office, 'primary'), running);
});

// ---- looking ----

test('status and history in JSON are what the control API promises, in good days and in bad ones', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const look = async (host: HostName, exitCode: number) => {
    const shown = await office.battito(host, 'status', '--json');
    t.is(shown.exitCode, exitCode, shown.stdout);
    t.is(shown.stderr, '');
    t.deepEqual(faultsIn('status', JSON.parse(shown.stdout)), []);
    const told = await office.battito(host, 'history', '--json');
    t.is(told.exitCode, 0);
    t.deepEqual(faultsIn('history', JSON.parse(told.stdout)), []);
    return JSON.parse(shown.stdout) as Status;
  };
  await waitFor('all is well', async () => (await office.battito('primary', 'status')).exitCode === 0);
  const good = await look('primary', 0);
  t.is(good.self.name, 'primary');
  t.is(good.groups[0]?.runsOn, 'primary');
  t.deepEqual(good.attention, []);
  t.is(good.daemon.pid, office.daemon('primary').pid);
  t.is(good.self.configDigest, good.peer.configDigest);
  t.deepEqual(
    good.groups[0]?.resources.map(({ id, status }) => `${id} ${status}`),
    [`address:${floatingAddress}/24 up`, 'guest:mail up', 'guest:web up'],
  );

  await office.network.cutEverything('primary');
  await office.waitForPhase('secondary', 'active');
  const frozen = await look('primary', 3);
  t.is(frozen.groups[0]?.phase, 'frozen');
  t.is((await look('secondary', 3)).verdict.kind, 'dead');
  await office.network.mendEverything('primary');
  await office.settled('secondary');

  const text = await office.battito('secondary', 'history', '--limit', '1000');
  t.is(text.exitCode, 0);
  t.regex(text.stdout, /!! .*primary is dead/);
  t.regex(text.stdout, /start guest:mail \(took \d+/);
  const few = await office.battito('secondary', 'history', '--limit', '3');
  t.is(few.stdout.trimEnd().split('\n').length, 3);
});

test('a dry run changes nothing, and its address commands do by hand what the daemons would', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const client = await office.startClient();
  await client.waitForAnswerFrom('primary');
  const before = await pids(office, 'primary');
  const notes = await Promise.all(hostNames.map((host) => noteCount(office, host)));
  const dry = async (host: HostName, ...words: string[]) => {
    const shown = await office.battito(host, ...words, '--dry-run');
    t.is(shown.exitCode, 0, shown.stderr);
    return shown.stdout.trimEnd().split('\n');
  };
  const give = await dry('primary', 'handover');
  const take = await dry('secondary', 'takeover', 'office');
  t.deepEqual(await dry('primary', 'standby'), give);
  t.true(give.some((line) => line.startsWith('# ') && line.includes('guest:mail')));
  t.true(take.some((line) => line.startsWith('qemu-system-') && line.includes(office.disk('web'))));
  const plans = JSON.parse((await office.battito('secondary', 'takeover', '--dry-run', '--json')).stdout) as {
    group: string;
    resource: string;
    commands: string[];
  }[];
  t.deepEqual(
    plans.flatMap(({ commands }) => commands),
    take.filter((line) => !line.startsWith('#')),
  );
  t.deepEqual(await pids(office, 'primary'), before);
  t.deepEqual(await Promise.all(hostNames.map((host) => noteCount(office, host))), notes);

  // No daemon runs: an operator does it.
  for (const host of hostNames) await killDaemon(office, host);
  const run = async (host: HostName, lines: readonly string[]) => {
    const start = lines.findIndex((line) => line.includes('address:'));
    const rest = lines.slice(start + 1);
    const end = rest.findIndex((line) => line.startsWith('#'));
    for (const line of rest.slice(0, end)) {
      const done = await office.network.run(host, ['sh', '-c', line]);
      t.is(done.exitCode, 0, `${line}: ${done.stderr}`);
    }
  };
  await run('primary', give);
  t.deepEqual(await office.network.addressHolders(floatingAddress), []);
  const { address } = office.network.hosts.primary;
  t.deepEqual(await office.network.addressHolders(address), ['primary'], 'the host keeps its own address');
  await run('secondary', take);
  t.deepEqual(await office.network.addressHolders(floatingAddress), ['secondary']);
  await client.waitForAnswerFrom('secondary');
  t.pass('the client was told where the address is now');
});

test('without a daemon every command says so and how to start it', async (t) => {
  const office = await useOffice(t, { idle: true });
  const lines = [
    ['status'],
    ['takeover'],
    ['takeover', '--dry-run'],
    ['handover'],
    ['standby', 'on'],
    ['maintenance', 'on', '--for', '1h'],
    ['maintenance', 'off'],
    ['retry'],
    ['history'],
  ];
  for (const words of lines) {
    t.true(commandNames.includes(words[0] ?? ''));
    const shown = await office.battito('primary', ...words);
    t.is(shown.exitCode, 69, words.join(' '));
    t.is(shown.stdout, '');
    t.regex(
      shown.stderr,
      /^battito: no daemon answers at .*control\.sock\nnext: start it: systemctl start battito/,
    );
  }
  const json = await office.battito('primary', 'status', '--json');
  t.is(json.exitCode, 69);
  const { error } = JSON.parse(json.stdout) as { error: { code: string; next: string } };
  t.is(error.code, 'daemon-not-running');
  t.regex(error.next, /systemctl start battito/);
});

// ---- changing a running daemon ----

test('SIGHUP: a valid change is taken, one that needs a restart is named, a broken file changes nothing', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const before = await pids(office, 'primary');
  const { incarnation } = (await office.status('primary')).daemon;
  const reload = async (host: HostName, text: string, pattern: RegExp) => {
    await writeFile(office.configFile, text);
    const from = (await office.log(host)).length;
    office.daemon(host).signal('SIGHUP');
    return logOf(office, host, from, pattern);
  };

  const automatic = office.configText({ failback: 'automatic' });
  t.regex(
    await reload('primary', automatic, /reloaded keys and configuration/),
    /groups\.office\.failback/,
    'what has changed is named',
  );
  await waitFor('it is in force', async () => (await groupOn(office, 'primary')).failback === 'automatic');
  await waitFor('the other node has another configuration', async () =>
    (await attentionOn(office, 'secondary')).includes('config-differs'),
  );
  await reload('secondary', automatic, /reloaded keys and configuration/);
  await waitFor('all is well', async () => (await office.battito('primary', 'status')).exitCode === 0);

  const faster = automatic.replace('keepalive: 200ms', 'keepalive: 100ms');
  for (const host of hostNames) await reload(host, faster, /reloaded keys and configuration/);
  t.is((await office.status('primary')).timings.keepaliveMs, 100);

  const another = faster.replace(
    `[${floatingAddress}/24 dev eth0]`,
    `[${floatingAddress}/24 dev eth0, 192.168.1.9/24 dev eth0]`,
  );
  t.regex(await reload('primary', another, /needs a restart/), /groups\.office\.addresses/);
  t.deepEqual(await office.network.addressHolders('192.168.1.9'), []);

  const broken = another.replace('deadtime: 2s', 'deadtime: soon');
  const log = await reload('primary', broken, /not reloaded, the old configuration stays/);
  t.regex(log, /battito\.yaml:9:13: heartbeat\.deadtime/);
  t.is((await office.status('primary')).timings.deadtimeMs, 2000);

  await writeFile(office.configFile, faster);
  await rm(office.keyFile);
  t.regex(await reload('primary', faster, /not reloaded, the old configuration stays/), /no such key file/);
  t.is((await groupOn(office, 'primary')).failback, 'automatic');
  for (const guest of guests) await office.counts(guest);
  t.is((await office.status('secondary')).verdict.kind, 'alive', 'the old key is still in use');
  t.deepEqual(await pids(office, 'primary'), before);
  t.is((await office.status('primary')).daemon.incarnation, incarnation);
});

test('the key is changed step by step while both run: alive throughout, and the old key is worth nothing then', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const attacker = await Attacker.onSegment(office.network);
  const incarnation = async (host: HostName) => (await office.status(host)).daemon.incarnation;
  await attacker.listen(10, {
    primary: await incarnation('primary'),
    secondary: await incarnation('secondary'),
  });
  const notes = await Promise.all(hostNames.map((host) => noteCount(office, host)));
  const received = async (host: HostName) => (await office.status(host)).links.map((link) => link.received);
  /** Both hear each other on every link from now on. */
  const bothHear = async () => {
    for (const host of hostNames) {
      const from = await received(host);
      await waitFor(`${host} hears its peer on every link`, async () =>
        (await received(host)).every((count, index) => count >= (from[index] ?? 0) + 5),
      );
      t.is((await office.status(host)).verdict.kind, 'alive');
    }
  };
  const refused = async (host: HostName) => (await office.status(host)).links[0]?.refused['unknown-key'] ?? 0;

  for (const step of ['--stage', '--activate', '--retire']) {
    const changed = await office.battito('primary', 'keygen', step);
    t.is(changed.exitCode, 0, changed.stderr);
    t.notRegex(changed.stdout + changed.stderr, /battito-key-1/, 'a key is never shown');
    // Each daemon keeps the keys that it read: between the two signals the file is on one node only, so to say.
    for (const host of hostNames) {
      const from = (await office.log(host)).length;
      office.daemon(host).signal('SIGHUP');
      await logOf(office, host, from, /reloaded keys and configuration/);
      await bothHear();
      for (const each of hostNames)
        t.is(await refused(each), 0, `nothing was refused after ${step} on ${host}`);
    }
  }
  for (const [index, host] of hostNames.entries()) t.deepEqual(await codes(office, host, notes[index]), []);

  // What was signed with the old key, by whomever it has leaked to.
  for (const [from, to] of [
    ['primary', 'secondary'],
    ['secondary', 'primary'],
  ] as const) {
    await attacker.replay(from, 100);
    await waitFor(`${to} refuses the old key`, async () => (await refused(to)) > 0);
    await attacker.rest();
  }
  await bothHear();
  const again = await office.battito('primary', 'keygen', '--retire');
  t.is(again.exitCode, 1);
  t.regex(again.stderr, /holds only the key that signs/);
});

// ---- by itself ----

test('with automatic failback the group returns to its preferred node once that has been back for the delay', async (t) => {
  const office = await useOffice(t, { failback: 'automatic' });
  await office.settled('primary');
  await office.network.powerLoss('primary');
  await office.waitForPhase('secondary', 'active');
  for (const guest of guests) await office.counts(guest);
  await office.network.powerOn('primary');
  await office.startDaemon('primary');
  await office.settled('primary');
  const history = await office.history('secondary');
  const back = history.findLast(({ code }) => code === 'peer-alive');
  const offered = history.findLast(({ code }) => code === 'offered');
  t.regex(offered?.message ?? '', /the preferred node is back/);
  t.true((offered?.monotonicMs ?? 0) - (back?.monotonicMs ?? 0) >= 5000, 'not before its time');
  for (const guest of guests) t.deepEqual(moves(office, guest), { stops: 1, lost: [] });
});

test('a daemon that is told to stop twice ends at once and leaves everything; started again, it goes on', async (t) => {
  const office = await useOffice(t, { idle: true });
  await writeFile(office.disk('mail'), Buffer.alloc(1024 * 1024)); // Nothing in it hears the power button.
  await office.startDaemons();
  await office.waitForPhase('primary', 'active');
  await office.counts('web');
  const mail = await office.guestPid('primary', 'mail');
  t.truthy(mail);
  const daemon = office.daemon('primary');
  daemon.signal('SIGTERM');
  await waitFor('the handover waits for mail', async () =>
    (await groupOn(office, 'primary')).resources.some(
      ({ id, operation }) => id === 'guest:mail' && operation?.action === 'stop',
    ),
  );
  daemon.signal('SIGTERM');
  t.is((await daemon.exited).exitCode, 1);
  t.regex(await office.log('primary'), /told to stop a second time/);
  t.is(await office.guestPid('primary', 'mail'), mail, 'it was not switched off');
  t.is(await office.guestPid('secondary', 'mail'), null, 'the peer does not start what still runs');

  await office.startDaemon('primary');
  await waitFor('one of the two runs it again', async () => {
    const phases = await Promise.all(hostNames.map((host) => office.phase(host)));
    if (phases.includes('active') && phases.includes('stopped')) return true;
    throw new Error(phases.join(' '));
  });
  await office.counts('web');
  t.deepEqual(moves(office, 'web').lost, []);
  const copies = await Promise.all(hostNames.map((host) => office.guestPid(host, 'mail')));
  t.is(copies.filter((pid) => pid !== null).length, 1);
  await waitFor('all is well', async () => (await office.battito('primary', 'status')).exitCode === 0);
});
