// With real daemons: both nodes are checked by one command on either, the readiness is in the status of both, and what is
// done by schedule is done, refused with the reason, and remembered over a restart.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { HistoryEntry, Status } from '../../daemon/control/api.ts';
import type { Readiness, TaskName } from '../../daemon/control/schedule.ts';
import { emptyRecord, type ScheduleRecord } from '../../daemon/schedule/record.ts';
import { faultsIn } from '../schemas.ts';
import { waitFor } from '../support.ts';
import type { HostName } from './support/hosts.ts';
import { Office, useOffice } from './support/office.ts';

/** As the schema that is shipped has it. */
function sound(status: Status): Status {
  const faults = faultsIn('status', status);
  if (faults.length > 0) throw new Error(faults.join('; '));
  return status;
}

const patience = { timeoutMs: 240_000 };

interface Report {
  readonly problems: number;
  readonly readiness: Readiness;
  readonly findings: readonly {
    readonly node?: string;
    readonly area: string;
    readonly level: string;
    readonly message: string;
    readonly mend: string | null;
  }[];
}

async function check(office: Office, host: HostName): Promise<Report & { readonly exitCode: number | null }> {
  const { stdout, exitCode } = await office.battito(host, 'check', '--json');
  return { ...(JSON.parse(stdout) as Report), exitCode };
}

const taskOf = ({ schedule }: Status, name: TaskName) => schedule.find((task) => task.name === name);

/** Of this machine, not of the nodes: whether a package is installed, how busy it is. */
const isOfNodes = ({ area }: { readonly area: string }) => !['programs', 'memory', 'deadtime'].includes(area);

test('one command checks both nodes, each by itself; the readiness is in the status of both, and falls with what is found', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const well = await check(office, 'primary');
  t.deepEqual(well.readiness.nodes, ['primary', 'secondary']);
  t.deepEqual(well.findings.filter(({ level }) => level === 'problem').filter(isOfNodes), []);
  for (const host of ['primary', 'secondary'] as const) {
    t.true(
      well.findings.some(
        ({ node, message }) => node === host && message.startsWith(`${host} has its address`),
      ),
      `${host} has looked at itself`,
    );
  }
  const kept = async (host: HostName) => sound(await office.status(host)).readiness;
  t.deepEqual(await kept('primary'), well.readiness);
  await waitFor('secondary has it, too', async () => (await kept('secondary'))?.at === well.readiness.at);

  // On the node that would have to take over.
  await office.network.run('secondary', ['ip', 'link', 'delete', 'br0']);
  const broken = await check(office, 'primary');
  t.is(broken.exitCode, 1);
  t.false(broken.readiness.ready);
  const found = broken.findings.find(({ message }) => message === 'mail: there is no bridge br0');
  t.like(found, { node: 'secondary', level: 'problem', area: 'guests' });
  t.regex(found?.mend ?? '', /^ip link add br0 type bridge/);
  const loss = broken.readiness.losses.find(({ message }) => message === 'mail: there is no bridge br0');
  t.like(loss, { node: 'secondary', points: 30, blocks: true });
  t.true(broken.readiness.score < well.readiness.score);

  const text = await office.battito('secondary', 'check');
  t.regex(
    text.stdout,
    /PROBLEM {2}secondary: mail: there is no bridge br0\n {13}mend: ip link add br0 type bridge/,
  );
  t.regex(text.stdout, /\nreadiness of secondary and primary: \d+ of 100, NOT READY: /);
  t.regex(text.stdout, /\n {2}-30 {2}secondary, guests: mail: there is no bridge br0\n/);
  const { stdout } = await office.battito('primary', 'status');
  t.regex(stdout, /\n readiness: \d+ of 100, NOT READY, checked /);
  t.regex(stdout, /WARNING.* not ready for a takeover when it was checked last/);
  t.regex(stdout, /\n what if: battito explain\n/);
});

