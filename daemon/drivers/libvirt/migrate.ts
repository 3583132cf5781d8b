// Moves a domain to the other node while it runs, through a tunnel between the two daemons.
// Guarantees: it arrives paused and is let go of there only when it is seen to have ended here; whatever goes wrong, the
// outcome says what it is here, and no more than one of the two runs. Must not: let a second primary in; that is done.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome } from '../driver.ts';
import { type Domain, type Look, lookAtDomain } from './look.ts';
import { domainOption, type VirshResult } from './virsh.ts';

/** The way to the same domain on the other node. */
export interface Passage {
  /** The name of the other node. */
  readonly peer: string;
  /** A connection to the libvirt there, as a URI that the libvirt here can open; the word why there is none. */
  open(signal: AbortSignal): Promise<{ readonly uri: string; close(): Promise<void> } | string>;
  /** It has ended here and may run there. Null: it does; the word why not, or why nobody knows. */
  letGo(signal: AbortSignal): Promise<string | null>;
  /** For tests: flags of virsh besides. */
  readonly flags?: readonly string[];
}

/** Of the whole memory over a slow cable; the caller's signal ends it sooner. */
const migrateTimeoutMs = 6 * 3_600_000;
const letGoTimeoutMs = 15_000;
const afterwardsMs = 40_000;
const callTimeoutMs = 5000;
const callOffMs = 20_000;
const callOffPauseMs = 250;

/**
 * p2p and tunnelled: all that the two libvirts and the two QEMU say to each other goes through one socket. suspend: it
 * stands still there. auto-converge: one that writes faster than the cable carries is slowed down.
 */
const flags = [
  '--live',
  '--p2p',
  '--tunnelled',
  '--suspend',
  '--persistent',
  '--auto-converge',
  '--abort-on-error',
];

export function migrateWords(name: string, uri: string, more: readonly string[] = []): readonly string[] {
  return ['migrate', ...flags, ...more, domainOption(name), `--desturi=${uri}`];
}

export async function migrateDomain(domain: Domain, signal: AbortSignal): Promise<Outcome> {
  const { passage } = domain;
  const { name } = domain.config;
  const failed = (message: string): Outcome => ({
    kind: 'failed',
    code: 'migration-failed',
    message: `guest ${name}: ${message}`,
  });
  if (passage === null) return failed('there is no way to the other node');
  const look = await lookAtDomain(domain, { scan: true, direct: true, signal });
  if (look.status.kind !== 'up') return failed(`it cannot be moved: ${wordsOf(look)}`);
  const way = await passage.open(signal);
  if (typeof way === 'string') return failed(way);
  try {
    const call = { timeoutMs: migrateTimeoutMs, signal };
    const result = await domain.libvirt.run(migrateWords(name, way.uri, passage.flags), call);
    // It goes on in libvirt when its virsh is gone.
    if (result.kind === 'failed' && result.code !== 'libvirt-refused') await callOff(domain);
    return await settle(domain, passage, result);
  } finally {
    await way.close();
  }
}

/** Runs to its end also when the operation was aborted: one that has ended here is let go of, or nobody has it. */
async function settle(domain: Domain, passage: Passage, result: VirshResult): Promise<Outcome> {
  const { name } = domain.config;
  const signal = AbortSignal.timeout(afterwardsMs);
  const why = result.kind === 'failed' ? result.message : 'libvirt said that it had moved';
  try {
    const look = await lookAtDomain(domain, { scan: true, direct: true, signal });
    if (look.status.kind === 'down' && look.said === 'shut off (migrated)') {
      const problem = await passage.letGo(AbortSignal.any([signal, AbortSignal.timeout(letGoTimeoutMs)]));
      if (problem === null) return { kind: 'done' };
      return {
        kind: 'unknown',
        message: `guest ${name} has left, and does not run there for certain: ${problem}`,
      };
    }
    if (look.status.kind === 'unknown' && look.said === null) {
      return { kind: 'unknown', message: `guest ${name}: not moved (${why}); ${look.status.message}` };
    }
    const message = `guest ${name} could not be moved while it runs (${why}); here it is ${wordsOf(look)}`;
    return { kind: 'failed', code: 'migration-failed', message };
  } catch (error) {
    if (!signal.aborted) throw error;
    return { kind: 'unknown', message: `guest ${name}: after the move libvirt did not tell what it is` };
  }
}

/** The way stays open until libvirt has told the other one that nothing comes; an abort may come before there is a job. */
async function callOff({ libvirt, config }: Domain): Promise<void> {
  const deadline = performance.now() + callOffMs;
  while (performance.now() < deadline) {
    const call = { timeoutMs: callTimeoutMs };
    await libvirt.run(['domjobabort', domainOption(config.name)], call);
    await sleep(callOffPauseMs);
    const job = await libvirt.run(['domjobinfo', domainOption(config.name)], call);
    if (job.kind === 'failed' || /^Job type:\s+None/m.test(job.stdout)) return;
  }
}

const wordsOf = ({ status, said }: Look): string =>
  status.kind === 'unknown' ? status.message : (said ?? status.kind);
