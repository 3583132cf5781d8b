// What a node remembers over restarts: its incarnation and its ledger.

import { mkdir, readFile, rename, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import type { Note } from '../../control/api.ts';
import { listenAlone } from '../../control/lone-socket.ts';
import { alreadyRunning } from '../../control/server.ts';
import type { Ledger } from '../../core/events.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import { monotonicMs } from '../clock.ts';
import { maintenanceLeftMs, nextIncarnation } from './restarts.ts';
import { openSlots, SlotError, type Slots } from './slots.ts';

const fileSchema = z.object({
  format: z.literal(2),
  cluster: z.string(),
  node: z.string(),
  incarnation: z.int().nonnegative(),
  /** Of the boot in which `maintenanceUntil` (monotonic) means something. */
  bootId: z.string(),
  /** End of maintenance by the wall clock, milliseconds since 1970, for another boot; null: none. */
  maintenanceEnds: z.number().nullable(),
  /** What was left of it when this was written: more is never left in another boot, whatever the wall clock has done. */
  maintenanceLeftMs: z.number().nullable().default(null),
  ledger: z.object({
    groups: z.array(
      z.object({
        name: z.string(),
        generation: z.int().nonnegative(),
        owner: z.string().nullable(),
        writer: z.string().nullable().default(null),
        alone: z.boolean().default(false),
        sole: z.boolean(),
        frozen: z.boolean(),
        inTime: z.boolean().default(false),
        discards: z.boolean().default(false),
      }),
    ),
    peer: z
      .object({
        incarnation: z.int().nonnegative(),
        sequence: z.int().nonnegative(),
        newestRun: z.int().nonnegative().default(0),
      })
      .transform((peer) => ({ ...peer, newestRun: Math.max(peer.newestRun, peer.incarnation) }))
      .nullable()
      .default(null),
    standby: z.boolean(),
    left: z.boolean().default(false),
    maintenanceUntil: z.number().nullable(),
  }),
});

/** Of which each holds a whole record. */
const names = ['state-a.json', 'state-b.json'] as const;

/** Tests name another, for hosts that are no machines, by BATTITO_BOOT_ID_FILE. */
const bootIdFile = '/proc/sys/kernel/random/boot_id';

type FileContent = z.infer<typeof fileSchema>;

export interface StateFile {
  readonly incarnation: number;
  readonly ledger: Ledger;
  /** A file that was passed over since its last write was cut short, most likely; null: none. */
  readonly tornPath: string | null;
  /** Resolves when the ledger is on disk. One write at a time, in order. */
  save(ledger: Ledger): Promise<void>;
}

export interface StateFileOptions {
  readonly stateDir: string;
  readonly cluster: string;
  readonly node: string;
}

/** Of this boot of this machine. */
export async function readBootId(): Promise<string> {
  return (await readFile(process.env['BATTITO_BOOT_ID_FILE'] ?? bootIdFile, 'utf8')).trim();
}

/**
 * Reads the record, and writes it back with a new incarnation, larger than any earlier one (the wall clock helps out
 * when it is lost). Throws BattitoError `state-file-invalid`, `state-file-foreign`, `state-dir-unusable`.
 */
export async function openStateFile(options: StateFileOptions): Promise<StateFile> {
  const { stateDir, cluster, node } = options;
  const bootId = await readBootId();
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw stateDirUnusable(stateDir, error);
  }
  const journal = await stat(join(stateDir, 'journal')).catch(() => undefined);
  if (journal?.isDirectory() === false)
    throw stateDirUnusable(stateDir, new Error('journal is not a directory'));
  const slots = await readSlots(stateDir, bootId);
  const known = parseState(slots);
  if (known !== null && (known.cluster !== cluster || known.node !== node)) {
    throw new BattitoError(
      'state-file-foreign',
      `${slots.path} belongs to node ${known.node} of cluster ${known.cluster}, not to ${node} of ${cluster}`,
      { exitCode: exitCodes.config, next: `if ${node} is a new node, move ${bothIn(stateDir)} away` },
    );
  }
  const incarnation = nextIncarnation(known?.incarnation ?? 0, Date.now(), Math.random());
  const ledger =
    known === null
      ? emptyLedger
      : {
          ...(slots.tornPath === null ? known.ledger : withoutClaims(known.ledger)),
          maintenanceUntil: maintenance(known, bootId),
        };
  let tail: Promise<void> = Promise.resolve();
  const save = (next: Ledger): Promise<void> => {
    const left = next.maintenanceUntil === null ? null : next.maintenanceUntil - monotonicMs();
    const content: Omit<FileContent, 'ledger'> & { readonly ledger: Ledger } = {
      format: 2,
      cluster,
      node,
      incarnation,
      bootId,
      maintenanceEnds: left === null ? null : Date.now() + left,
      maintenanceLeftMs: left,
      ledger: next,
    };
    const written = tail.then(() => slots.write(content));
    tail = written.catch(() => {}); // Whoever asked for this write is told; the next one starts afresh.
    return written;
  };
  try {
    // For whoever wants to know what it was.
    if (slots.tornPath !== null) await rename(slots.tornPath, `${slots.tornPath}.damaged`);
    await save(ledger);
  } catch (error) {
    throw stateDirUnusable(stateDir, error);
  }
  return { incarnation, ledger, tornPath: slots.tornPath, save };
}

