// The words in which the core says what it saw and decided.

import type { NoteCode } from './codes.ts';
import type { Effect } from './events.ts';
import { isStartHeldUp } from './mirror.ts';
import type { ResourceId } from './policy.ts';
import { awaitsWitness } from './resumption.ts';
import type { GroupState, State } from './state.ts';

export function note(
  severity: 'info' | 'warning' | 'alarm',
  code: NoteCode,
  group: GroupState | null,
  message: string,
  tookMs: number | null = null,
  next: string | null = null,
): Effect {
  return { kind: 'note', note: { severity, code, group: group?.policy.name ?? null, message, next, tookMs } };
}

export function quarantineNote(group: GroupState, resource: ResourceId, why: string): Effect {
  const next = `mend the cause, then run \`battito retry ${group.policy.name}\``;
  return note('alarm', 'quarantined', group, `${resource} is given up: ${why}`, null, next);
}

/** Says what has changed about the peer, the links and our own pace since the last event; causes first. */
export function notePeerChanges(before: State, after: State, emit: (effect: Effect) => void): void {
  const { peer, links } = after.policy;
  if (after.stalls.count !== before.stalls.count) {
    const ms = Math.round(after.stalls.lastMs);
    const message = `this daemon did not run for ${ms} ms; that silence is not held against ${peer}`;
    emit(note('warning', 'stalled', null, message));
  }
  after.links.forEach((link, index) => {
    const was = before.links[index];
    if (was === undefined || was.fresh === link.fresh) return;
    const name = links[index] ?? `link ${index + 1}`;
    const why = link.down === null ? '' : `: ${link.down}`;
    if (link.fresh) emit(note('info', 'link-heard', null, `${peer} is heard on ${name}`));
    else emit(note('warning', 'link-silent', null, `${peer} is not heard on ${name}${why}`));
  });
  const was = before.verdict.kind;
  const is = after.verdict.kind;
  if (was !== is && is !== 'late' && !(was === 'late' && is === 'alive')) emit(verdictNote(before, after));
}

/** Says once what waits for the witness beside a peer that lives. */
export function noteWaits(before: State, after: State, emit: (effect: Effect) => void): void {
  for (const group of after.groups) {
    if (!isWaiting(after, group)) continue;
    const was = before.groups.find(({ policy }) => policy.name === group.policy.name);
    if (was === undefined || !isWaiting(before, was)) emit(waitNote(after, group));
  }
}

const isWaiting = (state: State, group: GroupState) =>
  state.verdict.kind === 'alive' && (awaitsWitness(state, group) || isStartHeldUp(state, group));

/** What a person can do where a start waits for the witness beside a peer that lives. */
export function nextWhenHeldUp({ policy }: State, group: GroupState): string {
  return `mend the witness, or the connection of the disks; or, if newer data of ${policy.peer} may be lost: stop the daemon there, then here: battito takeover --accept-data ${group.policy.name}`;
}

function waitNote(state: State, group: GroupState): Effect {
  const { policy } = state;
  const { name } = group.policy;
  if (group.phase.kind === 'starting') {
    const message = `${name} waits for the witness: its disks are without their mirror, and ${policy.peer} may have forgotten that it wrote to its own`;
    return note('warning', 'awaits-witness', group, message, null, nextWhenHeldUp(state, group));
  }
  const message = `${name} stays frozen until the witness is heard: ${policy.peer} may have been restarted since, and have forgotten what it did`;
  const next = `mend the witness if it does not answer; or run on ${policy.peer}: battito takeover ${name}`;
  return note('warning', 'awaits-witness', group, message, null, next);
}

const verdictTexts = {
  listening: 'has not been heard since this daemon started',
  alive: 'is alive',
  late: 'is late',
  departed: 'said goodbye and runs nothing any more',
  isolated: 'is silent, but so is everything else: this node is cut off',
  dead: 'is dead: no heartbeat on any link, none of its addresses answers, the outside does',
  fenced: 'is proven off',
} as const;

/** What a person does about a peer that is silent. */
function verdictAdvice(kind: State['verdict']['kind'], peer: string): string {
  switch (kind) {
    case 'isolated':
      return 'mend the network of this node';
    case 'unresponsive':
      return `start the daemon on ${peer}; or power ${peer} off, then run \`battito fence confirm ${peer}\``;
    case 'fenced':
      return `see with \`battito history\` why ${peer} was silent, then power it on again`;
    default:
      return `see what has become of ${peer}; it takes part again by itself when it is back`;
  }
}

function verdictNote(before: State, after: State): Effect {
  const { verdict, policy } = after;
  const { peer } = policy;
  const heardAt = before.peer.lastHeardAt;
  const silent = heardAt === null ? '' : ` (silent for ${((after.now - heardAt) / 1000).toFixed(1)} s)`;
  if (verdict.kind === 'unresponsive') {
    const signs = describeSigns(verdict.signs);
    const wasGone = before.verdict.kind === 'dead' || before.verdict.kind === 'fenced';
    return wasGone
      ? note('info', 'peer-answers', null, `${peer} answers again, but sends no heartbeats yet: ${signs}`)
      : note(
          'alarm',
          'peer-unresponsive',
          null,
          `${peer} is unresponsive: ${signs}${silent}`,
          null,
          verdictAdvice(verdict.kind, peer),
        );
  }
  const isCalm = verdict.kind === 'alive' || verdict.kind === 'departed';
  const text = `${peer} ${verdictTexts[verdict.kind]}${isCalm ? '' : silent}${waitText(after)}`;
  if (isCalm) return note('info', `peer-${verdict.kind}`, null, text);
  return note('alarm', `peer-${verdict.kind}`, null, text, null, verdictAdvice(verdict.kind, peer));
}

/** Why nothing happens for a moment after the verdict. */
function waitText({ verdict, groups, policy }: State): string {
  const waits = verdict.kind === 'dead' && groups.some(({ phase }) => phase.kind === 'stopped');
  const { takeoverAfterMs, deadtimeMs } = policy.timings;
  return waits
    ? `; it is given ${Math.round(takeoverAfterMs - deadtimeMs)} ms more to freeze, should it live`
    : '';
}

/** Why a silent peer is not called dead. */
export function describeSigns(signs: readonly string[]): string {
  return signs.length > 0
    ? signs.join('; ')
    : 'none of its addresses could be asked, so nothing proves it dead';
}
