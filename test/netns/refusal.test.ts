// What `battito daemon` does with bad input: one clear message (what, where, what next), the documented exit code,
// and nothing on the host is touched.

import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { commandNames } from '../../daemon/cli/commands.ts';
import type { CommandResult } from '../../daemon/drivers/command.ts';
import { exitCodes } from '../../daemon/errors.ts';
import { encodeSlot } from '../../daemon/runtime/records/slots.ts';
import { badConfigurations, swap } from './support/bad-configurations.ts';
import { floatingAddress, type HostName, hostNames } from './support/hosts.ts';
import { output } from './support/namespaces.ts';
import { commandLine, guests, Office, useOffice } from './support/office.ts';

/** One office without daemons for the whole table: no row may leave anything in it. */
let office: Office;
/** What the rows themselves put down, and take away again. */
let scratch: string;

test.before(async () => {
  office = await Office.open({ idle: true });
  scratch = join(office.network.root, 'scratch');
});
test.beforeEach(() => {
  mkdirSync(scratch, { recursive: true });
});
test.afterEach.always(async () => {
  await rm(scratch, { recursive: true, force: true });
});
test.after.always(() => office?.close());

// ---- what a host looks like ----

/** Every file, its kind, mode, owner, time and content. */
function filesIn(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { mode, uid, mtimeMs } = lstatSync(path);
      const content = entry.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : '';
      const isTouchedByUse = entry.isDirectory(); // A file that comes and goes shows in its directory's time.
      return [path, mode.toString(8), uid, isTouchedByUse ? '' : mtimeMs, content].join(' ');
    })
    .toSorted();
}

async function footprint(of: Office) {
  const { network } = of;
  const hosts = await Promise.all(
    hostNames.map(async (host) => {
      const text = await output(['ip', '-n', network.namespace(host), '-j', 'addr', 'show']);
      const links = JSON.parse(text) as {
        ifname: string;
        addr_info: { local: string; prefixlen: number }[];
      }[];
      return {
        addresses: links.flatMap(({ ifname, addr_info }) =>
          addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen} ${ifname}`),
        ),
        processes: await network.processesOn(host),
      };
    }),
  );
  return { hosts, files: filesIn(network.root) };
}

/** As a person or systemd would start it, on the host `primary`. */
function startBadly(
  of: Office,
  words: readonly string[],
  before: readonly string[] = [],
): Promise<CommandResult> {
  return of.network.run('primary', [...before, commandLine, ...words], { timeoutMs: 20_000 });
}

interface Refusal {
  readonly exitCode: number;
  /** In this order on stderr. */
  readonly says: readonly (string | RegExp)[];
  readonly next: RegExp;
}

function assertRefused(t: ExecutionContext, result: CommandResult, refusal: Refusal): void {
  const { stderr, stdout, exitCode } = result;
  const log = `stdout: ${stdout}\nstderr: ${stderr}`;
  t.is(exitCode, refusal.exitCode, log);
  t.is(stdout, '', 'the message goes to stderr');
  const lines = stderr.trimEnd().split('\n');
  t.regex(lines[0] ?? '', /^battito: \S/, log);
  t.regex(lines.at(-1) ?? '', /^next: \S/, log);
  t.is(lines.filter((line) => line.startsWith('battito: ')).length, 1, 'one message');
  t.notRegex(stderr, /^\s+at |unexpected error|Error:|undefined|\[object/m, 'written for a person');
  let rest = stderr;
  for (const said of refusal.says) {
    const at = typeof said === 'string' ? rest.indexOf(said) : rest.search(said);
    t.true(at >= 0, `it says ${said}\n${log}`);
    rest = rest.slice(Math.max(at, 0));
  }
  t.regex(lines.at(-1) ?? '', refusal.next);
}

/** Runs it against the idle office, and looks at both hosts before and after. */
async function refused(
  t: ExecutionContext,
  words: readonly string[],
  refusal: Refusal,
  before: readonly string[] = [],
): Promise<void> {
  const untouched = await footprint(office);
  t.teardown(async () => {
    if (!t.passed) await startAfresh(); // So that one row's failure stays its own.
  });
  assertRefused(t, await startBadly(office, words, before), refusal);
  t.deepEqual(await footprint(office), untouched, 'nothing was touched');
}

async function startAfresh(): Promise<void> {
  await office.network.powerLoss('primary');
  await rm(office.network.hosts.primary.stateDir, { recursive: true, force: true });
  await office.network.powerOn('primary');
}

/** The usual arguments, some of them changed. */
function daemonWith(changes: Readonly<Record<string, string>> = {}): string[] {
  const words = office.arguments('primary');
  for (const [option, value] of Object.entries(changes)) words[words.indexOf(option) + 1] = value;
  return [...words, 'daemon'];
}

// ---- bad configurations ----

for (const { title, edit, problems } of badConfigurations) {
  test(`the daemon refuses ${title}, and says where it stands`, async (t) => {
    const file = join(scratch, 'battito.yaml');
    writeFileSync(file, edit(office.configText()));
    await refused(t, daemonWith({ '--config': file }), {
      exitCode: exitCodes.config,
      says: [
        ...problems.flatMap(([place, sentence]) => [`${file}:${place}`, sentence]),
        `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'} in ${file}`,
      ],
      next: /battito check/,
    });
  });
}

