// Brings a domain up: defined where libvirt does not know it, restored where we have saved its memory, booted otherwise.
// Guarantees: never a second start while a process of it may live; no memory image is used twice, nor one that libvirt
// keeps by itself, since the disk has moved on; `done` only when libvirt has been asked again and says that it runs.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Outcome } from '../driver.ts';
import { dropImages, takeSaved } from './images.ts';
import { type Domain, knowUuid, type Look, lookAtDomain, outcomeOf } from './look.ts';
import { makeWay } from './make-way.ts';
import { lacksVolume, renewPools } from './pools.ts';
import { domainOption, type VirshResult } from './virsh.ts';

const defineTimeoutMs = 10_000;
const destroyTimeoutMs = 20_000;

export async function startDomain(domain: Domain, signal: AbortSignal): Promise<Outcome> {
  let look = await lookAtDomain(domain, { scan: true, direct: true, signal });
  if (look.failure?.code === 'libvirt-down') {
    const health = await domain.libvirt.ensureRunning(signal);
    if (health.kind !== 'answers') return notThere(domain, look, health);
    look = await lookAtDomain(domain, { scan: true, direct: true, signal });
  }
  if (look.status.kind !== 'down') return await judgeExisting(domain, look);
  if (look.failure?.code === 'libvirt-down') return notThere(domain, look, { message: look.failure.message });
  const refused = await giveDefinition(domain, look, signal);
  if (refused !== null) return refused;
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(domain.config.startTimeoutMs)]);
  domain.startUnderWay = true;
  domain.killed = null;
  const outcome = (await restore(domain, deadline)) ?? (await boot(domain, deadline));
  if (!deadline.aborted && outcome.kind !== 'unknown') {
    domain.startUnderWay = false;
    return outcome;
  }
  signal.throwIfAborted();
  return deadline.aborted ? await tooLate(domain, signal) : outcome;
}

/** Without libvirt nothing can be started; without a process of it nothing runs. */
function notThere(domain: Domain, look: Look, health: { readonly message: string }): Outcome {
  const message = `guest ${domain.config.name}: ${health.message}`;
  if (look.status.kind !== 'down') return { kind: 'unknown', message };
  return { kind: 'failed', code: 'libvirt-down', message };
}

/** A domain that is there: adopted if it runs, otherwise left for a resume or a destroy to decide. */
async function judgeExisting(domain: Domain, look: Look): Promise<Outcome> {
  const { name } = domain.config;
  if (look.status.kind === 'up') {
    // Its disk has changed since the image was made, so the image must never be used any more.
    await dropImages(domain, 'the guest runs without it');
    return { kind: 'done' };
  }
  const what = look.status.kind === 'unknown' ? look.status.message : `it is ${look.said ?? 'frozen'}`;
  const { failure } = look;
  if (look.said === null && look.status.kind === 'unknown') {
    // Whoever cannot ask cannot start either, and without a process nothing of it runs here.
    const hopeless = failure?.code === 'libvirt-missing' || failure?.code === 'libvirt-refused';
    if (hopeless && domain.libvirt.local && look.process === undefined) return outcomeOf(domain, failure);
    return { kind: 'unknown', message: `guest ${name}: ${what}; nothing was started` };
  }
  if (look.condition === 'passing') return { kind: 'unknown', message: `guest ${name}: ${what}` };
  const message = `guest ${name} is there but does not run (${what}): resume or destroy it first`;
  return { kind: 'failed', code: 'guest-not-running', message };
}

/** Libvirt is to have the definition in use, which may have been changed on the other node. Null: it has one. */
async function giveDefinition(
  domain: Domain,
  { defined }: Look,
  signal: AbortSignal,
): Promise<Outcome | null> {
  const { name } = domain.config;
  let refusal: Outcome | null = null;
  const given = await domain.definitions.adopt(async (xml) => {
    const outcome = await define(domain, xml, signal);
    if (outcome.kind !== 'done') {
      refusal = outcome;
      return null;
    }
    const dumped = await domain.libvirt.dumpXml(name, { secrets: true, signal });
    return dumped.kind === 'done' ? dumped.stdout : null;
  }, defined);
  if (refusal !== null || given !== 'none' || defined !== false) return refusal;
  const message = `guest ${name}: libvirt does not know it here and there is no definition of it from the other node`;
  return { kind: 'failed', code: 'guest-not-defined', message };
}

