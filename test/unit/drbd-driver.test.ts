// The driver of a DRBD resource against scripted tools: what it runs, in which order, and what it says when refused.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { createDrbdDriver } from '../../daemon/drivers/drbd/drbd.ts';
import type { DrbdAction } from '../../daemon/drivers/drbd/types.ts';
import { monotonicMs, waitFor } from '../support.ts';
import { drivenDrbd, type FakeDrbd, type FakeState, soon } from './support/drbd-tools.ts';

const alone: Partial<FakeState> = {
  CONN: 'Connecting',
  REPL: 'Off',
  PEERROLE: 'Unknown',
  PEERDISK: 'DUnknown',
};
const standalone: Partial<FakeState> = { ...alone, CONN: 'StandAlone' };

test.serial('start: connected to its peer it is promoted, and nothing else', async (t) => {
  const { fake, driver } = await drivenDrbd(t);
  t.deepEqual(await driver.perform('start', false, soon()), { kind: 'done' });
  t.is(driver.status().role, 'primary');
  t.deepEqual(await driver.perform('start', false, soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), ['drbdadm primary r0']);
});

test.serial(
  'start: without its peer it leaves a session that may be half open, and looks for the peer again',
  async (t) => {
    const { fake, driver } = await drivenDrbd(t, { ...alone, DISK: 'Consistent' });
    t.deepEqual(await driver.perform('start', false, soon()), { kind: 'done' });
    t.deepEqual(await fake.calls(), ['drbdadm disconnect r0', 'drbdadm primary r0', 'drbdadm connect r0']);
    t.like(driver.status(), { role: 'primary' });
  },
);

test.serial('start: one that stands alone is not left once more', async (t) => {
  const { fake, driver } = await drivenDrbd(t, standalone);
  t.deepEqual(await driver.perform('start', false, soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), ['drbdadm primary r0', 'drbdadm connect r0']);
});

for (const disk of ['Outdated', 'Inconsistent', 'Diskless', 'DUnknown']) {
  test.serial(`start: ${disk} data are refused without asking DRBD, and named`, async (t) => {
    const { fake, driver } = await drivenDrbd(t, { ...alone, DISK: disk });
    const outcome = await driver.perform('start', false, soon());
    t.like(outcome, { kind: 'failed', code: 'drbd-need-up-to-date' });
    const message = outcome.kind === 'failed' ? outcome.message : '';
    t.regex(message, new RegExp(`^r0: not promoted, its disk is ${disk === 'DUnknown' ? 'unknown' : disk}`));
    t.regex(message, /; \S/);
    t.deepEqual(await fake.calls(), []);
  });
}

test.serial('start: without a disk of its own it reads the copy of the peer, if that is whole', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { DISK: 'Diskless' });
  t.deepEqual(await driver.perform('start', false, soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), ['drbdadm primary r0']);
  const old = await drivenDrbd(t, { DISK: 'Diskless', PEERDISK: 'Outdated' });
  const outcome = await old.driver.perform('start', false, soon());
  t.like(outcome, { kind: 'failed', code: 'drbd-need-up-to-date' });
  t.deepEqual(await old.fake.calls(), []);
});

test.serial('start: in mid-resync the time that is left is said', async (t) => {
  const state = { REPL: 'SyncTarget', DISK: 'Inconsistent', MINOR: '2', PEERROLE: 'Primary' };
  const { fake, driver } = await drivenDrbd(t, state);
  await writeFile(fake.procFile, await readFile(new URL('fixtures/drbd/proc-drbd-8.4.txt', import.meta.url)));
  t.deepEqual(await driver.perform('start', false, soon()), {
    kind: 'failed',
    code: 'drbd-need-up-to-date',
    message:
      "r0: not promoted, its disk is Inconsistent, the peer's is UpToDate, connected, resync at 48 %, 524 MiB left at 7 MiB/s, " +
      'about 71 s; wait for the resync (drbdadm status r0), then: battito retry',
  });
});

test.serial('start: forced, DRBD is told so', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ...alone, DISK: 'Outdated' });
  t.deepEqual(await driver.perform('start', true, soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), [
    'drbdadm disconnect r0',
    'drbdadm primary --force r0',
    'drbdadm connect r0',
  ]);
  t.true(fake.complaints().some((line) => /by force/.test(line)));
});