test('with the other node away this one is checked alone, which is said, and is not ready', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  office.daemon('secondary').signal('SIGKILL');
  await office.daemon('secondary').exited;
  const { readiness, findings } = await check(office, 'primary');
  t.deepEqual(readiness.nodes, ['primary']);
  t.false(readiness.ready);
  const away = findings.find(({ area }) => area === 'the other node');
  t.regex(away?.message ?? '', /^secondary could not be checked: .*; only primary was$/);
  t.regex(away?.mend ?? '', /^on secondary: systemctl start battito/);
  const alone = await office.battito('secondary', 'check', '--json', '--this-node');
  const own = JSON.parse(alone.stdout) as Report;
  t.deepEqual(own.readiness.nodes, ['secondary'], 'without any daemon');
  t.deepEqual(
    own.findings.filter(({ area }) => area === 'the other node'),
    [],
  );
});

const entry = (time: string, message: string): HistoryEntry => ({
  ...{ time, monotonicMs: 1, severity: 'info', code: 'found-stopped', group: 'office', message },
  ...{ next: null, tookMs: null },
});

/** Before its daemon is started: what it is to find in its history. */
function writeHistory(office: Office, host: HostName, entries: readonly HistoryEntry[]): string {
  const { stateDir } = office.network.hosts[host];
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const file = join(stateDir, 'history.jsonl');
  writeFileSync(file, entries.map((one) => `${JSON.stringify(one)}\n`).join(''));
  return file;
}

/** So that the primary believes its clock: its daemon has run on the days before. */
function writeWeek(office: Office): void {
  const today = Math.floor(Date.now() / (24 * 3_600_000));
  const days = Array.from({ length: 7 }, (_, index) => ({ day: today - 7 + index, groups: {} }));
  const record: ScheduleRecord = { ...emptyRecord, uptime: { days } };
  writeFileSync(join(office.network.hosts.primary.stateDir, 'schedule.json'), JSON.stringify(record));
}

async function idleOffice(t: ExecutionContext, schedule: string): Promise<Office> {
  const office = await Office.open({ idle: true, schedule });
  t.teardown(async () => {
    if (!t.passed) for (const host of ['primary', 'secondary'] as const) t.log(await office.log(host));
    await office.close();
  });
  return office;
}

