// `battito drbd` against a scripted daemon: what it shows of two copies, what it asks for, and with which code it ends.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Context } from '../../daemon/cli/command.ts';
import { drbdCommand } from '../../daemon/cli/drbd/drbd.ts';
import { fencePeer } from '../../daemon/cli/fence/peer.ts';
import type { DiskRemark, GroupView, ResourceView } from '../../daemon/control/api.ts';
import type { OutdatingAnswer, StorageStatus } from '../../daemon/core/events.ts';
import { BattitoError, exitCodes } from '../../daemon/errors.ts';
import { temporaryDirectory } from '../support.ts';
import { type Script, scriptedDaemon } from './fixtures/cli/server.ts';
import { group, groupAtPeer, resource, status } from './fixtures/cli/statuses.ts';
import { captureOutput, type RunOptions, run } from './fixtures/cli/terminal.ts';

const parted: StorageStatus = {
  role: 'secondary',
  disk: 'up-to-date',
  connection: 'standalone',
  peerRole: 'unknown',
  peerDisk: 'unknown',
  suspended: 'no',
  resync: null,
};
const whole: StorageStatus = {
  ...parted,
  connection: 'connected',
  peerRole: 'primary',
  peerDisk: 'up-to-date',
};
const copied = (percent: number): StorageStatus => ({
  ...whole,
  disk: 'inconsistent',
  resync: { direction: 'target', percent },
});
const written = { standsAlone: 'split-brain', aloneForMs: 7_500_000, aloneLonger: false } as const;
const disk = (
  storage: StorageStatus | null,
  changes: Partial<GroupView> = {},
  ofDisk: Partial<ResourceView> = {},
) => {
  const apart =
    storage === null || storage.connection === 'connected' ? null : { ...written, changedKib: 20 };
  return status({
    groups: [
      groupAtPeer({
        resources: [
          resource('drbd:r0', { kind: 'drbd', status: 'down', storage, apart, ...ofDisk }),
          resource('guest:mail', { status: 'down' }),
        ],
        ...changes,
      }),
    ],
  });
};
const atPeer = groupAtPeer().peer;
const known = (value: unknown) => ({ ...atPeer, ...(value as object) }) as NonNullable<typeof atPeer>;

const diskThere: DiskRemark = {
  resource: 'r0',
  role: 'primary',
  disk: 'up-to-date',
  connection: 'standalone',
  standsAlone: 'unexplained',
  aloneForMs: 10_800_000,
  aloneLonger: false,
  changedKib: 1_258_291,
};
/** What the peer's newest heartbeat said of its copy and its guests. */
const remarks = (
  ofDisk: Partial<DiskRemark> = {},
  more: Partial<NonNullable<GroupView['peerRemarks']>> = {},
): NonNullable<GroupView['peerRemarks']> => ({
  ageMs: 150,
  disks: [{ ...diskThere, ...ofDisk }],
  guests: [{ name: 'mail', status: 'up', upForMs: 14_400_000 }],
  ...more,
});
const undated = (text: string) => text.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'DATE TIME');

async function battito(
  t: Parameters<typeof scriptedDaemon>[0],
  line: string,
  script: Script,
  options: RunOptions = {},
) {
  const daemon = await scriptedDaemon(t, script);
  const result = await run([...line.split(' '), '--socket', daemon.socketPath], options);
  return { ...result, requests: daemon.requests };
}

test('resolve shows both copies, the natural choice, and what each choice runs where', async (t) => {
  const { exitCode, stdout, requests } = await battito(t, 'drbd resolve r0', {
    statuses: [disk(parted, { peer: known({ alone: true }), peerRemarks: remarks() })],
  });
  t.is(exitCode, 0);
  t.deepEqual(requests, []);
  t.snapshot(undated(stdout));
  t.notRegex(stdout, /the same command there/);
  const joined = await battito(t, 'drbd resolve r0', { statuses: [disk(whole)] });
  t.regex(joined.stdout, /there is nothing to resolve/);
  t.notRegex(joined.stdout, /drbdadm/);
});