const refusals: Readonly<Record<string, readonly [number: number, text: string, said: RegExp]>> = {
  'drbd-multiple-primaries': [-1, 'Multiple primaries not allowed by config', /peer is primary.*handover/],
  'drbd-need-up-to-date': [-2, 'Need access to UpToDate data', /no up-to-date data.*UpToDate.*--force/],
  'drbd-peer-not-outdated': [-7, 'Refusing to be Primary while peer is not outdated', /fence confirm NODE/],
  'drbd-refused-by-peer': [-10, 'State change was refused by peer node', /refused.*battito retry/],
  'drbd-no-quorum': [-25, 'No quorum', /quorum off/],
  'drbd-other': [-99, 'Something new', /drbdadm primary r0: exit 11: .*Something new.*dmesg/],
};

for (const [code, [number, text, said]] of Object.entries(refusals)) {
  test.serial(
    `start: refused by DRBD with (${number}), it says what and what next, and looks for the peer`,
    async (t) => {
      const { fake, driver } = await drivenDrbd(t, alone);
      await fake.override(`[[ "$tool $1" = "drbdadm primary" ]] && refuse ${number} "${text}"\n`);
      const outcome = await driver.perform('start', false, soon());
      t.like(outcome, { kind: 'failed', code });
      t.regex(outcome.kind === 'failed' ? outcome.message : '', said);
      t.is((await fake.calls()).at(-1), 'drbdadm connect r0');
      await waitFor('the stream', () => driver.status().connection === 'connecting');
    },
  );
}

test.serial('start: a state that is just changing is waited for', async (t) => {
  const { fake, driver } = await drivenDrbd(t);
  await fake.override(
    `[[ "$tool $1" = "drbdadm primary" ]] && (( $(grep -c primary "$here/argv") < 3 )) && refuse -18 "In transient state"\n`,
  );
  t.deepEqual(await driver.perform('start', false, soon()), { kind: 'done' });
  t.is((await fake.calls()).filter((line) => line === 'drbdadm primary r0').length, 3);
});

test.serial(
  'start: given up while the fence-peer handler runs, it ends at once, and the event loop stood free',
  async (t) => {
    const { fake, driver } = await drivenDrbd(t, alone);
    await fake.override('[[ "$tool $1" = "drbdadm primary" ]] && { sleep 30; exit 0; }\n');
    const abort = new AbortController();
    let ticks = 0;
    const ticking = setInterval(() => {
      ticks += 1;
    }, 10);
    const started = monotonicMs();
    const outcome = driver.perform('start', false, abort.signal);
    await waitFor('the promotion', async () => (await fake.calls()).includes('drbdadm primary r0'));
    await sleep(300);
    abort.abort();
    t.like(await outcome, { kind: 'unknown' });
    clearInterval(ticking);
    t.true(monotonicMs() - started < 20_000, 'the handler has not ended yet');
    t.true(ticks > 10);
    t.is((await fake.calls()).at(-1), 'drbdadm connect r0', 'the peer has its way back');
  },
);

/** A tool that does not end by itself, and that the driver must not kill. */
async function ofSomebodyElse(
  t: ExecutionContext,
  { directory }: FakeDrbd,
  name: string,
  argv: readonly string[],
): Promise<ChildProcess> {
  const tool = join(directory, 'others', name);
  await mkdir(dirname(tool));
  await writeFile(tool, '#!/bin/bash\nwhile :; do sleep 0.1; done\n', { mode: 0o755 });
  const child = spawn(tool, argv, { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  return child;
}

test.serial('stop: not done while a promotion that was given up still hangs in the kernel', async (t) => {
  const { fake, driver } = await drivenDrbd(t);
  const promotion = await ofSomebodyElse(t, fake, 'drbdsetup-84', ['primary', '98765']);
  const outcome = await driver.perform('stop', false, soon(500));
  t.like(outcome, { kind: 'unknown' });
  t.regex(outcome.kind === 'unknown' ? outcome.message : '', /fence-peer handler/);
  promotion.kill('SIGKILL');
  t.deepEqual(await driver.perform('stop', false, soon()), { kind: 'done' });
});

test.serial('stop: demoted; what is secondary, or not there at all, is down already', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ROLE: 'Primary' });
  t.deepEqual(await driver.perform('stop', false, soon()), { kind: 'done' });
  t.is(driver.status().role, 'secondary');
  t.deepEqual(await driver.perform('stop', false, soon()), { kind: 'done' });
  fake.become({ UP: 'no' });
  t.deepEqual(await driver.perform('stop', false, soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), ['drbdadm secondary r0']);
});

