// How long a daemon takes to be there. Killed and started again as systemd does it: for how long its peer hears nothing,
// and that the peer does not take over. Started on its own: to the first answer of its control socket, and to the first
// datagram that a socket on the other host gets.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HostName, hostNames } from '../netns/support/hosts.ts';
import { commandLine, type Office } from '../netns/support/office.ts';
import type { HostProcess } from '../netns/support/processes.ts';
import { monotonicMs, waitFor } from '../support.ts';
import type { Progress } from './failover.ts';
import { type Figure, figure, type Section } from './figures.ts';
import { heardHeartbeats, notesIn } from './records.ts';

/** RestartSec of the unit. */
const restartMs = 500;
const graceMs = 60_000;
const heartbeatMsBelow = 300;

/** Says when the first datagram comes, by the clock that all hosts of a machine share. */
const listenProgram = `const { createSocket } = require('node:dgram');
const socket = createSocket({ type: 'udp4', reuseAddr: true });
socket.once('message', () => {
  console.log('heard ' + Number(process.hrtime.bigint()) / 1e6);
  socket.close();
});
socket.bind(Number(process.argv[1]), () => console.log('listening'));`;
const heartbeatPort = 694;

/** The group runs on the primary, with default timings. */
export async function measureStart(office: Office, runs: number, progress: Progress): Promise<Section> {
  const restarts = await measureRestarts(office, runs, progress);
  for (const host of hostNames) await stopDaemon(host, office.daemon(host));
  return {
    id: 'start',
    title: 'Start of a daemon',
    figures: [...(await measureStarts(office, runs, progress)), ...restarts],
  };
}

async function measureRestarts(office: Office, runs: number, progress: Progress): Promise<Figure[]> {
  const { deadtimeMs } = (await office.status('secondary')).timings;
  const silences: (number | null)[] = [];
  let takeovers = 0;
  for (let run = 1; run <= runs; run += 1) {
    progress(`killed and started again, ${run} of ${runs}`);
    const fromMs = monotonicMs();
    office.daemon('primary').signal('SIGKILL');
    await office.daemon('primary').exited;
    await sleep(restartMs);
    await office.startDaemon('primary');
    await office.settled('primary');
    silences.push(await silenceMs(office, fromMs));
    const notes = await notesIn(office, 'secondary', { fromMs });
    takeovers += notes.filter(({ code }) => code === 'take-over').length;
  }
  return [
    figure('silence-ms', 'killed, and started again: silence at the peer', 'ms', silences, {
      target: { below: deadtimeMs },
      remark: `with the ${restartMs} ms that systemd waits; deadtime is ${deadtimeMs} ms`,
    }),
    figure('takeovers', '  takeovers by the peer', '', [takeovers], { target: { max: 0 } }),
  ];
}

/** Between the last heartbeat of the daemon that was killed and the first one of its successor; null: not recorded. */
async function silenceMs(office: Office, killedMs: number): Promise<number | null> {
  const { deadtimeMs } = (await office.status('secondary')).timings;
  const heard = await heardHeartbeats(office, 'secondary', { fromMs: killedMs - deadtimeMs });
  const [first] = heard;
  const last = heard.findLast(({ incarnation }) => incarnation === first?.incarnation);
  const next = heard.find(({ incarnation }) => incarnation !== first?.incarnation);
  return last === undefined || next === undefined ? null : next.atMs - last.atMs;
}

async function measureStarts(office: Office, runs: number, progress: Progress): Promise<Figure[]> {
  const host = 'secondary';
  const answers: number[] = [];
  const heartbeats: number[] = [];
  for (let run = 1; run <= runs; run += 1) {
    progress(`start ${run} of ${runs}`);
    const listening = office.network.spawnOn('primary', [
      process.execPath,
      '-e',
      listenProgram,
      String(heartbeatPort),
    ]);
    await waitFor('a socket listens', () => listening.stdoutText().includes('listening'));
    const logFile = join(office.network.hosts[host].logsDir, 'daemon.log');
    const fromMs = monotonicMs();
    const daemon = office.network.spawnOn(host, [commandLine, ...office.arguments(host), 'daemon'], {
      logFile,
    });
    await waitFor('the control socket answers', () => office.status(host), { intervalMs: 5 });
    answers.push(monotonicMs() - fromMs);
    const heard = await waitFor('a heartbeat is heard', () => /heard (\S+)/.exec(listening.stdoutText()));
    heartbeats.push(Number(heard[1]) - fromMs);
    await stopDaemon(host, daemon);
  }
  return [
    figure('heartbeat-ms', 'start to the first heartbeat on the wire', 'ms', heartbeats, {
      target: { below: heartbeatMsBelow },
      remark: 'from the call of scripts/battito',
    }),
    figure('socket-ms', 'start to the first answer of the socket', 'ms', answers),
  ];
}

async function stopDaemon(host: HostName, daemon: HostProcess): Promise<void> {
  const { exitCode, signal } = await daemon.stop(graceMs);
  if (exitCode !== 0) throw new Error(`the daemon of ${host} ended with ${exitCode ?? signal}`);
}