test('a peer of an older version, or that has no remarks, is said to know more itself', async (t) => {
  const { peerRemarks: _, ...older } = groupAtPeer({
    peer: known({ alone: true }),
    resources: disk(parted).groups[0]?.resources ?? [],
  });
  for (const shown of [older as GroupView, { ...older, peerRemarks: null }]) {
    const { exitCode, stdout } = await battito(t, 'drbd resolve r0', {
      statuses: [status({ groups: [shown] })],
    });
    t.is(exitCode, 0);
    t.regex(stdout, /it writes, or wrote, without this copy\n/);
    t.regex(stdout, /how much it wrote, .* the same command there shows: battito drbd resolve r0\n/);
    t.regex(stdout, /2\. on secondary: drbdadm connect r0 {3}# where it stands alone/);
  }
});

test('where the group runs, its guests are shown with the time they are up, and the other node is the natural one', async (t) => {
  const running = group({
    peer: known({ phase: 'stopped', up: 0, alone: true }),
    peerRemarks: remarks(
      { role: 'secondary', aloneForMs: 420_000, aloneLonger: true, changedKib: 4 },
      { guests: [{ name: 'mail', status: 'down', upForMs: null }] },
    ),
    resources: [
      resource('drbd:r0', {
        kind: 'drbd',
        storage: { ...parted, role: 'primary' },
        apart: { ...written, aloneLonger: true, changedKib: 1_258_291 },
      }),
      resource('guest:mail', { upForMs: 10_800_000 }),
    ],
  });
  const { stdout } = await battito(t, 'drbd resolve r0', { statuses: [status({ groups: [running] })] });
  t.regex(stdout, /primary, up-to-date, standalone: DRBD found that both were written to/);
  t.regex(stdout, /written to alone since .*, for 2 h 5 min or longer \(it was so when/);
  t.regex(stdout, /changed since they parted: at most 1\.2 GiB/);
  t.regex(stdout, /guest mail: up for 3 h/);
  const there = stdout.slice(stdout.indexOf('on secondary (as its heartbeats say):'));
  t.regex(there, /^ +secondary, up-to-date, standalone: why, DRBD did not say while the daemon listened$/m);
  t.regex(there, /written to alone since .*, 7 min ago or earlier \(.*\), until it was demoted/);
  t.regex(there, /changed since they parted: at most 4 KiB/);
  t.regex(there, /^ +guest mail: down$/m);
  t.regex(stdout, /the natural one is secondary: primary runs office with mail, and would have to stop that/);
  t.regex(stdout, /refused now: office is in use on primary/);
  t.regex(
    stdout,
    /To give up what secondary wrote, on secondary:[\s\S]*To give up what primary wrote, on primary:/,
  );
  const refused = await battito(t, 'drbd resolve r0 --discard-here --yes', {
    statuses: [status({ groups: [running] })],
  });
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /office is in use on primary\nnext: /);
  t.deepEqual(refused.requests, []);
});

test('a peer that is not heard is said so, and nothing is natural then', async (t) => {
  const silent = {
    ...disk(parted, { runsOn: null }),
    verdict: { kind: 'dead', forMs: 60_000, silentMs: 60_000, signs: [] },
  } as const;
  const { stdout } = await battito(t, 'drbd resolve r0', { statuses: [silent] });
  t.regex(stdout, /it is not heard for 1 min: what it wrote is not known/);
  t.regex(stdout, /it said last: office is active, generation 5/);
  t.regex(stdout, /it is not clear from here: secondary is not heard/);
  const refused = await battito(t, 'drbd resolve r0 --discard-here --yes', { statuses: [silent] });
  t.regex(refused.stderr, /secondary is not heard\nnext: start secondary first/);
});

test('of a silent peer what it said last is shown, with how long ago that was; nothing follows from it', async (t) => {
  const said = { runsOn: null, peerRemarks: remarks({}, { ageMs: 180_000 }) };
  const silent = {
    ...disk(parted, said),
    verdict: { kind: 'dead', forMs: 180_000, silentMs: 180_000, signs: [] },
  } as const;
  const { stdout } = await battito(t, 'drbd resolve r0', { statuses: [silent] });
  t.snapshot(undated(stdout));
  const json = JSON.parse((await battito(t, 'drbd resolve r0 --json', { statuses: [silent] })).stdout);
  t.is(json.natural.node, null);
  t.is(json.peer.copy.ageMs, 180_000);
  const sinceMs = Date.now() - Date.parse(json.peer.copy.aloneSince);
  t.true(Math.abs(sinceMs - 10_980_000) < 60_000, 'its three hours ended three minutes ago');
});

test('guests that did not fit into a heartbeat are not taken for none', async (t) => {
  const statuses = [disk(parted, { peerRemarks: remarks({}, { guests: null }) })];
  const { stdout } = await battito(t, 'drbd resolve r0', { statuses });
  t.regex(stdout, /its guests did not fit into its heartbeats; the same command there shows them/);
});

test('where the peer gives up its own, this node does not: both together would join nothing', async (t) => {
  const statuses = [disk(parted, { peer: known({ phase: 'stopped', discarding: true }), runsOn: null })];
  const refused = await battito(t, 'drbd resolve r0 --discard-here --yes', { statuses });
  t.is(refused.exitCode, 1);
  t.deepEqual(refused.requests, []);
  t.regex(refused.stderr, /secondary is giving up what it wrote/);
});

test('where it runs nowhere, a side that wrote nothing is the natural one; two that wrote are not told apart', async (t) => {
  const natural = async (alone: boolean, apart: Partial<NonNullable<ResourceView['apart']>>) => {
    const stopped = { runsOn: null, peer: known({ phase: 'stopped', alone }) };
    const statuses = [disk(parted, stopped, { apart: { ...written, changedKib: 20, ...apart } })];
    const { stdout } = await battito(t, 'drbd resolve r0 --json', { statuses });
    return JSON.parse(stdout).natural.node;
  };
  t.is(await natural(true, {}), null);
  t.is(await natural(false, {}), 'secondary');
  t.is(await natural(true, { aloneForMs: null, changedKib: 0 }), 'primary');
  t.is(await natural(true, { aloneForMs: null, changedKib: null }), null, 'not known is not nothing');
});

test('where it runs nowhere, the figures of both sides decide what is natural', async (t) => {
  const natural = async (here: object, there: Partial<DiskRemark> | null, alone = false) => {
    const peerRemarks = there === null ? remarks({ resource: 'r9' }) : remarks(there);
    const stopped = { runsOn: null, peer: known({ phase: 'stopped', up: 0, alone }), peerRemarks };
    const statuses = [disk(parted, stopped, { apart: { ...written, changedKib: 20, ...here } })];
    return JSON.parse((await battito(t, 'drbd resolve r0 --json', { statuses })).stdout).natural;
  };
  const untouched = { aloneForMs: null, changedKib: 0 };
  t.is((await natural({}, untouched)).node, 'secondary');
  t.is((await natural(untouched, {}, true)).node, 'primary');
  t.like(await natural({}, {}, true), {
    node: null,
    why: 'office runs on neither node, and both wrote: which copy is worth more, only a person can tell',
  });
  t.is((await natural({}, { aloneForMs: null, changedKib: 8 })).node, null, 'changed while nobody looked');
  t.is((await natural({}, { aloneForMs: null, changedKib: null })).node, null);
  t.is((await natural({}, null)).node, null, 'it says nothing of this one');
});

test('where both nodes say that they run it, neither is the natural one', async (t) => {
  const two = { phase: 'active', peerRemarks: remarks() } as const;
  const { stdout } = await battito(t, 'drbd resolve r0', { statuses: [disk(parted, two)] });
  t.regex(stdout, /it is not clear from here: both nodes say that they run office with mail/);
});

test('another copy of the group that was written to is no reason to call this side untouched', async (t) => {
  const untouched = { standsAlone: 'no', aloneForMs: null, aloneLonger: false, changedKib: 0 } as const;
  const copies = (second: object) =>
    ['drbd:r0', 'drbd:r1'].map((id, index) =>
      resource(id, {
        kind: 'drbd',
        storage: parted,
        apart: { ...untouched, ...(index === 0 ? {} : second) },
      }),
    );
  const natural = async (second: object) => {
    const stopped = {
      runsOn: null,
      peer: known({ phase: 'stopped', alone: true }),
      resources: copies(second),
    };
    const { stdout } = await battito(t, 'drbd resolve r0 --json', { statuses: [disk(parted, stopped)] });
    return JSON.parse(stdout).natural.node;
  };
  t.is(await natural({}), 'primary');
  t.is(await natural({ aloneForMs: 60_000, changedKib: 4 }), null);
});

test('where a disk has failed under what runs on it no copy is the natural one to give way, and none is given up', async (t) => {
  const way = (without: string, other: string) =>
    `mend the disk of ${without}; or, if what only that one has may be lost: \`systemctl stop battito\` on ${without}, then \`battito takeover --accept-data office\` on ${other}`;
  const there = { peer: known({ alone: true }), peerRemarks: remarks({ disk: 'diskless' }) };
  const here = await battito(t, 'drbd resolve r0 --discard-here --yes', { statuses: [disk(parted, there)] });
  t.is(here.exitCode, exitCodes.failed);
  t.deepEqual(here.requests, []);
  t.true(here.stderr.includes('the disk of secondary has failed: the copy here is the only one there is'));
  t.true(here.stderr.includes(way('secondary', 'primary')));
  const { stdout } = await battito(t, 'drbd resolve r0', { statuses: [disk(parted, there)] });
  t.regex(stdout, /it is not clear from here: the disk of secondary has failed, so there is one copy only/);

  const owner = group({
    resources: [
      resource('drbd:r0', {
        kind: 'drbd',
        status: 'up',
        storage: { ...parted, role: 'primary', disk: 'diskless' },
      }),
    ],
  });
  const own = await battito(t, 'drbd resolve r0', { statuses: [status({ groups: [owner] })] });
  t.true(own.stdout.includes('the disk of primary has failed: there is no copy here that could give way'));
  t.true(own.stdout.includes(way('primary', 'secondary')));
});

test('--json has all of it', async (t) => {
  const two = disk(parted).groups[0]?.resources ?? [];
  const more = resource('drbd:r1', {
    kind: 'drbd',
    status: 'down',
    storage: { ...parted, connection: 'connecting' },
  });
  const statuses = [disk(parted, { resources: [...two, more], peerRemarks: remarks() })];
  const { stdout } = await battito(t, 'drbd resolve r0 --json', { statuses });
  const facts = JSON.parse(stdout);
  t.like(facts, {
    resource: 'r0',
    group: 'office',
    parted: true,
    runsOn: 'secondary',
    also: ['r1'],
    obstacle: null,
  });
  t.like(facts.self, { node: 'primary', role: 'secondary', changedKib: 20, standsAlone: 'split-brain' });
  t.true(Math.abs(Date.now() - Date.parse(facts.self.aloneSince) - 7_500_000) < 60_000);
  t.deepEqual(facts.self.guests, [{ name: 'mail', status: 'down', upForMs: null }]);
  t.like(facts.peer, { node: 'secondary', heard: true, said: { phase: 'active' } });
  const { resource: _, ...figures } = diskThere;
  t.like(facts.peer.copy, { ...figures, ageMs: 150 });
  t.deepEqual(facts.peer.copy.guests, [{ name: 'mail', status: 'up', upForMs: 14_400_000 }]);
  t.true(Math.abs(Date.now() - Date.parse(facts.peer.copy.aloneSince) - 10_800_000) < 60_000);
  const [here, there] = facts.choices;
  t.deepEqual(
    here.steps.map(({ node, command }: { node: string; command: string }) => `${node}: ${command}`),
    [
      'primary: drbdadm connect --discard-my-data r0',
      'secondary: drbdadm connect r0',
      'primary: drbdadm disconnect r1',
      'primary: drbdadm connect --discard-my-data r1',
      'secondary: drbdadm connect r1',
    ],
  );
  t.is(there.node, 'secondary');
});

test('nothing is given up before the name has been typed', async (t) => {
  const script = { statuses: [disk(parted), disk(parted, { discarding: true }), disk(whole)] };
  let asked = '';
  const onWrite = (text: string) => {
    asked += text;
  };
  const refused = await battito(t, 'drbd resolve r0 --discard-here', script, {
    ask: async () => 'yes',
    onWrite,
  });
  t.is(refused.exitCode, 1);
  t.deepEqual(refused.requests, []);
  t.regex(
    asked,
    /1\. on primary: drbdadm connect --discard-my-data r0\n {2}2\. on secondary: drbdadm connect r0/,
  );
  t.regex(
    asked,
    /What primary wrote to r0 \(at most 20 KiB\) since the copies parted will be lost; the copy of secondary stays/,
  );
  t.notRegex(asked, /To give up what secondary wrote/);
  const typed = await battito(t, 'drbd resolve r0 --discard-here', script, { ask: async () => 'r0' });
  t.is(typed.exitCode, 0);
  t.deepEqual(typed.requests, [{ kind: 'discard-data', groups: ['office'] }]);
});

test('it is followed until the copies are the same again, with percent and time', async (t) => {
  const measured = { direction: 'target', percent: 48.8, leftKib: 536_576, leftS: 71 } as const;
  const statuses = [
    disk(parted),
    disk(parted, { discarding: true }),
    disk(copied(0), { discarding: true }),
    disk(copied(48), { discarding: true }, { resync: measured }),
    disk(copied(49), { discarding: true }),
    disk({ ...parted, connection: 'connecting' }),
    disk({ ...whole, disk: 'inconsistent' }),
    disk(whole),
  ];
  const done = await battito(t, 'drbd resolve r0 --discard-here --yes', { statuses });
  t.is(done.exitCode, 0, done.stderr);
  const lines = done.stdout.trimEnd().split('\n');
  t.deepEqual(lines.slice(-4, -1), [
    'as you wish',
    '  r0 is copied from secondary: 0 %',
    '  r0 is copied from secondary: 48 %, 524 MiB left at 7 MiB/s, about 71 s',
  ]);
  t.regex(
    lines.at(-1) ?? '',
    /^r0: connected, up to date on primary and on secondary; office runs on secondary; it took /,
  );
  const json = await battito(t, 'drbd resolve r0 --discard-here --yes --json', { statuses });
  t.like(JSON.parse(json.stdout), { resource: 'r0', done: true, parted: true, attention: null });
});

test('with --no-wait it is only asked for', async (t) => {
  const script = { statuses: [disk(parted)] };
  const line = 'drbd resolve r0 --discard-here --yes --no-wait';
  const { exitCode, stdout } = await battito(t, line, script);
  t.is(exitCode, 0);
  t.true(stdout.endsWith('as you wish\n'));
  t.like(JSON.parse((await battito(t, `${line} --json`, script)).stdout), { resource: 'r0', done: false });
});

test('what DRBD refuses is said with what to do, exit code 1', async (t) => {
  const line = 'drbd resolve r0 --discard-here --yes';
  const tried = [disk(parted), disk(parted, { discarding: true })];
  const refused = await battito(t, line, { statuses: [...tried, disk(parted, {}, { lastError: 'exit 5' })] });
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /DRBD refused: r0 stands alone again, the copies are not joined: exit 5/);
  t.regex(refused.stderr, /next: `journalctl -k -g drbd` on both nodes .* on secondary: drbdadm connect r0;/);
  const apart = { ...written, standsAlone: 'unrelated', changedKib: 20 } as const;
  const strangers = await battito(t, line, { statuses: [...tried, disk(parted, {}, { apart })] });
  t.regex(strangers.stderr, /next: the copies have no common past; .* drbdadm create-md r0/);
  const seeking = disk({ ...parted, connection: 'connecting' });
  const unreached = await battito(t, line, { statuses: [...tried, seeking] });
  t.is(unreached.exitCode, 1);
  t.regex(unreached.stderr, /does not reach secondary\nnext: mend the network between the disks/);
});

