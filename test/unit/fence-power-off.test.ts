// Levels of devices: all of a level, then each is read, and only then is a node off.

import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { createFenceDevice, type FenceDevice, type Patience } from '../../daemon/drivers/fence/device.ts';
import { createPeerFencing, readDevice, wholeReadingMs } from '../../daemon/drivers/fence/fence.ts';
import { powerOff } from '../../daemon/drivers/fence/power-off.ts';
import { shareOf, sharesOf, timeoutNeededMs } from '../../daemon/drivers/fence/shares.ts';
import { monotonicMs } from '../support.ts';
import { type FakeAgent, fakeAgent } from './support/fence-agent.ts';

const device = ({ config }: FakeAgent) => createFenceDevice(config, 'alpha');

function off(levels: readonly (readonly FakeAgent[])[], deadlineMs = 60_000) {
  const { signal } = new AbortController();
  const devices = levels.map((level) => level.map(device));
  return powerOff(devices, { node: 'alpha', deadlineMs, signal, pauseMs: 20 });
}

async function failure(t: ExecutionContext, levels: readonly (readonly FakeAgent[])[], deadlineMs?: number) {
  const outcome = await off(levels, deadlineMs);
  t.is(outcome.kind, 'failed');
  return outcome.kind === 'failed' ? outcome.message : '';
}

test('a device that obeys is told once, and read', async (t) => {
  const bmc = fakeAgent(t);
  t.deepEqual(await off([[bmc]]), { kind: 'done' });
  t.deepEqual(bmc.actions(), ['off', 'status']);
});

test('two supplies: both are told before either is read, and both must read off', async (t) => {
  const [a, b] = [
    fakeAgent(t, { name: 'pdu-a' }),
    fakeAgent(t, { name: 'pdu-b', body: '[ $action = off ] && exit 0' }),
  ];
  t.regex(await failure(t, [[a, b]]), /^pdu-b says that it has switched alpha off, but its status says on$/);
  t.is(a.power(), 'off', 'the other one is off, which proves nothing');
  const log = fakeAgent(t);
  const body = `echo $0 $action >> ${log.directory}/order`;
  const both = [fakeAgent(t, { body }), fakeAgent(t, { body })];
  t.deepEqual(await off([both]), { kind: 'done' });
  const order = readFileSync(`${log.directory}/order`, 'utf8').trim().split('\n');
  t.deepEqual(
    order.map((line) => line.split(' ')[1]),
    ['off', 'off', 'status', 'status'],
  );
});

test('the next level is asked only when the first has failed', async (t) => {
  const [bmc, pdu] = [fakeAgent(t, { name: 'bmc' }), fakeAgent(t, { name: 'pdu' })];
  t.deepEqual(await off([[bmc], [pdu]]), { kind: 'done' });
  t.deepEqual(pdu.actions(), []);
  const dead = fakeAgent(t, { name: 'bmc', body: 'echo "No route to host" >&2; exit 1' });
  t.deepEqual(await off([[dead], [pdu]]), { kind: 'done' });
  t.deepEqual(pdu.actions(), ['off', 'status']);
});

test('where every level fails, each is named with its reason', async (t) => {
  const dead = fakeAgent(t, { name: 'bmc', body: 'echo "No route to host" >&2; exit 1' });
  const liar = fakeAgent(t, { name: 'pdu', body: '[ $action = off ] && exit 0' });
  t.is(
    await failure(t, [[dead], [liar]]),
    'level 1: bmc: No route to host; level 2: pdu says that it has switched alpha off, but its status says on',
  );
});

test('what reads off is off, whatever the device said when it was told', async (t) => {
  const odd = fakeAgent(t, { body: '[ $action = off ] && { echo off > "$dir/power"; exit 1; }' });
  t.deepEqual(await off([[odd]]), { kind: 'done' });
});

test('a device that tells of it a moment later is read again', async (t) => {
  const slow = fakeAgent(t, {
    body: '[ $action = off ] && { echo 2 > "$dir/left"; exit 0; }\nleft=$(cat "$dir/left"); echo $((left - 1)) > "$dir/left"; [ $left -gt 0 ] || echo off > "$dir/power"',
  });
  t.deepEqual(await off([[slow]]), { kind: 'done' });
  t.deepEqual(slow.actions(), ['off', 'status', 'status', 'status']);
});

test('a device that does not switch at the first time is told a second time, and no more', async (t) => {
  const second = fakeAgent(t, {
    body: '[ $action = off ] && [ ! -e "$dir/once" ] && { : > "$dir/once"; exit 1; }',
  });
  t.deepEqual(await off([[second]]), { kind: 'done' });
  const never = fakeAgent(t, { body: '[ $action = off ] && exit 0' });
  await failure(t, [[never]]);
  t.is(never.actions().filter((action) => action === 'off').length, 2);
});

test('a device that hangs leaves time for the next level, and all of it ends by the deadline', async (t) => {
  const hung = fakeAgent(t, { name: 'bmc', body: 'sleep 600' });
  const pdu = fakeAgent(t, { name: 'pdu' });
  t.deepEqual(await off([[hung], [pdu]], 6000), { kind: 'done' });
  const beganAtMs = monotonicMs();
  t.regex(await failure(t, [[hung]], 3000), /bmc: .*did not end in time/);
  // Its end is waited for, for a moment.
  t.true(monotonicMs() - beganAtMs < 20_000);
});

