// One look at one resource, made of what the stream, or a single dump, has said; and why there is none. Pure.

import type { DrbdState } from './events2.ts';
import { moduleMissing, toolsMissing } from './kernel.ts';
import { detailOf, storageOf } from './status.ts';
import { type DrbdView, type Trouble, unknownStorage } from './types.ts';

export const notReadYet: Trouble = {
  code: 'drbd-not-read-yet',
  what: 'the state of DRBD has not been read yet',
  next: 'drbdsetup events2 --now all   # shows it',
};

export const silent: Trouble = {
  code: 'drbd-silent',
  what: 'drbdsetup events2 does not answer: another command may hang in the kernel',
  next: 'ps -C drbdsetup,drbdsetup-84,drbdadm -o pid,stat,etime,args   # shows it; dmesg | grep drbd says why',
};

function notUp(resource: string): Trouble {
  return {
    code: 'drbd-resource-not-up',
    what: `DRBD's resource ${resource} is not up on this node`,
    next: `drbdadm up ${resource}   # or correct its name, /etc/drbd.d/*.res`,
  };
}

/** `percent`: of a resync, where it is known from elsewhere. */
export function viewOf(
  state: DrbdState | null,
  trouble: Trouble,
  resource: string,
  percent: number | undefined,
): DrbdView {
  if (state === null) return { storage: unknownStorage, detail: null, trouble };
  const found = state.resources.get(resource);
  if (found === undefined) return { storage: unknownStorage, detail: null, trouble: notUp(resource) };
  const storage = storageOf(found);
  const resync =
    storage.resync === null || percent === undefined ? storage.resync : { ...storage.resync, percent };
  return { storage: { ...storage, resync }, detail: detailOf(found), trouble: null };
}

export function sameView(one: DrbdView, other: DrbdView): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/**
 * The same but for what a dump cannot show, or shows differently: how far a resync is, and why a resource stands alone.
 */
export function sameShape(one: DrbdView, other: DrbdView): boolean {
  return sameView(shapeOf(one), shapeOf(other));
}

function shapeOf({ storage, detail, trouble }: DrbdView): DrbdView {
  return {
    storage: { ...storage, resync: storage.resync === null ? null : { ...storage.resync, percent: 0 } },
    detail: detail === null ? null : { ...detail, standsAlone: 'no' },
    trouble,
  };
}

/** Why `drbdsetup` did not say anything, or ended. */
export function troubleOf(end: {
  readonly startError?: string | undefined;
  readonly stderr: string;
  readonly text?: string;
  readonly argv?: readonly string[];
}): Trouble {
  if (end.startError === 'ENOENT') return toolsMissing;
  const said = end.stderr.trim().split('\n').slice(0, 2).join('; ');
  if (/modprobe drbd|\/proc\/drbd|kernel module|generic netlink family/i.test(said)) {
    return moduleMissing(said);
  }
  const command = end.argv?.join(' ') ?? 'drbdsetup events2';
  return {
    code: 'drbd-not-readable',
    what: end.text ?? `${command} does not say the state of DRBD${said === '' ? '' : `: ${said}`}`,
    next: 'drbdsetup events2 --now all   # run it by hand',
  };
}
