// The watchdog's driver on a scripted device: when it is written to, what it refuses, and what it says.

import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { checkWatchdog } from '../../daemon/cli/check/watchdog.ts';
import { parseConfig } from '../../daemon/config/load.ts';
import type { Note } from '../../daemon/core/events.ts';
import { loadOpener } from '../../daemon/drivers/watchdog/device.ts';
import { readWatchdog, watchdogBits, watchdogUsers } from '../../daemon/drivers/watchdog/view.ts';
import { createWatchdog } from '../../daemon/drivers/watchdog/watchdog.ts';
import { buildPolicy } from '../../daemon/runtime/policy.ts';
import { createHostWatchdog } from '../../daemon/runtime/safeguards/host-watchdog.ts';
import { type ScriptedWatchdog, scriptedWatchdog } from './fixtures/watchdog.ts';

function driver(scripted: ScriptedWatchdog, timeoutMs = 4000) {
  const clock = { now: 0 };
  const troubles: string[] = [];
  const watchdog = createWatchdog({
    config: { device: scripted.path, timeoutMs },
    nowMs: () => clock.now,
    onTrouble: (message) => troubles.push(message),
    open: scripted.open,
    root: scripted.root,
  });
  return { watchdog, clock, troubles };
}

function configOf(watchdog: string) {
  const parsed = parseConfig(
    `cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat: { deadtime: 3s, links: [{ interface: eth1 }] }
${watchdog}
groups: { office: { preferred: primary, addresses: [192.168.1.1/24 dev br0] } }
`,
    'battito.yaml',
  );
  return parsed.ok ? parsed.config : parsed.problems.map(({ message }) => message);
}

function sound(t: ExecutionContext, watchdog: string) {
  const config = configOf(watchdog);
  if (Array.isArray(config)) throw new Error(t.title + config.join());
  return config as Exclude<typeof config, string[]>;
}

test('it is opened, given its time, fed, and told to stop before it is closed', async (t) => {
  const scripted = scriptedWatchdog(t);
  const { watchdog, clock, troubles } = driver(scripted);
  watchdog.pet();
  watchdog.disarm();
  t.deepEqual(scripted.done, [], 'nothing is touched before it is armed');
  t.deepEqual(await watchdog.arm(), { kind: 'done' });
  clock.now = 1000;
  watchdog.pet();
  watchdog.disarm();
  watchdog.pet();
  t.deepEqual(scripted.done, ['open', 'time 4', 'feed', 'V', 'close']);
  t.deepEqual(await watchdog.arm(), { kind: 'done' });
  t.deepEqual(scripted.done.slice(5), ['open', 'time 4']);
  await watchdog.close();
  t.is(scripted.done.length, 7, 'whoever ends without disarming it leaves it running');
  t.deepEqual(troubles, []);
});

test('whether it runs is read, and nothing is opened for that', (t) => {
  const scripted = scriptedWatchdog(t);
  const { watchdog } = driver(scripted);
  t.false(watchdog.isRunning());
  scripted.tell('state', 'active');
  t.true(watchdog.isRunning());
  t.deepEqual(scripted.done, []);
});

test('a device is written to four times in its time, and once a second, at most; never without being asked', async (t) => {
  for (const [timeoutMs, expected] of [
    [2000, 10],
    [60_000, 5],
  ] as const) {
    const scripted = scriptedWatchdog(t);
    const { watchdog, clock } = driver(scripted, timeoutMs);
    await watchdog.arm();
    for (clock.now = 100; clock.now <= 5000; clock.now += 100) watchdog.pet();
    t.is(scripted.done.filter((what) => what === 'feed').length, expected);
  }
});