test.serial(
  'stop: what cannot be looked at is demoted all the same, and not taken for down; without the module it is',
  async (t) => {
    const { fake, driver } = await drivenDrbd(t); // Secondary, as the stream has it.
    await fake.override('[[ $tool = drbdsetup || $1 = secondary ]] && { echo "no answer" >&2; exit 20; }\n');
    t.like(await driver.perform('stop', false, soon()), { kind: 'failed', code: 'drbd-other' });
    await fake.override('[[ $tool = drbdsetup ]] && { echo "no answer" >&2; exit 20; }\n');
    t.deepEqual(await driver.perform('stop', false, soon()), { kind: 'done' });
    t.deepEqual(await fake.calls(), ['drbdadm secondary r0', 'drbdadm secondary r0']);
    await rm(fake.procFile);
    t.deepEqual(await driver.perform('stop', false, soon()), { kind: 'done' });
    t.is((await fake.calls()).length, 2);
  },
);

test.serial('stop: a device that is held open for a moment is tried again', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ROLE: 'Primary' });
  await fake.override(
    `[[ "$tool $1" = "drbdadm secondary" ]] && (( $(grep -c secondary "$here/argv") < 4 )) && refuse -12 "Device is held open by someone"\n`,
  );
  const started = monotonicMs();
  t.deepEqual(await driver.perform('stop', false, soon()), { kind: 'done' });
  const tookMs = monotonicMs() - started;
  t.true(tookMs > 1700 && tookMs < 8000, `${tookMs} ms`);
  t.is((await fake.calls()).length, 4);
});

test.serial('stop: one that stays held open says who holds it after ten seconds', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ROLE: 'Primary' });
  await fake.override(
    `[[ "$tool $1" = "drbdadm secondary" ]] && refuse -12 "Device is held open by someone"\n`,
  );
  const started = monotonicMs();
  const outcome = await driver.perform('stop', false, soon(30_000));
  const tookMs = monotonicMs() - started;
  t.like(outcome, { kind: 'failed', code: 'drbd-held-open' });
  t.regex(outcome.kind === 'failed' ? outcome.message : '', /^r0: the device is held open by .+; close it/);
  t.true(tookMs > 9500 && tookMs < 16_000, `${tookMs} ms`);
});

test.serial('stop: drbdadm that loses its patience has not failed for certain', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ROLE: 'Primary' });
  // It leaves its drbdsetup behind, which keeps the pipes open.
  await fake.override(
    `[[ "$tool $1" = "drbdadm secondary" ]] && { sleep 30 & echo "Command 'drbdsetup-84 secondary 0' did not terminate within 5 seconds" >&2; exit 20; }\n`,
  );
  const started = monotonicMs();
  t.like(await driver.perform('stop', false, soon()), { kind: 'unknown' });
  t.true(monotonicMs() - started < 20_000, 'what it left behind still runs');
});

test.serial('stop: told to end while it is held open, it says so', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ROLE: 'Primary' });
  await fake.override(
    `[[ "$tool $1" = "drbdadm secondary" ]] && refuse -12 "Device is held open by someone"\n`,
  );
  const outcome = await driver.perform('stop', false, soon(1000));
  t.like(outcome, { kind: 'unknown' });
  t.regex(outcome.kind === 'unknown' ? outcome.message : '', /still held open when the time was over, by /);
});

test.serial('destroy: with nothing held back it demotes', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ROLE: 'Primary' });
  t.deepEqual(await driver.perform('destroy', false, soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), ['drbdadm secondary r0']);
});

const thrownAway = [
  'drbdadm detach --force r0',
  'drbdadm disconnect --force r0',
  'drbdadm resume-io r0',
  'drbdadm secondary r0',
  'drbdadm down r0',
  'drbdadm up r0',
];