test('the table has at least twenty kinds of bad configuration', (t) => {
  t.true(badConfigurations.length >= 20);
});

// ---- what the configuration names does not exist, or is not as it must be ----

interface BadHost {
  readonly title: string;
  /** Prepares the scratch directory; returns the words of the command line. */
  readonly words: () => readonly string[];
  /** What the command is run by. */
  readonly before?: () => readonly string[];
  readonly exitCode?: number;
  readonly says: readonly (string | RegExp)[];
  readonly next: RegExp;
}

function withKey(content: string | null, mode = 0o600): string {
  const key = join(scratch, 'key');
  if (content !== null) {
    writeFileSync(key, content);
    chmodSync(key, mode);
  }
  return withConfig(swap(office.keyFile, key));
}

function withConfig(edit: (text: string) => string): string {
  const file = join(scratch, 'battito.yaml');
  writeFileSync(file, edit(office.configText()));
  return file;
}

function withState(content: unknown, length = Infinity): string {
  const directory = join(scratch, 'state');
  mkdirSync(directory);
  writeFileSync(join(directory, 'state-a.json'), encodeSlot(1, content).subarray(0, length));
  return directory;
}

const soundKey = () => readFileSync(office.keyFile, 'utf8');
const soundState = {
  format: 2,
  cluster: 'office',
  node: 'primary',
  incarnation: 1000,
  bootId: 'x',
  maintenanceEnds: null,
  ledger: {
    groups: [{ name: 'office', generation: 3, owner: 'primary', sole: false, frozen: false }],
    standby: false,
    maintenanceUntil: null,
  },
};