test('a device that makes another time of it is stopped again, and the time that it takes is named', async (t) => {
  const scripted = scriptedWatchdog(t);
  scripted.like.takes = () => 16;
  const { watchdog } = driver(scripted);
  const outcome = await watchdog.arm();
  t.like(outcome, { kind: 'failed', code: 'watchdog-not-armed' });
  t.regex('message' in outcome ? outcome.message : '', /has made 16 s of 4 s: .*timeout: 16s/);
  t.deepEqual(scripted.done, ['open', 'time 16', 'V', 'close']);
  scripted.like.takes = () => null;
  const refused = await watchdog.arm();
  t.regex('message' in refused ? refused.message : '', /does not take 4 s/);
  scripted.like.takes = (timeoutS) => timeoutS;
  t.deepEqual(await watchdog.arm(), { kind: 'done' }, 'it is tried again with what is there then');
});

for (const [what, options, message] of [
  ['would stop with a killed process', watchdogBits.setTimeout, /no magic close/],
  ['has a time of its own', watchdogBits.magicClose, /time .* cannot be set/],
] as const) {
  test(`a device that ${what} is stopped again and refused`, async (t) => {
    const scripted = scriptedWatchdog(t);
    scripted.like.options = options;
    const outcome = await driver(scripted).watchdog.arm();
    t.regex('message' in outcome ? outcome.message : '', message);
    t.deepEqual(scripted.done, ['open', 'V', 'close']);
  });
}

test('nothing is written to what does not answer as a watchdog', async (t) => {
  const scripted = scriptedWatchdog(t);
  scripted.like.options = null;
  const outcome = await driver(scripted).watchdog.arm();
  t.regex('message' in outcome ? outcome.message : '', /is no watchdog/);
  t.deepEqual(scripted.done, ['open', 'close']);
});

test('a device that could never be stopped again is not opened', async (t) => {
  const scripted = scriptedWatchdog(t);
  scripted.tell('nowayout', '1');
  const outcome = await driver(scripted).watchdog.arm();
  t.regex('message' in outcome ? outcome.message : '', /nowayout=0/);
  t.deepEqual(scripted.done, []);
});

for (const [code, name, pid, message] of [
  ['EBUSY', 'systemd', 1, /in use: systemd has it open: set RuntimeWatchdogSec=off/],
  ['EBUSY', 'watchdog', 712, /in use: watchdog \(pid 712\) has it open: .*systemctl disable --now watchdog/],
  ['ENOENT', 'systemd', 1, /there is no \S+: no driver is loaded/],
  ['ENODEV', 'systemd', 1, /its driver is not loaded/],
  ['EACCES', 'systemd', 1, /cannot be opened: EACCES/],
] as const) {
  test(`a device that is not to be had says why: ${code}, ${name}`, async (t) => {
    const scripted = scriptedWatchdog(t);
    scripted.usedBy(pid, name);
    scripted.usedBy(4711, 'cat', '/dev/null');
    scripted.like.openError = Object.assign(new Error(`${code}: no`), { code });
    const outcome = await driver(scripted).watchdog.arm();
    t.regex('message' in outcome ? outcome.message : '', message);
  });
}

test('a feed that fails is told of once, and tried again', async (t) => {
  const scripted = scriptedWatchdog(t);
  const { watchdog, clock, troubles } = driver(scripted);
  await watchdog.arm();
  scripted.like.writeError = new Error('EIO: i/o error, write');
  for (clock.now = 1000; clock.now <= 3000; clock.now += 500) watchdog.pet();
  t.deepEqual(troubles, [`${scripted.path} cannot be fed: EIO: i/o error, write`]);
  scripted.like.writeError = null;
  watchdog.pet();
  t.deepEqual(scripted.done, ['open', 'time 4', 'feed']);
});

test('a device that goes on although it was told to stop is told of', async (t) => {
  const scripted = scriptedWatchdog(t);
  const { watchdog, troubles } = driver(scripted);
  scripted.like.stops = false;
  await watchdog.arm();
  watchdog.disarm();
  t.deepEqual(troubles, [`${scripted.path} could not be stopped: the kernel says that it still runs`]);
  scripted.like.writeError = new Error('EIO');
  await watchdog.arm();
  watchdog.disarm();
  t.is(troubles[1], `${scripted.path} could not be stopped: EIO`);
});

