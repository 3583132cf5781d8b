// What the runtime keeps and sends: the state file, the history, the payload of a heartbeat, a reload.

import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { pino } from 'pino';
import { parseConfig } from '../../daemon/config/load.ts';
import { groupsMax } from '../../daemon/config/values.ts';
import { claimReasons, type HeartbeatContent, phaseKinds } from '../../daemon/core/heartbeat.ts';
import { payloadBytesMax } from '../../daemon/drivers/link/wire.ts';
import { BattitoError } from '../../daemon/errors.ts';
import { monotonicMs } from '../../daemon/runtime/clock.ts';
import {
  createHeartbeatDecoder,
  createHeartbeatEncoder,
} from '../../daemon/runtime/heartbeat/heartbeat-codec.ts';
import { buildPolicy } from '../../daemon/runtime/policy.ts';
import { openHistory } from '../../daemon/runtime/records/history.ts';
import { encodeSlot } from '../../daemon/runtime/records/slots.ts';
import { openStateFile, tornNote } from '../../daemon/runtime/records/state-file.ts';
import { planReload } from '../../daemon/runtime/reload.ts';
import { temporaryDirectory } from '../support.ts';
import { peerContent } from './support/one-core.ts';

const logger = pino({ level: 'silent' });

const office = { cluster: 'office', node: 'primary' };
const ledger = {
  groups: [
    {
      name: 'office',
      generation: 3,
      owner: 'primary',
      writer: null,
      alone: false,
      sole: true,
      frozen: false,
      inTime: false,
      discards: false,
    },
  ],
  peer: { incarnation: 8, sequence: 9, newestRun: 12 },
  standby: true,
  left: false,
  maintenanceUntil: null,
};

test('a state file gives back its ledger and an incarnation that grows with every start', async (t) => {
  const stateDir = temporaryDirectory(t);
  const first = await openStateFile({ stateDir, ...office });
  t.deepEqual(first.ledger, { groups: [], peer: null, standby: false, left: false, maintenanceUntil: null });
  await first.save(ledger);
  const second = await openStateFile({ stateDir, ...office });
  t.deepEqual(second.ledger, ledger);
  t.true(second.incarnation > first.incarnation);
  t.deepEqual(readdirSync(stateDir), ['state-a.json', 'state-b.json'], 'no temporary file is left');
  for (const name of readdirSync(stateDir)) t.is(statSync(join(stateDir, name)).mode & 0o777, 0o600);
});

/** What a daemon of before would have left, as its only record. */
function rewrite(stateDir: string, edit: (known: Record<string, unknown>) => unknown): void {
  const path = join(stateDir, 'state-a.json');
  const { content } = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, encodeSlot(1, edit(content)));
  rmSync(join(stateDir, 'state-b.json'), { force: true });
}

test('an incarnation grows also when the clock was set back, and when the files were lost', async (t) => {
  const stateDir = temporaryDirectory(t);
  const file = await openStateFile({ stateDir, ...office });
  const far = file.incarnation + 1e12;
  rewrite(stateDir, (known) => ({ ...known, incarnation: far }));
  const next = (await openStateFile({ stateDir, ...office })).incarnation;
  t.true(next > far && next <= far + 1000);
  for (const name of readdirSync(stateDir)) rmSync(join(stateDir, name));
  t.true((await openStateFile({ stateDir, ...office })).incarnation >= file.incarnation);
});

test('damaged state files, or those of another node, are refused and left as they are', async (t) => {
  const stateDir = temporaryDirectory(t);
  const path = join(stateDir, 'state-a.json');
  const unknown = [{ format: 1 }, { format: 3 }, null, { format: 2, cluster: 'office' }];
  const texts = unknown.map((content) => encodeSlot(1, content).toString());
  for (const text of ['', '{', 'null', '{"format":2}', ...texts]) {
    writeFileSync(path, text);
    const error = await t.throwsAsync(openStateFile({ stateDir, ...office }), { instanceOf: BattitoError });
    t.is(error?.code, 'state-file-invalid', text);
    t.is(error?.exitCode, 78);
    t.is(readFileSync(path, 'utf8'), text);
  }
  rmSync(path);
  await openStateFile({ stateDir, ...office });
  const foreign = await t.throwsAsync(openStateFile({ stateDir, cluster: 'office', node: 'secondary' }), {
    instanceOf: BattitoError,
  });
  t.is(foreign?.code, 'state-file-foreign');
});