const badHosts: readonly BadHost[] = [
  {
    title: 'a configuration file that does not exist',
    words: () => daemonWith({ '--config': join(scratch, 'nowhere.yaml') }),
    says: ['nowhere.yaml', 'there is no such file'],
    next: /--config/,
  },
  {
    title: 'a configuration that is a directory',
    words: () => daemonWith({ '--config': scratch }),
    says: ['scratch', 'it is a directory'],
    next: /--config/,
  },
  {
    title: 'a key file that does not exist',
    words: () => daemonWith({ '--config': withKey(null) }),
    says: ['scratch/key', 'no such key file'],
    next: /battito keygen/,
  },
  {
    title: 'a key file that others may read',
    words: () => daemonWith({ '--config': withKey(soundKey(), 0o644) }),
    says: ['scratch/key', 'mode is 0644, must be 0600'],
    next: /chmod 600 '.*scratch\/key'/,
  },
  {
    title: 'a key file that belongs to somebody else',
    words: () => {
      const config = withKey(soundKey());
      chownSync(join(scratch, 'key'), 12_345, 12_345);
      return daemonWith({ '--config': config });
    },
    says: ['scratch/key', 'belongs to user 12345'],
    next: /chown/,
  },
  {
    title: 'a key file of the wrong format',
    words: () => daemonWith({ '--config': withKey('# a comment\nsecret\n') }),
    says: ['scratch/key:2', 'expected battito-key-1:'],
    next: /keygen/,
  },
  {
    title: 'an empty key file',
    words: () => daemonWith({ '--config': withKey('') }),
    says: ['scratch/key:1', 'no key in this file'],
    next: /keygen/,
  },
  {
    title: 'a key file that is a directory',
    words: () => daemonWith({ '--config': withConfig(swap(office.keyFile, scratch)) }),
    says: ['scratch', 'is a directory'],
    next: /plain file/,
  },
  {
    title: 'a floating address on an interface that does not exist',
    words: () => daemonWith({ '--config': withConfig(swap('dev eth0', 'dev eth7')) }),
    says: ['groups.office.addresses', 'eth7', 'does not exist on this host'],
    next: /there are: .*eth0/,
  },
  {
    title: 'a guest on a bridge that does not exist',
    words: () => daemonWith({ '--config': withConfig(swap('bridge: br0', 'bridge: br7')) }),
    says: ['groups.office.guests', 'br7', 'does not exist on this host'],
    next: /create the interface/,
  },
  {
    title: 'links of which no interface exists',
    words: () =>
      daemonWith({
        '--config': withConfig((text) =>
          swap(
            'interface: eth1 }',
            'interface: eth8 }',
          )(swap('interface: eth0, mode', 'interface: eth9, mode')(text)),
        ),
      }),
    says: ['heartbeat.links', 'none of the interfaces exists', 'eth8, eth9'],
    next: /there are: .*eth0/,
  },
  {
    title: 'a node name that the configuration does not have',
    words: () => daemonWith({ '--node': 'tertiary' }),
    says: ['this host is called tertiary', 'primary and secondary'],
    next: /--node primary or --node secondary/,
  },
  {
    title: "a host's name that is no node's, when none is given",
    words: () =>
      daemonWith().filter((word, index, words) => word !== '--node' && words[index - 1] !== '--node'),
    says: [/this host is called \S+, but the nodes/],
    next: /--node primary/,
  },
  {
    title: 'a state directory on a read-only file system',
    words: () => daemonWith({ '--state-dir': join(scratch, 'mounted') }),
    before: () => {
      const directory = join(scratch, 'mounted');
      mkdirSync(directory);
      return ['sh', '-c', `mount -t tmpfs -o ro none '${directory}' && exec "$@"`, 'sh'];
    },
    says: ['the state directory', 'mounted', 'cannot be used', 'EROFS'],
    next: /--state-dir/,
  },
  {
    title: 'a state directory that is a file',
    words: () => {
      writeFileSync(join(scratch, 'state'), '');
      return daemonWith({ '--state-dir': join(scratch, 'state') });
    },
    says: ['the state directory', 'scratch/state', 'cannot be used'],
    next: /--state-dir/,
  },
  {
    title: 'a state file that was cut off',
    words: () => daemonWith({ '--state-dir': withState(soundState, 100) }),
    says: ['scratch/state/state-a.json', 'is damaged'],
    next: /move .*state-b\.json away.*start its peer first/,
  },
  {
    title: 'an empty state file',
    words: () => daemonWith({ '--state-dir': withState(soundState, 0) }),
    says: ['scratch/state/state-a.json', 'is damaged'],
    next: /move .*state-a\.json and .*state-b\.json away/,
  },
  {
    title: 'a state file of another format',
    words: () => daemonWith({ '--state-dir': withState({ ...soundState, format: 1 }) }),
    says: ['scratch/state/state-a.json', 'is damaged'],
    next: /move .*state-a\.json and .*state-b\.json away/,
  },
  {
    title: 'a state file of another cluster',
    words: () => daemonWith({ '--state-dir': withState({ ...soundState, cluster: 'shop' }) }),
    says: ['scratch/state/state-a.json', 'belongs to node primary of cluster shop', 'primary of office'],
    next: /move .*state-a\.json and .*state-b\.json away/,
  },
  {
    title: "the other node's state file",
    words: () => daemonWith({ '--state-dir': withState({ ...soundState, node: 'secondary' }) }),
    says: ['scratch/state/state-a.json', 'belongs to node secondary of cluster office'],
    next: /move .*state-a\.json and .*state-b\.json away/,
  },
  {
    title: 'a journal that is no directory',
    words: () => {
      const directory = join(scratch, 'state');
      mkdirSync(directory);
      writeFileSync(join(directory, 'journal'), '');
      return daemonWith({ '--state-dir': directory });
    },
    says: ['the state directory', 'scratch/state', 'cannot be used'],
    next: /--state-dir/,
  },
  {
    title: 'a control socket whose place is taken by a file',
    words: () => daemonWith({ '--socket': withConfig((text) => text) }),
    exitCode: exitCodes.noPermission,
    says: ['the control socket', 'scratch/battito.yaml', 'is not a socket'],
    next: /--socket/,
  },
  {
    title: 'a control socket in a directory that cannot be made',
    words: () => {
      writeFileSync(join(scratch, 'file'), '');
      return daemonWith({ '--socket': join(scratch, 'file', 'control.sock') });
    },
    exitCode: exitCodes.noPermission,
    says: ['the control socket', 'scratch/file/control.sock'],
    next: /--socket/,
  },
  {
    title: 'an unknown command',
    words: () => [...office.arguments('primary'), 'deamon'],
    exitCode: exitCodes.usage,
    says: ['there is no command "deamon"'],
    next: /did you mean `battito daemon`\?/,
  },
  {
    title: 'an unknown option',
    words: () => [...daemonWith(), '--foreground'],
    exitCode: exitCodes.usage,
    says: ['--foreground'],
    next: /battito daemon --help/,
  },
  {
    title: 'an option without its value',
    words: () => ['daemon', '--config'],
    exitCode: exitCodes.usage,
    says: ['--config needs a value'],
    next: /battito daemon --help/,
  },
  {
    title: 'a word too many',
    words: () => [...daemonWith(), 'now'],
    exitCode: exitCodes.usage,
    says: ['"now"'],
    next: /battito daemon --help/,
  },
];

