// Readiness of a guest that is a real neighbour: its port and its address answer, and fall silent.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readiness } from '../../daemon/config/config.ts';
import { waitFor } from '../support.ts';
import { pairTest } from './support/namespace-pair.ts';

const timeoutMs = 60_000;
const ping: Readiness = { kind: 'ping', address: '10.9.0.2', timeoutMs };
const tcp: Readiness = { kind: 'tcp', host: '10.9.0.2', port: 2525, timeoutMs };

pairTest('a neighbour is ready by ping while it has its address', async (t, { left, right }) => {
  const drivers = left.startDrivers();
  const ask = () => drivers.ask({ kind: 'ask-readiness', readiness: ping });
  t.deepEqual(await ask(), { ready: true, why: '10.9.0.2 answers ping' });
  right.run('ip', 'address', 'del', '10.9.0.2/24', 'dev', 'eth0');
  t.deepEqual(await ask(), { ready: false, why: '10.9.0.2 does not answer ping' });
  right.run('ip', 'address', 'add', '10.9.0.2/24', 'dev', 'eth0');
  t.true((await ask()).ready);
});

pairTest('a neighbour is ready by TCP once its service listens', async (t, { left, right }) => {
  const drivers = left.startDrivers();
  const ask = () => drivers.ask({ kind: 'ask-readiness', readiness: tcp });
  t.deepEqual(await ask(), { ready: false, why: '10.9.0.2 port 2525: connection refused' });
  const listening = `require('node:net').createServer().listen(2525, () => console.log('listening'))`;
  const argv = ['netns', 'exec', right.name, process.execPath, '-e', listening];
  const service = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => service.kill('SIGKILL'));
  await once(service.stdout, 'data');
  t.deepEqual(await ask(), { ready: true, why: '10.9.0.2 port 2525 accepts connections' });
  right.run('ip', 'link', 'set', 'eth0', 'down');
  // The neighbour may still be known, so that the question goes out, or not any more.
  const { why } = await waitFor('it is ready no more', async () => {
    const answer = await ask();
    return !answer.ready && answer;
  });
  t.regex(why, /^10\.9\.0\.2 port 2525: (no answer within 2 s|no route to the host)$/);
});