async function define(domain: Domain, xml: string, signal: AbortSignal): Promise<Outcome> {
  // virsh reads a file; the XML may hold passwords.
  const directory = await mkdtemp(path.join(tmpdir(), 'battito-define-'));
  try {
    const file = path.join(directory, 'domain.xml');
    await writeFile(file, xml, { mode: 0o600 });
    const give = () => domain.libvirt.run(['define', file], { timeoutMs: defineTimeoutMs, signal });
    const [, uuid] = /<uuid>\s*([\da-f-]{36})\s*<\/uuid>/.exec(xml) ?? [];
    let result = await give();
    if (result.kind === 'failed' && result.code === 'libvirt-refused' && uuid !== undefined) {
      const way = await makeWay(domain, uuid, signal);
      if (way !== null && way.refusal !== null) return refused(domain, way.refusal);
      if (way !== null) result = await give();
    }
    if (result.kind === 'failed' && result.code === 'libvirt-refused') return refused(domain, result.message);
    if (result.kind === 'failed') return outcomeOf(domain, result);
    domain.uuidKnown = false;
    if (uuid !== undefined) knowUuid(domain, uuid);
    domain.logger.info('the guest was defined in libvirt from the stored definition');
    return { kind: 'done' };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Of the file that virsh was given nobody has heard, and it is gone. */
function refused({ config, libvirt }: Domain, said: string): Outcome {
  const why = said.replace(/^Failed to define domain from \S+(; )?/, '');
  const message = `guest ${config.name}: libvirt on ${libvirt.node} refuses its definition: ${why}`;
  return { kind: 'failed', code: 'libvirt-refused', message };
}

/** Undefined: there is no image, or it was of no use and the guest has to boot. */
async function restore(domain: Domain, deadline: AbortSignal): Promise<Outcome | undefined> {
  const image = await takeSaved(domain);
  if (image === undefined) return undefined;
  const call = { timeoutMs: domain.config.startTimeoutMs, signal: deadline };
  const result = await domain.libvirt.run(['restore', image, '--running'], call);
  if (deadline.aborted)
    return { kind: 'unknown', message: `guest ${domain.config.name}: restore broken off` };
  const outcome = await confirm(domain, result, deadline);
  if (outcome.kind === 'unknown') return outcome;
  await dropImages(domain, outcome.kind === 'done' ? 'it has been restored' : 'it could not be restored');
  if (outcome.kind === 'done') return outcome;
  domain.logger.warn({ reason: outcome.message }, 'the saved memory could not be restored; the guest boots');
  return undefined;
}

/** `--force-boot` throws away a managed save, which only this host has and whose disk has moved on since. */
async function boot(domain: Domain, deadline: AbortSignal): Promise<Outcome> {
  await dropImages(domain, 'the guest boots');
  const call = { timeoutMs: domain.config.startTimeoutMs, signal: deadline };
  const args = ['start', domainOption(domain.config.name), '--force-boot'];
  let result = await domain.libvirt.run(args, call);
  const again = result.kind === 'failed' && lacksVolume(result) && (await renewPools(domain, deadline));
  if (again && !deadline.aborted) result = await domain.libvirt.run(args, call);
  if (deadline.aborted) return { kind: 'unknown', message: `guest ${domain.config.name}: start broken off` };
  return await confirm(domain, result, deadline);
}

/** What virsh says about a start is compared with what the domain is afterwards. */
async function confirm(domain: Domain, result: VirshResult, signal: AbortSignal): Promise<Outcome> {
  const { name } = domain.config;
  const look = await lookAtDomain(domain, { scan: true, direct: true, signal });
  if (look.status.kind === 'up') return { kind: 'done' };
  if (look.status.kind === 'unknown' && look.said === null) {
    return { kind: 'unknown', message: `guest ${name}: ${look.status.message}` };
  }
  if (look.condition === 'passing') return { kind: 'unknown', message: `guest ${name} is ${look.said}` };
  if (result.kind === 'failed' && look.status.kind === 'down') {
    // Whoever died in mid-start took the guest with it; libvirt's word is enough only when it has given one.
    if (result.code !== 'libvirt-refused' && look.said === null) return outcomeOf(domain, result);
    return { kind: 'failed', code: 'libvirt-refused', message: `guest ${name}: ${result.message}` };
  }
  const saw = look.said ?? look.status.kind;
  const claim = result.kind === 'done' ? 'libvirt said that it started' : result.message;
  return { kind: 'failed', code: 'guest-not-running', message: `guest ${name}: ${claim}, but it is ${saw}` };
}

/** libvirt goes on with a start whose virsh was killed: it is undone, so that it does not come up unasked. */
async function tooLate(domain: Domain, signal: AbortSignal): Promise<Outcome> {
  const { name, startTimeoutMs } = domain.config;
  const args = ['destroy', domainOption(name)];
  await domain.libvirt.run(args, { timeoutMs: destroyTimeoutMs, signal });
  const look = await lookAtDomain(domain, { scan: true, direct: true, signal });
  if (look.status.kind !== 'down' || look.said === null) {
    const saw =
      look.status.kind === 'unknown' ? look.status.message : `it is ${look.said ?? look.status.kind}`;
    return { kind: 'unknown', message: `guest ${name}: not started within ${startTimeoutMs} ms; ${saw}` };
  }
  const message = `guest ${name}: not started within ${startTimeoutMs} ms; the start was undone`;
  return { kind: 'failed', code: 'start-timed-out', message };
}