test('what is not done in time says where it stands, exit code 75', async (t) => {
  const line = 'drbd resolve r0 --discard-here --yes --timeout 20ms';
  const slow = await battito(t, line, { statuses: [disk(parted), disk(copied(12), { discarding: true })] });
  t.is(slow.exitCode, 75);
  t.regex(slow.stderr, /not done after 20 ms: r0 is copied from secondary: 12 %\nnext: the move goes on;/);
  const silent = {
    ...disk(parted, { discarding: true }),
    verdict: { kind: 'late', forMs: 900, silentMs: 900, signs: [] },
  } as const;
  const late = await battito(t, line, { statuses: [disk(parted), silent] });
  t.is(late.exitCode, 75);
  t.regex(late.stderr, /r0 is standalone; secondary is not heard for 0\.9 s/);
});

test('a copy that is not seen is not spoken of as if it were: the error is what keeps it from being seen', async (t) => {
  const trouble = {
    code: 'drbd-utils-missing',
    what: 'drbdadm and drbdsetup are not installed',
    next: 'apt-get install drbd-utils',
  } as const;
  const statuses = [disk({ ...parted, connection: 'unknown' }, {}, { trouble })];
  for (const line of ['drbd resolve r0', 'drbd resolve r0 --discard-here --yes']) {
    const { exitCode, stdout, stderr, requests } = await battito(t, line, { statuses });
    t.is(exitCode, 1, line);
    t.is(stdout, '');
    t.is(
      stderr,
      'battito: the copy of r0 on primary is not seen: drbdadm and drbdsetup are not installed\nnext: apt-get install drbd-utils\n',
    );
    t.deepEqual(requests, []);
  }
  const json = await battito(t, 'drbd resolve r0 --json', { statuses });
  t.like(JSON.parse(json.stdout), { error: { code: 'drbd-utils-missing' } });
});

