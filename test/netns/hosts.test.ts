// The test network itself: what the other tests take for granted of hosts, cables, power and the client.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { waitFor } from '../support.ts';
import { createNetwork, type TestNetwork, useNetwork } from './support/cluster.ts';
import { GapClient, startEcho } from './support/gap.ts';
import { floatingAddress, gatewayAddress, type HostName, type Place } from './support/hosts.ts';
import { pidsIn } from './support/namespaces.ts';

/** One packet each: mending and powering on return only when the cable works. */
async function ping(network: TestNetwork, from: Place, target: string, patienceS: number): Promise<string> {
  const argv = ['ping', '-n', '-c', '1', '-W', String(patienceS), target];
  const { exitCode, stdout, stderr } = await network.run(from, argv);
  return exitCode === 0 ? 'answered' : `${argv.join(' ')} at ${from}: ${stdout}${stderr}`;
}

async function assertReaches(t: ExecutionContext, network: TestNetwork, from: Place, target: string) {
  t.is(await ping(network, from, target, 10), 'answered');
}

async function assertCutOff(t: ExecutionContext, network: TestNetwork, from: Place, target: string) {
  t.not(await ping(network, from, target, 1), 'answered', `${target} answers ${from}`);
}

/** The carrier as the host itself sees it; null while the interface is down. */
async function carrier(network: TestNetwork, host: HostName, link: string): Promise<string> {
  return (await network.run(host, ['cat', `/sys/class/net/${link}/carrier`])).stdout.trim();
}

async function has(network: TestNetwork, host: HostName, present: boolean): Promise<void> {
  const verb = present ? 'add' : 'del';
  const { stderr } = await network.run(host, ['ip', 'addr', verb, `${floatingAddress}/24`, 'dev', 'eth0']);
  if (stderr !== '') throw new Error(stderr);
}

async function announce(network: TestNetwork, host: HostName): Promise<void> {
  await network.run(host, ['arping', '-q', '-U', '-c', '1', '-I', 'eth0', floatingAddress]);
}

const broadcastReceiver = `
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('message', (message) => { console.log('got ' + message); process.exit(0); });
  socket.bind(694, '10.0.0.255', () => console.log('bound'));`;
const broadcastSender = `
  const socket = require('node:dgram').createSocket('udp4');
  socket.bind(0, '10.0.0.1', () => {
    socket.setBroadcast(true);
    socket.send('hello', 694, '10.0.0.255', () => socket.close());
  });`;

test('hosts, client and gateway reach each other, and a broadcast crosses the dedicated segment', async (t) => {
  const network = await useNetwork(t);
  await assertReaches(t, network, 'primary', '192.168.1.3');
  await assertReaches(t, network, 'secondary', '10.0.0.1');
  await assertReaches(t, network, 'client', '192.168.1.2');
  await assertReaches(t, network, 'primary', gatewayAddress);
  await assertReaches(t, network, 'client', 'fd00:1::3');
  await assertReaches(t, network, 'secondary', 'fd00:1::254');
  await assertCutOff(t, network, 'client', '10.0.0.1');

  const receiver = network.spawnOn('secondary', [process.execPath, '-e', broadcastReceiver]);
  await waitFor('the receiver is bound', () => receiver.stdoutText().includes('bound'));
  const sender = await network.run('primary', [process.execPath, '-e', broadcastSender]);
  t.is(sender.exitCode, 0, sender.stderr);
  t.deepEqual(await receiver.exited, { exitCode: 0, signal: null });
  t.true(receiver.stdoutText().includes('got hello'));
});

