// What the service manager is told: the watchdog is fed from decisions alone, and the status is one line.

import { dlopen } from 'node:ffi';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { initialState, type State } from '../../daemon/core/state.ts';
import { monotonicMs } from '../../daemon/runtime/clock.ts';
import { startLoop } from '../../daemon/runtime/loop.ts';
import {
  connectServiceManager,
  notifier,
  statusLine,
  unixAddress,
  watchdogMs,
} from '../../daemon/runtime/systemd.ts';
import { examplePolicy } from '../sim/example.ts';
import { temporaryDirectory, waitFor } from '../support.ts';

const ledger = { groups: [], peer: null, standby: false, left: false, maintenanceUntil: null };

function fresh(at = 0): State {
  return initialState({ at, policy: examplePolicy('primary'), incarnation: 1, ledger });
}

function withPhase(state: State, phase: State['groups'][number]['phase']): State {
  return { ...state, groups: state.groups.map((group) => ({ ...group, phase })) };
}

test('the status says what the node does and how it sees its peer', (t) => {
  const state = fresh();
  t.is(statusLine(state), 'observing: office; peer secondary listening');
  const active = withPhase({ ...state, verdict: { kind: 'alive' } }, { kind: 'active', generation: 3 });
  t.is(statusLine(active), 'active: office; peer secondary alive');
  const [group] = active.groups;
  if (group === undefined) return t.fail('the example has a group');
  const mail = { ...group, policy: { ...group.policy, name: 'mail' } };
  const idle = { ...mail, policy: { ...mail.policy, name: 'web' }, phase: { kind: 'stopped' } as const };
  t.is(
    statusLine({ ...active, groups: [group, mail, idle] }),
    'active: office, mail; stopped: web; peer secondary alive',
  );
  t.is(
    statusLine({ ...active, standby: true, maintenanceUntil: 5, leavingSince: 1 }),
    'stopping; maintenance; standby; active: office; peer secondary alive',
  );
});

test('the watchdog is fed by a decision when it is due, and a feed that was lost is given again', (t) => {
  const sent: string[] = [];
  let now = 0;
  let works = true;
  const send = (message: string) => {
    if (works && message.startsWith('WATCHDOG')) sent.push(`${now} ${message}`);
    return works;
  };
  const manager = notifier(send, 10_000, () => now);
  for (; now <= 12_000; now += 100) {
    works = now < 5000 || now >= 6000;
    if (now < 8000 || now >= 12_000) manager.decided(fresh()); // From 8 s to 12 s the core decides nothing.
  }
  t.deepEqual(sent, ['0 WATCHDOG=1', '2500 WATCHDOG=1', '6000 WATCHDOG=1', '12000 WATCHDOG=1']);
});

test('the status is sent when it has changed, at most once a second', (t) => {
  const sent: string[] = [];
  let now = 0;
  const manager = notifier(
    (message) => sent.push(`${now} ${message}`) > 0,
    null,
    () => now,
  );
  for (; now < 3000; now += 200) manager.decided(now < 400 ? fresh() : { ...fresh(), standby: true });
  t.deepEqual(sent, [
    '0 STATUS=observing: office; peer secondary listening',
    '1000 STATUS=standby; observing: office; peer secondary listening',
  ]);
});

test('the loop reports its decisions, and none any more once the core is broken', async (t) => {
  const decisions: number[] = [];
  let broken = false;
  let breaks = false;
  const loop = startLoop({
    initial: fresh(monotonicMs()),
    record: () => {},
    recordEffects: () => {},
    carryOut: () => {
      if (breaks) throw new Error('an invariant is broken');
    },
    onDecided: () => decisions.push(monotonicMs()),
    onBroken: () => {
      broken = true;
    },
  });
  t.teardown(() => loop.stop());
  loop.post({ kind: 'time-passed' });
  await waitFor('the core has decided a few times', () => decisions.length >= 3);
  breaks = true;
  await waitFor('the core is broken', () => broken);
  const count = decisions.length;
  loop.post({ kind: 'time-passed' });
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.is(decisions.length, count);
});

test('the watchdog of another process is not ours, and a time that is none is no watchdog', (t) => {
  t.is(watchdogMs({ WATCHDOG_USEC: '10000000', WATCHDOG_PID: '42' }, 42), 10_000);
  t.is(watchdogMs({ WATCHDOG_USEC: '10000000' }, 42), 10_000);
  t.is(watchdogMs({ WATCHDOG_USEC: '10000000', WATCHDOG_PID: '41' }, 42), null);
  t.is(watchdogMs({ WATCHDOG_USEC: 'soon' }, 42), null);
  t.is(watchdogMs({}, 42), null);
});

test('only a path or an abstract name is the address of a unix socket', (t) => {
  t.is(unixAddress('/run/x').toString('latin1'), '\x01\x00/run/x\x00');
  t.is(unixAddress('@x').toString('latin1'), '\x01\x00\x00x');
  for (const path of ['', '@', 'run/x', 'vsock:2:1', `/${'x'.repeat(108)}`])
    t.throws(() => unixAddress(path), { instanceOf: RangeError }, path);
});

/** A socket as systemd has one. @returns what has been received since the last call */
function openReceiver(t: ExecutionContext, path: string): () => string[] {
  const { functions } = dlopen('libc.so.6', {
    socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    bind: { arguments: ['int32', 'buffer', 'uint32'], return: 'int32' },
    recv: { arguments: ['int32', 'buffer', 'uint64', 'int32'], return: 'int64' },
    close: { arguments: ['int32'], return: 'int32' },
  });
  const socket = functions.socket(1, 2, 0);
  const address = unixAddress(path);
  t.is(functions.bind(socket, address, address.length), 0);
  t.teardown(() => void functions.close(socket));
  return () => {
    const messages: string[] = [];
    for (;;) {
      const buffer = Buffer.alloc(4096);
      const length = Number(functions.recv(socket, buffer, 4096n, 0x40));
      if (length < 0) return messages;
      messages.push(buffer.toString('utf8', 0, length));
    }
  };
}

test.serial(
  'a service manager hears of it, and what the daemon starts does not inherit its variables',
  async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'notify');
    const receive = openReceiver(t, path);
    Object.assign(process.env, { NOTIFY_SOCKET: path, WATCHDOG_USEC: '10000000' });
    const manager = await connectServiceManager(pino({ level: 'silent' }));
    t.is(process.env['NOTIFY_SOCKET'], undefined);
    t.is(process.env['WATCHDOG_USEC'], undefined);
    manager.ready();
    manager.decided(fresh());
    manager.stopping();
    t.deepEqual(receive(), [
      'READY=1',
      'WATCHDOG=1',
      'STATUS=observing: office; peer secondary listening',
      'STOPPING=1',
    ]);
  },
);

test.serial('a service manager that does not listen costs nothing', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'notify');
  openReceiver(t, path); // Never read: its queue fills.
  process.env['NOTIFY_SOCKET'] = path;
  const manager = await connectServiceManager(pino({ level: 'silent' }));
  const startedAt = monotonicMs();
  for (let count = 0; count < 2000; count += 1) manager.ready();
  t.true(monotonicMs() - startedAt < 60_000);
  process.env['NOTIFY_SOCKET'] = join(directory, 'nobody');
  (await connectServiceManager(pino({ level: 'silent' }))).ready();
  t.pass();
});
