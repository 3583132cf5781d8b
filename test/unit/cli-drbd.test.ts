// `battito drbd` against a scripted daemon: what it shows of two copies, what it asks for, and with which code it ends.

import test from 'ava';
import type { StorageStatus } from '../../daemon/core/events.ts';
import { type Script, scriptedDaemon } from './fixtures/cli/server.ts';
import { group, resource, status } from './fixtures/cli/statuses.ts';
import { type RunOptions, run } from './fixtures/cli/terminal.ts';

const parted: StorageStatus = {
  role: 'secondary',
  disk: 'up-to-date',
  connection: 'standalone',
  peerRole: 'unknown',
  peerDisk: 'unknown',
  suspended: 'no',
  resync: null,
};
const disk = (storage: StorageStatus | null) =>
  status({
    groups: [group({ resources: [resource('drbd:r0', { kind: 'drbd', status: 'down', storage })] })],
  });

async function battito(
  t: Parameters<typeof scriptedDaemon>[0],
  line: string,
  script: Script,
  options: RunOptions = {},
) {
  const daemon = await scriptedDaemon(t, script);
  const result = await run([...line.split(' '), '--socket', daemon.socketPath], options);
  return { ...result, requests: daemon.requests };
}

test('resolve shows what is known of both copies, and what each choice would run', async (t) => {
  const { exitCode, stdout, requests } = await battito(t, 'drbd resolve r0', { statuses: [disk(parted)] });
  t.is(exitCode, 0);
  t.deepEqual(requests, []);
  t.regex(stdout, /on primary: down, here up-to-date, standalone/);
  t.regex(stdout, /battito drbd resolve r0 --discard-here/);
  t.regex(stdout, /drbdadm connect --discard-my-data r0/);
  const whole = disk({ ...parted, connection: 'connected', peerDisk: 'up-to-date' });
  const joined = await battito(t, 'drbd resolve r0', { statuses: [whole] });
  t.regex(joined.stdout, /there is nothing to resolve/);
});

test('nothing is given up before the name has been typed', async (t) => {
  const script = { statuses: [disk(parted)] };
  const refused = await battito(t, 'drbd resolve r0 --discard-here', script, { ask: async () => 'yes' });
  t.is(refused.exitCode, 1);
  t.deepEqual(refused.requests, []);
  const typed = await battito(t, 'drbd resolve r0 --discard-here', script, { ask: async () => 'r0' });
  t.is(typed.exitCode, 0);
  t.deepEqual(typed.requests, [{ kind: 'discard-data', groups: ['office'] }]);
});

test('a resource that no group has is refused, and the ones there are named', async (t) => {
  const { exitCode, stderr } = await battito(t, 'drbd resolve r9', { statuses: [disk(parted)] });
  t.is(exitCode, 64);
  t.regex(stderr, /no group has the DRBD resource r9/);
  t.regex(stderr, /the resources are: r0/);
});

test('a handler without a daemon, or without a resource, proves nothing to DRBD', async (t) => {
  const alone = await run([
    'drbd',
    'fence-peer',
    '--resource',
    'r0',
    '--socket',
    '/nonexistent/battito.sock',
  ]);
  t.false([3, 4, 5, 6, 7].includes(alone.exitCode));
  const unnamed = await run(['drbd', 'fence-peer', '--socket', '/nonexistent/battito.sock']);
  t.is(unnamed.exitCode, 1);
  t.is((await run(['drbd', 'unfence-peer'])).exitCode, 0);
  t.is((await run(['drbd', 'dance'])).exitCode, 64);
});