/** `needsMs`: what it takes to cut the power; with less it is broken off, and nothing has happened. */
function timedDevice(name: string, needsMs: number) {
  const [tellings, readings]: [number[], number[]] = [[], []];
  let power: 'on' | 'off' = 'on';
  const use = ({ timeoutMs, signal }: Patience, ms: number) =>
    pause(Math.min(timeoutMs, ms), undefined, { signal });
  const timed: FenceDevice = {
    name,
    outlets: 1,
    async turn(to, patience) {
      tellings.push(patience.timeoutMs);
      await use(patience, needsMs);
      if (patience.timeoutMs < needsMs) return 'did not end in time';
      power = to;
      return null;
    },
    async status(patience) {
      readings.push(patience.timeoutMs);
      if (power === 'off') return { kind: 'off' };
      await use(patience, Number.POSITIVE_INFINITY);
      return { kind: 'unknown', message: 'did not end in time' };
    },
  };
  return { timed, tellings, readings };
}

const refusing = (name: string): FenceDevice => ({
  name,
  outlets: 1,
  turn: async () => 'no route',
  status: async () => ({ kind: 'unknown', message: 'no route' }),
});

/** Timers and a busy machine. */
const tolerance = 0.4;

test('what later levels leave is for the first one that had too little, and never beyond the deadline', async (t) => {
  const { signal } = new AbortController();
  const options = { node: 'alpha', deadlineMs: 9000, signal, pauseMs: 1 };
  const bmc = timedDevice('bmc', 3000);
  const levels = [[bmc.timed], [refusing('pdu-a')], [refusing('pdu-b')]];
  t.deepEqual(await powerOff(levels, options), { kind: 'done' });
  t.is(bmc.tellings.length, 2);
  t.true(Number(bmc.tellings[0]) <= shareOf(9000, 3, 1).tellingMs && Number(bmc.tellings[1]) >= 3000);
  const beganAtMs = monotonicMs();
  const hung = timedDevice('bmc', 600_000);
  const outcome = await powerOff([[hung.timed], [refusing('pdu')]], { ...options, deadlineMs: 5000 });
  t.is(outcome.kind, 'failed');
  t.true(monotonicMs() - beganAtMs < 5000 * (1 + tolerance));
  t.is(hung.tellings.length, 2);
});

test('each device has at least the share that is reckoned with beforehand', async (t) => {
  const { signal } = new AbortController();
  const deadlineMs = 6000;
  const [a, b] = [timedDevice('a', 600_000), timedDevice('b', 600_000)];
  const levels = [[a.timed, b.timed], [refusing('pdu')]];
  await powerOff(levels, { node: 'alpha', deadlineMs, signal, pauseMs: 1 });
  const shares = sharesOf(levels, deadlineMs);
  for (const { timed, tellings, readings } of [a, b]) {
    const share = shares.get(timed);
    if (share === undefined) return t.fail();
    t.true(Number(tellings[0]) >= share.tellingMs * (1 - tolerance), `${tellings[0]}`);
    t.true(Number(readings[0]) >= share.readingMs * (1 - tolerance), `${readings[0]}`);
  }
});

test('a share is what the levels, and the devices of one, leave; and the timeout that would do follows from it', (t) => {
  t.deepEqual(shareOf(60_000, 2, 1), { levelMs: 30_000, tellingMs: 20_000, readingMs: 10_000 });
  const shares = sharesOf([['bmc'], ['pdu', 'relay'], ['bmc', 'relay', 'pdu']], 90_000);
  t.deepEqual([...shares.keys()], ['bmc', 'pdu', 'relay']);
  t.is(Math.round(shares.get('bmc')?.readingMs ?? 0), 3333, 'of several the least');
  for (const readMs of [1, 4000, 14_000]) {
    const neededMs = timeoutNeededMs(readMs, shareOf(60_000, 2, 1), 60_000);
    const share = shareOf(neededMs, 2, 1);
    t.true(share.readingMs >= readMs - 1 && share.tellingMs >= 2 * readMs - 1);
  }
});

test('a reading that the first outlet ends stands for those of all', async (t) => {
  const { config } = fakeAgent(t);
  const plugs = { alpha: '1, 2, 3' };
  const pdu = createFenceDevice({ ...config, kind: 'agent', plugs }, 'alpha');
  const reading = await readDevice(pdu, new AbortController().signal);
  t.is(reading.state.kind, 'on');
  t.is(wholeReadingMs(pdu, reading), 3 * reading.tookMs);
  t.is(wholeReadingMs(pdu, { ...reading, state: { kind: 'off' } }), reading.tookMs);
});

const fencing = (agent: FakeAgent) => ({
  delayMs: 0,
  timeoutMs: 60_000,
  devices: [agent.config],
  nodes: { alpha: [['bmc']], beta: [['bmc']] },
});

test('looking at the devices makes way for switching off', async (t) => {
  const agent = fakeAgent(t, {
    body: '[ $action = status ] && [ ! -e "$dir/told" ] && sleep 600\n[ $action = off ] && : > "$dir/told"',
  });
  const peer = createPeerFencing(fencing(agent), 'alpha');
  const looking = peer.read();
  t.is(await peer.read(), null, 'one look at a time');
  t.deepEqual(await peer.powerOff(60_000), { kind: 'done' });
  t.is(await looking, null);
  t.deepEqual(
    (await peer.read())?.map(({ state }) => state.kind),
    ['off'],
  );
  await peer.close();
});

test('what is under way when the daemon ends is broken off', async (t) => {
  const agent = fakeAgent(t, { body: 'sleep 600' });
  const peer = createPeerFencing(fencing(agent), 'alpha');
  const switching = peer.powerOff(500_000);
  await peer.close();
  t.is((await switching).kind, 'failed');
});