test('of two state files, one whose write a power cut ended is passed over; one that somebody touched is not', async (t) => {
  const stateDir = temporaryDirectory(t);
  const [a, b] = [join(stateDir, 'state-a.json'), join(stateDir, 'state-b.json')];
  const refused = () => t.throwsAsync(openStateFile({ stateDir, ...office }), { instanceOf: BattitoError });
  const file = await openStateFile({ stateDir, ...office });
  await file.save(ledger);
  await file.save({ ...ledger, standby: false });
  const whole = readFileSync(a);
  writeFileSync(a, whole.subarray(0, 200));
  const edited = await refused();
  t.is(edited?.code, 'state-file-invalid');
  t.regex(`${edited?.message}`, /state-a\.json is damaged/);
  // The same, in the next boot.
  const { revision, content } = JSON.parse(readFileSync(b, 'utf8'));
  writeFileSync(b, encodeSlot(revision, { ...content, bootId: 'before' }));
  const after = await openStateFile({ stateDir, ...office });
  // What may be of before claims nothing that would let this node start alone.
  const groups = ledger.groups.map((group) => ({ ...group, sole: false }));
  t.deepEqual([after.ledger, after.tornPath], [{ ...ledger, groups, left: true }, a]);
  t.deepEqual(readFileSync(`${a}.damaged`), whole.subarray(0, 200));
  const next = await openStateFile({ stateDir, ...office });
  t.deepEqual([next.ledger, next.tornPath], [after.ledger, null]);
  t.like(tornNote(a, 'secondary'), { severity: 'warning', code: 'state-file-torn' });
  writeFileSync(b, readFileSync(a));
  t.regex(`${(await refused())?.message}`, /not the one before the other/);
  rmSync(b);
  const missing = await refused();
  t.is(missing?.code, 'state-file-invalid');
  t.regex(`${missing?.message}`, /state-b\.json is missing/);
});

test('maintenance outlives a restart of the daemon, and is over when its time is', async (t) => {
  const stateDir = temporaryDirectory(t);
  const file = await openStateFile({ stateDir, ...office });
  const until = monotonicMs() + 3_600_000;
  await file.save({ ...ledger, maintenanceUntil: until });
  t.is((await openStateFile({ stateDir, ...office })).ledger.maintenanceUntil, until);
  await file.save({ ...ledger, maintenanceUntil: monotonicMs() - 1 });
  t.is((await openStateFile({ stateDir, ...office })).ledger.maintenanceUntil, null);
});

test('maintenance is no longer after a reboot than it was before, also where the clock has lost its battery', async (t) => {
  const stateDir = temporaryDirectory(t);
  const file = await openStateFile({ stateDir, ...office });
  await file.save({ ...ledger, maintenanceUntil: monotonicMs() + 60_000 });
  const year = 365 * 24 * 3_600_000;
  // What was written before the reboot is years ahead of a clock that begins anew.
  await file.save({ ...ledger, maintenanceUntil: monotonicMs() + 60_000 });
  rewrite(stateDir, (known) => ({ ...known, bootId: 'before', maintenanceEnds: Date.now() + 20 * year }));
  const { maintenanceUntil } = (await openStateFile({ stateDir, ...office })).ledger;
  t.true(maintenanceUntil !== null && maintenanceUntil - monotonicMs() <= 60_000);
});

test('saves are written in the order in which they were asked for', async (t) => {
  const stateDir = temporaryDirectory(t);
  const file = await openStateFile({ stateDir, ...office });
  const saves = Array.from({ length: 20 }, (_, generation) =>
    file.save({
      ...ledger,
      groups: [
        {
          name: 'office',
          generation,
          owner: null,
          writer: null,
          alone: false,
          sole: false,
          frozen: false,
          inTime: false,
          discards: false,
        },
      ],
    }),
  );
  await Promise.all(saves);
  const { ledger: last } = await openStateFile({ stateDir, ...office });
  t.is(last.groups[0]?.generation, 19);
});

test('the history comes back after a restart, oldest first, and a line cut by a power loss is left out', async (t) => {
  const stateDir = temporaryDirectory(t);
  const history = await openHistory(stateDir, logger);
  const note = {
    severity: 'info',
    code: 'a',
    group: null,
    message: 'first',
    next: null,
    tookMs: null,
  } as const;
  history.add(note, 1);
  history.add({ ...note, message: 'second' }, 2);
  await history.close();
  const path = join(stateDir, 'history.jsonl');
  writeFileSync(path, `${readFileSync(path, 'utf8')}{"time":"cut`);
  const again = await openHistory(stateDir, logger);
  t.deepEqual(
    again.latest(10).map(({ message }) => message),
    ['first', 'second'],
  );
  t.deepEqual(
    again.latest(1).map(({ message }) => message),
    ['second'],
  );
});