test('without a terminal nothing is given up unless --yes says so', async (t) => {
  const { exitCode, stderr, requests } = await battito(t, 'drbd resolve r0 --discard-here', {
    statuses: [disk(parted), disk(whole)],
  });
  t.is(exitCode, 64);
  t.regex(stderr, /did you mean `battito drbd resolve r0 --discard-here --yes`\?\n$/);
  t.deepEqual(requests, []);
});

test('a resource that no group has is refused, and the ones there are named', async (t) => {
  const { exitCode, stderr } = await battito(t, 'drbd resolve r9', { statuses: [disk(parted)] });
  t.is(exitCode, 64);
  t.regex(stderr, /no group has the DRBD resource r9/);
  t.regex(stderr, /the resources are: r0/);
});

test('a handler without a daemon proves nothing to DRBD', async (t) => {
  const alone = await run([
    'drbd',
    'fence-peer',
    '--resource',
    'r0',
    '--socket',
    '/nonexistent/battito.sock',
  ]);
  t.is(alone.exitCode, 69);
  t.is(
    alone.stderr,
    'fence-peer r0: nothing is proven about the peer: no daemon answers at /nonexistent/battito.sock; exit code 69: ' +
      'IO of r0 stays frozen until Battito knows more; next: start it: systemctl start battito (or `battito daemon`)\n',
  );
  t.is((await run(['drbd', 'dance'])).exitCode, 64);
});