for (const by of ['fencing', 'user', 'user,fencing', 'no-data']) {
  test.serial(`destroy: IO held back by ${by} has nowhere to go before it goes on`, async (t) => {
    const { fake, driver } = await drivenDrbd(t, { ...alone, ROLE: 'Primary', SUSP: by });
    t.deepEqual(await driver.perform('destroy', false, soon()), { kind: 'done' });
    t.deepEqual(await fake.calls(), thrownAway);
    await waitFor('it is back', () => driver.status().disk === 'consistent');
    t.like(driver.status(), { role: 'secondary', connection: 'connecting' });
  });
}

test.serial('destroy: what is held back stays so while the disk has not let go', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ...alone, ROLE: 'Primary', SUSP: 'fencing' });
  await fake.override('[[ "$tool $1" = "drbdadm detach" ]] && exit 0\n'); // Returns at once, and hangs.
  const outcome = await driver.perform('destroy', false, soon());
  t.like(outcome, { kind: 'failed', code: 'drbd-disk-hangs' });
  t.deepEqual(await fake.calls(), ['drbdadm detach --force r0']);
  t.is(driver.status().suspended, 'fencing');
});

test.serial('destroy: a disk that has failed, but still has IO under way, has not let go', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ...alone, ROLE: 'Primary', SUSP: 'fencing' });
  await fake.override('[[ "$tool $1" = "drbdadm detach" ]] && { become DISK Failed; exit 0; }\n');
  t.like(await driver.perform('destroy', false, soon()), { kind: 'failed', code: 'drbd-disk-hangs' });
  t.deepEqual(await fake.calls(), ['drbdadm detach --force r0']);
});

test.serial('destroy: ended in the middle, nothing was let through', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ...alone, ROLE: 'Primary', SUSP: 'fencing' });
  await fake.override('[[ "$tool $1" = "drbdadm detach" ]] && exit 0\n');
  t.like(await driver.perform('destroy', false, soon(1000)), { kind: 'unknown' });
  t.deepEqual(await fake.calls(), ['drbdadm detach --force r0']);
});

test.serial('destroy: what is held back stays so while the peer has not been left', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ROLE: 'Primary', SUSP: 'user' });
  await fake.override('[[ "$tool $1" = "drbdadm disconnect" ]] && exit 0\n');
  t.like(await driver.perform('destroy', false, soon()), { kind: 'failed', code: 'drbd-not-disconnected' });
  t.false((await fake.calls()).includes('drbdadm resume-io r0'));
});

test.serial(
  'destroy: held open after all that, it is demoted and attached again when it is tried once more',
  async (t) => {
    const { fake, driver } = await drivenDrbd(t, { ...alone, ROLE: 'Primary', SUSP: 'fencing' });
    await fake.override(
      `[[ "$tool $1" = "drbdadm secondary" ]] && refuse -12 "Device is held open by someone"\n`,
    );
    t.like(await driver.perform('destroy', false, soon(2500)), { kind: 'unknown' });
    await rm(join(fake.directory, 'override'));
    t.deepEqual(await driver.perform('destroy', false, soon()), { kind: 'done' });
    t.deepEqual((await fake.calls()).slice(-3), thrownAway.slice(-3));
    await waitFor('it is back', () => driver.status().disk === 'consistent');
  },
);

test.serial('destroy: a disk that could not be attached again is attached later', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ...alone, ROLE: 'Primary', SUSP: 'fencing' });
  await fake.override('[[ "$tool $1" = "drbdadm up" ]] && { echo "busy" >&2; exit 10; }\n');
  t.deepEqual(await driver.perform('destroy', false, soon()), { kind: 'done' });
  t.true(fake.complaints().some((line) => /the disk was not attached again/.test(line)));
  await rm(join(fake.directory, 'override'));
  t.true(await waitFor('it is back', () => driver.status().disk === 'consistent'));
});

test.serial('destroy: DRBD 9 has a command for it', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ...alone, ROLE: 'Primary', SUSP: 'fencing' });
  await writeFile(fake.procFile, 'version: 9.2.8 (api:2/proto:86-122)\n');
  t.deepEqual(await driver.perform('destroy', false, soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), ['drbdadm secondary --force r0']);
});

