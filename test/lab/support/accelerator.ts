// Whether this machine's /dev/kvm can run a kernel is found out by running one: on some it is there and hangs.

import { createHash } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../../daemon/drivers/command.ts';
import { BattitoError, exitCodes } from '../../../daemon/errors.ts';
import type { Image } from './image.ts';

export const accelerators = ['kvm', 'tcg'] as const;
export type Accelerator = (typeof accelerators)[number];

const probeTimeoutMs = 15_000;

export function acceleratorArguments(accelerator: Accelerator): readonly string[] {
  if (accelerator === 'kvm') return ['-accel', 'kvm', '-cpu', 'host'];
  // Emulated virtualisation within emulation helps nobody; without it the nodes need not probe for it.
  return ['-accel', 'tcg,thread=multi', '-cpu', 'max,svm=off'];
}

/** `BATTITO_LAB_ACCEL`, or KVM where it works, or software emulation. The answer is kept for this boot of the machine. */
export async function chooseAccelerator(image: Image): Promise<Accelerator> {
  const { BATTITO_LAB_ACCEL: wanted } = process.env;
  if (wanted !== undefined && wanted !== '') {
    const known = accelerators.find((each) => each === wanted);
    if (known !== undefined) return known;
    throw new BattitoError('lab-accelerator', `BATTITO_LAB_ACCEL=${wanted}: it is kvm or tcg`, {
      exitCode: exitCodes.usage,
    });
  }
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return 'tcg';
  }
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const file = join(
    image.folder,
    `accelerator-${createHash('sha256').update(bootId).digest('hex').slice(0, 8)}`,
  );
  const kept = await readFile(file, 'utf8').catch(() => '');
  const known = accelerators.find((each) => each === kept.trim());
  if (known !== undefined) return known;
  const accelerator = (await runsKernel(image)) ? 'kvm' : 'tcg';
  await writeFile(file, `${accelerator}\n`);
  return accelerator;
}

/** The nodes' kernel, without a root file system: it runs through its start, panics, and that ends QEMU. */
async function runsKernel({ kernel }: Image): Promise<boolean> {
  const argv = [
    [
      'qemu-system-x86_64',
      '-nodefaults',
      '-no-user-config',
      '-display',
      'none',
      '-machine',
      'q35',
      '-m',
      '256',
    ],
    [...acceleratorArguments('kvm'), '-smp', '2', '-no-reboot', '-kernel', kernel],
    ['-append', 'panic=-1 console=ttyS0', '-serial', 'stdio', '-monitor', 'none'],
  ].flat();
  const result = await runCommand(argv, { timeoutMs: probeTimeoutMs });
  return result.exitCode === 0 && result.stdout.includes('Unable to mount root fs');
}