for (const { title, words, before, exitCode, says, next } of badHosts) {
  test(`the daemon refuses ${title}`, async (t) => {
    const line = words();
    const by = before?.() ?? [];
    await refused(t, line, { exitCode: exitCode ?? exitCodes.config, says, next }, by);
  });
}

// ---- beside a daemon that runs ----

/** What it has noted, each; but that it stood still is noted of the machine, whoever else is busy on it. */
const notesOf = async (of: Office, host: HostName) =>
  (await of.history(host))
    .filter(({ code }) => code !== 'stalled')
    .map(({ code, message }) => `${code}: ${message}`);

/** What a second daemon must not disturb. */
async function running(of: Office) {
  const status = await of.status('primary');
  return {
    incarnation: status.daemon.incarnation,
    pid: status.daemon.pid,
    verdict: status.verdict.kind,
    phases: status.groups.map(({ phase, generation }) => `${phase} ${generation}`),
    notes: await notesOf(of, 'primary'),
    peerNotes: await notesOf(of, 'secondary'),
    guests: await Promise.all(guests.map((guest) => of.guestPid('primary', guest))),
    state: ['state-a.json', 'state-b.json'].map((name) =>
      readFileSync(join(of.network.hosts.primary.stateDir, name), 'utf8'),
    ),
    holders: await of.network.addressHolders(floatingAddress),
    socket: lstatSync(of.socket('primary')).ino,
  };
}

test('a second daemon is refused while one runs, and the first one does not notice', async (t) => {
  const busy = await useOffice(t);
  await busy.settled('primary');
  const before = await running(busy);
  const words = [...busy.arguments('primary'), 'daemon'];
  const sameSocket: Refusal = {
    exitCode: exitCodes.unavailable,
    says: ['another daemon answers at', busy.socket('primary')],
    next: /stop it first/,
  };
  assertRefused(t, await startBadly(busy, words), sameSocket);
  const otherState = words.with(words.indexOf('--state-dir') + 1, join(busy.network.root, 'elsewhere'));
  assertRefused(t, await startBadly(busy, otherState), sameSocket);
  t.false(readdirSync(busy.network.root).includes('elsewhere'), 'the other state directory was not made');
  for (const guest of guests) await busy.counts(guest);
  t.deepEqual(await running(busy), before);
});

test('a second daemon on the same state directory is refused although its socket is another', async (t) => {
  const busy = await useOffice(t);
  await busy.settled('primary');
  const before = await running(busy);
  const words = [...busy.arguments('primary'), 'daemon'];
  const otherSocket = words.with(words.indexOf('--socket') + 1, join(busy.network.root, 'other.sock'));
  assertRefused(t, await startBadly(busy, otherSocket), {
    exitCode: exitCodes.unavailable,
    says: ['another daemon', busy.network.hosts.primary.stateDir],
    next: /\S/,
  });
  for (const guest of guests) await busy.counts(guest);
  t.deepEqual(await running(busy), before);
});

test('bad input beside a running daemon leaves it and its guests alone', async (t) => {
  const busy = await useOffice(t);
  await busy.settled('primary');
  const before = await running(busy);
  const words = [...busy.arguments('primary'), 'daemon'];
  const bad = join(busy.network.root, 'bad.yaml');
  writeFileSync(bad, busy.configText().replace('keepalive', 'keepalve'));
  const badConfig = words.with(words.indexOf('--config') + 1, bad);
  assertRefused(t, await startBadly(busy, badConfig), {
    exitCode: exitCodes.config,
    says: [`${bad}:7:3: heartbeat.keepalve`],
    next: /battito check/,
  });
  const wrongNode = words.with(words.indexOf('--node') + 1, 'secondary');
  assertRefused(t, await startBadly(busy, wrongNode), {
    exitCode: exitCodes.unavailable,
    says: ['another daemon answers at'],
    next: /stop it first/,
  });
  for (const guest of guests) await busy.counts(guest);
  t.deepEqual(await running(busy), before);
});

test('every command refuses an option that it does not have, and touches nothing', async (t) => {
  const untouched = await footprint(office);
  for (const name of commandNames) {
    assertRefused(t, await startBadly(office, [...office.arguments('primary'), name, '--frobnicate']), {
      exitCode: exitCodes.usage,
      says: ['--frobnicate'],
      next: new RegExp(`battito ${name} --help`),
    });
  }
  t.deepEqual(await footprint(office), untouched);
});
