// What a status means, in a few words and a colour. Pure.

import type { Tier } from '../core/policy.ts';
import { progressText } from '../drivers/drbd/progress.ts';
import { formatRemaining, formatSpan } from '../incident/time.ts';
import type { GroupView, LinkView, ResourceView, Status, WitnessView } from './api.ts';

/** How urgent a word is, by the name of its colour on a terminal. */
export type Colour = 'red' | 'yellow' | 'green' | 'dim' | 'alarm';

export interface Words {
  readonly text: string;
  readonly colour: Colour | null;
}

/** What this node concludes about its peer. */
export function verdictWords({ verdict }: Status): Words {
  const span = formatSpan(verdict.forMs);
  switch (verdict.kind) {
    case 'alive':
      return { text: 'alive', colour: 'green' };
    case 'listening':
      return { text: `never heard yet, listening for ${span}`, colour: 'yellow' };
    case 'late':
      return { text: `late: silent for ${formatSpan(verdict.silentMs ?? 0)}`, colour: 'yellow' };
    case 'departed':
      return { text: `said goodbye ${span} ago`, colour: 'yellow' };
    case 'isolated':
      return { text: `not to be judged for ${span}: this node is cut off`, colour: 'red' };
    case 'unresponsive': {
      const silence =
        verdict.silentMs === null ? 'never heard' : `silent for ${formatSpan(verdict.silentMs)}`;
      return { text: `${silence}, but not dead`, colour: 'red' };
    }
    case 'dead':
      return { text: `dead for ${span}`, colour: 'red' };
    case 'fenced':
      return { text: `powered off, confirmed ${span} ago`, colour: 'yellow' };
  }
}

export interface LinkWords extends Words {
  readonly kind: 'good' | 'one-way' | 'silent' | 'down';
  /** The text where there is little room. */
  readonly short: string;
  /** What is wrong, for a line of its own; null: nothing. */
  readonly why: string | null;
}

export function linkWords(link: LinkView, { peer, self }: Status): LinkWords {
  const age = link.ageMs === null ? 'never heard' : formatSpan(link.ageMs);
  if (link.down !== null) {
    return {
      kind: 'down',
      text: 'down',
      short: 'down',
      colour: 'red',
      why: `cannot be used on ${self.name}: ${link.down}`,
    };
  }
  if (!link.fresh) {
    const since = link.ageMs === null ? 'since this daemon started' : `for ${age}`;
    const why = `nothing heard from ${peer.name} ${since}`;
    return {
      kind: 'silent',
      short: 'silent',
      text: link.ageMs === null ? age : `silent ${age}`,
      colour: 'red',
      why,
    };
  }
  if (link.heardByPeer === false) {
    const why = `${peer.name} is heard, but does not hear ${self.name}`;
    return { kind: 'one-way', short: 'one-way', text: `one-way ${age}`, colour: 'yellow', why };
  }
  return { kind: 'good', text: age, short: age, colour: 'green', why: null };
}

/** Packets that were refused on a link, e.g. `12 wrong-key`; null: none. */
/** A few unproven packets belong to every acquaintance: two daemons have to hear each other first. */
const unprovenAtStart = 5;

export function refusedWords(link: LinkView): string | null {
  const counts = Object.entries(link.refused ?? {}).filter(
    ([reason, count]) => count > (reason === 'unproven' ? unprovenAtStart : 0),
  );
  return counts.length === 0 ? null : counts.map(([reason, count]) => `${count} ${reason}`).join(', ');
}

export interface ResourceWords extends Words {
  readonly mark: 'up' | 'moving' | 'paused' | 'down' | 'given-up' | 'unknown';
}

const actionWords: Readonly<Record<string, string>> = {
  start: 'starting',
  stop: 'stopping',
  destroy: 'switching off',
  freeze: 'freezing',
  resume: 'resuming',
  save: 'saving',
  migrate: 'moving while it runs',
  reject: 'ending what came in',
  'allow-two': 'allowing two primaries',
  'forbid-two': 'forbidding two primaries',
};

/** A mirrored disk in DRBD's words. A daemon that an upgrade has not restarted yet may leave out the newer fields. */
function storageWords({ storage, resync: measured, trouble }: ResourceView): string {
  if (trouble?.what !== undefined) return `, ${trouble.what}`;
  if (storage === null) return '';
  const { disk, connection, peerDisk, resync, suspended } = storage;
  const words = [`here ${disk}`, connection === 'connected' ? `there ${peerDisk}` : connection];
  if (resync !== null) {
    words.push(`resync ${measured?.percent === undefined ? `${resync.percent} %` : progressText(measured)}`);
  }
  if (suspended !== 'no') words.push('IO held back');
  return `, ${words.join(', ')}`;
}

