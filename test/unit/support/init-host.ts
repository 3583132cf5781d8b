// A host as `battito init` finds it, made of what tools have said elsewhere; and the command typed on it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCommandLine } from '../../../daemon/cli/arguments.ts';
import { controlClient } from '../../../daemon/cli/client.ts';
import type { Host } from '../../../daemon/cli/init/host.ts';
import { runInit } from '../../../daemon/cli/init/init.ts';
import { BattitoError } from '../../../daemon/errors.ts';
import { captureOutput } from '../fixtures/cli/terminal.ts';

const fixtures = join(import.meta.dirname, '../fixtures');
export const recorded = (name: string) => readFileSync(join(fixtures, name), 'utf8');

/** Commands by how they begin, with what they say; all others are not installed. */
export type Said = Readonly<Record<string, string | { readonly exitCode: number; readonly stderr?: string }>>;

export interface HostOptions {
  readonly said?: Said;
  readonly files?: Readonly<Record<string, string>>;
  readonly directories?: Readonly<Record<string, readonly string[]>>;
  readonly names?: Readonly<Record<string, readonly string[]>>;
  readonly guests?: Awaited<ReturnType<Host['guests']>>;
}

/** Two cards, the LAN on a bridge, a default route; the other one of the segment answers. */
export const plain: Said = {
  'ip -j -d addr show': recorded('init/addr.txt'),
  'ip -j -4 route show default': recorded('init/route.txt'),
  'ip -j -4 neigh show': recorded('init/neigh.txt'),
};

/** The same with a mirror by the segment, which is mounted. */
export const mirrored: HostOptions = {
  said: { ...plain, 'drbdadm dump': recorded('drbd/dump-8.4.txt'), 'blkid -p': recorded('init/blkid.txt') },
  files: {
    '/proc/self/mountinfo': recorded('init/mountinfo.txt'),
    '/etc/hosts': '127.0.0.1 localhost\n192.168.1.2 primary\n192.168.1.3 secondary.example.org secondary\n',
  },
};

export interface FakeHost extends Host {
  /** Every command that was run. */
  readonly ran: readonly string[];
  /** What guests were looked for on. */
  readonly storages: readonly Parameters<Host['guests']>[0][];
}

export function hostOf({
  said = plain,
  files = {},
  directories = {},
  names = {},
  guests = null,
}: HostOptions = {}): FakeHost {
  const ran: string[] = [];
  const storages: Parameters<Host['guests']>[0][] = [];
  return {
    ran,
    storages,
    run: async (argv) => {
      const line = argv.join(' ');
      ran.push(line);
      const [, answer] = Object.entries(said).find(([beginning]) => line.startsWith(beginning)) ?? [];
      const nothing = { stdout: '', stderr: '', timedOut: false };
      if (answer === undefined) return { ...nothing, exitCode: null, startError: 'ENOENT' };
      return typeof answer === 'string'
        ? { ...nothing, exitCode: 0, stdout: answer }
        : { ...nothing, ...answer };
    },
    read: (file) => files[file],
    list: (directory) => directories[directory] ?? [],
    exists: (path) => Object.hasOwn(files, path),
    resolve: async (name) => names[name] ?? [],
    guests: async (storage) => {
      storages.push(storage);
      return guests;
    },
  };
}

export interface Typed {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Null: it ended well. */
  readonly error: BattitoError | null;
  /** Every question that was asked. */
  readonly questions: readonly string[];
}

/** Types `battito init WORDS` on the host. `answers`: what is typed in turn; when there are no more, Ctrl-C. */
export async function typeInit(
  host: Host,
  words: readonly string[],
  { answers, node = 'primary' }: { readonly answers?: readonly string[]; readonly node?: string } = {},
): Promise<Typed> {
  const captured = captureOutput({ columns: 200, isTerminal: answers !== undefined });
  const line = await parseCommandLine(['init', '--node', node, ...words]);
  if (line.kind !== 'run') throw new Error(`not a command to run: ${words.join(' ')}`);
  const questions: string[] = [];
  const left = [...(answers ?? [])];
  const ask = async (question: string) => {
    questions.push(question);
    const answer = left.shift();
    if (answer === undefined) throw Object.assign(new Error('Aborted with Ctrl+C'), { name: 'AbortError' });
    return answer;
  };
  const context = {
    settings: line.settings,
    output: captured.output,
    client: controlClient(line.settings.socketPath),
    pollMs: 2,
    interruptible: <T>(work: (signal: AbortSignal) => Promise<T>) => work(new AbortController().signal),
    ...(answers === undefined ? {} : { ask }),
  };
  const said = (exitCode: number, error: BattitoError | null): Typed => ({
    exitCode,
    error,
    questions,
    stdout: captured.stdout(),
    stderr: captured.stderr(),
  });
  try {
    return said(await runInit(context, line.args, host), null);
  } catch (error) {
    if (error instanceof BattitoError) return said(error.exitCode, error);
    throw error;
  }
}
