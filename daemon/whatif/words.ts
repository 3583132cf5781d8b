// The verdict of a story in a sentence, the most important words first. Pure.

import type { Tier } from '../core/policy.ts';
import type { GroupOutcome, Range, ResourceOutcome } from './report.ts';

/** `40 ms`, `0.4 s`, `2.1 s`, `34 s`, `3 min`. */
export function spanOf(ms: number): string {
  if (ms < 95) return `${Math.round(ms)} ms`;
  const tenths = Math.round(ms / 100);
  if (tenths < 100) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

/** `about 2.1 s`, with the range where the runs differ by much. */
export function about({ lowMs, middleMs, highMs }: Range): string {
  const [low, high] = [spanOf(lowMs), spanOf(highMs)];
  const isClose = highMs - lowMs <= Math.max(300, middleMs * 0.15);
  return isClose || low === high
    ? `about ${spanOf(middleMs)}`
    : `about ${spanOf(middleMs)} (${low} to ${high})`;
}

export function listWords(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** `address:192.168.1.1/24` is 192.168.1.1 to a person, `guest:mail` is mail. */
export const plainName = (id: string): string => id.replace(/^[a-z]+:/, '').replace(/\/[0-9]+$/, '');

/** Has a guest had two writers, or might it have had them? */
export const isAtRisk = ({ doubledFor, overlapFor }: GroupOutcome): boolean =>
  doubledFor !== null || overlapFor !== null;

export function verdictOf(groups: readonly GroupOutcome[], tier: Tier): string {
  if (groups.length > 0 && groups.every((group) => group.fate === 'untouched' && !isAtRisk(group))) {
    const alone = groups.filter(({ attended }) => !attended);
    return ['nothing moves', ...alone.map(unattendedWords)].join(', but ');
  }
  const serious = groups.toSorted((a, b) => rank(a) - rank(b));
  return serious.map((group) => groupWords(group, tier) + momentWords(group, tier)).join('. ');
}

/** The same where nobody asks how long: what goes as ever is said in few words. */
export function shortVerdictOf(groups: readonly GroupOutcome[], tier: Tier): string {
  const moved = groups.filter(({ fate }) => fate === 'moved');
  const allUp = moved.every((group) => [...group.addresses, ...group.guests].every(({ isUp }) => isUp));
  if (moved.length === 0 || moved.length < groups.length || !allUp || groups.some(isAtRisk))
    return verdictOf(groups, tier);
  const each = moved.map(({ name, to }) => `${to} still takes ${name} over`);
  return listWords(each);
}

const unattendedWords = ({ name, to }: GroupOutcome) =>
  `nobody looks after ${name} on ${to} until its daemon is back; next: on ${to}: systemctl start battito`;

const order = ['doubled', 'lost', 'unreached', 'frozen', 'absent', 'moved', 'back', 'started', 'untouched'];
const rank = ({ fate }: GroupOutcome) => order.indexOf(fate);

function groupWords(group: GroupOutcome, tier: Tier): string {
  const { name, from, to, fate } = group;
  switch (fate) {
    case 'untouched':
      return `${name} stays on ${to} without a gap`;
    case 'moved':
      return `${to} takes ${name} over${after(group.takenAfter)}${served(group)}`;
    case 'started':
      return `${to} starts ${name}${after(group.takenAfter)}${served(group)}`;
    case 'back':
      return `${name} stays on ${to}, with a gap${served(group)}`;
    case 'lost':
      return `${name} is NOT started anywhere: ${hindered(group)}`;
    case 'absent':
      return `${name} still runs nowhere: ${hindered(group)}`;
    case 'frozen':
      return `${name} is paused: ${hindered(group)}`;
    case 'unreached':
      return `${name} stays on ${from}, where its clients do not reach it: ${hindered(group)}`;
    case 'doubled':
      return `${name} runs on BOTH nodes, which ruins its disks: ${doubledWords[tier]}`;
  }
}

const doubledWords: Readonly<Record<Tier, string>> = {
  evidence:
    'the tier evidence does not protect from this; a device that powers the peer off, or a witness with a watchdog, does',
  fenced: 'the tier fenced promises that this cannot be, so it is a defect to report',
};

/** It came right in the end, but for a moment it was not, or might not have been. */
function momentWords({ fate, doubledFor, overlapFor }: GroupOutcome, tier: Tier): string {
  if (fate === 'doubled') return '';
  if (doubledFor !== null) {
    return `; BUT for ${about(doubledFor)} a guest ran on BOTH nodes: ${doubledWords[tier]}`;
  }
  if (overlapFor === null) return '';
  return (
    `; BUT for ${about(overlapFor)} a guest ran on one node while the other one was starting it, and with a quicker ` +
    `start it would have run on BOTH: ${doubledWords[tier]}`
  );
}

const after = (range: Range | null) => (range === null ? '' : ` after ${about(range)}`);

function served({ addresses, guests }: GroupOutcome): string {
  const parts = [...together(addresses, 'answers again', 'answer again'), ...guestWords(guests)];
  const missing = [...addresses, ...guests].filter(({ isUp }) => !isUp).map(({ id }) => plainName(id));
  if (missing.length > 0) parts.push(`${listWords(missing)} NOT`);
  return parts.length === 0 ? '' : `; ${parts.join('; ')}`;
}

function together(all: readonly ResourceOutcome[], one: string, many: string): string[] {
  const back = all.filter(({ backAfter, isUp }) => isUp && backAfter !== null);
  const slowest = back.toSorted((a, b) => (a.backAfter?.middleMs ?? 0) - (b.backAfter?.middleMs ?? 0)).at(-1);
  if (slowest?.backAfter == null) return [];
  const names = listWords(back.map(({ id }) => plainName(id)));
  return [`${names} ${back.length === 1 ? one : many} after ${about(slowest.backAfter)}`];
}

/** More guests than this are counted, not named. */
const namedMax = 8;

/** In the order of the plan. */
function guestWords(guests: readonly ResourceOutcome[]): string[] {
  const back = guests.flatMap(({ id, isUp, backAfter }) =>
    isUp && backAfter !== null ? [{ name: plainName(id), backAfter }] : [],
  );
  const [only] = back;
  if (only === undefined) return [];
  if (back.length === 1) return [`guest ${only.name} runs again after ${about(only.backAfter)}`];
  const most = (key: keyof Range) => Math.max(...back.map(({ backAfter }) => backAfter[key]));
  const all = { lowMs: most('lowMs'), middleMs: most('middleMs'), highMs: most('highMs') };
  const names = back.map(({ name }) => name);
  const which = names.length > namedMax ? `${names.length} guests` : `guests ${listWords(names)}`;
  return [`${which} run again, the last of them after ${about(all)}`];
}

function hindered({ hindrances }: GroupOutcome): string {
  if (hindrances.length === 0) return 'neither host has power; next: bring one of them back';
  return hindrances.map(({ why, next }) => `${why}; next: ${next}`).join('; or ');
}
