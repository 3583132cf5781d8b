// What the figures were measured on, without the machine's name.

import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';

export interface Machine {
  readonly cpuModel: string;
  readonly cores: number;
  readonly memoryMb: number;
  readonly kernel: string;
  readonly node: string;
  readonly qemu: string;
  /** Load average of the last minute before the bench began: what else the machine was busy with. */
  readonly loadBefore: number;
}

export function describeMachine(): Machine {
  const processors = cpus();
  return {
    cpuModel: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryMb: Math.round(totalmem() / 2 ** 20),
    kernel: release().split('-')[0] ?? '', // Without the name that its builder gave it.
    node: process.version,
    qemu: qemuVersion(),
    loadBefore: loadavg()[0] ?? 0,
  };
}

function qemuVersion(): string {
  try {
    const text = execFileSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8', timeout: 10_000 });
    return /version (\S+)/.exec(text)?.[1] ?? 'unknown';
  } catch {
    return 'missing'; // The guests will not start, and that is reported.
  }
}

export function machineLine({ cpuModel, cores, memoryMb, kernel, node, qemu, loadBefore }: Machine): string {
  return `${cpuModel}, ${cores} cores, ${memoryMb} MB; Linux ${kernel}; Node ${node}; QEMU ${qemu}; load before ${loadBefore.toFixed(2)}`;
}