test.serial('a disk that has failed by itself is not attached again', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { DISK: 'Diskless' });
  t.deepEqual(await driver.perform('destroy', false, soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), []);
});

test.serial('freeze, resume, outdate: one command each; outdating twice is done', async (t) => {
  const { fake, driver } = await drivenDrbd(t, alone);
  t.deepEqual(await driver.perform('freeze', false, soon()), { kind: 'done' });
  t.is(driver.status().suspended, 'user');
  t.deepEqual(await driver.perform('resume', false, soon()), { kind: 'done' });
  t.deepEqual(await driver.perform('outdate', false, soon()), { kind: 'done' });
  t.is(driver.status().disk, 'outdated');
  t.deepEqual(await driver.perform('outdate', false, soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), ['drbdadm suspend-io r0', 'drbdadm resume-io r0', 'drbdadm outdate r0']);
});

test.serial('allow-two: only where what two primaries have lost each other holds back all IO', async (t) => {
  const { fake, driver } = await drivenDrbd(t, alone);
  const refused = await driver.perform('allow-two', false, soon());
  t.like(refused, { kind: 'failed', code: 'drbd-not-for-two' });
  t.regex(refused.kind === 'failed' ? refused.message : '', /not C and dont-care; battito check/);
  t.deepEqual(await fake.calls(), []);
  const show = 'resource r0 { net { protocol C; } disk { fencing resource-and-stonith; } }';
  await writeFile(join(fake.directory, 'show'), show);
  t.deepEqual(await driver.perform('allow-two', false, soon()), { kind: 'done' });
  const calls = ['drbdadm net-options --protocol=C --allow-two-primaries=yes r0'];
  t.deepEqual(await fake.calls(), calls);
  t.deepEqual(await driver.perform('forbid-two', false, soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), calls, 'where it is not allowed, no option is touched');
  await writeFile(join(fake.directory, 'show'), show.replace('protocol C', 'allow-two-primaries yes'));
  t.deepEqual(await driver.perform('forbid-two', false, soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), [...calls, 'drbdadm net-options --protocol=C --allow-two-primaries=no r0']);
});

test.serial('forbid-two: not done while a command of an earlier daemon may still allow it', async (t) => {
  const { fake, driver } = await drivenDrbd(t);
  const allowing = ['net-options', '--protocol=C', '--allow-two-primaries=yes', 'r0'];
  const orphan = await ofSomebodyElse(t, fake, 'drbdadm', allowing);
  t.deepEqual(await driver.perform('forbid-two', false, soon(500)), {
    kind: 'unknown',
    message: 'r0: an earlier command that allows two primaries did not end in time',
  });
  const show = 'resource r0 { net { protocol C; allow-two-primaries yes; } }';
  await writeFile(join(fake.directory, 'show'), show);
  const forbidden = driver.perform('forbid-two', false, soon());
  orphan.kill('SIGKILL');
  t.deepEqual(await forbidden, { kind: 'done' });
  t.deepEqual(await fake.calls(), ['drbdadm net-options --protocol=C --allow-two-primaries=no r0']);
});

test.serial(
  'forbid-two: where there is no connection, nothing is allowed any more; other refusals count',
  async (t) => {
    const { fake, driver } = await drivenDrbd(t, { CONN: 'StandAlone' });
    const show = new URL('fixtures/drbd/show-8.4.txt', import.meta.url);
    await writeFile(join(fake.directory, 'show'), await readFile(show));
    const isNetOptions = '[[ "$tool $1" = "drbdadm net-options" ]]';
    await fake.override(
      `${isNetOptions} && { echo "r0: Failure: (162) Invalid configuration request" >&2; exit 10; }\n`,
    );
    t.is(
      (await driver.perform('forbid-two', false, soon())).kind,
      'failed',
      'it could be another invalid request',
    );
    await fake.override(
      `${isNetOptions} && { echo "r0: Failure: (162) Invalid configuration request" >&2; echo "additional info from kernel:" >&2; echo "unknown connection" >&2; exit 10; }\n`,
    );
    t.deepEqual(await driver.perform('forbid-two', false, soon()), { kind: 'done' });
  },
);

