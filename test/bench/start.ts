// How long a daemon takes to be there: from its start to the first answer of its control socket, and to its first
// heartbeat as the other node hears it. The standby is started again and again; the active one listens.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandLine, type Office } from '../netns/support/office.ts';
import { monotonicMs, waitFor } from '../support.ts';
import type { Progress } from './failover.ts';
import { figure, type Section } from './figures.ts';
import { heardHeartbeats } from './records.ts';

const host = 'secondary';
const graceMs = 30_000;

export async function measureStart(office: Office, runs: number, progress: Progress): Promise<Section> {
  const answers: number[] = [];
  const heartbeats: (number | null)[] = [];
  let daemon = office.daemon(host);
  for (let run = 1; run <= runs; run += 1) {
    progress(`start ${run} of ${runs}`);
    const { exitCode, signal } = await daemon.stop(graceMs);
    if (exitCode !== 0) throw new Error(`the daemon of ${host} ended with ${exitCode ?? signal}`);
    await sleep(1000);

    const fromMs = monotonicMs();
    const logFile = join(office.network.hosts[host].logsDir, 'daemon.log');
    daemon = office.network.spawnOn(host, [commandLine, ...office.arguments(host), 'daemon'], { logFile });
    await waitFor('the control socket answers', () => office.status(host), { intervalMs: 5 });
    answers.push(monotonicMs() - fromMs);
    await office.settled('primary');
    const [first] = await heardHeartbeats(office, 'primary', { fromMs });
    heartbeats.push(first === undefined ? null : first.atMs - fromMs);
  }
  const figures = [
    figure('socket-ms', 'start to first answer of the socket', 'ms', answers),
    figure('heartbeat-ms', 'start to first heartbeat at the peer', 'ms', heartbeats),
  ];
  return { id: 'start', title: 'Start of a daemon', figures };
}