/** Codes that DRBD takes for an answer, drbd_nl.c conn_try_outdate_peer(). */
const answersOfHandlers = [3, 4, 5, 6, 7];

for (const action of ['fence-peer', 'unfence-peer']) {
  test.serial(
    `${action} called wrongly is told once how it is called, and is no answer to DRBD`,
    async (t) => {
      const next = `next: DRBD itself names it in DRBD_RESOURCE; by hand: battito drbd ${action} --resource NAME\n`;
      const unnamed = `battito: ${action} is not told which DRBD resource is meant\n${next}`;
      const wrong: readonly (readonly [words: readonly string[], stderr: string | RegExp])[] = [
        [[], unnamed],
        [['r0'], new RegExp(`with "r0"\nnext: did you mean .battito drbd ${action} --resource r0`)],
        [['--resource'], /--resource needs a value/],
        [['--resource='], /--resource needs a value/],
        [['--resorce', 'r0'], /no option "--resorce"/],
        [['r0', 'r1'], /"r1"/],
      ];
      for (const [words, stderr] of wrong) {
        const told = await run(['drbd', action, '--socket', '/nonexistent/battito.sock', ...words]);
        t.is(told.exitCode, 64, words.join(' '));
        t.false(answersOfHandlers.includes(told.exitCode));
        t.is(told.stdout, '');
        if (typeof stderr === 'string') t.is(told.stderr, stderr);
        else t.regex(told.stderr, stderr);
      }
      process.env['DRBD_RESOURCE'] = '';
      const empty = await run(['drbd', action]).finally(() => {
        delete process.env['DRBD_RESOURCE'];
      });
      t.deepEqual([empty.exitCode, empty.stderr], [64, unnamed]);
    },
  );
}

