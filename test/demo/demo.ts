// The main job as a story: two hosts, two daemons, two guests; power loss, return, handover back. Started by
// scripts/demo, which has checked the arguments. Every number was measured in this run; what was seen is checked;
// and however the story ends, its hosts, processes and files are removed.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import { renderProgress } from '../../daemon/cli/notes.ts';
import type { AddressWatch } from '../netns/support/cluster.ts';
import { type GapClient, startEcho } from '../netns/support/gap.ts';
import { type GuestWatch, watchGuest } from '../netns/support/guest-watch.ts';
import { floatingAddress, type HostName, hostNames } from '../netns/support/hosts.ts';
import { guests, Office } from '../netns/support/office.ts';
import { monotonicMs } from '../support.ts';
import { goesOn, momentLate, patienceMs, type Restored, runsOn } from './looking.ts';
import {
  and,
  announce,
  check,
  isMuted,
  json,
  mute,
  operate,
  problems,
  readingPause,
  say,
  show,
  tenth,
  timeline,
  write,
} from './telling.ts';

const countingMs = 1500;
const closingMsMax = 5000;
const logLines = 15;
const options = { initdead: '30s', idle: true } as const;

/** What `--json` prints; null: the story ended before it was measured. */
const result = {
  takeover: {
    detectionMs: null as number | null,
    addressOutageMs: null as number | null,
    guestsRestored: 0,
    guestsTotal: guests.length,
    countContinued: false,
  },
  handover: { addressOutageMs: null as number | null },
  ok: false,
};
/** The right host answers, and no other has the address. Returns the longest time without an answer. */
async function checkAddress({ office, client }: Stage, host: HostName): Promise<number> {
  const { longestGapMs, lastAnsweredBy } = await client.report();
  const holders = await office.network.addressHolders(floatingAddress);
  check(
    lastAnsweredBy === host && holders.join() === host,
    `${floatingAddress} was silent for ${Math.round(longestGapMs)} ms; now ${host} answers, and it alone`,
    `${floatingAddress} should be at ${host}; it is at: ${and(holders)}; last answer: ${lastAnsweredBy}`,
  );
  return tenth(longestGapMs);
}

/** Each guest is back and went on from its count. */
function checkCounts(restored: readonly (Restored | null)[]): boolean {
  for (const [index, guest] of guests.entries()) {
    const { last, from } = restored[index] ?? {};
    check(
      isContinued(restored[index]),
      `${guest} had counted to ${last} and went on from ${from}`,
      from === undefined ? `${guest} did not come back` : `${guest} had shown ${last}, but began at ${from}`,
    );
  }
  return restored.every(isContinued);
}

const isContinued = (guest: Restored | null | undefined) => guest != null && guest.from >= guest.last;

interface Stage {
  readonly office: Office;
  readonly client: GapClient;
  readonly addressWatch: AddressWatch;
  readonly guestWatches: readonly GuestWatch[];
}

async function tell(office: Office): Promise<void> {
  await showStart(office);
  const stage: Stage = {
    office,
    client: await office.startClient(),
    addressWatch: await office.network.watchAddress(floatingAddress),
    guestWatches: guests.map((guest) => watchGuest(office.network, guest)),
  };
  await stage.client.waitForAnswerFrom('primary', patienceMs);
  await showPowerLoss(stage);
  await showReturn(stage);
  await showHandover(stage);
  await showWatches(stage);
}

/** Lines of the configuration that a first look can do without. */
const detail = /^\s+(key-file|failback-delay|memory|accel|disk|serial|network|shutdown-timeout):/;

async function showStart(office: Office): Promise<void> {
  await announce('1. Two hosts start a daemon each, with this configuration (shortened):');
  const lines = office.configText(options).split('\n');
  show(lines.filter((line) => !detail.test(line)).join('\n'));
  await readingPause();
  say('They look for each other on two networks, and agree who has address and guests.');
  await office.startDaemons();
  await office.settled('primary');
  say('It is primary, the preferred one. This is how the operator sees it:');
  await operate(office, 'primary', 'status');
}

