// The shared key file: what is refused, with which words, and a rotation from end to end.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  activateKey,
  generateKeyFile,
  type KeyRing,
  loadKeyRing,
  retireKey,
  stageKey,
} from '../../daemon/config/key-file.ts';
import { createIdentity, decodePacket, encodePacket } from '../../daemon/drivers/link/wire.ts';
import { BattitoError } from '../../daemon/errors.ts';
import { temporaryDirectory } from '../support.ts';

const runsAsRoot = process.geteuid?.() === 0;
const keyLine = (byte: number) => `battito-key-1:${Buffer.alloc(32, byte).toString('base64')}`;

function fileWith(t: ExecutionContext, text: string, mode = 0o600): string {
  const path = join(temporaryDirectory(t), 'key');
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function mode(path: string): string {
  return (statSync(path).mode & 0o7777).toString(8);
}

function failure(t: ExecutionContext, action: () => unknown): BattitoError {
  const error = t.throws(action, { instanceOf: BattitoError });
  if (error === undefined) throw new Error('nothing was thrown');
  return error;
}

function refusedOnLoad(t: ExecutionContext, path: string, code: string): BattitoError {
  const error = failure(t, () => loadKeyRing(path));
  t.is<string, string>(error.code, code);
  t.is(error.exitCode, 78);
  t.true(error.message.startsWith(path), error.message);
  return error;
}

test('a generated key file has mode 0600, one key and nothing beside it', (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'key');
  generateKeyFile(path);
  t.is(mode(path), '600');
  t.deepEqual(readdirSync(directory), ['key']);
  const ring = loadKeyRing(path);
  t.is(ring.accepted.length, 1);
  t.is(ring.accepted[0], ring.signing);
});

test('a generated key file has mode 0600 whatever the umask', (t) => {
  const path = join(temporaryDirectory(t), 'key');
  const module = new URL('../../daemon/config/key-file.ts', import.meta.url).href;
  const script = `process.umask(0o000); (await import(${JSON.stringify(module)})).generateKeyFile(process.argv[1])`;
  execFileSync(process.execPath, ['--input-type=module', '-e', script, path]);
  t.is(mode(path), '600');
});

test('generating never overwrites', (t) => {
  const path = fileWith(t, 'precious');
  t.is(failure(t, () => generateKeyFile(path)).code, 'key-file-exists');
  t.is(readFileSync(path, 'utf8'), 'precious');
});

test('generating into a directory that does not exist says how to make it', (t) => {
  const directory = join(temporaryDirectory(t), 'etc', 'battito');
  const error = failure(t, () => generateKeyFile(join(directory, 'key')));
  t.is(error.code, 'key-file-unwritable');
  t.is(error.next, `mkdir -p '${directory}'`);
});

test('two generated keys differ', (t) => {
  const directory = temporaryDirectory(t);
  for (const name of ['one', 'two']) generateKeyFile(join(directory, name));
  const [one, two] = ['one', 'two'].map((name) => loadKeyRing(join(directory, name)).signing.id);
  t.notDeepEqual(one, two);
});

test('a missing key file says how to create it', (t) => {
  const error = refusedOnLoad(t, join(temporaryDirectory(t), 'key'), 'key-file-missing');
  t.regex(error.next ?? '', /battito keygen/);
});

for (const bad of [0o644, 0o640, 0o660, 0o666, 0o700, 0o604, 0o4600, 0o200]) {
  const text = bad.toString(8).padStart(4, '0');
  (bad === 0o200 && !runsAsRoot ? test.skip : test)(`a key file with mode ${text} is refused`, (t) => {
    const path = fileWith(t, keyLine(1), bad);
    const error = refusedOnLoad(t, path, 'key-file-mode');
    t.true(error.message.includes(text), error.message);
    t.is(error.next, `chmod 600 '${path}'`);
  });
}

for (const good of [0o600, 0o400]) {
  test(`a key file with mode 0${good.toString(8)} is taken`, (t) => {
    t.is(loadKeyRing(fileWith(t, keyLine(1), good)).accepted.length, 1);
  });
}

test('a directory in the key file’s place is refused', (t) => {
  const path = join(temporaryDirectory(t), 'key');
  mkdirSync(path, { mode: 0o600 });
  t.regex(refusedOnLoad(t, path, 'key-file-mode').message, /directory/);
});

test('a named pipe in the key file’s place is refused without waiting for a writer', (t) => {
  const path = join(temporaryDirectory(t), 'key');
  execFileSync('mkfifo', ['-m', '600', path]);
  t.regex(refusedOnLoad(t, path, 'key-file-mode').message, /named pipe/);
});

(runsAsRoot ? test : test.skip)('a key file of another user is refused', (t) => {
  const path = fileWith(t, keyLine(1));
  chownSync(path, 4242, 4242);
  const error = refusedOnLoad(t, path, 'key-file-mode');
  t.regex(error.message, /4242/);
  t.is(error.next, `chown 0 '${path}'`);
});

test('a path through a file that is no directory is unreadable', (t) => {
  const path = join(fileWith(t, ''), 'key');
  t.regex(refusedOnLoad(t, path, 'key-file-unreadable').message, /ENOTDIR/);
});

