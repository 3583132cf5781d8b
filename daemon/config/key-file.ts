// The shared key file: reading, judging and rotating it.
// Guarantees: a key is never printed; a file that others may read or change is refused; every change is atomic
// (a reader sees the old file or the new one, whole) and on disk when the call returns. A file holds one or two
// keys: the first signs, all verify. Rotation without a gap: stage, copy to the peer; activate, copy; retire, copy.

import { createHash, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  openSync,
  realpathSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { BattitoError, exitCodes } from '../errors.ts';
import { readPrivateFile } from './private-file.ts';

/** A key made from a file's key for one purpose. `id` is 4 bytes and says nothing about the key. */
export interface DerivedKey {
  readonly id: Buffer;
  readonly secret: KeyObject;
}

/** `signing` is also the first of `accepted`. */
export interface KeyRing {
  readonly signing: DerivedKey;
  readonly accepted: readonly DerivedKey[];
}

/** What a derived key is for; each purpose gets its own independent key (RFC 5869, `info`). */
export type KeyPurpose = 'heartbeat' | 'peer-channel';

const secretBytes = 32;
const keyLinePattern = /^battito-key-1:([A-Za-z0-9+/]{43}=)$/;
const header = `# Battito's shared key. Keep this file the same on both nodes, mode 0600.
# The first key signs, every key listed is accepted.
`;

/** Derives a ring from raw 32-byte keys, the signing one first. */
export function createKeyRing(secrets: readonly Buffer[], purpose: KeyPurpose = 'heartbeat'): KeyRing {
  const accepted = secrets.map((secret) => deriveKey(secret, purpose));
  const [signing] = accepted;
  if (signing === undefined) throw new TypeError('a key ring needs a key');
  return { signing, accepted };
}

function deriveKey(secret: Buffer, purpose: KeyPurpose): DerivedKey {
  const derived = Buffer.from(hkdfSync('sha256', secret, '', `battito ${purpose} 1`, secretBytes));
  const id = Buffer.from(createHash('sha256').update(derived).digest().subarray(0, 4));
  return { id, secret: createSecretKey(derived) };
}

/**
 * Reads the key file.
 * @throws BattitoError, exit code 78: `key-file-missing`, `key-file-mode` (not a regular file, or its mode or owner
 * lets others in), `key-file-unreadable`, `key-file-invalid` (every problem, as file:line).
 */
export function loadKeyRing(path: string, purpose: KeyPurpose = 'heartbeat'): KeyRing {
  return createKeyRing(
    readKeyFile(path).keys.map((key) => key.secret),
    purpose,
  );
}

/**
 * Creates a key file with one new random key, mode 0600 from its first byte.
 * @throws BattitoError `key-file-exists` (nothing is ever overwritten), `key-file-unwritable`.
 */
export function generateKeyFile(path: string): void {
  writing(path, () => {
    const temporary = writeTemporary(path, `${header}${newKeyLine()}\n`, { mode: 0o600 });
    try {
      linkSync(temporary, path); // Unlike rename(2), link(2) fails when the name is taken.
    } finally {
      unlinkSync(temporary);
    }
    syncDirectoryOf(path);
  });
}

/** Appends a second new key, accepted but not signing. @throws BattitoError `key-already-staged`, or as on load. */
export function stageKey(path: string): void {
  const file = readKeyFile(path);
  if (file.keys.length > 1) {
    throw new BattitoError('key-already-staged', `${path} already holds two keys`, {
      next: 'Finish the rotation under way first: activate the second key, then retire the old one.',
    });
  }
  const lines = file.lines.at(-1) === '' ? file.lines.slice(0, -1) : file.lines;
  replaceFile(path, file.stats, [...lines, newKeyLine(), '']);
}

/** Lets the second key sign; the first stays accepted. @throws BattitoError `key-not-staged`, or as on load. */
export function activateKey(path: string): void {
  const { lines, stats, first, second } = readTwoKeys(path);
  const swapped = [...lines];
  swapped[first.line] = lines[second.line] ?? '';
  swapped[second.line] = lines[first.line] ?? '';
  replaceFile(path, stats, swapped);
}

/** Drops the key that does not sign. @throws BattitoError `key-not-staged`, or as on load. */
export function retireKey(path: string): void {
  const { lines, stats, second } = readTwoKeys(path);
  replaceFile(path, stats, lines.toSpliced(second.line, 1));
}

interface KeyLine {
  /** Index into `lines`, from 0. */
  readonly line: number;
  readonly secret: Buffer;
}

interface KeyFile {
  readonly lines: readonly string[];
  readonly keys: readonly KeyLine[];
  readonly stats: Stats;
}

function readTwoKeys(path: string): KeyFile & { readonly first: KeyLine; readonly second: KeyLine } {
  const file = readKeyFile(path);
  const [first, second] = file.keys;
  if (first === undefined || second === undefined) {
    throw new BattitoError('key-not-staged', `${path} holds only the key that signs`, {
      next: 'Stage a new key first and copy the file to the other node.',
    });
  }
  return { ...file, first, second };
}

function readKeyFile(path: string): KeyFile {
  const { text, stats } = readPrivateFile(path, keyFile);
  const lines = text.split('\n');
  const keys: KeyLine[] = [];
  const problems: string[] = [];
  for (const [line, raw] of lines.entries()) {
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) continue;
    const where = `${path}:${line + 1}`;
    const encoded = keyLinePattern.exec(content)?.[1];
    const secret = Buffer.from(encoded ?? '', 'base64');
    if (encoded === undefined || secret.toString('base64') !== encoded) {
      problems.push(`${where}: expected battito-key-1:<base64 of 32 bytes>`);
    } else if (keys.some((key) => key.secret.equals(secret))) {
      problems.push(`${where}: the same key twice`);
    } else if (keys.length === 2) {
      problems.push(`${where}: more than two keys`);
    } else {
      keys.push({ line, secret });
    }
  }
  if (keys.length === 0 && problems.length === 0)
    problems.push(`${path}:${lines.length}: no key in this file`);
  if (problems.length > 0) throw invalid(path, problems.join('\n'));
  return { lines, keys, stats };
}