test('a cut cable loses the carrier, a silent cut only the packets, and mending restores both', async (t) => {
  const network = await useNetwork(t);
  await network.cut('primary', 'lan');
  t.is(await carrier(network, 'primary', 'eth0'), '0');
  t.is(await carrier(network, 'primary', 'eth1'), '1');
  await assertCutOff(t, network, 'client', '192.168.1.2');
  await assertReaches(t, network, 'primary', '10.0.0.2');
  await network.mend('primary', 'lan');
  t.is(await carrier(network, 'primary', 'eth0'), '1');
  await assertReaches(t, network, 'client', '192.168.1.2');

  await network.cut('primary', 'lan', 'silent');
  t.is(await carrier(network, 'primary', 'eth0'), '1');
  await assertCutOff(t, network, 'client', '192.168.1.2');
  await assertCutOff(t, network, 'primary', gatewayAddress);
  const arp = await network.run('primary', ['arping', '-c', '1', '-w', '1', '-I', 'eth0', gatewayAddress]);
  t.not(arp.exitCode, 0, 'the port of a silent cut answers for the gateway');
  await network.mend('primary', 'lan');
  await assertReaches(t, network, 'client', '192.168.1.2');

  await network.cut('secondary', 'heartbeat', 'silent');
  t.is(await carrier(network, 'secondary', 'eth1'), '1');
  await assertCutOff(t, network, 'primary', '10.0.0.2');
  await network.switchesOff();
  await assertCutOff(t, network, 'client', '192.168.1.3');
  await network.switchesOn();
  await assertReaches(t, network, 'primary', '10.0.0.2');
  await assertReaches(t, network, 'client', '192.168.1.3');
});

test('power loss ends every process and all that memory held; the disk stays and the boot id changes', async (t) => {
  const network = await useNetwork(t);
  const host = network.hosts.primary;
  writeFileSync(join(host.stateDir, 'kept'), '');
  writeFileSync(join(host.runDir, 'lost'), '');
  const bootId = readFileSync(host.bootIdFile, 'utf8');
  await has(network, 'primary', true);
  await network.run('primary', ['ip', 'tuntap', 'add', 'tap0', 'mode', 'tap']);
  // One that ignores SIGTERM, and a child that has left its group and its parent.
  const sleeper = network.spawnOn('primary', [
    'sh',
    '-c',
    'trap "" TERM; setsid sleep 1000 & echo $BATTITO_BOOT_ID_FILE; while :; do sleep 1; done',
  ]);
  await waitFor('the processes run', async () => (await network.processesOn('primary')).length >= 3);
  t.is(sleeper.stdoutText().trim(), host.bootIdFile);

  await network.powerLoss('primary');
  t.deepEqual(await network.processesOn('primary'), []);
  t.deepEqual(await sleeper.exited, { exitCode: null, signal: 'SIGKILL' });
  t.deepEqual(await network.addressHolders(floatingAddress), []);
  await assertCutOff(t, network, 'client', host.address);

  await network.powerOn('primary');
  await assertReaches(t, network, 'client', host.address);
  await assertReaches(t, network, 'secondary', host.heartbeatAddress);
  await assertReaches(t, network, 'client', host.address6);
  t.deepEqual(await network.addressHolders(floatingAddress), []);
  t.not((await network.run('primary', ['ip', 'link', 'show', 'tap0'])).exitCode, 0);
  t.deepEqual(readdirSync(host.runDir), []);
  t.true(existsSync(join(host.stateDir, 'kept')));
  t.not(readFileSync(host.bootIdFile, 'utf8'), bootId);
});

test('a frozen host runs nothing while its kernel still answers, and thaws where it was', async (t) => {
  const network = await useNetwork(t);
  const counter = network.spawnOn('primary', ['sh', '-c', 'while :; do echo tick; sleep 0.02; done']);
  const ticks = (): number => counter.stdoutText().length;
  await waitFor('the counter counts', ticks);
  await network.freeze('primary');
  const stateOf = (pid: number): string => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2] ?? '';
  for (const pid of await network.processesOn('primary')) {
    await waitFor(`process ${pid} is stopped`, () => stateOf(pid) === 'T');
  }
  await assertReaches(t, network, 'client', '192.168.1.2');
  const before = ticks();
  await sleep(200); // Ten ticks' time.
  t.is(ticks(), before);
  await network.thaw('primary');
  await waitFor('the counter goes on', () => ticks() > before);
  t.pass();
});