test('unfence-peer has nothing to undo', async (t) => {
  const { exitCode, stdout } = await run(['drbd', 'unfence-peer', '--resource', 'r0']);
  t.is(exitCode, 0);
  t.regex(stdout, /^unfence-peer r0: nothing is to be taken back/);
});

test('no exit code of this program is one that DRBD takes for an answer, but that of a status', (t) => {
  const { degraded, ...others } = exitCodes;
  t.deepEqual(
    Object.values(others).filter((code) => answersOfHandlers.includes(code)),
    [],
  );
  t.is(degraded, 3);
});

/** As DRBD calls it. @returns exit code, what was printed, and what the kernel's log was given */
async function called(t: ExecutionContext, answer: () => Promise<OutdatingAnswer>) {
  const kernelLog = join(temporaryDirectory(t), 'kmsg');
  const captured = captureOutput();
  process.env['DRBD_RESOURCE'] = 'r0';
  const client = { fencePeer: answer } as unknown as Context['client'];
  const context = { client, output: captured.output } as Context;
  const exitCode = await fencePeer(
    context,
    { positionals: ['fence-peer'], options: {} },
    drbdCommand,
    kernelLog,
  ).finally(() => {
    delete process.env['DRBD_RESOURCE'];
  });
  return { exitCode, printed: captured.stdout() + captured.stderr(), log: readFileSync(kernelLog, 'utf8') };
}