test('a device is found by the name of its owner in the kernel, through the links of udev', (t) => {
  const scripted = scriptedWatchdog(t, 'watchdog0');
  const link = join(scripted.root, 'by-driver');
  symlinkSync(scripted.path, link);
  scripted.tell('bootstatus', '32');
  scripted.tell('max_timeout', '613');
  scripted.tell('min_timeout', '0');
  t.like(readWatchdog(link, scripted.root), {
    ...{ name: 'watchdog0', identity: 'iTCO_wdt', isActive: false, isForEver: false, hasReset: true },
    ...{ outlivesProcess: null, timeoutMinS: null, timeoutMaxS: 613 },
  });
  t.is(readWatchdog(join(scripted.root, 'none'), scripted.root), null);
  scripted.usedBy(9, 'wd_keepalive', scripted.path);
  t.deepEqual(watchdogUsers(link, scripted.root), [{ pid: 9, name: 'wd_keepalive' }]);
});

test('the real opener refuses what is no device before it is opened, and what is another one when it is asked', async (t) => {
  const scripted = scriptedWatchdog(t);
  const open = await loadOpener();
  writeFileSync(scripted.path, 'precious');
  t.throws(() => open(scripted.path), { message: /no character device/ });
  const other = open('/dev/null');
  t.deepEqual([other.options(), other.setTimeout(5), other.timeout()], [null, null, null]);
  other.close();
});

test('the peer waits for two times of the device, since a killed process feeds it once more', (t) => {
  t.is(buildPolicy(sound(t, ''), 'primary', '1').watchdog, null);
  t.deepEqual(buildPolicy(sound(t, 'watchdog: {}'), 'primary', '1').watchdog, { timeoutMs: 10_000 });
});

test('the configuration of a watchdog has a default, counts in the digest, and is checked against deadtime', (t) => {
  const config = sound(t, 'watchdog: { timeout: 1m }');
  t.deepEqual(config.watchdog, { device: '/dev/watchdog', timeoutMs: 60_000 });
  t.not(config.digest, sound(t, '').digest);
  t.not(config.digest, sound(t, 'watchdog: {}').digest);
  const seconds = 'expected whole seconds from 2s to 10m, such as 5s, found';
  t.deepEqual(configOf('watchdog: { timeout: 3500ms }'), [`${seconds} "3500ms"`]);
  t.deepEqual(configOf('watchdog: { timeout: 11m }'), [`${seconds} "11m"`]);
  t.deepEqual(configOf('watchdog: { timeout: 2s }'), ['expected at least deadtime, which is 3s, found 2s']);
  t.deepEqual(configOf('watchdog: { device: watchdog1 }'), ['expected an absolute path, found "watchdog1"']);
});

test('the first daemon of a boot tells that the watchdog has reset the host', async (t) => {
  const scripted = scriptedWatchdog(t);
  const told: Note[] = [];
  const start = () =>
    createHostWatchdog({
      config: sound(t, `watchdog: { device: ${scripted.path} }`),
      runDir: join(scripted.root, 'run'),
      tell: (note) => told.push(note),
      root: scripted.root,
    });
  t.not(await start(), null);
  t.deepEqual(told, []);
  scripted.tell('bootstatus', '32');
  await start();
  await start();
  t.deepEqual(
    told.map(({ code, severity }) => [code, severity]),
    [['watchdog-has-reset', 'warning']],
  );
});

/** So that the watchdog is armed at all. */
const withWitness = '\nwitness: { endpoints: [http://192.0.2.9:2379] }';

const texts = (findings: ReturnType<typeof checkWatchdog>, level: string) =>
  findings.filter((finding) => finding.level === level).map(({ message }) => message);

