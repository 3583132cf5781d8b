// What one run of a story came to: who has what, what gap there was, and what keeps a node from running what nobody
// runs. It goes by the truth of the modelled hosts, and by what their daemons say.

import type { Attention } from '../control/api.ts';
import { attentionOf } from '../control/attention.ts';
import { explainObstacle } from '../core/obstacles.ts';
import { type GroupPolicy, isStorage, type ResourcePolicy } from '../core/policy.ts';
import type { State } from '../core/state.ts';
import { type Side, sides } from '../sim/action.ts';
import type { World } from '../sim/world.ts';
import type { GroupFate, Hindrance, Notice } from './report.ts';
import type { Situation } from './situation.ts';
import type { Stage } from './stage.ts';

export interface ResourceEnd {
  readonly id: string;
  readonly wasUp: boolean;
  readonly isUp: boolean;
  readonly untouched: boolean;
  readonly backAfterMs: number | null;
}

export interface GroupEnd {
  readonly name: string;
  readonly fate: GroupFate;
  readonly from: string | null;
  readonly to: string | null;
  readonly attended: boolean;
  readonly doubledMs: number;
  readonly overlapMs: number;
  readonly takenAfterMs: number | null;
  readonly addresses: readonly ResourceEnd[];
  readonly guests: readonly ResourceEnd[];
  readonly order: readonly string[];
  readonly hindrances: readonly Hindrance[];
}

/** What must be known of the moment at which the story begins. */
export interface Beginning {
  readonly atMs: number;
  readonly notices: readonly Notice[];
  readonly groups: readonly { readonly on: Side | null; readonly served: ReadonlySet<string> }[];
}

const served = ({ resources }: GroupPolicy) => resources.filter(({ kind }) => !isStorage(kind));

export function beginningOf(situation: Situation, { world, recording }: Stage): Beginning {
  return {
    atMs: world.now(),
    notices: noticesOf(situation, world),
    groups: situation.policies.primary.groups.map((group) => ({
      on: runnersOf(world, group)[0] ?? null,
      served: new Set(group.resources.filter(({ id }) => recording.service.isServed(id)).map(({ id }) => id)),
    })),
  };
}

/** `measuredMs`: what times count from, by the world's clock. */
export function groupEnds(
  situation: Situation,
  stage: Stage,
  beginning: Beginning,
  measuredMs: number,
): readonly GroupEnd[] {
  return situation.policies.primary.groups.map((group, index) => {
    const before = beginning.groups[index] ?? { on: null, served: new Set<string>() };
    const ends = served(group).map((resource) => ({
      kind: resource.kind,
      ...resourceEnd(stage, resource, beginning, before.served.has(resource.id), measuredMs),
    }));
    const to = runnersOf(stage.world, group)[0] ?? null;
    const fate = fateOf(stage.world, group, before.on, ends);
    const plain = (kind: ResourcePolicy['kind']) =>
      ends.filter((end) => end.kind === kind).map(({ kind: _kind, ...end }) => end);
    const nameOf = (side: Side | null) => (side === null ? null : situation.names[side]);
    return {
      name: group.name,
      fate,
      from: nameOf(before.on),
      to: nameOf(to),
      doubledMs: longestOf(stage, group, beginning, 'doubledMs'),
      overlapMs: longestOf(stage, group, beginning, 'overlapMs'),
      attended: to !== null && stage.world.daemonRuns(to),
      takenAfterMs: to === null ? null : takenAfter(stage.world, to, group, beginning, measuredMs),
      addresses: plain('address'),
      guests: plain('guest'),
      order: to === null ? [] : orderOf(stage, to, group, beginning),
      hindrances: isServedWell(fate) ? [] : hindrancesOf(situation, stage.world, group.name),
    };
  });
}

const isServedWell = (fate: GroupFate) =>
  fate === 'untouched' || fate === 'moved' || fate === 'back' || fate === 'started';

/** Hosts on which something of the group runs, the one with most of it first. */
function runnersOf(world: World, group: GroupPolicy): readonly Side[] {
  const count = (side: Side) => served(group).filter(({ id }) => world.running(side, id) === 'up').length;
  return sides.filter((side) => count(side) > 0).toSorted((a, b) => count(b) - count(a));
}

function fateOf(
  world: World,
  group: GroupPolicy,
  from: Side | null,
  ends: readonly ResourceEnd[],
): GroupFate {
  const guests = group.resources.filter(({ kind }) => kind === 'guest');
  const all = guests.length > 0 ? guests : served(group);
  if (all.some(({ id }) => sides.every((side) => world.running(side, id) === 'up'))) return 'doubled';
  const [to = null] = runnersOf(world, group);
  if (to === null) {
    const isPaused = guests.some(({ id }) => sides.some((side) => world.running(side, id) === 'paused'));
    if (isPaused) return 'frozen';
    return from === null ? 'absent' : 'lost';
  }
  if (from === null) return 'started';
  if (from !== to) return 'moved';
  const hurt = ends.filter(({ wasUp, untouched }) => wasUp && !untouched);
  if (hurt.length === 0) return 'untouched';
  const stillUp = hurt.filter(({ isUp }) => isUp);
  return stillUp.length === 0 ? 'unreached' : 'back';
}

