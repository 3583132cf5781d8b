// How DRBD is set up, how far a resync is, which kernel runs: readers of recorded output, and what `check` finds.

import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { parseConfigText, sections, settingOf } from '../../daemon/drivers/drbd/config-text.ts';
import {
  checkEndpoints,
  type DrbdEndpoint,
  endpointsOf,
  type HostFacts,
} from '../../daemon/drivers/drbd/endpoints.ts';
import {
  checkDrbdDevice,
  checkDrbdModule,
  loadDrbdModule,
  parseKernelVersion,
  readDrbdKernel,
} from '../../daemon/drivers/drbd/kernel.ts';
import { optionsOf, parseDevices, readDrbdOptions } from '../../daemon/drivers/drbd/options.ts';
import { checkDrbdOptions } from '../../daemon/drivers/drbd/options-check.ts';
import { outOfSyncOfJson, outOfSyncOfProc } from '../../daemon/drivers/drbd/out-of-sync.ts';
import { parseProcDrbd, parseStatusJson, progressText } from '../../daemon/drivers/drbd/progress.ts';
import { temporaryDirectory } from '../support.ts';
import { fakeDrbd, soon } from './support/drbd-tools.ts';

const place = (name: string) => new URL(`fixtures/drbd/${name}`, import.meta.url).pathname;
const fixture = (name: string) => readFileSync(new URL(`fixtures/drbd/${name}`, import.meta.url), 'utf8');
const options = (name: string) => optionsOf(parseConfigText(fixture(name)));

const good = {
  protocol: 'C',
  fencing: 'resource-and-stonith',
  allowTwoPrimaries: false,
  autoPromote: true,
  afterSplitBrain: 'disconnect',
  pingIntMs: 1000,
  pingTimeoutMs: 500,
  timeoutMs: 3000,
  verifyAlg: 'crc32c' as string | null,
  fencePeer: '/usr/bin/battito drbd fence-peer',
  unfencePeer: null,
};

for (const name of ['dump-8.4.txt', 'dump-9.txt']) {
  test(`${name}: the configured settings, wherever their generation has them`, (t) => {
    t.deepEqual(options(name), good);
  });
}

test('what 8.4 shows of the kernel, where the defaults are left out', (t) => {
  t.deepEqual(options('show-8.4.txt'), {
    protocol: 'C',
    fencing: 'dont-care',
    allowTwoPrimaries: true,
    autoPromote: true,
    afterSplitBrain: 'disconnect',
    pingIntMs: 10_000,
    pingTimeoutMs: 500,
    timeoutMs: 6000,
    verifyAlg: null,
    fencePeer: null,
    unfencePeer: null,
  });
});

test('what 9 shows of the kernel, with its net section within the connection', (t) => {
  t.deepEqual(options('show-9.txt'), { ...good, autoPromote: false, verifyAlg: null, fencePeer: null });
});

test('a quoted word may hold what ends a setting or a section', (t) => {
  const [net] = sections(parseConfigText(fixture('show-8.4.txt')), 'net');
  const secret = net?.body?.find(({ words }) => words[0] === 'shared-secret');
  t.deepEqual(secret?.words, ['shared-secret', 'a } quoted; "secret" # word']);
});

test('no configuration throws, and no brace goes on for ever', (t) => {
  const token = fc.constantFrom('{', '}', ';', '"', '#', '\n', ' ', 'net', 'ping-int', '1', '\\');
  fc.assert(
    fc.property(fc.array(token, { maxLength: 60 }), (tokens) => {
      optionsOf(parseConfigText(tokens.join('')));
    }),
  );
  t.pass();
});

const office = { deadtimeMs: 2000, generation: '8.4' } as const;

test('good settings are not found fault with', (t) => {
  t.deepEqual(checkDrbdOptions('r0', { live: { ...good, fencePeer: null }, configured: good }, office), []);
  t.deepEqual(checkDrbdOptions('r0', { live: null, configured: good }, office), []);
});

