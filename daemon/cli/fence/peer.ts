// What DRBD calls when it has lost its peer: asks the daemon what is proven about the peer's copy, and ends with the exit
// code that the kernel knows. Without proof it ends with one that the kernel does not list, so that IO stays frozen.
// What a handler prints goes nowhere, since the kernel gives it no terminal; so it is also written to the kernel's log,
// where DRBD itself tells of it. Sources: drbd.conf(5), drbd_nl.c conn_try_outdate_peer(), crm-fence-peer.sh.

import { appendFileSync } from 'node:fs';
import type { OutdatingAnswer } from '../../core/events.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import { usageError } from '../arguments.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { text } from '../command.ts';
import { harmless } from '../output.ts';

/** Exit codes of a fence-peer handler. 3, the peer is Inconsistent, is never ours to say: DRBD knows that itself. */
const handlerCodes: Readonly<Record<OutdatingAnswer, number>> = {
  outdated: 4,
  unreachable: 5,
  primary: 6,
  fenced: 7,
};

interface Conclusion {
  readonly concluded: string;
  readonly meaning: string;
  readonly next: string;
}

const goesOn = 'DRBD lets IO go on here';
const conclusions: Readonly<Record<OutdatingAnswer, Conclusion>> = {
  outdated: {
    concluded: 'the peer has marked its copy as the older one',
    meaning: goesOn,
    next: 'nothing: the peer is resynced when they are connected again',
  },
  unreachable: {
    concluded: 'the peer is gone and cannot be promoted without this node',
    meaning: `${goesOn} if its copy is UpToDate`,
    next: 'bring the peer back: nothing is mirrored until then',
  },
  primary: {
    concluded: 'the peer is primary',
    meaning: 'DRBD marks the copy here as the older one, and does not use it',
    next: 'battito status shows where the group runs',
  },
  fenced: {
    concluded: 'the peer is powered off',
    meaning: goesOn,
    next: 'find out why the peer was switched off, and start it: nothing is mirrored until then',
  },
};

/** DRBD asks again after a failed handshake; and the daemon lets its IO go by itself once something is proven. */
const patienceMs = 60_000;

const usualKernelLog = '/dev/kmsg';

/** What DRBD lists, drbd_nl.c; anything else is "broken" to it, and IO stays frozen. */
const listedCodes: ReadonlySet<number> = new Set([3, 4, 5, 6, 7]);

export async function fencePeer(
  { client, output }: Context,
  args: Arguments,
  command: Command,
  kernelLog = usualKernelLog,
): Promise<number> {
  const resource = resourceFor('fence-peer', args, command, kernelLog);
  const isHandler = text(args, 'resource') === undefined;
  const tell = (to: 'line' | 'problem', said: string) => {
    const line = harmless(said).replaceAll('\n', ' ');
    output[to](line);
    if (isHandler) writeKernelLog(kernelLog, to === 'line' ? 6 : 3, line);
  };
  try {
    const answer = await client.fencePeer(resource, patienceMs);
    const exitCode = handlerCodes[answer];
    const { concluded, meaning, next } = conclusions[answer];
    tell('line', `fence-peer ${resource}: ${concluded}; exit code ${exitCode}: ${meaning}; next: ${next}`);
    return exitCode;
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    const exitCode = listedCodes.has(error.exitCode) ? exitCodes.failed : error.exitCode;
    const next = error.next ?? 'battito status';
    tell(
      'problem',
      `fence-peer ${resource}: nothing is proven about the peer: ${error.message}; exit code ${exitCode}: IO of ${resource} stays frozen until Battito knows more; next: ${next}`,
    );
    return exitCode;
  }
}

/** There is nothing to undo: a resync makes a copy usable again. */
export function unfencePeer({ output }: Context, args: Arguments, command: Command): number {
  const resource = harmless(resourceFor('unfence-peer', args, command));
  output.line(
    `unfence-peer ${resource}: nothing is to be taken back; a resync has made the copy usable again`,
  );
  return exitCodes.ok;
}

/** @throws BattitoError `usage`, exit code 64, which DRBD does not list */
function resourceFor(action: string, args: Arguments, command: Command, kernelLog = usualKernelLog): string {
  const asked = process.env['DRBD_RESOURCE'] || undefined;
  const surplus = args.positionals[1];
  if (surplus !== undefined && asked === undefined) {
    const message = `${action} does not know what to do with "${surplus}"`;
    throw usageError(message, command, `battito drbd ${action} --resource ${surplus}`);
  }
  if (surplus !== undefined) {
    // The disks would stand still for a word too many.
    const remark = harmless(`${action} ${asked}: the word "${surplus}" is ignored`);
    const next = `next: correct the handler in /etc/drbd.d to: battito drbd ${action}`;
    writeKernelLog(kernelLog, 4, `${remark}; ${next}`);
  }
  const resource = text(args, 'resource') ?? asked;
  if (resource !== undefined) return resource;
  throw new BattitoError('usage', `${action} is not told which DRBD resource is meant`, {
    exitCode: exitCodes.usage,
    next: `DRBD itself names it in DRBD_RESOURCE; by hand: battito drbd ${action} --resource NAME`,
  });
}

/** A line for dmesg and the journal; without the right to write there it is left out. Levels: syslog(3). */
function writeKernelLog(file: string, level: number, line: string): void {
  try {
    appendFileSync(file, `<${level}>battito: ${line}\n`, { flag: 'a' });
  } catch {
    // The exit code is what counts.
  }
}