async function showPowerLoss(stage: Stage): Promise<void> {
  const { office, client } = stage;
  await announce(
    '2. Now primary loses its power.',
    `Its cables go dead and everything on it is killed, daemon and guests, without a goodbye. A client asks ${floatingAddress} every 5 ms and measures for how long no answer comes.`,
  );
  await sleep(countingMs); // So that going on can be told from beginning again.
  await client.reset();
  const lostAtMs = monotonicMs();
  const late = momentLate(office).catch(() => null);
  await office.network.powerLoss('primary');
  const goingOn = Promise.all(guests.map((guest) => goesOn(office, guest, 1)));
  await runsOn(office, 'secondary');
  await client.waitForAnswerFrom('secondary', patienceMs);
  const answerAtMs = await client.firstAnswerAfter(lostAtMs, 'secondary');
  const restored = await goingOn;
  const notes = (await office.history('secondary')).filter((note) => note.monotonicMs >= lostAtMs);
  const decidedAtMs = notes.find(({ code }) => code === 'take-over')?.monotonicMs;

  write('');
  say("This is what happened, from secondary's history, the client and the guests:");
  const look = { columns: Number.POSITIVE_INFINITY, colour: false, unicode: true };
  const told = notes.map((note) => ({
    atMs: note.monotonicMs,
    text: renderProgress({ ...note, tookMs: null }, look, false)?.trim() ?? note.message,
  }));
  const answered =
    answerAtMs === null ? null : { atMs: answerAtMs, text: 'the client has an answer from secondary' };
  const moments = [{ atMs: lostAtMs, text: 'power loss' }, await late, ...told, answered, ...restored];
  show(timeline(moments, lostAtMs));

  const { takeover } = result;
  takeover.detectionMs = decidedAtMs === undefined ? null : tenth(decidedAtMs - lostAtMs);
  check(
    decidedAtMs !== undefined,
    `secondary decided to take over ${Math.round(takeover.detectionMs ?? 0)} ms after the power loss`,
    'secondary has no note of a takeover',
  );
  takeover.addressOutageMs = await checkAddress(stage, 'secondary');
  takeover.guestsRestored = restored.filter((each) => each !== null).length;
  takeover.countContinued = checkCounts(restored);
  await readingPause();
}

async function showReturn({ office }: Stage): Promise<void> {
  await announce('3. secondary is alone now. It says so, and what is to be done:');
  await operate(office, 'secondary', 'status');
  say('So primary is switched on again, and its daemon starts as it does at boot.');
  await office.network.powerOn('primary');
  await office.startDaemon('primary');
  await startEcho(office.network, 'primary');
  await office.settled('secondary');
  say('It is back, and as failback is manual it stays standby, though it is the preferred node:');
  await operate(office, 'secondary', 'status');
  const copies = await Promise.all(guests.map((guest) => office.guestPid('primary', guest)));
  const holders = await office.network.addressHolders(floatingAddress);
  check(
    copies.every((pid) => pid === null) && holders.join() === 'secondary',
    'primary started nothing; address and guests stayed where they were',
    `primary should run nothing; its guests: ${and(copies)}; the address is at: ${and(holders)}`,
  );
  await readingPause();
}

async function showHandover(stage: Stage): Promise<void> {
  const { office, client } = stage;
  await announce(
    '4. The operator gives everything back to primary.',
    'secondary lets go of the address and shuts its guests down; then primary starts them.',
  );
  await client.reset();
  const goingOn = Promise.all(guests.map((guest) => goesOn(office, guest, 2)));
  const exitCode = await operate(office, 'secondary', 'handover');
  check(exitCode === 0, 'the command succeeded', `the command ended with exit code ${exitCode}`);
  await runsOn(office, 'primary');
  await client.waitForAnswerFrom('primary', patienceMs);
  const restored = await goingOn;
  result.handover.addressOutageMs = await checkAddress(stage, 'primary');
  checkCounts(restored);
  await readingPause();
}