test('of more notes than are kept, which the disk has not taken yet, the newest are written, in order', async (t) => {
  const stateDir = temporaryDirectory(t);
  const history = await openHistory(stateDir, logger);
  const rest = { severity: 'info', code: 'a', group: null, next: null, tookMs: null } as const;
  const messages = Array.from({ length: 1500 }, (_, index) => `note ${index}`);
  for (const message of messages) history.add({ ...rest, message }, 1);
  await history.close();
  history.add({ ...rest, message: 'afterwards' }, 2);
  await history.close();
  const lines = readFileSync(join(stateDir, 'history.jsonl'), 'utf8').trim().split('\n');
  t.deepEqual(
    lines.map((line) => (JSON.parse(line) as { message: string }).message),
    [...messages.slice(-1000), 'afterwards'],
  );
});

const example: HeartbeatContent = {
  ...peerContent,
  software: '1',
  configDigest: 'd',
  hears: [true, false],
  groups: [
    {
      name: 'office',
      phase: 'active',
      generation: 7,
      owner: 'primary',
      writer: null,
      holdsAddresses: true,
      holdsRest: true,
      claim: { id: 1, reason: 'operator' },
      grant: { incarnation: 3, claim: 4 },
      offer: false,
      willing: true,
      alone: false,
      apart: true,
      outdated: true,
      wantsOutdated: false,
      discarding: true,
      stuck: true,
      inviting: ['drbd:r0'],
      sole: false,
      up: 1,
      total: 2,
      quarantined: 1,
    },
  ],
};

const names = { sender: 'primary', receiver: 'secondary' };

test('a heartbeat comes out as it went in, and an equal payload is not parsed twice', (t) => {
  const encoder = createHeartbeatEncoder(names);
  const decoder = createHeartbeatDecoder(names);
  const first = decoder.decode(encoder.encode({ incarnation: 12, sequence: 34 }, example));
  t.deepEqual(first, { echo: { incarnation: 12, sequence: 34 }, content: example, remarks: [] });
  const second = decoder.decode(encoder.encode({ incarnation: 12, sequence: 35 }, example));
  t.is(second.content, first.content);
  t.deepEqual(second.echo, { incarnation: 12, sequence: 35 });
  t.is(decoder.decode(encoder.encode(null, example)).echo, null);
});

/** The JSON of an encoded payload, changed, and decoded again. */
function decodeChanged(change: (wire: Record<string, unknown> & { groups: unknown[][] }) => void) {
  const payload = createHeartbeatEncoder(names).encode(null, example);
  const wire = JSON.parse(payload.subarray(16).toString()) as Record<string, unknown> & {
    groups: unknown[][];
  };
  change(wire);
  const changed = Buffer.concat([payload.subarray(0, 16), Buffer.from(JSON.stringify(wire))]);
  return createHeartbeatDecoder(names).decode(changed).content;
}

test('what a newer version adds is left out; what is not understood is null, and never an exception', (t) => {
  t.deepEqual(
    decodeChanged((wire) => {
      wire['weather'] = 'fine';
      wire.groups[0]?.push('more');
    }),
    example,
  );
  t.is(
    decodeChanged((wire) => wire.groups[0]?.splice(1, 1, 99)),
    null,
    'a phase that does not exist',
  );
  t.is(
    decodeChanged((wire) => wire.groups[0]?.splice(2)),
    null,
    'a group that is too short',
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      createHeartbeatDecoder(names).decode(Buffer.from(bytes));
    }),
  );
});

test('what an older version does not say yet is taken as not said', (t) => {
  const older = decodeChanged((wire) => {
    delete wire['gateways'];
    delete wire['watchdog'];
    for (const group of wire.groups) group.splice(10);
  });
  t.like(older, { software: example.software, gateways: null, watchdogMs: null });
  t.deepEqual(
    older?.groups,
    example.groups.map((group) => ({ ...group, writer: null, inviting: [] })),
  );
});

test('any content survives the wire', (t) => {
  const reports = fc.record({
    name: fc.string({ minLength: 1, maxLength: 20 }),
    phase: fc.constantFrom(...phaseKinds),
    generation: fc.nat(),
    owner: fc.constantFrom('primary', 'secondary', null),
    writer: fc.constantFrom('primary', 'secondary', null),
    holdsAddresses: fc.boolean(),
    holdsRest: fc.boolean(),
    claim: fc.option(
      fc.record({
        id: fc.nat(),
        reason: fc.constantFrom(...claimReasons),
      }),
    ),
    grant: fc.option(fc.record({ incarnation: fc.nat(), claim: fc.nat() })),
    offer: fc.boolean(),
    willing: fc.boolean(),
    alone: fc.boolean(),
    apart: fc.boolean(),
    outdated: fc.boolean(),
    wantsOutdated: fc.boolean(),
    discarding: fc.boolean(),
    stuck: fc.boolean(),
    inviting: fc.array(fc.string({ maxLength: 20 }), { maxLength: 5 }),
    sole: fc.boolean(),
    up: fc.nat(),
    total: fc.nat(),
    quarantined: fc.nat(),
  });
  const contents = fc.record({
    software: fc.string(),
    configDigest: fc.string(),
    hears: fc.array(fc.boolean(), { maxLength: 8 }),
    leaving: fc.boolean(),
    standby: fc.boolean(),
    freezeAfterMs: fc.nat(),
    watchdogMs: fc.option(fc.nat()),
    maintenanceMinutes: fc.nat(),
    lan: fc.boolean(),
    gateways: fc.option(fc.nat({ max: 16 })),
    groups: fc.array(reports, { maxLength: 5 }),
  });
  fc.assert(
    fc.property(contents, (content) => {
      const payload = createHeartbeatEncoder(names).encode(null, content);
      const decoded = createHeartbeatDecoder(names).decode(payload).content;
      return JSON.stringify(sorted(decoded)) === JSON.stringify(sorted(content));
    }),
  );
  t.pass();
});

