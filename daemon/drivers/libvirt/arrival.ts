// A domain that comes in from the other node while it runs. It arrives paused, by a migration that was asked to leave it
// so, and goes on only when the giver's driver, which has seen the last of it there, lets go of it.
// Guarantees: what comes in is marked before libvirt hears of it, and the mark outlives the daemon; what is marked and has
// not been let go of is never taken for a guest that was paused.

import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Outcome } from '../driver.ts';
import { type Domain, lookAtDomain, outcomeOf } from './look.ts';
import type { DomainState, Reading } from './state.ts';
import { destroyDomain } from './stop.ts';
import { domainOption } from './virsh.ts';

const resumeTimeoutMs = 10_000;
/** What libvirt says of one that comes in, and of one that has. */
const onTheWay: ReadonlySet<string> = new Set(['starting up', 'migrating', 'user']);

export async function readArrival(domain: Domain, reading: Reading, state: DomainState): Promise<Reading> {
  const mayBe = state.state === 'paused' && onTheWay.has(state.reason);
  if (!mayBe || !(await isMarked(domain))) return reading;
  return { status: { kind: 'incoming' }, condition: reading.condition };
}

/** False: it is not off here, so nothing can come in. */
export async function expectArrival(domain: Domain, signal: AbortSignal): Promise<boolean> {
  const look = await lookAtDomain(domain, { scan: true, direct: true, signal });
  if (look.status.kind !== 'down') return false;
  await mkdir(path.dirname(domain.arrivalFile), { recursive: true, mode: 0o700 });
  await writeFile(domain.arrivalFile, '', { mode: 0o600 });
  return true;
}

/** The giver has seen the end of it there. */
export async function letGo(domain: Domain, signal: AbortSignal): Promise<Outcome> {
  const { name } = domain.config;
  if (!(await isMarked(domain))) {
    const message = `guest ${name}: nothing of it has come in here`;
    return { kind: 'failed', code: 'no-arrival', message };
  }
  const call = { timeoutMs: resumeTimeoutMs, signal };
  const result = await domain.libvirt.run(['resume', domainOption(name)], call);
  const look = await lookAtDomain(domain, { scan: true, direct: true, signal });
  if (look.status.kind === 'up') {
    domain.logger.info('the guest has come from the other node, and runs');
    return { kind: 'done' };
  }
  if (result.kind === 'failed' && look.said !== null) return outcomeOf(domain, result);
  return { kind: 'unknown', message: `guest ${name} has come in and is ${look.said ?? 'not seen'}` };
}

/** Ends what was not let go of; what was runs on. */
export async function rejectArrival(domain: Domain, signal: AbortSignal): Promise<Outcome> {
  const look = await lookAtDomain(domain, { scan: true, direct: true, signal });
  if (look.status.kind !== 'incoming') return { kind: 'done' };
  domain.logger.warn('the guest was not let go of by the other node; what came in of it is ended');
  return await destroyDomain(domain, signal);
}

/** It runs here, or is gone. */
export async function forgetArrival({ arrivalFile }: Domain): Promise<void> {
  await rm(arrivalFile, { force: true });
}

async function isMarked({ arrivalFile }: Domain): Promise<boolean> {
  return await stat(arrivalFile).then(
    () => true,
    () => false,
  );
}
