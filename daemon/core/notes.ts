// The words in which the core says what it saw and decided.

import type { Effect } from './events.ts';
import type { GroupState, State } from './state.ts';

export function note(
  severity: 'info' | 'warning' | 'alarm',
  code: string,
  group: GroupState | null,
  message: string,
  tookMs: number | null = null,
  next: string | null = null,
): Effect {
  return { kind: 'note', note: { severity, code, group: group?.policy.name ?? null, message, next, tookMs } };
}

/** Says what has changed about the peer, the links and our own pace since the last event. */
export function notePeerChanges(before: State, after: State, emit: (effect: Effect) => void): void {
  const { peer, links } = after.policy;
  if (
    before.verdict.kind !== after.verdict.kind &&
    after.verdict.kind !== 'late' &&
    before.verdict.kind !== 'late'
  ) {
    emitVerdict(before, after, emit);
  } else if (
    before.verdict.kind === 'late' &&
    after.verdict.kind !== 'late' &&
    after.verdict.kind !== 'alive'
  ) {
    emitVerdict(before, after, emit);
  }
  after.links.forEach((link, index) => {
    const was = before.links[index];
    if (was === undefined || was.fresh === link.fresh) return;
    const name = links[index] ?? `link ${index}`;
    if (link.fresh) emit(note('info', 'link-heard', null, `${peer} is heard on ${name}`));
    else
      emit(
        note(
          'warning',
          'link-silent',
          null,
          `${peer} is not heard on ${name}${link.down === null ? '' : `: ${link.down}`}`,
        ),
      );
  });
  if (after.stalls.count !== before.stalls.count) {
    emit(
      note(
        'warning',
        'stalled',
        null,
        `this daemon did not run for ${Math.round(after.stalls.lastMs)} ms; that silence is not held against ${peer}`,
      ),
    );
  }
}

const verdictTexts = {
  listening: 'has not been heard since this daemon started',
  alive: 'is alive',
  late: 'is late',
  departed: 'said goodbye and runs nothing any more',
  isolated: 'is silent, but so is everything else: this node is cut off',
  dead: 'is dead: no heartbeat on any link, none of its addresses answers, the outside does',
  fenced: 'is powered off, the operator says',
} as const;

function emitVerdict(before: State, after: State, emit: (effect: Effect) => void): void {
  const { verdict, policy } = after;
  const text =
    verdict.kind === 'unresponsive'
      ? `is unresponsive: ${describeSigns(verdict.signs)}`
      : verdictTexts[verdict.kind];
  const heardAt = before.peer.lastHeardAt;
  const silent = heardAt === null || verdict.kind === 'alive' ? null : after.now - heardAt;
  const severity = verdict.kind === 'alive' || verdict.kind === 'departed' ? 'info' : 'alarm';
  emit(note(severity, `peer-${verdict.kind}`, null, `${policy.peer} ${text}`, silent));
}

/** Why a silent peer is not called dead. */
export function describeSigns(signs: readonly string[]): string {
  return signs.length > 0
    ? signs.join('; ')
    : 'none of its addresses could be asked, so nothing proves it dead';
}