const faults = {
  'drbd-protocol': { protocol: 'A' },
  'drbd-fencing': { fencing: 'dont-care' },
  'drbd-no-fence-peer': { fencePeer: null },
  'drbd-other-fence-peer': { fencePeer: '/usr/lib/drbd/crm-fence-peer.9.sh' },
  'drbd-other-unfence-peer': { unfencePeer: '/usr/lib/drbd/crm-unfence-peer.9.sh' },
  'drbd-two-primaries': { allowTwoPrimaries: true },
  'drbd-after-split-brain': { afterSplitBrain: 'discard-zero-changes' },
  'drbd-ping-int': { pingIntMs: 10_000 },
  'drbd-timeout': { timeoutMs: 6000 },
} as const;

for (const [code, fault] of Object.entries(faults)) {
  test(`${code}: said with what, why and what to do next`, (t) => {
    const configured = { ...good, ...fault };
    const [finding, ...others] = checkDrbdOptions('r0', { live: configured, configured }, office);
    t.deepEqual(others, []);
    t.is<string | undefined, string>(finding?.code, code);
    t.regex(finding?.what ?? '', /r0/);
    t.regex(finding?.next ?? '', /drbdadm .*r0$/);
    t.truthy(finding?.why);
  });
}

test('fencing that lets IO go on while the peer is judged is not enough; Battito may lie anywhere', (t) => {
  const codes = (change: Partial<typeof good>) =>
    checkDrbdOptions('r0', { live: null, configured: { ...good, ...change } }, office).map(
      ({ code }) => code,
    );
  t.deepEqual(codes({ fencing: 'resource-only' }), ['drbd-fencing']);
  t.deepEqual(codes({ fencePeer: 'battito --socket /run/b.sock drbd fence-peer' }), []);
  t.deepEqual(codes({ fencePeer: '/opt/battito drbd unfence-peer' }), ['drbd-other-fence-peer']);
});

test('the example resource is one that check finds no fault with, and no section stands in it twice', (t) => {
  const text = readFileSync(new URL('../../config/drbd-r0.res', import.meta.url), 'utf8');
  const [resource] = parseConfigText(text);
  const names = resource?.body?.filter(({ body }) => body !== null).map(({ words }) => words.join(' ')) ?? [];
  t.deepEqual(names, ['net', 'disk', 'handlers', 'on primary', 'on secondary']);
  const configured = optionsOf(parseConfigText(text));
  t.deepEqual(checkDrbdOptions('r0', { live: null, configured }, office), []);
});

test('the example resource with its places for DRBD 9 changed is as DRBD 9 wants it', (t) => {
  const text = readFileSync(new URL('../../config/drbd-r0.res', import.meta.url), 'utf8')
    .replace(/^ {4}fencing .*\n/m, '')
    .replace('# fencing resource-and-stonith;', 'fencing resource-and-stonith;')
    .replace('# options {', 'options {');
  const nodes = parseConfigText(text);
  t.deepEqual(settingOf(nodes, 'net', 'fencing'), 'resource-and-stonith');
  t.is(settingOf(nodes, 'disk', 'fencing'), undefined);
  const configured = optionsOf(nodes);
  t.false(configured.autoPromote);
  t.deepEqual(checkDrbdOptions('r0', { live: null, configured }, { ...office, generation: '9' }), []);
});

const ends = [
  { host: 'primary', address: '192.168.2.2', port: 7789 },
  { host: 'secondary', address: '192.168.2.3', port: 7789 },
] as const;

test('between which addresses a resource is mirrored, in both languages', (t) => {
  for (const name of ['dump-8.4.txt', 'dump-9.txt']) {
    t.deepEqual(endpointsOf(parseConfigText(fixture(name))), ends);
  }
  // Written after drbd.conf(5) of 9.0, as each example of a connection has it.
  const connection = `resource r0 { on primary { node-id 0; } on secondary { node-id 1; }
    connection { path { host primary address ipv6 [fd00::2]:7789; host secondary address ipv6 [fd00::3]:7789; } } }`;
  t.deepEqual(
    endpointsOf(parseConfigText(connection)).map(({ host, address, port }) => [host, address, port]),
    [
      ['primary', 'fd00::2', 7789],
      ['secondary', 'fd00::3', 7789],
    ],
  );
});

