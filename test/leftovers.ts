// Names that tell which process made a thing outside of it (a directory, a network namespace), so that what a killed
// test run left behind is known, and is removed by the next run.

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ourName = /^battito-(?<pid>\d+)-(?<startTime>\d+)-/;

/** When a process started, in clock ticks after boot; undefined when there is no such process (proc(5)). */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/** What the name of whatever this process makes begins with. */
export function namePrefix(): string {
  return `battito-${process.pid}-${startTimeOf(process.pid)}-`;
}

/** Whether it was made by a process that is no more. */
export function isLeftover(name: string): boolean {
  const groups = ourName.exec(name)?.groups;
  return groups !== undefined && startTimeOf(Number(groups['pid'])) !== groups['startTime'];
}

export function removeLeftoverDirectories(): void {
  for (const name of readdirSync(tmpdir()).filter(isLeftover)) {
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // Another process of this test run removes it at the same time.
    }
  }
}
