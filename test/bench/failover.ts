// Takeover after a power loss, and the planned handover: how long each takes, as the hosts record it and as the
// client at the floating address sees it. The two hosts swap roles from run to run.

import { setTimeout as sleep } from 'node:timers/promises';
import type { GapClient } from '../netns/support/gap.ts';
import { startEcho } from '../netns/support/gap.ts';
import type { HostName } from '../netns/support/hosts.ts';
import { guests, type Office } from '../netns/support/office.ts';
import { monotonicMs, waitFor } from '../support.ts';
import { type Figure, figure, type Section } from './figures.ts';
import { notesIn, waitForNote } from './records.ts';

/** Answers that a second later are still counted, so that a gap after the first answer is not missed. */
const afterwardsMs = 1000;
const takeoverRatioMax = 1.1;
const addressMsMax = 100;

export type Progress = (text: string) => void;

interface Takeover {
  readonly decisionMs: number;
  readonly addressMs: number;
  readonly gapMs: number;
  readonly guestsMs: number;
}

interface Handover {
  readonly gapMs: number;
  readonly totalMs: number;
}

const other = (host: HostName): HostName => (host === 'primary' ? 'secondary' : 'primary');

export async function measureTakeovers(office: Office, runs: number, progress: Progress): Promise<Section> {
  const { deadtimeMs } = (await office.status('primary')).timings;
  const client = await office.startClient();
  let active: HostName = 'primary';
  const done: Takeover[] = [];
  for (let run = 1; run <= runs; run += 1) {
    progress(`takeover ${run} of ${runs}`);
    done.push(await takeover(office, client, active));
    await office.network.powerOn(active);
    await startEcho(office.network, active);
    await office.startDaemon(active);
    active = other(active);
    await office.settled(active);
  }
  await client.stop();
  const of = (pick: (run: Takeover) => number) => done.map(pick);
  const figures: Figure[] = [
    figure(
      'decision-ms',
      'power loss to decision',
      'ms',
      of(({ decisionMs }) => decisionMs),
    ),
    figure(
      'decision-ratio',
      '  as a multiple of deadtime',
      'x',
      of(({ decisionMs }) => decisionMs / deadtimeMs),
      { target: { max: takeoverRatioMax } },
    ),
    figure(
      'address-ms',
      'decision to first answer',
      'ms',
      of(({ addressMs }) => addressMs),
      { target: { max: addressMsMax } },
    ),
    figure(
      'guests-ms',
      'decision to all guests up',
      'ms',
      of(({ guestsMs }) => guestsMs),
    ),
    figure(
      'gap-ms',
      "the client's longest gap",
      'ms',
      of(({ gapMs }) => gapMs),
    ),
  ];
  return { id: 'takeover', title: `Takeover after power loss (deadtime ${deadtimeMs} ms)`, figures };
}

async function takeover(office: Office, client: GapClient, active: HostName): Promise<Takeover> {
  const survivor = other(active);
  await client.waitForAnswerFrom(active);
  await client.reset();
  // Spread over a heartbeat's period, as a real power loss is.
  await sleep(Math.random() * 200);
  const lossMs = monotonicMs();
  await office.network.powerLoss(active);
  const decision = (await waitForNote(office, survivor, 'take-over', lossMs)).monotonicMs;
  const answer = await waitFor(`${survivor} answers at the address`, () =>
    client.firstAnswerAfter(decision, survivor),
  );
  const guestsMs = await waitFor('every guest is up', async () => {
    const notes = await notesIn(office, survivor, { fromMs: decision });
    const starts = notes.filter(
      ({ code, message }) => code === 'operation-done' && message.startsWith('start guest:'),
    );
    return starts.length >= guests.length && Math.max(...starts.map((note) => note.monotonicMs));
  });
  await sleep(afterwardsMs);
  const { longestGapMs } = await client.report();
  return {
    decisionMs: decision - lossMs,
    addressMs: answer - decision,
    gapMs: longestGapMs,
    guestsMs: guestsMs - decision,
  };
}

export async function measureHandovers(office: Office, runs: number, progress: Progress): Promise<Section> {
  const client = await office.startClient();
  let active: HostName = 'primary';
  const done: Handover[] = [];
  for (let run = 1; run <= runs; run += 1) {
    progress(`handover ${run} of ${runs}`);
    done.push(await handover(office, client, active));
    active = other(active);
    await office.settled(active);
  }
  await client.stop();
  const figures: Figure[] = [
    figure(
      'gap-ms',
      "the client's longest gap",
      'ms',
      done.map(({ gapMs }) => gapMs),
      { target: { max: addressMsMax } },
    ),
    figure(
      'total-ms',
      'request to all up at the other',
      'ms',
      done.map(({ totalMs }) => totalMs),
      { remark: 'the guests shut down and start in between' },
    ),
  ];
  return { id: 'handover', title: 'Planned handover', figures };
}

async function handover(office: Office, client: GapClient, active: HostName): Promise<Handover> {
  const target = other(active);
  await client.waitForAnswerFrom(active);
  await client.reset();
  await sleep(Math.random() * 200);
  const askedMs = monotonicMs();
  const answer = await office.wish(active, { kind: 'handover', groups: [] });
  if (answer.kind !== 'accepted') throw new Error(`the handover was refused: ${answer.message}`);
  const started = await waitForNote(office, target, 'started', askedMs);
  await client.waitForAnswerFrom(target);
  await sleep(afterwardsMs);
  const { longestGapMs } = await client.report();
  return { gapMs: longestGapMs, totalMs: started.monotonicMs - askedMs };
}