test('an address that cannot be right is found on the host that can tell', (t) => {
  const facts = { self: 'primary', peer: 'secondary', addresses: ['127.0.0.1', '192.168.2.2'] };
  const found = (endpoints: readonly DrbdEndpoint[], changes: Partial<HostFacts> = {}) =>
    checkEndpoints('r0', endpoints, { ...facts, ...changes }).map(({ code, what }) => [code, what]);
  t.deepEqual(found(ends), []);
  t.deepEqual(found([]), []);
  t.deepEqual(found(ends.map((end) => ({ ...end, host: `${end.host}.office.example` }))), []);
  t.deepEqual(found(ends, { addresses: ['192.168.1.2'] }), [
    ['drbd-own-address', 'no interface of this host has 192.168.2.2, the address of primary for r0'],
  ]);
  t.deepEqual(found(ends, { addresses: ['192.168.2.2', '192.168.2.3'] }), [
    ['drbd-peer-address', 'the address of secondary for r0, 192.168.2.3, is one of this host'],
  ]);
  t.deepEqual(found(ends, { peer: 'tertiary' }), [
    ['drbd-hosts', 'r0 is between primary and secondary, not between primary and tertiary'],
  ]);
});

test('with DRBD 9 nobody but Battito is to promote', (t) => {
  const check = (autoPromote: boolean) =>
    checkDrbdOptions(
      'r0',
      { live: null, configured: { ...good, autoPromote } },
      { ...office, generation: '9' },
    );
  t.deepEqual(
    check(true).map(({ code }) => code),
    ['drbd-auto-promote'],
  );
  t.deepEqual(check(false), []);
});

test('what runs counts; files that say something else are found, too', (t) => {
  const live = { ...good, fencing: 'dont-care', pingIntMs: 10_000, fencePeer: null };
  const findings = checkDrbdOptions('r0', { live, configured: good }, office);
  t.deepEqual(
    findings.map(({ code }) => code),
    ['drbd-fencing', 'drbd-ping-int', 'drbd-not-adjusted'],
  );
  t.regex(findings[2]?.what ?? '', /fencing, ping-int$/);
});

test('the devices of a resource', (t) => {
  t.deepEqual(parseDevices('/dev/drbd0\n/dev/drbd17\n'), [
    { path: '/dev/drbd0', minor: 0 },
    { path: '/dev/drbd17', minor: 17 },
  ]);
  t.deepEqual(parseDevices("'r9' not defined in your config (for this host).\n"), []);
});

test('8.4: a resync in /proc/drbd, of the volumes that are asked for', (t) => {
  const text = fixture('proc-drbd-8.4.txt');
  const two = { direction: 'target', percent: 48.8, leftKib: 536_576, leftS: 71 } as const;
  t.deepEqual(parseProcDrbd(text, [2]), two);
  t.is(progressText(two), '48 %, 524 MiB left at 7 MiB/s, about 71 s');
  const three = { direction: 'source', percent: 3.5, leftKib: 99_000_000, leftS: null } as const;
  t.deepEqual(parseProcDrbd(text, [3]), three);
  t.is(progressText(three), '3 %, 94.4 GiB left');
  t.deepEqual(parseProcDrbd(text, [2, 3]), {
    direction: 'target',
    percent: 3.5,
    leftKib: 99_536_576,
    leftS: null,
  });
  t.is(parseProcDrbd(text, [1]), null);
  t.is(parseProcDrbd('', [0]), null);
});