const keyFile = {
  code: 'key-file' as const,
  what: 'key file',
  missing: 'Create it with "battito keygen" on one node and copy it to the other, mode 0600.',
  other: 'Put the key into a plain file.',
};

function invalid(path: string, message: string): BattitoError {
  return new BattitoError('key-file-invalid', message, {
    exitCode: exitCodes.config,
    next: `Copy ${path} from the other node, or create a new one with "battito keygen".`,
  });
}

function newKeyLine(): string {
  return `battito-key-1:${randomBytes(secretBytes).toString('base64')}`;
}

/** Through a symbolic link, the file itself is replaced; mode and owner stay. */
function replaceFile(path: string, stats: Stats, lines: readonly string[]): void {
  writing(path, () => {
    const target = realpathSync(path);
    const owner = { uid: stats.uid, gid: stats.gid };
    const temporary = writeTemporary(target, lines.join('\n'), { mode: stats.mode & 0o777, owner });
    try {
      renameSync(temporary, target);
    } catch (error) {
      unlinkSync(temporary);
      throw error;
    }
    syncDirectoryOf(target);
  });
}

function writeTemporary(
  path: string,
  text: string,
  { mode, owner }: { mode: number; owner?: { uid: number; gid: number } },
): string {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.new`;
  const descriptor = openSync(temporary, 'wx', 0o600);
  try {
    if (owner !== undefined) fchownSync(descriptor, owner.uid, owner.gid);
    fchmodSync(descriptor, mode); // Whatever the umask left.
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } catch (error) {
    unlinkSync(temporary);
    throw error;
  } finally {
    closeSync(descriptor);
  }
  return temporary;
}

/** For after a rename or link, which outlives a power cut only once the directory of `path` is on disk. */
export function syncDirectoryOf(path: string): void {
  const descriptor = openSync(dirname(path), constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function writing(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      throw new BattitoError('key-file-exists', `${path} already exists and is left as it is`, {
        next: 'To change keys without a gap, stage a second key in it instead.',
        cause: error,
      });
    }
    throw new BattitoError('key-file-unwritable', `${path}: cannot be written (${code ?? message})`, {
      next: code === 'ENOENT' ? `mkdir -p '${dirname(path)}'` : 'Run as root, or choose another path.',
      cause: error,
    });
  }
}