/** Keys in one order, at every depth. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

test('a heartbeat of the most groups that may be configured, at its longest, fits into a packet', (t) => {
  const groups = Array.from({ length: groupsMax }, (_, n) => ({
    ...(example.groups[0] as HeartbeatContent['groups'][number]),
    name: `${'n'.repeat(29)}${n}`.slice(0, 31),
    generation: 1_000_000,
    claim: null,
    grant: { incarnation: Date.now(), claim: 100_000 },
    up: 100,
    total: 100,
    quarantined: 100,
  }));
  const content = { ...example, configDigest: '0123456789abcdef', groups };
  const payload = createHeartbeatEncoder(names).encode({ incarnation: 1, sequence: 1 }, content);
  t.true(payload.length <= payloadBytesMax, `${payload.length} bytes`);
});

test('of devices to which the peer is invited it is told those that there is room for', (t) => {
  const [group] = example.groups;
  const inviting = Array.from({ length: 500 }, (_, n) => `drbd:r${n}`);
  const content = { ...example, groups: [{ ...group, inviting } as HeartbeatContent['groups'][number]] };
  const payload = createHeartbeatEncoder(names).encode(null, content);
  t.true(payload.length <= payloadBytesMax, `${payload.length} bytes`);
  const told = createHeartbeatDecoder(names).decode(payload).content?.groups[0]?.inviting ?? [];
  t.true(told.length > 50);
  t.deepEqual(told, inviting.slice(0, told.length));
});

const yaml = readFileSync(new URL('../../config/battito.yaml', import.meta.url), 'utf8');

function configOf(text: string) {
  const parsed = parseConfig(text, 'battito.yaml');
  if (!parsed.ok) throw new Error('the example does not load');
  return parsed.config;
}

test('a reload applies times and preferences at once, and names what needs a restart', (t) => {
  const running = configOf(yaml);
  t.deepEqual(planReload(running, configOf(yaml)), { applied: [], needsRestart: [] });
  const softer = yaml
    .replace(/deadtime: 2s/, 'deadtime: 3s')
    .replace(/failback: manual/, 'failback: automatic');
  t.deepEqual(planReload(running, configOf(softer)), {
    applied: ['heartbeat.deadtimeMs', 'groups.office.failback'],
    needsRestart: [],
  });
  const harder = yaml.replace('192.168.1.1/24', '192.168.1.9/24');
  t.deepEqual(planReload(running, configOf(harder)).needsRestart, ['groups.office.addresses']);
});

test('the policy names both nodes from where this one stands, and refuses a host that is neither', (t) => {
  const config = configOf(yaml);
  t.like(buildPolicy(config, 'secondary', '1'), { self: 'secondary', peer: 'primary' });
  const error = t.throws(() => buildPolicy(config, 'tertiary', '1'), { instanceOf: BattitoError });
  t.is(error?.code, 'node-unknown');
  t.is(error?.exitCode, 78);
});

test('the record of as many groups as there may be is one block: no signal interrupts its write', (t) => {
  const [name, host] = ['x'.repeat(31), 'h'.repeat(63)];
  const groups = Array.from({ length: groupsMax }, () => ({
    ...{ name, generation: 1e9, owner: host, writer: host, alone: false, sole: false },
    ...{ frozen: false, inTime: false, discards: false },
  }));
  const content = {
    ...{ format: 2, cluster: name, node: host, incarnation: Number.MAX_SAFE_INTEGER, bootId: 'b'.repeat(36) },
    ...{ maintenanceEnds: Number.MAX_SAFE_INTEGER, maintenanceLeftMs: Number.MAX_SAFE_INTEGER },
    ledger: { ...ledger, groups, maintenanceUntil: Number.MAX_SAFE_INTEGER },
  };
  t.is(encodeSlot(1e9, content).length, 4096, `${JSON.stringify(content).length}`);
});
