// Both copies of each mirrored disk are compared, one resource after the other, by the node that writes to it. It begins
// only where nothing moves and nothing is resynced, and gives way as soon as anything does.

import type { Status } from '../control/api.ts';
import { mirrorObstacle, pairObstacle, unsettled } from '../control/drill.ts';
import { sizeText } from '../drivers/drbd/progress.ts';
import type { VerifyEnd } from '../drivers/drbd/verify.ts';
import type { Outcome, Task, Turn } from './task.ts';

export const outOfSyncCode = 'drbd-out-of-sync';

export interface VerifyTaskOptions {
  readonly schedule: string | null;
  readonly status: () => Status;
  readonly verify: (resource: string, signal: AbortSignal) => Promise<VerifyEnd>;
  readonly withinMs?: number;
}

/** Terabytes at the pace of a disk; what takes longer is stopped, and said. */
const withinMsDefault = 24 * 3_600_000;
/** Compares itself with what it has found. */
const again = 'battito schedule run verify';
const prefix = 'drbd:';

/** DRBD's names of the resources whose groups run here. */
export function resourcesHere({ groups, self }: Status): readonly string[] {
  return groups
    .filter(({ runsOn, phase }) => runsOn === self.name && phase === 'active')
    .flatMap(({ resources }) => resources.filter(({ kind }) => kind === 'drbd'))
    .map(({ id }) => (id.startsWith(prefix) ? id.slice(prefix.length) : id))
    .toSorted();
}

const hasMirror = ({ resources }: Status['groups'][number]) => resources.some(({ kind }) => kind === 'drbd');

/** A verify that has found something is to be made again when it is mended: its own alarm is not in its way. */
const withoutOwn = (status: Status): Status => ({
  ...status,
  attention: status.attention.filter(({ code }) => code !== outOfSyncCode),
});

export function verifyTurn(given: Status): Turn {
  const status = withoutOwn(given);
  const mirrored = status.groups.filter(hasMirror);
  const { peer } = status;
  if (resourcesHere(status).length === 0 && mirrored.some(({ runsOn }) => runsOn === peer.name)) {
    const message = `left to ${peer.name}, which writes to the disks`;
    return { mine: false, message, next: `on ${peer.name}: ${again}` };
  }
  const pair = pairObstacle(status);
  if (pair !== null) return { mine: true, obstacle: pair };
  for (const group of status.groups) {
    const phases = [group.phase, group.peer?.phase];
    const isSettled = phases.includes('active') && phases.includes('stopped');
    const obstacle = isSettled ? mirrorObstacle(group) : unsettled(status, group);
    if (obstacle !== null) return { mine: true, obstacle };
  }
  return { mine: true, obstacle: null };
}

export function verifyTask(options: VerifyTaskOptions): Task {
  const { schedule, status, verify, withinMs = withinMsDefault } = options;
  const title = 'the scheduled verify of the mirrored disks';
  return {
    ...{ name: 'verify', title, schedule, heavy: true, madeUp: false },
    turn: () => verifyTurn(status()),
    givesWayTo() {
      const turn = verifyTurn(status());
      if (!turn.mine) return turn.message;
      return turn.obstacle?.message ?? null;
    },
    async run(signal, progress) {
      const deadline = AbortSignal.timeout(withinMs);
      const names = resourcesHere(status());
      const ends = new Map<string, VerifyEnd>();
      for (const [index, resource] of names.entries()) {
        progress(`${resource}, ${index + 1} of ${names.length}`);
        const end = await verify(resource, AbortSignal.any([signal, deadline]));
        ends.set(resource, end);
        if (end.kind === 'stopped' || signal.aborted) break;
      }
      const given: unknown = signal.reason;
      const why = signal.aborted && typeof given === 'string' ? given : tooLong(withinMs);
      return outcomeOf(names, ends, why);
    },
  };
}

const tooLong = (ms: number) => `it was not done after ${Math.round(ms / 3_600_000)} h`;

/** `why` it was stopped, where it was. What differs comes first: it is what a person has to know. */
export function outcomeOf(
  names: readonly string[],
  ends: ReadonlyMap<string, VerifyEnd>,
  why: string,
): Outcome {
  const found = [...ends].map(([resource, end]) => ({ resource, end }));
  const differing = found.flatMap(({ resource, end }) =>
    end.kind === 'verified' && end.outOfSyncKib > 0 ? [{ resource, end }] : [],
  );
  const same = found.filter(({ end }) => end.kind === 'verified' && end.outOfSyncKib === 0);
  const good = same.map(({ resource }) => resource).join(', ');
  const [first] = differing;
  if (first !== undefined) {
    const what = differing
      .map(({ resource, end }) => `${resource}: ${sizeText(end.outOfSyncKib)}`)
      .join(', ');
    const mends = differing.map(({ end }) => end.mend).join(' && ');
    return {
      ...{ kind: 'failed', code: outOfSyncCode, severity: 'alarm' },
      message: `the two copies differ (${what}): a disk, a controller or the memory of one node has lost or changed data, or something has written past DRBD`,
      next: `look which disk is ill (smartctl, the kernel's log); if this node's copy is the good one: ${mends}   # copies the blocks that differ from here; then: ${again}`,
    };
  }
  const failed = found.find(({ end }) => end.kind === 'failed');
  if (failed?.end.kind === 'failed') {
    const { what, next, code } = failed.end.trouble;
    const others = good === '' ? '' : ` (${good}: both copies are the same)`;
    return { kind: 'failed', code, severity: 'warning', message: `${what}${others}`, next };
  }
  if (same.length < names.length) {
    const left = names.filter((name) => !same.some(({ resource }) => resource === name)).join(', ');
    const done = good === '' ? '' : `; of ${good} both copies are the same`;
    return { kind: 'interrupted', message: `${why}; not compared: ${left}${done}`, next: again };
  }
  if (names.length === 0)
    return { kind: 'left-out', message: 'no group with a mirrored disk runs here', next: 'battito status' };
  return { kind: 'done', message: `${good}: both copies are the same` };
}
