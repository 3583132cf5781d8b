// Halts a domain without ending it, and lets it go on.
// Guarantees: freezing works with a silent libvirt too, and does not wait for it; what was stopped by a signal is known
// to be ours by a mark that outlives the daemon.

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Outcome } from '../driver.ts';
import { type Domain, type Look, lookAtDomain, markFrozen, outcomeOf, unmarkFrozen } from './look.ts';
import { processState, waitForState } from './process.ts';
import { domainOption } from './virsh.ts';

/** The peer may take over a margin after we were cut off: libvirt gets no longer than this to pause a guest. */
const freezeAnswerMs = 500;
const freezeTimeoutMs = 2000;
const callTimeoutMs = 5000;

/** `virsh suspend`; when libvirt does not do it at once SIGSTOP, which no process can miss. */
export async function freezeDomain(domain: Domain, signal: AbortSignal): Promise<Outcome> {
  const suspended = await suspend(domain, signal);
  if (suspended !== undefined) return suspended;
  const { name } = domain.config;
  const process = domain.libvirt.local ? await domain.process.find({ scan: true }) : undefined;
  if (process === undefined) {
    const look = await lookAtDomain(domain, { scan: true, direct: true, signal });
    if (look.status.kind === 'down') return { kind: 'done' };
    if (look.status.kind === 'paused') return { kind: 'done' };
    const why = look.status.kind === 'unknown' ? look.status.message : `it is ${look.said}`;
    return { kind: 'unknown', message: `guest ${name}: it could not be paused; ${why}` };
  }
  domain.logger.warn({ pid: process.pid }, 'libvirt did not pause the guest; it is frozen by SIGSTOP');
  await mkdir(path.dirname(domain.frozenFile), { recursive: true, mode: 0o700 });
  await markFrozen(domain, process);
  const sent = await domain.process.signal('SIGSTOP');
  if (await waitForState(process, 'stopped', sent ? freezeTimeoutMs : 0, signal)) return { kind: 'done' };
  if ((await processState(process)) === 'gone') return { kind: 'done' };
  const what = sent
    ? 'SIGSTOP was sent but has not come to effect'
    : `QEMU (pid ${process.pid}) is not surely its own`;
  return { kind: 'unknown', message: `guest ${name}: ${what}` };
}

export async function resumeDomain(domain: Domain, signal: AbortSignal): Promise<Outcome> {
  const { name } = domain.config;
  const process = domain.libvirt.local ? await domain.process.find({ scan: true }) : undefined;
  if (process !== undefined && (await processState(process)) === 'stopped') {
    if (!(await domain.process.signal('SIGCONT'))) {
      return { kind: 'unknown', message: `guest ${name}: QEMU (pid ${process.pid}) is not surely its own` };
    }
    await unmarkFrozen(domain);
  }
  const look = await lookAtDomain(domain, { scan: true, direct: true, signal });
  if (look.status.kind === 'down') {
    const message = `guest ${name}: there is no process to resume`;
    return { kind: 'failed', code: 'guest-not-there', message };
  }
  if (look.said === null) {
    const why = look.status.kind === 'unknown' ? look.status.message : 'libvirt does not answer';
    return { kind: 'unknown', message: `guest ${name}: ${why}` };
  }
  if (look.status.kind === 'paused' || look.condition === 'io-error') {
    const args = ['resume', domainOption(name)];
    const result = await domain.libvirt.run(args, { timeoutMs: callTimeoutMs, signal });
    if (result.kind === 'failed') return outcomeOf(domain, result);
  }
  return judgeResumed(name, await lookAtDomain(domain, { scan: true, direct: true, signal }));
}

function judgeResumed(name: string, look: Look): Outcome {
  if (look.status.kind === 'up') return { kind: 'done' };
  if (look.said === null || look.condition === 'passing') {
    return { kind: 'unknown', message: `guest ${name}: resumed, but it cannot be told whether it runs` };
  }
  const message = `guest ${name}: resumed, but libvirt says that it is ${look.said}`;
  return { kind: 'failed', code: 'guest-not-running', message };
}

/** Undefined: it was not done in time and has to be done by other means. */
async function suspend(domain: Domain, signal: AbortSignal): Promise<Outcome | undefined> {
  const { name } = domain.config;
  const deadline = performance.now() + freezeAnswerMs;
  const args = ['suspend', domainOption(name)];
  const result = await domain.libvirt.run(args, { timeoutMs: freezeAnswerMs, signal });
  signal.throwIfAborted();
  const leftMs = deadline - performance.now();
  if (result.kind === 'failed' && (result.code === 'libvirt-silent' || leftMs <= 0)) return undefined;
  const timeoutMs = Math.max(freezeAnswerMs / 2, leftMs);
  const look = await lookAtDomain(domain, { scan: true, direct: true, timeoutMs, signal });
  if (look.said === null && look.defined === null) {
    return look.status.kind === 'down' ? { kind: 'done' } : undefined;
  }
  const halted =
    look.status.kind === 'down' ||
    look.status.kind === 'paused' ||
    look.condition === 'io-error' ||
    look.condition === 'crashed';
  return halted ? { kind: 'done' } : undefined;
}
