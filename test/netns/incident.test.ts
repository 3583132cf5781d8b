// The flight recorder of real daemons: after a takeover, a crash and a handover the operator reads what happened, with
// the daemons dead or alive; and what the core was told then makes it decide the same again, byte for byte.
//
// With BATTITO_RECORD=1 the journals are kept as fixtures, which a unit test runs through the core from then on.

import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import type { Incident } from '../../daemon/incident/list.ts';
import { readJournal } from '../../daemon/incident/read.ts';
import type { Timeline } from '../../daemon/incident/timeline.ts';
import { monotonicMs } from '../support.ts';
import { type HostName, hostNames } from './support/hosts.ts';
import { type Office, useOffice } from './support/office.ts';
import { keepFixture } from './support/record.ts';

/** What is recorded is on disk after so long. */
const flushMsMax = 1000;

interface ReplayAnswer {
  readonly identical: boolean;
  readonly events: number;
  readonly compared: number;
  readonly difference: unknown;
}

async function json<T>(office: Office, host: HostName, ...words: string[]): Promise<T> {
  const { stdout } = await office.battito(host, ...words, '--json');
  return JSON.parse(stdout) as T;
}

const incidentsOf = async (office: Office, host: HostName) =>
  (await json<{ incidents: Incident[] }>(office, host, 'incident')).incidents;

/** The host's journal decides the same again. Exports it; @returns the file */
async function assertReplays(
  t: ExecutionContext,
  office: Office,
  host: HostName,
  name: string,
): Promise<string> {
  const file = join(office.network.root, `${name}.jsonl.gz`);
  const exported = await office.battito(host, 'incident', 'export', file);
  t.is(exported.exitCode, 0, exported.stderr);
  t.is((await stat(file)).mode & 0o777, 0o600);
  for (const path of [office.network.hosts[host].stateDir, file]) {
    const { exitCode, stdout, stderr } = await office.battito(host, 'incident', 'replay', path, '--json');
    t.is(exitCode, 0, `${stdout}${stderr}`);
    const answer = JSON.parse(stdout) as ReplayAnswer;
    t.true(answer.identical);
    t.true(answer.compared > 50, `${answer.compared} events were compared`);
  }
  return file;
}

const lastEventAt = async (path: string) => {
  let last = 0;
  await readJournal(path, [
    {
      event: ({ at }) => {
        last = at;
      },
    },
  ]);
  return last;
};