/** drbd.conf(5): 4 outdated, 5 unreachable, 6 primary, 7 fenced. */
const codes = { outdated: 4, unreachable: 5, primary: 6, fenced: 7 } as const;
for (const [answer, code] of Object.entries(codes)) {
  test.serial(
    `fence-peer: ${answer} is exit code ${code}, and the kernel's log has what follows`,
    async (t) => {
      const { exitCode, printed, log } = await called(t, async () => answer as OutdatingAnswer);
      t.is(exitCode, code);
      t.regex(printed, new RegExp(`^fence-peer r0: .*; exit code ${code}: .*; next: .*\\n$`));
      t.is(log, `<6>battito: ${printed}`);
    },
  );
}

test.serial('fence-peer: no error ends with a code that DRBD would take for an answer', async (t) => {
  for (const exitCode of answersOfHandlers) {
    const result = await called(t, () =>
      Promise.reject(new BattitoError('unexpected', 'an odd\nend', { exitCode })),
    );
    t.is(result.exitCode, 1);
    t.regex(
      result.log,
      /^<3>battito: fence-peer r0: nothing is proven about the peer: an odd end; exit code 1:/,
    );
  }
});

test.serial(
  'fence-peer: a surplus word is refused to a person, and ignored for DRBD, whose disks would stand still',
  async (t) => {
    const kernelLog = join(temporaryDirectory(t), 'kmsg');
    const args = { positionals: ['fence-peer', 'r0'], options: {} };
    const error = await t.throwsAsync(fencePeer({} as Context, args, drbdCommand, kernelLog));
    t.true(error instanceof BattitoError && error.exitCode === 64);
    process.env['DRBD_RESOURCE'] = 'r0';
    const context = {
      client: { fencePeer: () => Promise.resolve('outdated') },
      output: { line: () => {}, problem: () => {} },
    } as unknown as Context;
    const exitCode = await fencePeer(context, args, drbdCommand, kernelLog).finally(() => {
      delete process.env['DRBD_RESOURCE'];
    });
    t.is(exitCode, 4);
    t.regex(
      readFileSync(kernelLog, 'utf8'),
      /^<4>battito: fence-peer r0: the word "r0" is ignored; next: correct the handler/,
    );
  },
);