test.serial('ensureUp: where both are primary a guest is on its way, and nothing is put back', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ROLE: 'Primary', PEERROLE: 'Primary' });
  const show = new URL('fixtures/drbd/show-8.4.txt', import.meta.url);
  await writeFile(join(fake.directory, 'show'), await readFile(show));
  t.deepEqual(await driver.ensureUp(soon()), { kind: 'done' });
  t.false((await fake.calls()).some((call) => call.includes('net-options')));
});

const outdateRefusals = {
  'drbd-connected-outdates': [-6, 'Refusing to be Outdated while Connected'],
  'drbd-lower-than-outdated': [-16, 'Disk state is lower than outdated'],
} as const;
for (const [code, [number, text]] of Object.entries(outdateRefusals)) {
  test.serial(`outdate: refused with (${number})`, async (t) => {
    const { fake, driver } = await drivenDrbd(t);
    await fake.override(`[[ "$tool $1" = "drbdadm outdate" ]] && refuse ${number} "${text}" 5\n`);
    t.like(await driver.perform('outdate', false, soon()), { kind: 'failed', code });
  });
}

test.serial('connect: only where it stands alone; DRBD finds its peer by itself otherwise', async (t) => {
  const { fake, driver } = await drivenDrbd(t, alone);
  t.deepEqual(await driver.perform('connect', false, soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), []);
  fake.become({ CONN: 'StandAlone' });
  t.deepEqual(await driver.perform('connect', false, soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), ['drbdadm connect r0']);
});

test.serial(
  'connect: refused because somebody has just connected it, it is done; otherwise not',
  async (t) => {
    const { fake, driver } = await drivenDrbd(t, standalone);
    const refusing = (before: string) =>
      `[[ "$tool $1" = "drbdadm connect" ]] && { ${before} echo "r0: Failure: (102) Local address(port) already in use." >&2; exit 10; }\n`;
    await fake.override(refusing(''));
    t.like(await driver.perform('connect', false, soon()), {
      kind: 'failed',
      code: 'drbd-already-connected',
    });
    await fake.override(refusing('become CONN Connecting;'));
    t.deepEqual(await driver.perform('connect', false, soon()), { kind: 'done' });
  },
);

test.serial('start: a peer that could not be looked for is looked for later', async (t) => {
  const { fake, driver } = await drivenDrbd(t, standalone);
  await fake.override('[[ "$tool $1" = "drbdadm connect" ]] && { echo "no" >&2; exit 10; }\n');
  t.deepEqual(await driver.perform('start', false, soon()), { kind: 'done' });
  t.true(fake.complaints().some((line) => /does not look for its peer again/.test(line)));
  await rm(join(fake.directory, 'override'));
  t.true(await waitFor('connecting', () => driver.status().connection === 'connecting'));
});

test.serial('discard: gives up what was written here; never on a primary', async (t) => {
  const { fake, driver } = await drivenDrbd(t, alone);
  t.deepEqual(await driver.perform('discard', false, soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), ['drbdadm disconnect r0', 'drbdadm connect --discard-my-data r0']);
  fake.become({ ROLE: 'Primary' });
  t.like(await driver.perform('discard', false, soon()), { kind: 'failed', code: 'drbd-discard-on-primary' });
  t.is((await fake.calls()).length, 2);
});

const complaints: Readonly<Record<string, readonly [stderr: string, said: RegExp]>> = {
  'drbd-not-configured': ["'r0' not defined in your config (for this host).", /drbdadm sh-resources/],
  'drbd-not-up': ['r0: Failure: (158) Unknown resource', /drbdadm up r0/],
  'drbd-no-permission': ['Operation not permitted', /needs root/],
};
for (const [code, [stderr, said]] of Object.entries(complaints)) {
  test.serial(`drbdadm's complaint "${stderr}" becomes ${code}`, async (t) => {
    const { fake, driver } = await drivenDrbd(t);
    await fake.override(`[[ $tool = drbdadm ]] && { echo "${stderr}" >&2; exit 10; }\n`);
    const outcome = await driver.perform('start', false, soon());
    t.like(outcome, { kind: 'failed', code });
    t.regex(outcome.kind === 'failed' ? outcome.message : '', said);
  });
}

