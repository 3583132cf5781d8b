// False alarms on a busy machine: more spinning processes than cores, at the daemons' own priority, and nothing
// wrong. What the daemons noted is counted.

import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HostName, hostNames } from '../netns/support/hosts.ts';
import type { Office } from '../netns/support/office.ts';
import { monotonicMs } from '../support.ts';
import type { Progress } from './failover.ts';
import { figure, type Section } from './figures.ts';
import { heardHeartbeats, notesIn, type Stretch } from './records.ts';

export const loops = 4;
const none = { target: { max: 0 } };
const falseAlarms = ['take-over', 'freeze', 'peer-dead', 'peer-unresponsive'] as const;
/** Each loop ends by itself, should nobody be left to end it. */
const spinProgram = 'const end = Date.now() + Number(process.argv[1]); while (Date.now() < end);';

export async function measureUnderLoad(
  office: Office,
  seconds: number,
  progress: Progress,
): Promise<Section> {
  progress(`${loops} busy loops for ${seconds} s`);
  const fromMs = monotonicMs();
  await spinning(seconds * 1000);
  const stretch: Stretch = { fromMs, untilMs: monotonicMs() };
  const { keepaliveMs } = (await office.status('primary')).timings;
  const notes = (await Promise.all(hostNames.map((host) => notesIn(office, host, stretch)))).flat();
  const stalls = notes.filter(({ code }) => code === 'stalled');
  const latenesses = await Promise.all(
    hostNames.map((host) => longestLatenessMs(office, host, stretch, keepaliveMs)),
  );
  const figures = [
    ...falseAlarms.map((code) =>
      figure(code, `notes ${code}`, '', [notes.filter((note) => note.code === code).length], none),
    ),
    figure('stalls', 'stalls of a daemon', '', [stalls.length]),
    figure('longest-stall-ms', 'longest stall', 'ms', [Math.max(0, ...stalls.map(stallMs))]),
    figure('longest-lateness-ms', 'longest lateness of a heartbeat', 'ms', [maxOrNull(latenesses)], {
      remark: `beyond the keepalive of ${keepaliveMs} ms, on the better link`,
    }),
  ];
  return { id: 'load', title: `${loops} busy loops (${seconds} s, both nodes)`, figures };
}

/** Or until `signal` is aborted. */
export async function spinning(durationMs: number, signal?: AbortSignal): Promise<void> {
  const children: ChildProcess[] = [];
  const kill = (): void => {
    for (const child of children) child.kill('SIGKILL');
  };
  process.on('exit', kill);
  try {
    for (let index = 0; index < loops; index += 1) {
      children.push(spawn(process.execPath, ['-e', spinProgram, String(durationMs)], { stdio: 'ignore' }));
    }
    await sleep(durationMs, undefined, { signal }).catch((error: unknown) => {
      if (signal?.aborted !== true) throw error;
    });
    if (children.some(({ pid }) => pid === undefined)) throw new Error('a busy loop could not be started');
  } finally {
    kill();
    process.off('exit', kill);
  }
}

function stallMs({ message }: { readonly message: string }): number {
  return Number(/(\d+) ms/.exec(message)?.[1] ?? 0);
}

/** By how much the longest silence between two heartbeats of the peer was longer than the keepalive; null: unknown. */
async function longestLatenessMs(
  office: Office,
  host: HostName,
  stretch: Stretch,
  keepaliveMs: number,
): Promise<number | null> {
  const heard = await heardHeartbeats(office, host, stretch);
  if (heard.length < 2) return null;
  const gaps = heard.slice(1).map(({ atMs }, index) => atMs - (heard[index]?.atMs ?? atMs));
  return Math.max(0, Math.max(...gaps) - keepaliveMs);
}

function maxOrNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length < values.length ? null : Math.max(...known);
}
