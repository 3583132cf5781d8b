// Takes a domain down: by its agent, by the power button, or at once.
// Guarantees: `done` only when libvirt says that it is off and no QEMU of it is left, or, where libvirt does not answer,
// when its process was seen and is gone.

import type { Outcome } from '../driver.ts';
import { forgetArrival } from './arrival.ts';
import { type Domain, type Look, lookAtDomain, unmarkFrozen } from './look.ts';
import { processState, waitForState } from './process.ts';
import { domainOption, type VirshResult } from './virsh.ts';

const callTimeoutMs = 5000;
/** A guest that is still booting drops the press of a button; so it is pressed again. */
const pressAgainMs = 3000;
/** libvirt tells of an end by an event; this is for one that got lost. */
const lookAgainMs = 1000;
/** libvirt itself waits up to 10 s for QEMU to end after SIGTERM, and as long again after SIGKILL. */
const destroyTimeoutMs = 25_000;
const killTimeoutMs = 5000;
/** A libvirt that hangs is not waited for so long that no time is left to kill the guest without it. */
const destroyAnswerMs = 4000;
/** In which a start that was broken off may still reach libvirt. */
const lateStartMs = 2000;

/** The agent for `agentTimeoutMs`, then ACPI for `shutdownTimeoutMs`, then destroy. */
export async function stopDomain(domain: Domain, signal: AbortSignal): Promise<Outcome> {
  const first = await lookAtDomain(domain, { scan: true, direct: true, signal });
  if (isOff(first)) return await finished(domain, signal);
  if (!canReact(first)) return await destroyDomain(domain, signal);
  const { agentTimeoutMs, shutdownTimeoutMs } = domain.config;
  if (await hasAgent(domain, signal)) {
    const asked = await press(domain, 'agent', agentTimeoutMs, signal);
    if (asked.kind === 'done') {
      if (await endsWithin(domain, agentTimeoutMs, signal)) return await finished(domain, signal);
      domain.logger.warn({ afterMs: agentTimeoutMs }, 'the agent did not shut the guest down; ACPI is tried');
    } else {
      domain.logger.info({ reason: asked.message }, 'the agent does not answer; ACPI is tried');
    }
  }
  const deadline = performance.now() + shutdownTimeoutMs;
  for (;;) {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) break;
    await press(domain, 'acpi', leftMs, signal);
    const waitMs = Math.min(pressAgainMs, Math.max(0, deadline - performance.now()));
    if (await endsWithin(domain, waitMs, signal)) return await finished(domain, signal);
  }
  domain.logger.warn(
    { afterMs: shutdownTimeoutMs },
    'the guest did not shut down in time; it is switched off',
  );
  return await destroyDomain(domain, signal);
}

/**
 * A running guest is ended by libvirt, which lets QEMU close its image first. A halted one is killed: the other node
 * may have changed the disk since, and QEMU must not write to it any more. So is one whose libvirt does not answer.
 */
export async function destroyDomain(domain: Domain, signal: AbortSignal): Promise<Outcome> {
  const asked = { scan: true, direct: true, timeoutMs: destroyAnswerMs, signal };
  const look = await lookAtDomain(domain, asked);
  if (isOff(look)) return await finished(domain, signal);
  if (look.said === null) return await destroyWithoutLibvirt(domain, look, signal);
  // What comes in has not been anybody's yet.
  const running =
    look.status.kind === 'up' || (look.condition === 'passing' && look.status.kind !== 'incoming');
  if (running) {
    await destroyBy(domain, ['--graceful'], signal);
  } else if (look.process !== undefined) {
    await domain.process.signal('SIGKILL');
    await waitForState(look.process, 'gone', killTimeoutMs, signal);
    await endsWithin(domain, callTimeoutMs, signal);
  }
  let after = await lookAtDomain(domain, { scan: true, direct: true, signal });
  if (!isOff(after)) {
    await destroyBy(domain, [], signal);
    after = await lookAtDomain(domain, { scan: true, direct: true, signal });
  }
  if (isOff(after)) return await finished(domain, signal);
  if (after.said === null) return await destroyWithoutLibvirt(domain, after, signal);
  const message = `guest ${domain.config.name}: it was destroyed but is ${after.said}`;
  return { kind: 'unknown', message };
}

/** Off by libvirt's word, or, where nobody listens, by the host's list of processes. */
function isOff(look: Look): boolean {
  return look.status.kind === 'down';
}

/** What does not run cannot. Where libvirt does not answer that cannot be told, and it may come back in time. */
function canReact(look: Look): boolean {
  if (look.status.kind === 'up' || look.condition === 'passing') return true;
  return look.said === null && look.status.kind === 'unknown';
}

