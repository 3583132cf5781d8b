// The rules about what a daemon does and says (S5, S6, L3), read from the steps of its core.

import type { Effect, Event, ResourceAction } from '../../daemon/core/events.ts';
import { explainObstacle } from '../../daemon/core/obstacles.ts';
import type { State } from '../../daemon/core/state.ts';
import { otherSide, type Side } from '../../daemon/sim/action.ts';
import type { Checker, Context, TraceOf } from './checkers.ts';

type Stepped = TraceOf<'stepped'>;

/** S5. Whatever brings something up finds the generation that it belongs to on this host's disk, with this owner. */
export function persistedFirst({ ledgerOnDisk, report }: Context): Checker {
  const check = ({ at, side, after }: Stepped, effect: Effect) => {
    if (effect.kind !== 'start-operation') return;
    if (effect.action !== 'start' && effect.action !== 'resume') return;
    const phase = after.groups.find(({ policy }) => policy.name === effect.group)?.phase;
    const generation = phase !== undefined && 'generation' in phase ? phase.generation : 0;
    const record = ledgerOnDisk(side).groups.find(({ name }) => name === effect.group);
    if (generation > 0 && record?.generation === generation && record.owner === after.policy.self) return;
    const onDisk = record === undefined ? 'nothing' : `generation ${record.generation} of ${record.owner}`;
    const message = `${effect.action} ${effect.resource} in generation ${generation}, on disk is ${onDisk}`;
    report('S5', at, side, message);
  };
  return {
    rule: 'S5',
    stepped(trace) {
      for (const effect of trace.effects) check(trace, effect);
    },
  };
}

/** What this run of a daemon has been given of its peer's packets. */
interface Delivered {
  incarnation: number | null;
  /** The highest incarnation that it was given; of an earlier run with a higher one it cannot know. */
  highest: number;
  readonly sequences: number[];
  /** Has the peer, in that incarnation, shown that it reads this run? */
  isProven: boolean;
}

/**
 * S6. A packet that is of an earlier incarnation than one that this run of the daemon was given, or not newer than
 * one that it was given on the same link; or not newer than the one in its ledger when it started. It may change the
 * refusal counters of its link and what the next heartbeat echoes, and nothing else; and nothing is done because of it.
 * And what its sender wrote without having read this run of the daemon may be a capture: it is no proof that the peer is
 * alive. What somebody without the key has sent does not come to the core at all.
 */
export function replaysChangeNothing({ ledgerOnDisk, report }: Context): Checker {
  const delivered: Record<Side, Delivered> = {
    primary: { incarnation: null, highest: 0, sequences: [], isProven: false },
    secondary: { incarnation: null, highest: 0, sequences: [], isProven: false },
  };
  /** The numbers of each node's runs, in the order in which they began: a later one may have a lower number. */
  const runsOf: Record<Side, number[]> = { primary: [], secondary: [] };
  return {
    rule: 'S6',
    daemon({ side, runs, incarnation: run }) {
      if (!runs) return;
      runsOf[side].push(run);
      const newest = ledgerOnDisk(side).peer;
      const sequences = newest === null ? [] : Array.from({ length: 8 }, () => newest.sequence);
      const incarnation = newest?.incarnation ?? null;
      delivered[side] = { incarnation, highest: newest?.newestRun ?? 0, sequences, isProven: false };
    },
    forged({ at, side, how }) {
      report('S6', at, side, `a forged packet was taken for one of the peer's: ${how}`);
    },
    stepped({ at, side, event, before, after, effects }) {
      if (event.kind !== 'heartbeat-received') return;
      if (isReplay(delivered[side], event, runsOf[otherSide(side)])) {
        if (effects.length === 0 && differOnlyInRefusals(before, after)) return;
        const done = effects.length > 0 ? `asked for ${effects[0]?.kind}` : 'changed the state';
        report('S6', at, side, `packet ${event.incarnation}/${event.sequence}, seen before, ${done}`);
        return;
      }
      // Of a run that is not known to be a later one yet; given once more, it may count.
      if (effects.length === 0 && differOnlyInRefusals(before, after)) return;
      take(delivered[side], event, before.incarnation);
      if (!delivered[side].isProven && after.peer.lastHeardAt !== before.peer.lastHeardAt)
        report(
          'S6',
          at,
          side,
          `packet ${event.incarnation}/${event.sequence} proves nothing, and was believed`,
        );
    },
  };
}

type Packet = Extract<Event, { readonly kind: 'heartbeat-received' }>;

function isReplay(
  { incarnation, highest, sequences }: Delivered,
  packet: Packet,
  runs: readonly number[],
): boolean {
  if (incarnation === null) return false;
  if (packet.incarnation === incarnation) return packet.sequence <= (sequences[packet.link] ?? 0);
  const isEarlier = runs.lastIndexOf(packet.incarnation) < runs.lastIndexOf(incarnation);
  return isEarlier && packet.incarnation <= highest;
}

function take(delivered: Delivered, packet: Packet, run: number): void {
  if (packet.incarnation !== delivered.incarnation) {
    delivered.incarnation = packet.incarnation;
    delivered.highest = Math.max(delivered.highest, packet.incarnation);
    delivered.sequences.length = 0;
    delivered.isProven = false;
  }
  delivered.isProven ||= packet.echo?.incarnation === run;
  delivered.sequences[packet.link] = packet.sequence;
}

