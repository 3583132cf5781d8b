// What the daemon says of a resource that it finds in no fit state when it starts: one clear message each, with what to
// do, and nothing done to DRBD but the attempt to bring the resource up.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createDrbdDriver, type DrbdDriver } from '../../daemon/drivers/drbd/drbd.ts';
import { checkMirrored } from '../../daemon/drivers/drbd/kernel.ts';
import { createDrbdMonitor } from '../../daemon/drivers/drbd/monitor.ts';
import { waitFor } from '../support.ts';
import { drivenDrbd, type FakeDrbd, type FakeState, fakeDrbd, soon } from './support/drbd-tools.ts';

interface Row {
  readonly state?: Partial<FakeState>;
  readonly script?: string;
  readonly prepare?: (fake: FakeDrbd) => Promise<void>;
  readonly code: string;
  readonly message: string;
}

const refusing = (text: string) => `[[ "$tool $1" = "drbdadm up" ]] && { echo "${text}" >&2; exit 1; }\n`;

const rows: Readonly<Record<string, Row>> = {
  'a resource that does not exist': {
    state: { UP: 'no' },
    script: refusing("'r0' not defined in your config (for this host)."),
    code: 'drbd-not-configured',
    message:
      'r0: DRBD has no resource of this name for this host; drbdadm sh-resources shows the names; correct /etc/drbd.d/*.res or the configuration of Battito',
  },
  'a disk that is none of DRBD yet': {
    state: { UP: 'no' },
    script: refusing('open(/dev/vg0/guests): No valid meta data found'),
    code: 'drbd-no-metadata',
    message: "r0: its disk has no metadata of DRBD's; only if the disk is new or empty: drbdadm create-md r0",
  },
  'a module that cannot be loaded': {
    prepare: ({ procFile }) => rm(procFile),
    script: '[[ $tool = modprobe ]] && { echo "modprobe: FATAL: Module drbd not found" >&2; exit 1; }\n',
    code: 'drbd-module-not-loadable',
    message:
      'the kernel module of DRBD cannot be loaded: modprobe drbd: exit 1: modprobe: FATAL: Module drbd not found; install a kernel that has it (Debian: linux-image-amd64 has 8.4), reboot into it, then: modprobe drbd',
  },
};

for (const [title, { state = {}, script, prepare, code, message }] of Object.entries(rows)) {
  test.serial(`${title}: one message, and nothing is touched`, async (t) => {
    const { fake, driver } = await drivenDrbd(t, state);
    if (script !== undefined) await fake.override(script);
    await prepare?.(fake);
    t.deepEqual(await driver.ensureUp(soon()), { kind: 'failed', code, message });
    const changing = (await fake.calls()).filter((call) => !/^(modprobe drbd|drbdadm up r0)$/.test(call));
    t.deepEqual(changing, []);
  });
}

test.serial('a wrong address of the peer: it is up, looks for its peer, and says so', async (t) => {
  const { driver } = await drivenDrbd(t, { CONN: 'Connecting', REPL: 'Off', PEERDISK: 'DUnknown' });
  t.deepEqual(await driver.ensureUp(soon()), { kind: 'done' });
  t.like(driver.status(), { connection: 'connecting', disk: 'up-to-date' });
});

/** A driver of tools that answer nothing from the beginning. */
function blindDrbd(t: ExecutionContext, { logger, procFile }: FakeDrbd): DrbdDriver {
  const monitor = createDrbdMonitor({ logger, procFile });
  const driver = createDrbdDriver('r0', { monitor, logger, procFile });
  t.teardown(async () => {
    await driver.close();
    await monitor.close();
  });
  return driver;
}

test.serial('drbd-utils that are missing: one message, and nothing is touched', async (t) => {
  const fake = await fakeDrbd(t);
  for (const tool of ['drbdadm', 'drbdsetup']) await rm(join(fake.directory, tool));
  const driver = blindDrbd(t, fake);
  t.deepEqual(await driver.ensureUp(soon()), {
    kind: 'failed',
    code: 'drbd-utils-missing',
    message: 'drbdadm and drbdsetup are not installed; apt-get install drbd-utils',
  });
  t.is(driver.trouble()?.code, 'drbd-utils-missing');
  t.deepEqual(await fake.calls(), []);
});

test.serial('a module that cannot be loaded: the status has why, and what mends it', async (t) => {
  const fake = await fakeDrbd(t);
  await fake.override(
    '[[ $tool = modprobe ]] && { echo "modprobe: FATAL: Module drbd not found" >&2; exit 1; }\n' +
      '[[ $tool = drbdsetup ]] && { echo "Failed to modprobe drbd (No such file or directory)" >&2; exit 20; }\n',
  );
  await rm(fake.procFile);
  const driver = blindDrbd(t, fake);
  await waitFor('it is seen', () => driver.trouble()?.code === 'drbd-module-not-loaded');
  await driver.ensureUp(soon());
  t.like(driver.trouble(), {
    code: 'drbd-module-not-loadable',
    what: 'the kernel module of DRBD cannot be loaded: modprobe drbd: exit 1: modprobe: FATAL: Module drbd not found',
    next: 'install a kernel that has it (Debian: linux-image-amd64 has 8.4), reboot into it, then: modprobe drbd',
  });
});

test('a device that is none of DRBD, of a group that has one, is told; one that is not there yet is not', async (t) => {
  t.like(await checkMirrored('/dev/null', ['r0', 'r1']), {
    what: '/dev/null is not a device of DRBD, though its group has r0, r1: what is mounted from there goes past the mirror',
    next: 'name a device of r0 or r1 under filesystems; drbdadm sh-dev r0   # shows it',
  });
  t.is(await checkMirrored('/dev/null', []), null);
  t.is(await checkMirrored('/nowhere/drbd0', ['r0']), null);
});
