// A definition that libvirt refuses since it has another domain in its place: the same guest, which was given another name
// on the other node, or one of the same name, which was removed there and made anew.
// Guarantees: nothing that runs is touched, and no disk, firmware or TPM of a guest is deleted; a domain that this node has
// of its own stays.

import type { Domain } from './look.ts';
import type { VirshResult } from './virsh.ts';

const callTimeoutMs = 10_000;

/** Null: nothing stood in the way. `refusal`: what stands in the way and why it stays; null: it does no more. */
export async function makeWay(
  domain: Domain,
  uuid: string,
  signal: AbortSignal,
): Promise<{ readonly refusal: string | null } | null> {
  const { config, libvirt, logger } = domain;
  const run = (...args: readonly string[]) => libvirt.run(args, { timeoutMs: callTimeoutMs, signal });
  const outcome = (result: VirshResult, what: string, mend: string) => {
    if (result.kind === 'failed') return { refusal: `${what}: ${result.message}; ${mend}` };
    logger.warn(what);
    return { refusal: null };
  };

  const before = said(await run('domname', `--domain=${uuid}`));
  if (before !== null && before !== config.name) {
    return outcome(
      await run('domrename', `--domain=${uuid}`, `--new-name=${config.name}`),
      `libvirt on ${libvirt.node} has the guest as ${before}, and it is renamed as on the other node`,
      'rename it here with virsh domrename, while it is off',
    );
  }
  const other = said(await run('domuuid', `--domain=${config.name}`));
  if (other === null || other === uuid || domain.definitions.isRemoved?.(other) !== true) return null;
  // One that runs would be left without a definition, and end for good when it ends.
  if (said(await run('domstate', `--domain=${other}`)) !== 'shut off') return null;
  const dumped = await run('dumpxml', `--domain=${other}`, '--inactive');
  if (dumped.kind === 'failed') return null;
  const keep = ['--keep-nvram', ...(dumped.stdout.includes('<tpm') ? ['--keep-tpm'] : [])];
  const metadata = ['--managed-save', '--snapshots-metadata', '--checkpoints-metadata'];
  return outcome(
    await run('undefine', `--domain=${other}`, ...keep, ...metadata),
    `libvirt on ${libvirt.node} has an earlier ${config.name} (${other}), which was removed on the other node and is undefined`,
    'undefine it here with virsh undefine',
  );
}

const said = (answer: VirshResult): string | null =>
  answer.kind === 'done' ? answer.stdout.replace(/\n+$/, '') || null : null;