async function destroyWithoutLibvirt(domain: Domain, look: Look, signal: AbortSignal): Promise<Outcome> {
  const { name } = domain.config;
  const said = look.failure?.message ?? 'libvirt does not answer';
  const { process } = look;
  if (process === undefined) return { kind: 'unknown', message: `guest ${name}: ${said}` };
  domain.logger.warn({ pid: process.pid, reason: said }, 'libvirt does not answer; QEMU is killed');
  const sent = await domain.process.signal('SIGKILL');
  if (sent) domain.killed = process;
  if (!(await waitForState(process, 'gone', sent ? killTimeoutMs : 0, signal))) {
    const what = sent ? 'was killed but is not gone' : 'could not be told to be its own and was not killed';
    return { kind: 'unknown', message: `guest ${name}: ${said}; QEMU (pid ${process.pid}) ${what}` };
  }
  await unmarkFrozen(domain);
  if (!domain.startUnderWay) return { kind: 'done' };
  return {
    kind: 'unknown',
    message: `guest ${name}: QEMU was killed, but libvirt may still be at an earlier start`,
  };
}

async function destroyBy(
  domain: Domain,
  flags: readonly string[],
  signal: AbortSignal,
): Promise<VirshResult> {
  const args = ['destroy', domainOption(domain.config.name), ...flags];
  const result = await domain.libvirt.run(args, { timeoutMs: destroyTimeoutMs, signal });
  if (result.kind === 'failed') domain.logger.info({ reason: result.message, flags }, 'virsh destroy failed');
  return result;
}

async function press(
  domain: Domain,
  mode: 'agent' | 'acpi',
  leftMs: number,
  signal: AbortSignal,
): Promise<VirshResult> {
  const args = ['shutdown', domainOption(domain.config.name), '--mode', mode];
  const result = await domain.libvirt.run(args, { timeoutMs: Math.min(leftMs, callTimeoutMs), signal });
  signal.throwIfAborted();
  if (result.kind === 'failed')
    domain.logger.debug({ mode, reason: result.message }, 'virsh shutdown failed');
  return result;
}

/** Whether it has a channel for the agent, and as far as libvirt can tell somebody is at its other end. */
async function hasAgent(domain: Domain, signal: AbortSignal): Promise<boolean> {
  if (domain.config.agentTimeoutMs <= 0) return false;
  const call = { timeoutMs: callTimeoutMs, signal };
  const answer = await domain.libvirt.run(['dumpxml', domainOption(domain.config.name)], call);
  if (answer.kind === 'failed') return false;
  const target = /<target\b[^>]*\bname=['"]org\.qemu\.guest_agent\.\d+['"][^>]*>/.exec(answer.stdout);
  return target !== null && !/\bstate=['"]disconnected['"]/.test(target[0]);
}

/** Waits for the end, told by libvirt's events and looked for now and then. */
export async function endsWithin(domain: Domain, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  let wake = (): void => {};
  const unsubscribe = domain.libvirt.subscribe(domain.config.name, () => wake());
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort);
  try {
    for (;;) {
      signal.throwIfAborted();
      const heard = new Promise<void>((resolve) => {
        wake = resolve;
      });
      // What happens while it is looked is heard, and looked at again.
      if (isOff(await lookAtDomain(domain, { scan: false, signal }))) return true;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      const timer = setTimeout(() => wake(), Math.min(leftMs, lookAgainMs));
      await heard;
      clearTimeout(timer);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    unsubscribe();
  }
}

/** The end of it: no process is left, and no start that was broken off can bring it up again. */
async function finished(domain: Domain, signal: AbortSignal): Promise<Outcome> {
  if (domain.startUnderWay) {
    const deadline = performance.now() + lateStartMs;
    while (performance.now() < deadline) {
      const look = await lookAtDomain(domain, { scan: true, direct: true, signal });
      if (!isOff(look)) {
        domain.startUnderWay = false;
        return await destroyDomain(domain, signal);
      }
      await new Promise<void>((resolve) => setTimeout(resolve, lookAgainMs / 4));
    }
    domain.startUnderWay = false;
  }
  const process = domain.process.known();
  if (process !== undefined && (await processState(process)) !== 'gone') {
    if (!(await waitForState(process, 'gone', killTimeoutMs, signal))) {
      const message = `guest ${domain.config.name}: libvirt says that it is off, its QEMU (pid ${process.pid}) is not gone`;
      return { kind: 'unknown', message };
    }
  }
  await unmarkFrozen(domain);
  await forgetArrival(domain);
  return { kind: 'done' };
}