test('check: a device that fits, softdog, and what a watchdog needs beside it', (t) => {
  const scripted = scriptedWatchdog(t);
  const config = sound(t, `watchdog: { device: ${scripted.path} }${withWitness}`);
  const looked = () => checkWatchdog(config, 'primary', null, scripted.root);
  t.deepEqual(texts(looked(), 'problem'), []);
  t.regex(texts(looked(), 'ok').join(), /\(iTCO_wdt\): resets this host 5 s after the last feed/);
  t.deepEqual(texts(looked(), 'info'), []);
  t.deepEqual(texts(looked(), 'warning'), []);
  scripted.tell('identity', 'Software Watchdog');
  scripted.tell('bootstatus', '0x20');
  t.regex(texts(looked(), 'info')[0] ?? '', /softdog is the weaker choice/);
  t.regex(texts(looked(), 'info')[1] ?? '', /was reset by its watchdog/);
  t.deepEqual(checkWatchdog(sound(t, ''), 'primary', null, scripted.root), []);
});

test('check: without a witness it is said once that the watchdog is never armed, whatever its device is', (t) => {
  const { root, path } = scriptedWatchdog(t);
  for (const device of [path, `${root}/none`, '/etc/passwd']) {
    const found = checkWatchdog(sound(t, `watchdog: { device: ${device} }`), 'primary', null, root);
    t.deepEqual(
      found.map(({ level, code }) => [level, code]),
      [['warning', 'watchdog-alone']],
    );
  }
});

test('check: what is no device is a problem, since nothing would be started with it', (t) => {
  const { root } = scriptedWatchdog(t);
  const looked = (device: string) =>
    checkWatchdog(sound(t, `watchdog: { device: ${device} }${withWitness}`), 'primary', null, root);
  t.deepEqual(texts(looked('/etc/passwd'), 'problem'), [
    '/etc/passwd is no device: nothing may be started here without a watchdog',
  ]);
  t.like(
    looked('/dev/null'),
    [{ level: 'warning', code: 'watchdog-unknown' }],
    'the kernel has drivers of old',
  );
});

test('check: each reason for which a device would be refused is a problem with what mends it', (t) => {
  const scripted = scriptedWatchdog(t);
  const config = sound(t, `watchdog: { device: ${scripted.path}, timeout: 30s }${withWitness}`);
  const daemon = { pid: 4711, uptimeMs: 1, incarnation: 1 };
  const armed = { device: scripted.path, timeoutMs: 30_000, armed: true, lastError: null };
  const looked = (running: Parameters<typeof checkWatchdog>[2] = null) =>
    checkWatchdog(config, 'primary', running, scripted.root);
  const problem = (running?: Parameters<typeof checkWatchdog>[2]) =>
    looked(running)
      .filter(({ level }) => level === 'problem')
      .map(({ message, mend }) => `${message} | ${mend}`)
      .join('\n');
  scripted.tell('nowayout', '1');
  t.regex(problem(), /cannot be stopped once it runs: .*\| echo "options DRIVER nowayout=0"/);
  scripted.tell('identity', 'Software Watchdog');
  t.regex(problem(), /options softdog nowayout=0/);
  scripted.tell('nowayout', '0');
  scripted.tell('options', '0x80');
  t.regex(problem(), /stops when its process is killed/);
  scripted.tell('options', '0x8180');
  scripted.tell('max_timeout', '20');
  t.regex(problem(), /takes 1 to 20 seconds, not 30 \| timeout: 20s/);
  scripted.tell('max_timeout', '65535');
  t.is(problem(), '');
  scripted.usedBy(4711, 'node');
  scripted.tell('state', 'active');
  t.is(problem({ watchdog: armed, daemon }), '', 'its own daemon has it open');
  t.regex(problem({ watchdog: { ...armed, armed: false }, daemon }), /runs, and not for the daemon/);
  scripted.usedBy(1, 'systemd');
  t.regex(problem({ watchdog: armed, daemon }), /in use: systemd has it open/);
  const missing = sound(t, `watchdog: { device: ${scripted.root}/none }${withWitness}`);
  const [found] = checkWatchdog(missing, 'primary', null, scripted.root);
  t.like(found, { level: 'problem' });
  t.regex(found?.mend ?? '', /^modprobe softdog && echo softdog > \/etc\/modules-load\.d/);
});
