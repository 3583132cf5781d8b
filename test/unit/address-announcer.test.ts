// When an address is announced, and by what: a raw socket that refuses, commands that stand in for it, and an address that is
// no longer on the interface. Commands are shell scripts here, the network and the socket are what the test says.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { AddressConfig } from '../../daemon/config/config.ts';
import { createAddressDriver } from '../../daemon/drivers/address/address.ts';
import { createAddressAnnouncer } from '../../daemon/drivers/address/announcer.ts';
import type { InterfaceState, NetworkSnapshot } from '../../daemon/drivers/network.ts';
import { temporaryDirectory, waitFor } from '../support.ts';

const floating4: AddressConfig = { address: '10.9.0.50', prefix: 24, family: 4, interface: 'eth0' };
const floating6: AddressConfig = { address: 'fd00:9::50', prefix: 64, family: 6, interface: 'eth0' };

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly reason?: string;
  readonly code?: string;
}

function keepLog() {
  const lines: Line[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  return { logger, warnings: () => lines.filter(({ level }) => level >= 40), lines };
}

/** Programs that are found first; null: no program is found at all. */
function withPrograms(t: ExecutionContext, programs: Readonly<Record<string, string>> | null): string {
  const folder = temporaryDirectory(t);
  for (const [name, script] of Object.entries(programs ?? {})) {
    writeFileSync(join(folder, name), `#!/bin/sh\necho "$0 $*" >> ${folder}/told\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  writeFileSync(join(folder, 'told'), '');
  const { PATH: before = '' } = process.env;
  process.env['PATH'] = programs === null ? folder : `${folder}${delimiter}${before}`;
  t.teardown(() => {
    process.env['PATH'] = before;
  });
  return folder;
}

function announce(t: ExecutionContext, address: AddressConfig, refusal: string | null, refreshMs = 50) {
  const log = keepLog();
  const place = { isHere: true, refusal, told: 0, conflicts: 0 };
  const announcer = createAddressAnnouncer({
    ...{ address, refreshMs, logger: log.logger },
    neighbours: {
      tell() {
        place.told += 1;
        return place.refusal;
      },
    },
    isHere: () => place.isHere,
    ownMacs: () => new Set(),
    onConflict: () => {
      place.conflicts += 1;
    },
  });
  t.teardown(() => announcer.close());
  return { announcer, place, ...log };
}

const answers = 'echo "Unicast reply from 10.9.0.50 [02:00:00:00:00:99] 0.1ms"; exit 1';

test.serial('a daemon that stood still claims nothing before it has had time to judge', async (t) => {
  withPrograms(t, { arping: 'exit 0' });
  const { announcer, place } = announce(t, floating6, null, 600_000);
  announcer.start();
  t.is(place.told, 1);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1700);
  await sleep(0);
  await setImmediate();
  t.is(place.told, 1, 'two more of the burst are due by now');
  await waitFor('it goes on', () => place.told > 1);
});

test.serial('an address that is not here is not announced, until it is', async (t) => {
  withPrograms(t, { arping: 'exit 0' });
  const { announcer, place } = announce(t, floating6, null);
  place.isHere = false;
  announcer.start();
  await sleep(400);
  t.is(place.told, 0);
  place.isHere = true;
  await waitFor('it is told', () => place.told > 0);
});

test.serial(
  'who answers for an address that has gone meanwhile is no conflict, and is not answered',
  async (t) => {
    const folder = withPrograms(t, { arping: `sleep 0.5; ${answers}` });
    const { announcer, place, lines } = announce(t, floating4, null, 60_000);
    announcer.start();
    await waitFor('it asks', () => readFileSync(join(folder, 'told'), 'utf8') !== '');
    place.isHere = false;
    await sleep(300);
    const before = place.told;
    await sleep(1500);
    t.is(place.told, before);
    t.is(place.conflicts, 0);
    t.deepEqual(lines, []);
    place.isHere = true;
    announcer.start();
    await waitFor('a conflict where it is here', () => place.conflicts === 1);
  },
);

for (const [address, programs] of [
  [floating4, ['arping -q -U -c 2 -I eth0 10.9.0.50', 'arping -q -A -c 2 -I eth0 10.9.0.50']],
  [floating6, ['ndptool -t na -U -i eth0 -T fd00:9::50 send']],
] as const) {
  test.serial(
    `IPv${address.family}: what the socket refuses is sent by commands, and is no warning`,
    async (t) => {
      const folder = withPrograms(t, { arping: 'exit 0', ndptool: 'exit 0' });
      const { announcer, place, lines, warnings } = announce(t, address, 'eth0 is no Ethernet');
      announcer.start();
      const told = () => readFileSync(join(folder, 'told'), 'utf8');
      for (const line of programs) await waitFor(line, () => told().includes(line));
      await waitFor('it is said', () => lines.some(({ msg }) => /by commands/.test(msg)));
      await sleep(300);
      t.is(lines.filter(({ msg }) => /by commands/.test(msg)).length, 1);
      place.refusal = null;
      await waitFor('the socket again', () => lines.some(({ msg }) => /raw socket again/.test(msg)));
      t.deepEqual(warnings(), []);
    },
  );
}

test.serial('only where both refuse it is a warning, once, with both reasons', async (t) => {
  withPrograms(t, { ndptool: 'echo broken >&2; exit 3' });
  const { announcer, warnings } = announce(t, floating6, 'no raw socket');
  announcer.start();
  await waitFor('the warning', () => warnings().length > 0);
  await sleep(500);
  t.is(warnings().length, 1);
  t.regex(warnings()[0]?.msg ?? '', /^neighbours are not told/);
  t.regex(warnings()[0]?.reason ?? '', /^no raw socket; ndptool .*exit 3: broken/);
});

test.serial('commands that hang are one at a time, end with stop, and say nothing', async (t) => {
  const folder = withPrograms(t, { ndptool: 'exec sleep 60' });
  const { announcer, warnings } = announce(t, floating6, 'no raw socket');
  const count = () => readFileSync(join(folder, 'told'), 'utf8').split('\n').filter(Boolean).length;
  announcer.start();
  await waitFor('it runs', () => count() === 1);
  await sleep(500);
  t.is(count(), 1);
  announcer.start();
  await waitFor('those of a new beginning do not wait for it', () => count() === 2);
  await announcer.close();
  await sleep(200);
  t.is(count(), 2);
  t.deepEqual(warnings(), []);
});

test.serial('a missing arping is said once by the check for another host', async (t) => {
  withPrograms(t, null);
  const { announcer, place, warnings } = announce(t, floating4, null);
  announcer.start();
  await waitFor('the warning', () => warnings().length > 0);
  const before = place.told;
  await waitFor('more rounds', () => place.told > before + 20);
  t.is(warnings().length, 1);
  t.like(warnings()[0], { code: 'command-missing', reason: 'arping is not installed' });
});

const eth0 = (isUp: boolean): InterfaceState => ({
  ...{ name: 'eth0', index: 2, adminUp: true, carrier: true },
  addresses: isUp
    ? [{ address: 'fd00:9::50', prefix: 64, family: 6, tentative: false, dadFailed: false }]
    : [],
});

/** A driver whose monitor shows what `publish` was given last, and reads again when `reread` says so. */
function drive(t: ExecutionContext) {
  const { logger } = keepLog();
  const events: string[] = [];
  let picture: NetworkSnapshot = [eth0(false)];
  let listener: (snapshot: NetworkSnapshot) => void = () => {};
  let rereadings: (() => void)[] = [];
  const kernel: { shown: InterfaceState | null } = { shown: eth0(true) };
  const driver = createAddressDriver(floating6, {
    logger,
    announceRefreshMs: 50,
    network: {
      current: () => picture,
      refresh: () => new Promise((resolve) => rereadings.push(resolve)),
      subscribe(next) {
        listener = next;
        return () => {};
      },
      close: async () => {},
    },
    batch: { prepare: () => {}, perform: async () => kernel.shown, close: async () => {} },
    neighbours: {
      tell() {
        events.push('told');
        return null;
      },
    },
    onStatus: ({ kind }) => void events.push(kind),
  });
  t.teardown(() => driver.close());
  return {
    ...{ driver, events, kernel },
    publish(next: NetworkSnapshot) {
      picture = next;
      listener(next);
    },
    /** Also what it does not read yet, once it does. */
    async reread() {
      await waitFor('it reads', () => rereadings.length > 0);
      const open = rereadings;
      rereadings = [];
      for (const resolve of open) resolve();
    },
    readings: () => rereadings.length,
    perform: (action: 'start' | 'stop') => driver.perform(action, AbortSignal.timeout(30_000)),
  };
}

const toldSince = (events: readonly string[], from: number) =>
  events.slice(from).filter((event) => event === 'told').length;

test.serial(
  'a picture that is older than the address silences nothing, a newer one without it does',
  async (t) => {
    const { driver, events, perform, publish, readings, reread } = drive(t);
    t.deepEqual(events, ['down']);
    t.deepEqual(await perform('start'), { kind: 'done' });
    t.is(readings(), 0, 'whoever waits for the outcome has it before the interfaces are read');
    t.deepEqual(events, ['down', 'told'], 'before the outcome is known, and whatever the monitor has read');
    await waitFor('it goes on', () => toldSince(events, 0) > 3);
    publish([eth0(false)]); // Of a reading that began before it was added.
    const from = events.length;
    await waitFor('it goes on', () => toldSince(events, from) > 3);
    const mark = events.length;
    await reread();
    await sleep(400);
    t.is(toldSince(events, mark), 0);
    await driver.close();
  },
);

test.serial('what is gone is announced no more, what is unknown as before, what is back again', async (t) => {
  const { events, perform, publish, reread } = drive(t);
  await perform('start');
  publish([eth0(true)]);
  await reread();
  await waitFor('up', () => events.includes('up'));
  publish(undefined);
  let from = events.length;
  await waitFor('unknown, and announced', () => toldSince(events, from) > 3);
  publish([]);
  t.is(events.at(-1), 'down', 'the interface is gone, and the address with it');
  from = events.length;
  await sleep(400);
  t.deepEqual(events.slice(from), []);
  publish([eth0(true)]);
  t.deepEqual(events.slice(from), ['up', 'told']);
  await waitFor('it goes on', () => toldSince(events, from) > 3);
});

test.serial('what was put back here is not announced where it is to be stopped at once', async (t) => {
  const { events, perform, publish, reread, kernel } = drive(t);
  await perform('start');
  publish([eth0(true)]);
  await reread();
  await waitFor('up', () => events.includes('up'));
  publish([eth0(false)]);
  kernel.shown = eth0(false);
  const from = events.length;
  const { push } = events;
  events.push = (...added) => {
    if (added[0] === 'up') void perform('stop');
    return push.apply(events, added);
  };
  publish([eth0(true)]);
  await sleep(400);
  t.deepEqual(events.slice(from), ['up']);
});

test.serial(
  'a start that fails ends the announcements, and they go on where the address is shown all the same',
  async (t) => {
    withPrograms(t, { ip: 'echo broken >&2; exit 3' });
    const { events, perform, publish, reread, kernel } = drive(t);
    await perform('start');
    publish([eth0(true)]);
    await reread();
    await waitFor('up', () => events.includes('up'));
    kernel.shown = null;
    t.like(await perform('start'), { kind: 'failed' });
    const from = events.length;
    await sleep(400);
    t.is(toldSince(events, from), 0);
    await reread();
    await waitFor('it goes on', () => toldSince(events, from) > 3);
  },
);
