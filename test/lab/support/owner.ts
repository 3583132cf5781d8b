// Which process something belongs to. A pid alone is used again; with the process's start time it is not.

import { readFileSync } from 'node:fs';

export interface Owner {
  readonly pid: number;
  /** Clock ticks after boot (proc(5)). */
  readonly startTime: string;
}

function statFields(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

export function ownerOf(pid: number): Owner | undefined {
  const startTime = statFields(pid)?.[19];
  return startTime === undefined ? undefined : { pid, startTime };
}

/** The kernel's letter for what a process does (T: stopped, Z: dead); undefined when there is none. */
export const processState = (pid: number): string | undefined => statFields(pid)?.[0];

export const isAlive = (owner: Owner): boolean => ownerOf(owner.pid)?.startTime === owner.startTime;

export function thisProcess(): Owner {
  const owner = ownerOf(process.pid);
  if (owner === undefined) throw new Error('/proc is not mounted');
  return owner;
}