test('the client sees who answers and how long nobody did; the watch sees the address move', async (t) => {
  const network = await useNetwork(t);
  const watch = await network.watchAddress(floatingAddress);
  for (const host of ['primary', 'secondary'] as const) await startEcho(network, host);
  await has(network, 'primary', true);
  const client = await GapClient.start(network, floatingAddress);
  await client.waitForAnswerFrom('primary');
  await client.reset();
  await client.waitForAnswerFrom('primary');
  t.is((await client.report()).answeredBy['secondary'], undefined);

  await has(network, 'primary', false);
  // An outage of a known length: as long as this many datagrams take, and not one is answered.
  const { sent } = await client.report();
  await waitFor('40 datagrams went unanswered', async () => (await client.report()).sent >= sent + 40);
  await has(network, 'secondary', true);
  await announce(network, 'secondary');
  const back = await client.waitForAnswerFrom('secondary');

  const report = await client.report();
  t.true(report.longestGapMs >= 40 * 5 * 0.9, JSON.stringify(report));
  t.true(report.longestGapStartedAtMs + report.longestGapMs <= back);
  t.is(report.lastAnsweredBy, 'secondary');
  const first = await client.firstAnswerAfter(report.longestGapStartedAtMs + 1);
  t.is(first, report.firstAnswerAtMs['secondary'] ?? null);
  t.true(report.answered < report.sent);

  await has(network, 'primary', true);
  t.deepEqual(await network.addressHolders(floatingAddress), ['primary', 'secondary']);
  await network.cut('secondary', 'lan', 'silent');
  await network.powerLoss('secondary');
  const holdings = (await watch.history()).map(({ holders, reachable }) => `${holders} / ${reachable}`);
  t.deepEqual(holdings, [
    ' / ',
    'primary / primary',
    ' / ',
    'secondary / secondary',
    'primary,secondary / primary,secondary',
    'primary,secondary / primary',
    'primary / primary',
  ]);
  t.is((await watch.overlaps()).length, 1);
});

test('the client measures over IPv6 too', async (t) => {
  const network = await useNetwork(t);
  await startEcho(network, 'secondary');
  const client = await GapClient.start(network, network.hosts.secondary.address6);
  await client.waitForAnswerFrom('secondary');
  t.is((await client.report()).lastAnsweredBy, 'secondary');
  await client.stop();
});

test('two networks live side by side, and closing one leaves nothing of it behind', async (t) => {
  const kept = await useNetwork(t);
  const closed = await createNetwork();
  const started = [
    closed.spawnOn('primary', ['sleep', '1000']),
    closed.spawnOn('client', ['sh', '-c', 'setsid sleep 1000 & sleep 1000']),
  ];
  await closed.freeze('primary');
  await closed.close();
  await closed.close();
  for (const each of started) t.is((await each.exited).signal, 'SIGKILL');
  t.deepEqual(traces(closed.prefix), []);
  await assertReaches(t, kept, 'client', '192.168.1.2');
});

/** Another test run, which has a network with a process in it; `prefix` names it. */
async function otherRun(t: ExecutionContext): Promise<{ run: ChildProcess; prefix: string }> {
  const program = `
    import { createNetwork } from ${JSON.stringify(join(import.meta.dirname, 'support', 'cluster.ts'))};
    const network = await createNetwork();
    network.spawnOn('primary', ['sleep', '1000']);
    process.stdout.write(network.prefix);`;
  const run = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => run.kill('SIGKILL'));
  let prefix = '';
  run.stdout.on('data', (chunk) => {
    prefix += chunk;
  });
  await waitFor('the other run has its network', () => prefix !== '');
  return { run, prefix };
}

function traces(prefix: string): string[] {
  return [...readdirSync('/run/netns'), ...readdirSync(tmpdir())].filter((name) => name.startsWith(prefix));
}

test('a run that is killed leaves a network behind, and the next one removes it', async (t) => {
  const { run, prefix } = await otherRun(t);
  const left = await waitFor('its process runs', async () => (await pidsIn(`${prefix}-primary`))[0]);
  run.kill('SIGKILL');
  await once(run, 'exit');
  t.true(existsSync(`/proc/${left}`));
  t.is(traces(prefix).length, 6);

  await useNetwork(t);
  await waitFor('the process is gone', () => !existsSync(`/proc/${left}`));
  t.deepEqual(traces(prefix), []);
});

test('a run that is told to end releases its network first', async (t) => {
  const { run, prefix } = await otherRun(t);
  run.kill('SIGTERM');
  t.deepEqual(await once(run, 'exit'), [143, null]);
  t.deepEqual(traces(prefix), []);
});
