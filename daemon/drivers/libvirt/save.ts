// Writes a guest's memory to replicated storage and ends it, so that the other node can let it go on.
// Guarantees: NAME.saved is there only when it is whole, on the medium, and the guest is off; otherwise the outcome says
// what the guest is.

import { mkdir, rm } from 'node:fs/promises';
import { BattitoError } from '../../errors.ts';
import type { Outcome } from '../driver.ts';
import { gatherDisk } from './disks.ts';
import { parseDomain } from './domain.ts';
import { type Images, isWhole, keepSaved, savedImages } from './images.ts';
import { type Domain, lookAtDomain, outcomeOf } from './look.ts';
import { endsWithin } from './stop.ts';
import { domainOption, type VirshResult } from './virsh.ts';

/** A guest's whole memory at the pace of a slow disk; the caller's signal ends it sooner. */
const saveTimeoutMs = 30 * 60_000;
const callTimeoutMs = 5000;
/** After its job was called off libvirt lets the guest run again. */
const undoneTimeoutMs = 20_000;

export async function saveDomain(domain: Domain, signal: AbortSignal): Promise<Outcome> {
  const { name } = domain.config;
  const images = savedImages(domain);
  if (images === null) {
    const message = `guest ${name}: its group has no file system that could hold its memory`;
    return { kind: 'failed', code: 'save-not-possible', message };
  }
  const look = await lookAtDomain(domain, { scan: true, direct: true, signal });
  if (look.status.kind !== 'up') {
    const what = look.status.kind === 'unknown' ? look.status.message : `it is ${look.said ?? 'not there'}`;
    if (look.said === null && look.status.kind !== 'down') {
      return { kind: 'unknown', message: `guest ${name}: ${what}` };
    }
    return { kind: 'failed', code: 'guest-not-running', message: `guest ${name} cannot be saved: ${what}` };
  }
  await mkdir(images.directory, { recursive: true, mode: 0o700 });
  await Promise.all(
    [images.saving, images.saved, images.restoring, images.disks].map((file) => rm(file, { force: true })),
  );
  const disks = await writtenFiles(domain, signal);
  if (typeof disks === 'string') {
    return { kind: 'failed', code: 'save-not-possible', message: `guest ${name}: ${disks}` };
  }
  const args = ['save', domainOption(name), images.saving, '--running'];
  const result = await domain.libvirt.run(args, { timeoutMs: saveTimeoutMs, signal });
  const unfinished =
    result.kind === 'failed' && (result.code === 'libvirt-aborted' || result.code === 'libvirt-silent');
  // The save goes on in libvirt when its virsh is gone.
  if (unfinished) await callOff(domain);
  return await settle(domain, images, { disks, result });
}

/** Runs to its end also when the operation was aborted: a guest that is off has to have its image, or none. */
async function settle(
  domain: Domain,
  images: Images,
  { disks, result }: { readonly disks: readonly string[]; readonly result: VirshResult },
): Promise<Outcome> {
  const { name } = domain.config;
  const signal = AbortSignal.timeout(undoneTimeoutMs * 2);
  try {
    if (result.kind === 'done') await endsWithin(domain, callTimeoutMs, signal);
    const look = await lookAtDomain(domain, { scan: true, direct: true, signal });
    const off = look.status.kind === 'down' && (look.said !== null || look.defined === false);
    if (off && (await isWhole(images.saving))) {
      await keepSaved(images, disks);
      return { kind: 'done' };
    }
    const why = result.kind === 'failed' ? result.message : 'the image is not whole';
    if (off) {
      await rm(images.saving, { force: true });
      const message = `guest ${name}: saving failed (${why}) and it is off; its memory is lost, it boots at the next start`;
      return { kind: 'failed', code: 'save-lost', message };
    }
    if (look.status.kind === 'up') {
      await rm(images.saving, { force: true });
      const message = `guest ${name}: it could not be saved and runs on: ${why}`;
      return { kind: 'failed', code: 'save-failed', message };
    }
    if (result.kind === 'failed' && look.said === null) return outcomeOf(domain, result);
    const saw = look.status.kind === 'unknown' ? look.status.message : `it is ${look.said}`;
    return { kind: 'unknown', message: `guest ${name}: saving failed (${why}); ${saw}` };
  } catch (error) {
    if (!signal.aborted) throw error;
    return { kind: 'unknown', message: `guest ${name}: after the save libvirt did not tell what it is` };
  }
}

/** Files that the guest writes to now; or why that cannot be told. */
async function writtenFiles(domain: Domain, signal: AbortSignal): Promise<readonly string[] | string> {
  const call = { timeoutMs: callTimeoutMs, signal };
  const answer = await domain.libvirt.run(['dumpxml', domainOption(domain.config.name)], call);
  signal.throwIfAborted();
  if (answer.kind === 'failed') return answer.message;
  try {
    const { disks } = parseDomain(answer.stdout, 'virsh dumpxml');
    const files: string[] = [];
    for (const disk of disks) {
      if (disk.readonly || !['file', 'volume'].includes(disk.source.kind)) continue;
      const { paths, problem } = await gatherDisk(disk, { libvirt: domain.libvirt, signal });
      if (paths.length === 0 && problem !== null) return problem;
      files.push(
        ...paths.flatMap(({ path, kind, role }) => (kind === 'file' && role !== 'backing' ? [path] : [])),
      );
    }
    return files;
  } catch (error) {
    if (error instanceof BattitoError) return error.message;
    throw error;
  }
}

async function callOff(domain: Domain): Promise<void> {
  const { name } = domain.config;
  await domain.libvirt.run(['domjobabort', domainOption(name)], { timeoutMs: callTimeoutMs });
  const deadline = performance.now() + undoneTimeoutMs;
  while (performance.now() < deadline) {
    const look = await lookAtDomain(domain, { scan: true, direct: true });
    if (look.said === null || look.condition !== 'passing') return;
    await heardOf(domain, 500);
  }
}

/** Resolves at the next event of the domain, at the latest after `timeoutMs`. */
async function heardOf(domain: Domain, timeoutMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  const unsubscribe = domain.libvirt.subscribe(domain.config.name, () => resolve());
  await promise;
  clearTimeout(timer);
  unsubscribe();
}