test('it is checked by schedule by the node that runs the group; each is run on demand, or refused; a restart forgets nothing', async (t) => {
  const office = await idleOffice(t, '{ readiness: "*/10 * * * * *", summary: "off", keep-days: 30 }');
  const old = new Date(Date.now() - 31 * 24 * 3_600_000).toISOString();
  const young = new Date(Date.now() - 29 * 24 * 3_600_000).toISOString();
  const file = writeHistory(office, 'primary', [entry(old, 'long ago'), entry(young, 'not so long ago')]);
  writeWeek(office);
  await office.startDaemons();
  await office.settled('primary');

  const made = await waitFor(
    'a check by schedule',
    async () => {
      const task = taskOf(sound(await office.status('primary')), 'readiness');
      return task?.made?.result === 'done' && task.made;
    },
    patience,
  );
  t.regex(made.message, /^(not )?ready, \d+ of 100$/);
  await waitFor('it is left to the primary', async () => {
    const status = await office.status('secondary');
    // Before anybody ran the group it may have fallen due, and been made, here.
    const last = taskOf(status, 'readiness')?.last;
    return last?.message === 'left to primary, which runs office' && status.readiness?.by === 'primary';
  });
  t.deepEqual((await office.status('secondary')).readiness?.nodes, ['primary', 'secondary']);
  const early = await office.battito('secondary', 'schedule', 'run', 'prune');
  t.is(early.exitCode, 1);
  t.regex(early.stderr, /run on 1 of the last 14 days: .*\nnext: timedatectl/);
  const refused = await office.battito('secondary', 'schedule', 'run', 'readiness');
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /left to primary, which runs office\nnext: on primary: battito schedule/);

  t.true(readFileSync(file, 'utf8').includes('long ago'));
  const pruned = await office.battito('primary', 'schedule', 'run', 'prune', '--json');
  t.is(pruned.exitCode, 0, pruned.stdout);
  t.like(JSON.parse(pruned.stdout), {
    ...{ task: 'prune', result: 'done' },
    message: 'gone: 1 note and 0 files of the journal older than 30 days',
  });
  const left = readFileSync(file, 'utf8');
  t.false(left.includes('"long ago"'));
  t.true(left.includes('"not so long ago"'));
  t.false((await office.history('primary')).some(({ message }) => message === 'long ago'));

  for (const [words, expected] of [
    [['run', 'verify'], /no group has a DRBD resource\nnext: name them under `drbd` of a group/],
    [['run', 'summary'], /nobody is told anything\nnext: add `notify:`/],
    [
      ['run', 'reediness'],
      /nothing that is done at times is called "reediness"; [\s\S]*did you mean `battito schedule run readiness`/,
    ],
  ] as const) {
    const { exitCode, stderr } = await office.battito('primary', 'schedule', ...words);
    t.not(exitCode, 0);
    t.regex(stderr, expected);
  }

  office.daemon('primary').signal('SIGKILL');
  await office.daemon('primary').exited;
  await office.startDaemon('primary');
  const after = await office.status('primary');
  t.like(taskOf(after, 'prune')?.made, { result: 'done' });
  t.not(after.readiness, null);
  const { stdout } = await office.battito('primary', 'schedule');
  t.regex(stdout, /^readiness +next \d{4}-\d\d-\d\d \d\d:\d\d +\(\*\/10 \* \* \* \* \*\)\n/);
  t.regex(stdout, /\nprune +next .*\n +\d{4}-.* done, took .*: gone: 1 note and 0 files/);
});

test('the summary of the week is handed to who is notified, with the uptime, the takeovers and the readiness', async (t) => {
  const office = await Office.open({ idle: true });
  t.teardown(() => office.close());
  const told = join(office.network.root, 'told.jsonl');
  const hook = join(office.network.root, 'hook');
  writeFileSync(hook, `#!/bin/sh\ntr -d '\\n' >>${told}\necho >>${told}\n`, { mode: 0o755 });
  const notify = `  channels:\n    file: { hook: ${hook} }\n`;
  writeFileSync(office.configFile, office.configText({ notify }));
  const took = entry(
    new Date(Date.now() - 3_600_000).toISOString(),
    'the peer is gone, nobody runs the group',
  );
  writeHistory(office, 'primary', [{ ...took, severity: 'warning', code: 'take-over' }]);
  await office.startDaemons();
  await office.settled('primary');
  await office.battito('primary', 'check');
  const run = await office.battito('primary', 'schedule', 'run', 'summary');
  t.is(run.exitCode, 0, run.stderr);
  const summary = await waitFor(
    'it is told',
    () => {
      const text = existsSync(told) ? readFileSync(told, 'utf8') : '';
      const lines = text.split('\n').slice(0, -1);
      const messages = lines.map(
        (line) => JSON.parse(line) as { kind: string; subject: string; text: string },
      );
      return messages.find(({ kind }) => kind === 'summary');
    },
    patience,
  );
  t.is(summary.subject, '[battito office] summary: primary');
  t.regex(
    summary.text,
    /^the week: office [\d.]+ %; 1 takeover, \d+ alarms?; (NOT READY|ready) for a takeover, \d+ of 100\n/,
  );
  t.regex(
    summary.text,
    /\nGroups:\n {2}office: up [\d.]+ % of the .* that were watched; .*; on primary now\n/,
  );
  t.regex(summary.text, /\nTakeovers by primary \(1\):\n {2}\d{4}-.* ! {2}office: the peer is gone/);
  t.regex(summary.text, /\nReadiness \((NOT READY|ready) for a takeover, \d+ of 100\):\n/);
  t.regex(summary.text, /\nDeadtime:\n/);
});