/**
 * Keeps a second daemon out of the directory until the result is called, or this process ends, however it does.
 * Throws BattitoError `already-running`, `state-dir-unusable`.
 */
export async function claimStateDir(stateDir: string): Promise<() => void> {
  const server = createServer((socket) => socket.destroy());
  let isAlone: boolean;
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    isAlone = await listenAlone(server, join(stateDir, 'claim.sock'));
  } catch (error) {
    throw stateDirUnusable(stateDir, error);
  }
  if (!isAlone) throw alreadyRunning(`uses the state directory ${stateDir}`);
  server.unref();
  return () => server.close();
}

const emptyLedger: Ledger = { groups: [], peer: null, standby: false, left: false, maintenanceUntil: null };

export function stateDirUnusable(stateDir: string, cause: unknown): BattitoError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new BattitoError(
    'state-dir-unusable',
    `the state directory ${stateDir} cannot be used: ${message}`,
    {
      exitCode: exitCodes.config,
      next: 'make it writable for the daemon, with free space, or name another with --state-dir',
      cause,
    },
  );
}

/**
 * A record that may not be the newest: what proves that this node wrote last, and what a goodbye gave away, is not taken from
 * it. So nothing starts here alone before the peer was met, or a person has decided.
 */
function withoutClaims(ledger: FileContent['ledger']): FileContent['ledger'] {
  return { ...ledger, left: true, groups: ledger.groups.map((group) => ({ ...group, sole: false })) };
}

/** What is to be told where a file was passed over. */
export function tornNote(path: string, peer: string): Note {
  return {
    ...{ severity: 'warning', code: 'state-file-torn', group: null, tookMs: null },
    message: `${path} was cut short in its last write, and is kept as ${path}.damaged: the record before it counts, and nothing is started here before ${peer} was met`,
    next: `see that ${peer} runs; where it is off for good: battito status`,
  };
}

const bothIn = (stateDir: string) => names.map((name) => join(stateDir, name)).join(' and ');

/** A host that has not stopped since cut nothing short: whatever is wrong with a file then, nobody can explain. */
async function readSlots(stateDir: string, bootId: string): Promise<Slots> {
  const mayBeTorn = (content: unknown) => (content as Partial<FileContent> | null)?.bootId !== bootId;
  try {
    return await openSlots(stateDir, names, mayBeTorn);
  } catch (error) {
    throw error instanceof SlotError
      ? invalid(error.path, error.how, error)
      : stateDirUnusable(stateDir, error);
  }
}

function parseState({ known, path }: Slots): FileContent | null {
  if (known === undefined) return null;
  const { success, data, error } = fileSchema.safeParse(known);
  if (!success) throw invalid(path, 'damaged', error);
  return data;
}

function invalid(path: string, how: SlotError['how'], cause: unknown): BattitoError {
  const both = bothIn(dirname(path));
  return new BattitoError(
    'state-file-invalid',
    how === 'damaged'
      ? `${path} is damaged: it is not a state file of this version`
      : `${path} is ${how === 'missing' ? 'missing' : 'not the one before the other'}, so nobody knows whether the other one is the newest`,
    {
      exitCode: exitCodes.config,
      next: `move ${both} away; this node then knows nothing of who wrote last, so start its peer first`,
      cause,
    },
  );
}

function maintenance(known: FileContent, bootId: string): number | null {
  const now = monotonicMs();
  if (known.ledger.maintenanceUntil === null || known.maintenanceEnds === null) return null;
  if (known.bootId === bootId)
    return known.ledger.maintenanceUntil > now ? known.ledger.maintenanceUntil : null;
  const byWallClock = maintenanceLeftMs(known.maintenanceEnds, Date.now());
  const leftMs = Math.min(byWallClock, known.maintenanceLeftMs ?? byWallClock);
  return leftMs > 0 ? now + leftMs : null;
}