async function showWatches({ addressWatch, guestWatches }: Stage): Promise<void> {
  await announce('5. And two things were watched from outside all the time:');
  const both = (await addressWatch.overlaps()).length;
  check(
    both === 0,
    'the address was never on both hosts',
    `the address was on both hosts at once (seen: ${both})`,
  );
  for (const watch of guestWatches) await watch.stop();
  for (const [index, guest] of guests.entries()) {
    const { overlaps = [], sightings } = guestWatches[index] ?? {};
    const looks = sightings?.() ?? 0;
    check(
      looks > 0 && overlaps.length === 0,
      `${guest} never ran on both hosts (seen running ${looks} times)`,
      looks === 0
        ? `${guest} was never seen running`
        : `two copies of ${guest} ran at once (seen: ${overlaps.length})`,
    );
  }
}

// ---- the end ----

/** The daemons' last words: read before everything is removed. */
async function lastWords(office: Office | null): Promise<string> {
  const texts = hostNames.map(async (host) => {
    if (office === null) return '';
    const lines = (await office.log(host)).trimEnd().split('\n').slice(-logLines);
    const file = join(office.network.hosts[host].logsDir, 'daemon.log');
    return `\nthe last lines of ${file}, removed since:\n${lines.map((line) => `  ${line}\n`).join('')}`;
  });
  return (await Promise.all(texts)).join('');
}

const note = (error: unknown) => problems.push(error instanceof Error ? error.message : String(error));

/** Tells the story to its end, and removes everything. Returns the exit code. */
async function play(opening: Promise<Office>): Promise<number> {
  let office: Office | null = null;
  try {
    office = await opening;
    await tell(office);
  } catch (error) {
    note(error);
    if (office === null) problems.push('no hosts could be made; in a container this needs --privileged');
  }
  if (isMuted()) return 1; // Interrupted: what went wrong then went wrong for that reason.
  const logs = problems.length === 0 ? '' : await lastWords(office);
  await office?.close().catch(note);
  result.ok = problems.length === 0;
  if (result.ok) {
    write('');
    say('A host died and nobody had to do anything: the address and the guests went on, each of them once.');
    say(
      'All that ran here is gone again. Read on in README.md. On hosts of your own, `battito check` says whether a host is ready, and `battito status` how things are at any time.',
    );
  } else {
    const failed = styleText('red', 'demo: failed', { stream: process.stderr });
    process.stderr.write(`\n${failed}\n${problems.map((problem) => `  - ${problem}\n`).join('')}${logs}`);
  }
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  return result.ok ? 0 : 1;
}

const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const;
type Interruption = keyof typeof exitCodes;

/** What ends the story early: a signal, or a reader who has seen enough. The second time nothing is waited for. */
function interruption(): Promise<Interruption> {
  return new Promise((resolve) => {
    const interrupt = (why: Interruption) => {
      if (isMuted()) process.exit(exitCodes[why]);
      if (why === 'SIGINT') process.stderr.write('\ndemo: interrupted; everything is being removed\n');
      mute();
      resolve(why);
    };
    for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
    for (const each of [process.stdout, process.stderr]) each.on('error', () => interrupt('SIGPIPE'));
  });
}

const interrupted = interruption(); // First of all: it must know of a signal before the network releases itself.
say(
  'Battito keeps a floating address and its guests alive on two hosts. Here the hosts are network namespaces of this machine; daemons, packets, address and guests (QEMU) are real.',
);
const opening = Office.open(options);
const ended = await Promise.race([play(opening), interrupted]);
if (typeof ended === 'string') {
  const closing = opening.then((office) => office.close()).catch(() => {});
  await Promise.race([closing, sleep(closingMsMax)]);
}
process.exit(typeof ended === 'string' ? exitCodes[ended] : ended);