/** What a packet that was refused may have changed: the counters, and what the next heartbeat echoes. */
export function differOnlyInRefusals(before: State, after: State): boolean {
  if (!areEqual(before, after, ['links', 'peer']) || !areEqual(before.peer, after.peer, ['stranger']))
    return false;
  return before.links.every((link, index) => {
    const now = after.links[index];
    return now !== undefined && areEqual(link, now, ['refused']);
  });
}

function areEqual<T extends object>(was: T, is: T, exempt: readonly (keyof T)[]): boolean {
  for (const key in was) if (was[key] !== is[key] && !exempt.includes(key)) return false;
  return true;
}

const inOrder: ReadonlySet<ResourceAction> = new Set(['stop', 'save', 'migrate']);

/**
 * S7. In an orderly stop a guest waits for the addresses, a disk for its guests; what cannot be stopped holds nobody up. A
 * group that is not being stopped may let go of a disk that was promoted for guests which do not come after all.
 */
export function stopsInOrder({ report }: Context): Checker {
  const check = ({ at, side, after }: Stepped, effect: Effect) => {
    if (effect.kind !== 'start-operation' || !inOrder.has(effect.action)) return;
    const group = after.groups.find(({ policy }) => policy.name === effect.group);
    if (group === undefined) return;
    const isStopping = group.phase.kind === 'stopping';
    const isAddress =
      effect.resource.startsWith('address:') || (!isStopping && effect.resource.startsWith('drbd:'));
    for (const { id, status, failures } of group.resources) {
      const policy = group.policy.resources.find((one) => one.id === id);
      const isFirst = policy?.needs.includes(effect.resource) || (policy?.kind === 'address' && !isAddress);
      if (!isFirst || status?.kind === 'down' || failures > 1) continue;
      report(
        'S7',
        at,
        side,
        `${effect.action} ${effect.resource} while ${id} is ${status?.kind ?? 'not seen'}`,
      );
    }
  };
  return {
    rule: 'S7',
    stepped(trace) {
      for (const effect of trace.effects) check(trace, effect);
    },
  };
}

/** What a person does, as the first word of an advice or of a part of it. */
const imperatives =
  'power|start|stop|mend|wait|run|free|make sure|bring|load|type|name|see|check|look|give|put|replace|connect|plug|set|do|press|read';
const tellsWhatToDo = new RegExp(`(^|[;:,.] (or, |and |then )?(if [^;]*, )?)(${imperatives})\\b`, 'i');
/** A command of this or of the usual tools, as it is to be typed. */
const namesCommand =
  /`(battito|systemctl|journalctl|drbdadm|drbdsetup|modprobe|ip|ping|mount|umount|virsh) [^`]+`/;

/** Does it name something that a person can do, by a command or a verb? */
export const isAdvice = (next: string): boolean => namesCommand.test(next) || tellsWhatToDo.test(next);

/** L3. A refusal, a block and every alarm each name what a person can do, and what they are about. */
export function reasonsGiven({ policy, report }: Context): Checker {
  const nodes: readonly string[] = [policy.self, policy.peer];
  const groups = policy.groups.map(({ name }) => name);
  const named = [
    ...nodes,
    ...groups,
    ...policy.groups.flatMap(({ resources }) => resources.map(({ id }) => id)),
  ];
  const own = ['this node', 'the state file', 'the watchdog', 'the witness'];
  const isAbout = (words: readonly string[], text: string) => words.some((word) => text.includes(word));
  const judge = (
    at: number,
    side: Side,
    what: string,
    text: string,
    next: string,
    about: readonly string[],
  ) => {
    if (text.trim() === '') report('L3', at, side, `${what} says nothing`);
    else if (!isAdvice(next)) report('L3', at, side, `${what} does not say what to do: "${text}"; "${next}"`);
    else if (!isAbout(about, `${text} ${next}`))
      report('L3', at, side, `${what} does not say what it is about: "${text}"`);
  };
  return {
    rule: 'L3',
    answered({ at, side, request, answer }) {
      if (answer.kind !== 'refused') return;
      const meant = 'groups' in request && request.groups.length > 0 ? [...request.groups, ...nodes] : named;
      const about = 'groups' in request && request.groups.length === 0 ? [...named, 'group'] : meant;
      judge(at, side, `the refusal of ${request.kind}`, answer.message, answer.next, about);
    },
    note({ at, side, note: { severity, code, group, message, next } }) {
      if (severity !== 'alarm') return;
      const about = group === null ? [...named, ...own] : [''];
      judge(at, side, `the alarm ${code}`, message, next ?? '', about);
    },
    stepped({ at, side, before, after }) {
      if (before.groups === after.groups) return;
      after.groups.forEach((group, index) => {
        const { phase } = group;
        const { name } = group.policy;
        if (phase.kind !== 'blocked' || before.groups[index]?.phase === phase) return;
        const { why, next } = explainObstacle(phase.obstacle, after, group);
        judge(at, side, `the block of ${name} by ${phase.obstacle}`, why, next, [...named, ...own]);
      });
    },
  };
}