test.serial('actions come one after the other', async (t) => {
  const { fake, driver } = await drivenDrbd(t);
  await fake.override('[[ $tool = drbdadm ]] && sleep 0.2\n');
  const outcomes = await Promise.all([
    driver.perform('start', false, soon()),
    driver.perform('stop', false, soon()),
    driver.perform('start', false, soon()),
  ]);
  t.true(outcomes.every(({ kind }) => kind === 'done'));
  t.deepEqual(await fake.calls(), ['drbdadm primary r0', 'drbdadm secondary r0', 'drbdadm primary r0']);
});

test.serial('an action that was called off before its turn touches nothing', async (t) => {
  const { fake, driver } = await drivenDrbd(t);
  t.like(await driver.perform('start', false, AbortSignal.abort()), { kind: 'unknown' });
  t.deepEqual(await fake.calls(), []);
});

test.serial('every change is told once, with why nothing is seen', async (t) => {
  const { fake, driver } = await drivenDrbd(t);
  const told: string[] = [];
  const end = driver.onStorage(({ role }, trouble) => told.push(trouble?.code ?? role));
  await waitFor('the first', () => told.length === 1);
  fake.become({ ROLE: 'Primary' });
  await waitFor('the second', () => told.length === 2);
  fake.become({ UP: 'no' });
  await waitFor('the third', () => told.length === 3);
  t.deepEqual(told, ['secondary', 'primary', 'drbd-resource-not-up']);
  t.true(fake.complaints().some((line) => /r0 is not up on this node \| drbdadm up r0/.test(line)));
  end();
  fake.become({ UP: 'yes' });
  await waitFor('seen again', () => driver.status().role === 'primary');
  t.is(told.length, 3);
});

test.serial('a look is made anew, and says unknown where nothing can be seen', async (t) => {
  const { fake, driver } = await drivenDrbd(t);
  t.like(await driver.observe(soon()), { role: 'secondary' });
  await fake.override('[[ "$tool $2" = "drbdsetup --now" ]] && exit 20\n');
  t.like(await driver.observe(soon()), { role: 'secondary' }, 'the stream still says it');
  await t.throwsAsync(driver.observe(AbortSignal.abort()));
});

test.serial('ensureUp: what is up is left as it is, and never adjusted', async (t) => {
  const { fake, driver } = await drivenDrbd(t);
  t.deepEqual(await driver.ensureUp(soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), []);
});

test.serial('ensureUp: loads the module, brings it up, and puts allow-two-primaries back', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { UP: 'no' });
  await rm(fake.procFile);
  await fake.override('[[ $tool = modprobe ]] && echo "version: 8.4.11 (api:1)" >"$here/proc-drbd"\n');
  await writeFile(
    join(fake.directory, 'show'),
    await readFile(new URL('fixtures/drbd/show-8.4.txt', import.meta.url)),
  );
  t.deepEqual(await driver.ensureUp(soon()), { kind: 'done' });
  t.deepEqual(await fake.calls(), [
    'modprobe drbd',
    'drbdadm up r0',
    'drbdadm net-options --protocol=C --allow-two-primaries=no r0',
  ]);
  await waitFor('seen', () => driver.status().role === 'secondary');
});

test.serial('ensureUp: while it comes up, a connection that is not made yet is none given up', async (t) => {
  const { fake, driver } = await drivenDrbd(t, { ...standalone, UP: 'no' });
  const told: string[] = [];
  driver.onStorage(({ connection }) => told.push(connection));
  await fake.override(
    '[[ "$tool $1" = "drbdadm up" ]] && { become UP yes; sleep 0.3; become CONN Connecting; exit 0; }\n',
  );
  t.deepEqual(await driver.ensureUp(soon()), { kind: 'done' });
  await waitFor('connecting', () => driver.status().connection === 'connecting');
  t.false(told.includes('standalone'));
});