function resourceEnd(
  { recording }: Stage,
  { id }: ResourcePolicy,
  { atMs }: Beginning,
  wasUp: boolean,
  measuredMs: number,
): ResourceEnd {
  const gaps = recording.service.gaps(id, atMs);
  const last = gaps.at(-1);
  const backAt = last?.to ?? null;
  return {
    id,
    wasUp,
    isUp: recording.service.isServed(id),
    untouched: wasUp && gaps.length === 0,
    backAfterMs: backAt === null ? null : Math.max(0, backAt - measuredMs),
  };
}

/**
 * A guest on both nodes at once, be it for a moment, has two writers on its disk; one that runs here while it is being
 * started there may have them any moment. Of the guest with most of it.
 */
function longestOf(
  { recording, world }: Stage,
  { resources }: GroupPolicy,
  { atMs }: Beginning,
  what: 'doubledMs' | 'overlapMs',
): number {
  const guests = resources.filter(({ kind }) => kind === 'guest');
  return Math.max(0, ...guests.map(({ id }) => recording.service[what](id, atMs, world.now())));
}

const beginnings = new Set(['take-over', 'claim-granted', 'resume', 'resume-by-lease', 'own-stray']);

function takenAfter(
  world: World,
  to: Side,
  { name }: GroupPolicy,
  { atMs }: Beginning,
  measuredMs: number,
): number | null {
  const note = world
    .notes(to)
    .findLast(({ at, code, group }) => at >= atMs && group === name && beginnings.has(code));
  return note === undefined ? null : Math.max(0, note.at - measuredMs);
}

function orderOf({ recording }: Stage, to: Side, group: GroupPolicy, { atMs }: Beginning): readonly string[] {
  const ids = group.resources.map(({ id }) => id);
  const started = recording
    .starts(atMs)
    .filter(({ side, resource }) => side === to && ids.includes(resource))
    .map(({ resource }) => resource);
  return [...new Set(started)];
}

/** Of each node that is there, the one thing that keeps it from running the group. */
function hindrancesOf({ names }: Situation, world: World, group: string): readonly Hindrance[] {
  return sides.flatMap((side): readonly Hindrance[] => {
    const node = names[side];
    if (!world.powered(side)) return [];
    const state = world.state(side);
    if (state === null) {
      const next = `on ${node}: systemctl start battito`;
      return [{ node, code: 'no-daemon', why: `the daemon of ${node} does not run`, next }];
    }
    return [{ node, ...hindranceOf(state, group) }];
  });
}

function hindranceOf(state: State, name: string): Omit<Hindrance, 'node'> {
  const { self } = state.policy;
  const group = state.groups.find(({ policy }) => policy.name === name);
  if (group?.phase.kind === 'blocked') {
    const { why, next } = explainObstacle(group.phase.obstacle, state, group);
    return { code: group.phase.obstacle, why: inTheirWords(why, self), next: `on ${self}: ${next}` };
  }
  if (state.standby) {
    const why = `${self} is in standby and takes nothing over`;
    return { code: 'standby', why, next: `on ${self}: battito standby off` };
  }
  if (state.maintenanceUntil !== null) {
    const why = `${self} is in maintenance and touches nothing`;
    return { code: 'maintenance', why, next: `on ${self}: battito maintenance off` };
  }
  const [first] = attentionOf(state);
  const said = first ?? { message: `${self} waits`, next: 'battito status on both nodes says what for' };
  return { code: 'other', why: said.message, next: `on ${self}: ${said.next}` };
}

/** The core speaks to whoever sits at that node. */
const inTheirWords = (text: string, node: string) =>
  text.replaceAll('this node', node).replaceAll(/ here\b/g, ` on ${node}`);

/** What the nodes say, without what concerns only the model. */
export function noticesOf({ names }: Situation, world: World): readonly Notice[] {
  return sides.flatMap((side) => {
    const state = world.state(side);
    const items: readonly Attention[] = state === null ? [] : attentionOf(state);
    return items
      .filter(({ message }) => !message.includes('no dedicated cable'))
      .map((item) => ({ node: names[side], ...item }));
  });
}

/** Only what was not said before; numbers in a message do not make it new. */
export function newNotices(after: readonly Notice[], before: readonly Notice[]): readonly Notice[] {
  const key = ({ node, code, message }: Notice) => `${node} ${code} ${message.replaceAll(/[0-9]+/g, '#')}`;
  const known = new Set(before.map(key));
  return after.filter((notice) => !known.has(key(notice)));
}