const badContents: ReadonlyArray<readonly [title: string, text: string, lines: readonly number[]]> = [
  ['is empty', '', [1]],
  ['has only comments', '# nothing\n\n# here\n', [4]],
  ['has a key of 31 bytes', `battito-key-1:${Buffer.alloc(31).toString('base64')}\n`, [1]],
  ['has a key of 33 bytes', `battito-key-1:${Buffer.alloc(33).toString('base64')}\n`, [1]],
  ['has base64 that is not canonical', `battito-key-1:${'A'.repeat(42)}B=\n`, [1]],
  ['has a key of another version', `${keyLine(1).replace('-1:', '-2:')}\n`, [1]],
  ['has a bare key', `${Buffer.alloc(32).toString('base64')}\n`, [1]],
  ['has text after the key', `${keyLine(1)} office\n`, [1]],
  ['has three keys', `# three\n${keyLine(1)}\n${keyLine(2)}\n${keyLine(3)}\n`, [4]],
  ['has the same key twice', `${keyLine(1)}\n${keyLine(1)}\n`, [2]],
  ['has two wrong lines', `hello\n${keyLine(1)}\nworld\n`, [1, 3]],
  ['is far too long', `${'#'.repeat(20_000)}\n${keyLine(1)}\n`, [1]],
];
for (const [title, text, lines] of badContents) {
  test(`a key file that ${title} is refused with its line`, (t) => {
    const path = fileWith(t, text);
    const { message } = refusedOnLoad(t, path, 'key-file-invalid');
    t.deepEqual(
      message.split('\n').map((line) => line.slice(0, line.indexOf(': '))),
      lines.map((line) => `${path}:${line}`),
    );
  });
}

test('no message ever shows a key', (t) => {
  const secret = Buffer.alloc(31, 0x5a).toString('base64');
  const error = refusedOnLoad(t, fileWith(t, `battito-key-1:${secret}\n`), 'key-file-invalid');
  t.false(`${error.message} ${error.next}`.includes(secret));
});

test('comments, blank lines, indentation and carriage returns are fine', (t) => {
  const ring = loadKeyRing(fileWith(t, `# one\r\n\r\n  ${keyLine(1)}\r\n# two\r\n${keyLine(2)}\r\n`));
  t.is(ring.accepted.length, 2);
});

test('a rotation keeps both nodes talking at every step', (t) => {
  const path = join(temporaryDirectory(t), 'key');
  generateKeyFile(path);
  const before = loadKeyRing(path);
  stageKey(path);
  const staged = loadKeyRing(path);
  activateKey(path);
  const activated = loadKeyRing(path);
  retireKey(path);
  const after = loadKeyRing(path);

  t.deepEqual(staged.signing.id, before.signing.id, 'a staged key does not sign');
  t.notDeepEqual(activated.signing.id, before.signing.id);
  t.deepEqual(after.signing.id, activated.signing.id);
  t.deepEqual(
    [before, staged, activated, after].map((ring) => ring.accepted.length),
    [1, 2, 2, 1],
  );
  // The nodes are never more than one step apart.
  for (const [one, two] of [
    [before, staged],
    [staged, activated],
    [activated, after],
  ] as const) {
    t.true(hears(one, two) && hears(two, one));
  }
  t.false(hears(after, before), 'a retired key is refused');
  t.false(hears(before, after));
});

/** Whether a node that loaded `listener` accepts what a node that loaded `speaker` signs. */
function hears(listener: KeyRing, speaker: KeyRing): boolean {
  const names = { cluster: 'office', self: 'primary', peer: 'secondary' };
  const speaking = createIdentity(names);
  const listening = createIdentity({ ...names, self: names.peer, peer: names.self });
  const bytes = encodePacket(speaking, speaker.signing, {
    linkIndex: 0,
    incarnation: 1,
    sequence: 1,
    payload: Buffer.from('alive'),
  });
  return decodePacket(listening, listener, 0, bytes).ok;
}

test('a rotation keeps mode, comments and the directory as they are', (t) => {
  const path = fileWith(t, `# ours\n${keyLine(1)}\n# end`, 0o400);
  stageKey(path);
  activateKey(path);
  retireKey(path);
  t.is(mode(path), '400');
  const lines = readFileSync(path, 'utf8').split('\n');
  t.is(lines[0], '# ours');
  t.is(lines[2], '# end');
  t.deepEqual(readdirSync(join(path, '..')), ['key']);
});

test('a rotation through a symbolic link changes the file and leaves the link', (t) => {
  const target = fileWith(t, `${keyLine(1)}\n`);
  const link = join(temporaryDirectory(t), 'key');
  symlinkSync(target, link);
  stageKey(link);
  t.is(loadKeyRing(target).accepted.length, 2);
  t.is(loadKeyRing(link).accepted.length, 2);
});

test('steps of a rotation out of order change nothing and say why', (t) => {
  const path = fileWith(t, `${keyLine(1)}\n`);
  const single = readFileSync(path, 'utf8');
  t.is(failure(t, () => activateKey(path)).code, 'key-not-staged');
  t.is(failure(t, () => retireKey(path)).code, 'key-not-staged');
  t.is(readFileSync(path, 'utf8'), single);
  stageKey(path);
  const both = readFileSync(path, 'utf8');
  t.is(failure(t, () => stageKey(path)).code, 'key-already-staged');
  t.is(readFileSync(path, 'utf8'), both);
});

test('a rotation refuses a key file that loading refuses', (t) => {
  const path = fileWith(t, keyLine(1), 0o644);
  t.is(failure(t, () => stageKey(path)).code, 'key-file-mode');
});