export function resourceWords(resource: ResourceView): ResourceWords {
  const { status, operation, quarantined, leftOut, waitsFor, lastError, ready, readyWhy } = resource;
  const because = lastError === null ? '' : `: ${lastError}`;
  if (quarantined !== null) return { mark: 'given-up', text: `given up: ${quarantined}`, colour: 'red' };
  if (operation !== null) {
    const { action, forMs, leftMs } = operation;
    // A daemon that an upgrade has not restarted yet leaves it out.
    const left = leftMs == null ? '' : `, at most ${formatRemaining(leftMs)} more`;
    const doing = `${actionWords[action] ?? action} ${formatSpan(forMs)}${left}`;
    return { mark: 'moving', text: doing + because, colour: 'yellow' };
  }
  if (leftOut) return { mark: 'given-up', text: 'left out: no memory for it here', colour: 'red' };
  switch (status) {
    case 'up':
      if (ready === false) {
        const why = readyWhy === null ? '' : `: ${readyWhy}`;
        return { mark: 'moving', text: `up, not ready yet${why}`, colour: 'yellow' };
      }
      return { mark: 'up', text: `up${storageWords(resource)}`, colour: 'green' };
    case 'incoming':
      return { mark: 'moving', text: `comes in while it runs${because}`, colour: 'yellow' };
    case 'paused':
      return { mark: 'paused', text: `paused${because}`, colour: 'yellow' };
    case 'down':
      if (waitsFor.length > 0) {
        return { mark: 'moving', text: `waits for ${waitsFor.join(', ')}${because}`, colour: 'yellow' };
      }
      return {
        mark: 'down',
        text: `down${storageWords(resource)}${because}`,
        colour: lastError === null ? 'dim' : 'red',
      };
    case 'failed':
      return { mark: 'given-up', text: `crashed${because}`, colour: 'red' };
    case 'unknown':
      return { mark: 'unknown', text: `unknown${because}`, colour: 'yellow' };
  }
}

/** Where a group runs and in what phase it is. */
export function groupWords(group: GroupView, { self, peer, verdict }: Status): Words {
  const { phase, runsOn, generation } = group;
  const span = formatSpan(group.forMs);
  const here: Partial<Record<GroupView['phase'], Words>> = {
    active: { text: `runs on ${self.name} for ${span}, generation ${generation}`, colour: 'green' },
    starting: { text: `starting on ${self.name} for ${span}, generation ${generation}`, colour: 'yellow' },
    stopping: { text: `stopping on ${self.name} for ${span}`, colour: 'yellow' },
    frozen: { text: `frozen on ${self.name} for ${span}, generation ${generation}`, colour: 'red' },
  };
  const holding = here[phase];
  if (holding !== undefined) return holding;
  if (runsOn !== null) return wordsOfPeer(group, runsOn);
  if (phase === 'blocked') return { text: `not started here, blocked for ${span}`, colour: 'red' };
  if (phase === 'claiming') return { text: `asking ${peer.name} for it for ${span}`, colour: 'yellow' };
  if (phase === 'observing') return { text: `looking what runs on ${self.name}`, colour: 'yellow' };
  const there = group.peer?.phase;
  if (there === 'starting' || there === 'stopping') {
    return { text: `${there} on ${peer.name}`, colour: 'yellow' };
  }
  // What a silent peer does is not known.
  const where = verdict.kind === 'alive' && group.peer !== null ? 'runs nowhere, stopped' : 'not running';
  return { text: `${where} here for ${span}`, colour: 'red' };
}

/** Of a group that the peer has, by the peer's own word. */
function wordsOfPeer({ peer, generation }: GroupView, runsOn: string): Words {
  const said = `on ${runsOn}, generation ${peer?.generation ?? generation}`;
  if (peer?.phase === 'starting' || peer?.phase === 'stopping')
    return { text: `${peer.phase} ${said}`, colour: 'yellow' };
  if (peer?.phase === 'frozen') return { text: `frozen ${said}`, colour: 'red' };
  return { text: `runs ${said}`, colour: 'green' };
}

/** Standby, maintenance and the like, of either node. */
export function nodeFlags({ standby, standbyMs, leaving, maintenanceMs, lan }: Status['self']): Words[] {
  const flags: Words[] = [];
  // A daemon that an upgrade has not restarted yet leaves the time out.
  const left = (standbyMs ?? null) === null ? '' : `, ${formatRemaining(standbyMs ?? 0)} left`;
  if (standby) flags.push({ text: `standby${left}`, colour: 'yellow' });
  if (maintenanceMs > 0) {
    flags.push({ text: `maintenance, ${formatRemaining(maintenanceMs)} left`, colour: 'yellow' });
  }
  if (leaving) flags.push({ text: 'daemon is stopping', colour: 'yellow' });
  if (lan === false) flags.push({ text: 'no working LAN', colour: 'red' });
  return flags;
}

/** In the status, and by `battito check`. */
export const tierWords = (tier: Tier, lacks: string | null) =>
  `tier: ${tier}${lacks === null ? '' : ', but no takeover now'}`;

/** Who has the lease; why it does not answer stands in what needs a person. */
export function witnessWords({ holder, leftMs, answeredMs, trouble }: WitnessView): string {
  const isOver = leftMs === 0;
  const left = leftMs === null || isOver ? '' : `, ${formatSpan(leftMs)} left`;
  // Renewed since, as far as is known: of another one's lease it is asked more seldom than that one renews it.
  const asked =
    isOver && trouble === null && answeredMs !== null ? ` (asked ${formatSpan(answeredMs)} ago)` : '';
  const verb = isOver && trouble !== null ? 'was' : 'is';
  const lease =
    holder === null ? 'nobody has the lease' : `the lease ${verb} held by ${holder}${left}${asked}`;
  if (trouble === null) return answeredMs === null ? 'not asked yet' : lease;
  const last =
    answeredMs === null ? 'it has not answered yet' : `answered last ${formatSpan(answeredMs)} ago`;
  return `${trouble.message}; ${last}${holder === null ? '' : `; ${lease}`}`;
}