test.serial(
  'ensureUp: until it has found its peer nothing is told of it, unless it is primary',
  async (t) => {
    const { fake, driver } = await drivenDrbd(t, alone);
    await waitFor('seen', () => driver.status().role === 'secondary');
    const told: string[] = [];
    driver.onStorage(({ role, connection }) => told.push(`${role}/${connection}`));
    const rising = driver.ensureUp(soon());
    await waitFor('unknown', () => driver.status().role === 'unknown');
    t.is((await driver.observe(soon())).role, 'unknown');
    t.is(driver.trouble(), null);
    fake.become({ ROLE: 'Primary' });
    await waitFor('primary', () => driver.status().role === 'primary');
    t.deepEqual(await rising, { kind: 'done' });

    fake.become({ ROLE: 'Secondary' });
    await waitFor('secondary', () => driver.status().role === 'secondary');
    told.length = 0;
    const again = driver.ensureUp(soon());
    await waitFor('unknown again', () => driver.status().role === 'unknown');
    fake.become({ CONN: 'Connected', REPL: 'Established' });
    t.deepEqual(await again, { kind: 'done' });
    t.is(told.at(-1), 'secondary/connected', 'told at its end, although nothing has changed since');
  },
);

test.serial(
  'ensureUp: a module that cannot be loaded, and a resource that is not configured, touch nothing',
  async (t) => {
    const { fake, driver } = await drivenDrbd(t, { UP: 'no' });
    await fake.override(
      `[[ "$tool $1" = "drbdadm up" ]] && { echo "'r0' not defined in your config (for this host)." >&2; exit 1; }\n`,
    );
    t.like(await driver.ensureUp(soon()), { kind: 'failed', code: 'drbd-not-configured' });
    await rm(fake.procFile);
    await fake.override(
      '[[ $tool = modprobe ]] && { echo "modprobe: FATAL: Module drbd not found" >&2; exit 1; }\n',
    );
    const outcome = await driver.ensureUp(soon());
    t.like(outcome, { kind: 'failed', code: 'drbd-module-not-loadable' });
    t.regex(outcome.kind === 'failed' ? outcome.message : '', /Module drbd not found; install a kernel/);
  },
);

const lines: Readonly<Record<DrbdAction, readonly string[]>> = {
  start: ['drbdadm disconnect r0', 'drbdadm primary r0', 'drbdadm connect r0'],
  stop: ['drbdadm secondary r0'],
  destroy: ['drbdadm secondary r0'],
  freeze: ['drbdadm suspend-io r0'],
  resume: ['drbdadm resume-io r0'],
  outdate: ['drbdadm outdate r0'],
  connect: ['drbdadm connect r0'],
  discard: ['drbdadm disconnect r0', 'drbdadm connect --discard-my-data r0'],
  'allow-two': ['drbdadm net-options --protocol=C --allow-two-primaries=yes r0'],
  'forbid-two': ['drbdadm net-options --protocol=C --allow-two-primaries=no r0'],
};

test.serial('the commands are those that would be run now', async (t) => {
  const { fake, driver } = await drivenDrbd(t, alone);
  for (const [action, expected] of Object.entries(lines)) {
    t.deepEqual(driver.commands(action as DrbdAction, false), expected, action);
  }
  t.deepEqual(driver.commands('start', true)[1], 'drbdadm primary --force r0');
  fake.become({ CONN: 'Connected', REPL: 'Established' });
  await waitFor('connected', () => driver.status().connection === 'connected');
  t.deepEqual(driver.commands('start', false), ['drbdadm primary r0']);
  fake.become({ SUSP: 'fencing' });
  await waitFor('held back', () => driver.status().suspended === 'fencing');
  t.deepEqual(driver.commands('destroy', false), thrownAway);
});

test.serial('a name that drbdadm would take for something else is not driven', async (t) => {
  const { fake, monitor } = await drivenDrbd(t);
  for (const name of ['all', '--force', '-d', '', 'r0 r1', 'r0;']) {
    t.throws(() => createDrbdDriver(name, { monitor, logger: fake.logger }), { instanceOf: TypeError }, name);
  }
});

test.serial('without drbd-utils every action says so', async (t) => {
  const { driver, monitor } = await drivenDrbd(t, { ROLE: 'Primary' });
  const { PATH } = process.env;
  process.env['PATH'] = '/nonexistent';
  const { trouble } = await monitor.look('r0', soon());
  const resumed = await driver.perform('resume', false, soon()).finally(() => {
    process.env['PATH'] = PATH;
  });
  t.is(trouble?.code, 'drbd-utils-missing');
  t.deepEqual(resumed, {
    kind: 'failed',
    code: 'drbd-tools-missing',
    message: 'r0: drbdadm is not installed; apt-get install drbd-utils',
  });
});
