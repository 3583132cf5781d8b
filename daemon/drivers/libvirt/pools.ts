// Storage pools whose contents libvirt has looked at before the group's storage was here.
// libvirt knows the volumes of a pool from when it was started, with the host: at a takeover the file system that they
// lie on is mounted only now, and a guest that names its disk as a volume is refused. So the pools that it names are
// looked at again, and one that is a directory which was not there is started.

import { BattitoError } from '../../errors.ts';
import { parseDomain } from './domain.ts';
import type { Domain } from './look.ts';
import type { VirshFailure } from './virsh.ts';

const callTimeoutMs = 20_000;

/** Whether a start was refused for want of a volume or of its pool. */
export function lacksVolume({ code, message }: VirshFailure): boolean {
  return code === 'libvirt-refused' && /storage (vol|pool)/i.test(message);
}

/** True: a pool of the guest was looked at again. */
export async function renewPools(domain: Domain, signal: AbortSignal): Promise<boolean> {
  const { libvirt, logger } = domain;
  const call = { timeoutMs: callTimeoutMs, signal };
  let renewed = false;
  for (const pool of await poolsOf(domain, signal)) {
    const option = `--pool=${pool}`;
    let result = await libvirt.run(['pool-refresh', option], call);
    if (result.kind === 'failed' && /not active/.test(result.message)) {
      const definition = await libvirt.run(['pool-dumpxml', option], call);
      // What another kind would do when it is started, log in somewhere say, is not ours to decide.
      const isDirectory = definition.kind === 'done' && /<pool\s+type=['"]dir['"]/.test(definition.stdout);
      if (isDirectory) result = await libvirt.run(['pool-start', option], call);
    }
    if (result.kind === 'failed')
      logger.info({ pool, reason: result.message }, 'a storage pool cannot be renewed');
    else logger.info({ pool }, 'a storage pool was looked at again by libvirt');
    // Two guests may ask for the same pool at once, of which one is told that it is being done.
    renewed ||= result.kind === 'done' || /asynchronous jobs|already active/.test(result.message);
  }
  return renewed;
}

async function poolsOf(domain: Domain, signal: AbortSignal): Promise<readonly string[]> {
  const answer = await domain.libvirt.dumpXml(domain.config.name, { signal });
  if (answer.kind === 'failed') return [];
  try {
    const { disks } = parseDomain(answer.stdout, 'virsh dumpxml');
    return [...new Set(disks.flatMap(({ source }) => (source.kind === 'volume' ? [source.pool] : [])))];
  } catch (error) {
    if (error instanceof BattitoError) return [];
    throw error;
  }
}