test('9: a resync in the status', (t) => {
  const found = parseStatusJson(fixture('status-9.json'), 'r0');
  t.deepEqual(found, { direction: 'target', percent: 18.48, leftKib: 819_200, leftS: 103 });
  t.is(parseStatusJson(fixture('status-9.json'), 'r1'), null);
  for (const json of ['', '{}', '[1]', '[{"name":"r0","connections":7}]', 'null']) {
    t.is(parseStatusJson(json, 'r0'), null);
  }
});

test('8.4: what the peer lacks is in /proc/drbd, also of a copy that stands alone', (t) => {
  const text = fixture('proc-drbd-8.4-standalone.txt');
  t.is(outOfSyncOfProc(text, [0]), 1_258_291);
  t.is(outOfSyncOfProc(text, [1]), 0);
  t.is(outOfSyncOfProc(text, [0, 10]), 1_258_355, 'volumes are added up');
  t.is(outOfSyncOfProc(text, [2]), null, 'it has no disk');
  t.is(outOfSyncOfProc(text, [3]), null, 'without a disk there is no bitmap: 0 would be a lie');
  t.is(outOfSyncOfProc(text, [0, 7]), null, 'one of its volumes is not said');
  t.is(outOfSyncOfProc(text, []), null);
  t.is(outOfSyncOfProc('', [0]), null);
  t.is(outOfSyncOfProc(fixture('proc-drbd-8.4.txt'), [2]), 536_576);
});

// Not against a recording: no kernel here has DRBD 9.
test('9: what the peer lacks is in the status', (t) => {
  const json = fixture('status-9-standalone.json');
  t.is(outOfSyncOfJson(json, 'r0'), 20_484);
  t.is(outOfSyncOfJson(json, 'r1'), null);
  t.is(outOfSyncOfJson(json.replace('20480', '9223372036854775807'), 'r0'), null, 'no disk');
  t.is(outOfSyncOfJson(json.replace('"out-of-sync": 4,', ''), 'r0'), null);
  t.is(outOfSyncOfJson('[{"name":"r0","connections":[]}]', 'r0'), null);
  t.is(outOfSyncOfJson('nonsense', 'r0'), null);
});

test('the kernel says which generation runs', async (t) => {
  t.deepEqual(parseKernelVersion(fixture('proc-drbd-8.4.txt')), {
    kind: 'loaded',
    version: '8.4.11',
    generation: '8.4',
  });
  t.like(parseKernelVersion('version: 9.2.8 (api:2/proto:86-122)\n'), { generation: '9' });
  t.is(parseKernelVersion('version: 8.3.16 (api:88)\n').kind, 'unknown');
  t.is(parseKernelVersion('').kind, 'unknown');
  const directory = temporaryDirectory(t);
  t.is((await readDrbdKernel(join(directory, 'drbd'))).kind, 'not-loaded');
  t.is((await readDrbdKernel(directory)).kind, 'unknown');
  await writeFile(join(directory, 'drbd'), fixture('proc-drbd-8.4.txt'));
  t.is((await readDrbdKernel(join(directory, 'drbd'))).kind, 'loaded');
});

test('a device that is none of DRBD is told apart', async (t) => {
  t.like(await checkDrbdDevice('/dev/null'), { what: '/dev/null is not a device of DRBD' });
  t.like(await checkDrbdDevice('/nowhere/drbd0'), { what: '/nowhere/drbd0: ENOENT' });
});

const dumping = `case "$tool $*" in
  "drbdadm dump r0") cat "${place('dump-8.4.txt')}"; exit 0 ;;
  "drbdsetup show r0") cat "${place('show-8.4.txt')}"; exit 0 ;;
  "drbdadm sh-dev r0") echo /dev/drbd0; exit 0 ;;
esac
`;

test.serial('the settings are read from the kernel and from the files', async (t) => {
  const fake = await fakeDrbd(t);
  await fake.override(dumping);
  t.like(await readDrbdOptions('r0', soon()), {
    kind: 'read',
    live: { fencing: 'dont-care', pingIntMs: 10_000 },
    configured: good,
    devices: [{ path: '/dev/drbd0', minor: 0 }],
  });
  await fake.override(
    `[[ "$tool $1" = "drbdsetup show" ]] && { echo "r0: No such resource" >&2; exit 10; }\n${dumping}`,
  );
  t.like(await readDrbdOptions('r0', soon()), { kind: 'read', live: null, configured: good });
});

