// What a fencing device is told that nobody else may read: lines `name=value` of a file for root alone, and their removal
// from whatever is said later. Read anew for each use, so that a changed password needs no restart.
// Must not: put a value into a message.

import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import type { FenceDeviceConfig } from '../../config/config.ts';
import { expectedForSecret } from '../../config/fencing.ts';
import { shellQuote } from '../shell.ts';

export type Secrets =
  | { readonly kind: 'read'; readonly options: Readonly<Record<string, string>> }
  /** `mend`: the command that does. */
  | { readonly kind: 'unusable'; readonly message: string; readonly mend: string };

const bytesMax = 16 * 1024;
const linePattern = /^([a-z][a-z0-9_-]*)=(.*)$/;
/** Shorter ones are no secrets, and would make any text unreadable. */
const hiddenLengthMin = 3;
const othersMay = 0o077;

/** What is expected instead of a line with this name; null: it may stand there. */
type Refusal = (name: string) => string | null;

/** Never throws. */
export function readDeviceSecrets({ program, secrets }: FenceDeviceConfig): Secrets {
  return readSecrets(secrets, (name) => expectedForSecret(name, program));
}

/** Never throws. */
export function readSecrets(path: string | null, refusal: Refusal = () => null): Secrets {
  if (path === null) return { kind: 'read', options: {} };
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return unreadable(path, error);
  }
  const quoted = shellQuote(path);
  try {
    const stats = fstatSync(file);
    const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0');
    if (!stats.isFile()) return unusable(`${path} is not a file`, `ls -ld ${quoted}`);
    if ((stats.mode & othersMay) !== 0)
      return unusable(`others may use ${path}: its mode is ${mode}`, `chmod 0600 ${quoted}`);
    if (stats.uid !== 0 && stats.uid !== process.geteuid?.())
      return unusable(`${path} belongs to another user (uid ${stats.uid})`, `chown root: ${quoted}`);
    if (stats.size > bytesMax) return unusable(`${path} is larger than ${bytesMax} bytes`, `ls -l ${quoted}`);
    return parse(path, readFileSync(file, 'utf8'), refusal);
  } catch (error) {
    return unreadable(path, error);
  } finally {
    closeSync(file);
  }
}

function unusable(message: string, mend: string): Secrets {
  return { kind: 'unusable', message, mend };
}

function unreadable(path: string, error: unknown): Secrets {
  const quoted = shellQuote(path);
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT')
    return unusable(
      `there is no ${path}`,
      `install -m 0600 /dev/null ${quoted}   # then write: password=...`,
    );
  if (code === 'EACCES') return unusable(`no permission to read ${path}`, 'run it as root');
  return unusable(`${path} cannot be read (${code ?? 'unknown error'})`, `ls -l ${quoted}`);
}

/** Lines with a fault are named by their number: what stands there may be the password. */
function parse(path: string, text: string, refusal: Refusal): Secrets {
  const options: Record<string, string> = {};
  const lines = text.split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const [, name, value] = linePattern.exec(line.trim()) ?? [];
    const where = `line ${index + 1} of ${path}`;
    const mend = `edit line ${index + 1} of ${path}: name=value, such as password=...`;
    if (name === undefined || value === undefined) return unusable(`${where} is not name=value`, mend);
    if (Object.hasOwn(options, name)) return unusable(`${where} gives ${name} a second time`, mend);
    const expected = refusal(name);
    if (expected !== null)
      return unusable(
        `${where} gives ${name}; expected ${expected}`,
        `take line ${index + 1} out of ${path}`,
      );
    options[name] = value;
  }
  return { kind: 'read', options };
}

/** Takes the values out of what a device says, as they are and as a URL has them. */
export function hideSecrets(text: string, secrets: Readonly<Record<string, string>>): string {
  return Object.values(secrets)
    .filter((value) => value.length >= hiddenLengthMin)
    .flatMap((value) => [value, encodeURIComponent(value)])
    .toSorted((a, b) => b.length - a.length)
    .reduce((said, value) => said.replaceAll(value, '***'), text);
}
