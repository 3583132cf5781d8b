// `battito drbd` against a scripted daemon: what it shows of two copies, what it asks for, and with which code it ends.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Context } from '../../daemon/cli/command.ts';
import { fencePeer } from '../../daemon/cli/fence-peer.ts';
import type { OutdatingAnswer, StorageStatus } from '../../daemon/core/events.ts';
import { BattitoError } from '../../daemon/errors.ts';
import { type Script, scriptedDaemon } from './fixtures/cli/server.ts';
import { group, resource, status } from './fixtures/cli/statuses.ts';
import { captureOutput, type RunOptions, run, temporaryDirectory } from './fixtures/cli/terminal.ts';

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
  t.is(alone.exitCode, 69);
  t.is(
    alone.stderr,
    'fence-peer r0: nothing is proven about the peer: no daemon answers at /nonexistent/battito.sock; exit code 69: ' +
      'IO of r0 stays frozen until Battito knows more; next: start it: systemctl start battito (or `battito daemon`)\n',
  );
  const unnamed = await run(['drbd', 'fence-peer', '--socket', '/nonexistent/battito.sock']);
  t.is(unnamed.exitCode, 1);
  t.is((await run(['drbd', 'unfence-peer'])).exitCode, 0);
  t.is((await run(['drbd', 'dance'])).exitCode, 64);
});

/** As DRBD calls it. @returns exit code, what was printed, and what the kernel's log was given */
async function called(t: ExecutionContext, answer: () => Promise<OutdatingAnswer>) {
  const kernelLog = join(temporaryDirectory(t), 'kmsg');
  const captured = captureOutput();
  process.env['DRBD_RESOURCE'] = 'r0';
  const client = { fencePeer: answer } as unknown as Context['client'];
  const context = { client, output: captured.output } as Context;
  const exitCode = await fencePeer(context, { positionals: [], options: {} }, kernelLog).finally(() => {
    delete process.env['DRBD_RESOURCE'];
  });
  return { exitCode, printed: captured.stdout() + captured.stderr(), log: readFileSync(kernelLog, 'utf8') };
}

/** drbd.conf(5): 4 outdated, 5 unreachable, 6 primary, 7 fenced. */
const codes = { outdated: 4, unreachable: 5, primary: 6, fenced: 7 } as const;
for (const [answer, code] of Object.entries(codes)) {
  test.serial(
    `fence-peer: ${answer} is exit code ${code}, and the kernel's log has what follows`,
    async (t) => {
      const { exitCode, printed, log } = await called(t, async () => answer as OutdatingAnswer);
      t.is(exitCode, code);
      t.regex(printed, new RegExp(`^fence-peer r0: .*; exit code ${code}: .*; next: .*\\n$`));
      t.is(log, `<6>battito: ${printed}`);
    },
  );
}

test.serial('fence-peer: no error ends with a code that DRBD would take for an answer', async (t) => {
  for (const exitCode of [3, 4, 5, 6, 7]) {
    const result = await called(t, () =>
      Promise.reject(new BattitoError('odd', 'an odd\nend', { exitCode })),
    );
    t.is(result.exitCode, 1);
    t.regex(
      result.log,
      /^<3>battito: fence-peer r0: nothing is proven about the peer: an odd end; exit code 1:/,
    );
  }
});