test('a takeover is told by both journals, laid beside each other, and decided the same again', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  await sleep(2 * flushMsMax);
  const measuredFrom = { at: monotonicMs(), bytes: await journalBytes(office, 'primary') };
  await sleep(5000);
  const bytesPerSecond =
    ((await journalBytes(office, 'primary')) - measuredFrom.bytes) /
    ((monotonicMs() - measuredFrom.at) / 1000);
  t.log(`the journal grows by ${Math.round(bytesPerSecond)} bytes a second`);
  t.true(bytesPerSecond < 2000, `${bytesPerSecond} bytes a second`);

  await office.network.powerLoss('primary');
  const lostAt = monotonicMs();
  const { stateDir } = office.network.hosts.primary;
  const endAt = await lastEventAt(stateDir);
  t.true(
    lostAt - endAt < flushMsMax + 500,
    `the record ends ${lostAt - endAt} ms before the power loss was over`,
  );
  await office.waitForPhase('secondary', 'active');
  await sleep(flushMsMax);

  const incidents = await incidentsOf(office, 'secondary');
  const takeover = incidents.find(({ kind }) => kind === 'takeover');
  t.like(takeover, { groups: ['office'], phases: { office: 'active' } });
  const outageMs = takeover?.outageMs ?? 0;
  t.true(outageMs > 2000 && outageMs < 10_000, `${outageMs} ms`);
  const listed = await office.battito('secondary', 'incident');
  t.is(listed.exitCode, 0, listed.stderr);
  t.regex(listed.stdout, /takeover .*office is active here, [\d.]+ s after the peer's last packet/);

  const words = ['incident', 'show', String(takeover?.number), '--peer', stateDir];
  const shown = await office.battito('secondary', ...words);
  t.is(shown.exitCode, 0, shown.stderr);
  t.regex(shown.stdout, /clocks aligned within ±[\d.]+ ms by \d+ packets/);
  const { clocks, entries } = await json<Timeline>(office, 'secondary', ...words);
  if (clocks.kind !== 'packets') return t.fail(`the clocks were compared by ${clocks.kind}`);
  // Both hosts are namespaces of one machine, so the truth is known: their clocks are the same.
  t.true(clocks.withinMs < 20, `±${clocks.withinMs} ms`);
  const end = entries.find(({ text }) => text === 'the record of primary ends here');
  const seenEndAt = (takeover?.span.start ?? 0) + (end?.atMs ?? 0);
  t.true(
    Math.abs(seenEndAt - endAt) <= clocks.withinMs,
    `off by ${seenEndAt - endAt} ms, ±${clocks.withinMs} ms`,
  );
  const texts = entries.map(({ node, text }) => `${node}: ${text}`);
  for (const expected of [
    'secondary: the last packet of primary before a silence',
    'secondary: start guest:mail begins',
    'secondary: start guest:mail: done',
    'primary: the record of primary ends here',
  ]) {
    t.true(texts.includes(expected), `${expected}\n${texts.join('\n')}`);
  }
  t.deepEqual(
    entries.map(({ atMs }) => atMs),
    entries.map(({ atMs }) => atMs).toSorted((a, b) => a - b),
  );

  await office.network.powerOn('primary');
  await office.startDaemon('primary');
  await office.settled('secondary');
  await sleep(flushMsMax);
  const [crash] = (await incidentsOf(office, 'primary')).filter(({ kind }) => kind === 'crash');
  t.regex(crash?.summary ?? '', /ended without a word/);
  for (const host of hostNames) {
    const file = await assertReplays(t, office, host, `takeover-${host}`);
    const key =
      /battito-key-1:(\S+)/.exec(await readFile(office.keyFile, 'utf8'))?.[1] ?? t.fail('there is no key');
    t.false(gunzipSync(await readFile(file)).includes(key), 'the key is not in it');
    await keepFixture(file);
  }
});

test('a handover is no incident; a torn line is passed over; the journal is read while its daemon is dead', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const given = await office.battito('primary', 'handover');
  t.is(given.exitCode, 0, given.stderr);
  await office.settled('secondary');
  await sleep(flushMsMax);
  t.deepEqual(
    (await incidentsOf(office, 'primary')).filter(({ kind }) => kind === 'takeover'),
    [],
  );
  for (const host of hostNames) await keepFixture(await assertReplays(t, office, host, `handover-${host}`));

  office.daemon('primary').signal('SIGKILL');
  await office.daemon('primary').exited;
  const newest = join(office.network.hosts.primary.stateDir, 'journal', 'events.1.jsonl');
  await writeFile(newest, (await readFile(newest, 'utf8')).slice(0, -9));
  const torn = await office.battito('primary', 'incident');
  t.is(torn.exitCode, 0, torn.stderr);
  t.regex(torn.stdout, /cut off in the middle of a line, as by a power loss: once/);
  await office.startDaemon('primary');
  await sleep(flushMsMax);
  const replayed = await office.battito('primary', 'incident', 'replay');
  t.is(replayed.exitCode, 0, replayed.stdout);
  t.regex(replayed.stdout, /segments +2;[\s\S]*cut off in the middle of a line[\s\S]*\nidentical\n/);
});

async function journalBytes(office: Office, host: HostName): Promise<number> {
  return (await stat(join(office.network.hosts[host].stateDir, 'journal', 'events.1.jsonl'))).size;
}
