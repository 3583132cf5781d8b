// Levels of devices: all of a level, then each is read, and only then is a node off.

import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { createFenceDevice } from '../../daemon/drivers/fence/device.ts';
import { createPeerFencing } from '../../daemon/drivers/fence/fence.ts';
import { powerOff } from '../../daemon/drivers/fence/power-off.ts';
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