const typo = "drbd.d/r0.res:7: Parse error: 'a' expected,\\n\\tbut got 'protocl'";
const fencing = "/etc/drbd.d/r0.res:5: Parse error: 'a' expected,\\n\\tbut got 'fencing'";
/** What drbdadm says, whether the module is loaded, what the module's version is; and what is advised. */
const unreadable = [
  ['drbd-not-configured', "'r0' not defined in your config (for this host).", true, '', /sh-resources/],
  ['drbd-not-readable', 'something else', true, '', /^drbdadm dump r0$/],
  ['drbd-not-readable', 'something else', false, '8.4.11', /^modprobe drbd/],
  ['drbd-not-readable', typo, false, '8.4.11', /^correct line 7 of \/etc\/drbd\.d\/r0\.res/],
  ['drbd-not-readable', typo, true, '', /^correct line 7 of \/etc\/drbd\.d\/r0\.res/],
  ['drbd-not-readable', fencing, true, '', /^correct line 5 .*DRBD 8\.4.*section disk/],
  ['drbd-not-readable', fencing, false, '8.4.11', /^modprobe drbd/],
  ['drbd-not-readable', fencing, false, '9.2.8', /^move `fencing` \(line 5 of .*\) .* to net/],
  [
    'drbd-not-readable',
    'drbd.d/r0.res:50: in resource r0, on primary:\\n\\tIP 192.168.2.2 not found on this host.',
    false,
    '8.4.11',
    /^ip -brief address .*192\.168\.2\.2, or correct `address`/,
  ],
] as const;

for (const [code, said, isLoaded, version, next] of unreadable) {
  const how = isLoaded ? 'loaded' : `module ${version}`;
  test.serial(`settings that cannot be read, and what is advised: ${said.slice(-20)}, ${how}`, async (t) => {
    const fake = await fakeDrbd(t);
    if (!isLoaded) await rm(fake.procFile);
    await fake.override(`
[[ "$tool $1" = "drbdadm dump" ]] && { echo -e "${said}" >&2; exit 10; }
[[ $tool = modinfo ]] && { echo "${version}"; exit 0; }
`);
    const reading = await readDrbdOptions('r0', soon(), fake.procFile);
    t.like(reading, { kind: 'failed', trouble: { code } });
    t.regex(reading.kind === 'failed' ? reading.trouble.next : '', next);
  });
}

test.serial(
  'without the tools, their package is named; without a module, that it cannot be loaded',
  async (t) => {
    const fake = await fakeDrbd(t);
    const { PATH } = process.env;
    process.env['PATH'] = '/nonexistent';
    const reading = await readDrbdOptions('r0', soon()).finally(() => {
      process.env['PATH'] = PATH;
    });
    t.like(reading, { kind: 'failed', trouble: { code: 'drbd-utils-missing' } });
    t.is(await checkDrbdModule(soon(), fake.procFile), null);
    await rm(fake.procFile);
    t.is(await checkDrbdModule(soon(), fake.procFile), null, 'it could be loaded');
    await fake.override(
      '[[ $tool = modinfo ]] && { echo "modinfo: ERROR: Module drbd not found." >&2; exit 1; }\n',
    );
    t.like(await checkDrbdModule(soon(), fake.procFile), { code: 'drbd-module-not-loadable' });
    process.env['PATH'] = '/nonexistent';
    const [found, tried] = await Promise.all([
      checkDrbdModule(soon(), fake.procFile),
      loadDrbdModule(soon(), fake.procFile),
    ]).finally(() => {
      process.env['PATH'] = PATH;
    });
    t.like(found, { code: 'kmod-missing', next: 'apt-get install kmod' });
    t.like(tried, { code: 'drbd-module-not-loadable', next: 'apt-get install kmod' });
  },
);
