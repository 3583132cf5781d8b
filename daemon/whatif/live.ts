// The situation of now, told again for the modelled world from the live state of one node's core. Pure.
//
// Both hosts begin with what runs on them and with their ledgers, as after a restart of both daemons, and then what has
// happened is done to them: standby, cut cables, a peer that is lost. The saved core is not put into the model as it
// is, since its peer, of which only the heartbeats are known, would have to be forged to fit it: sequences, grants,
// leases. So both cores come to the situation by their own rules, and stage.ts compares that with the live one.

import type { Ledger } from '../core/events.ts';
import type { GroupReport } from '../core/heartbeat.ts';
import type { Policy } from '../core/policy.ts';
import type { GroupState, State } from '../core/state.ts';
import { ledgerGroup, peerReport } from '../core/state.ts';
import type { Side } from '../sim/action.ts';
import { peerConditions, peerLoss, sameTimes, selfConditions, selfFirst } from './live-causes.ts';
import { mirrorPolicy } from './modelled.ts';
import { type Expected, type HostStart, phantomCut, type Situation } from './situation.ts';

/** The node that was asked; the other one is `secondary`, whatever they are called. */
const self: Side = 'primary';
const peer: Side = 'secondary';

const owning = new Set(['starting', 'active', 'frozen']);

/** Who has the group, as far as this node knows; of a silent peer, what it said last. */
function holderOf(state: State, group: GroupState): Side | null {
  if (owning.has(group.phase.kind)) return self;
  const report = peerReport(state, group.policy.name);
  return report !== null && owning.has(report.phase) && state.peer.met ? peer : null;
}

/** Is it too early to say anything: a verdict is being formed? */
export function isForming({ verdict, groups }: State): boolean {
  const isOpen = verdict.kind === 'late' || verdict.kind === 'listening';
  return isOpen || groups.some(({ phase }) => phase.kind === 'observing');
}

export function liveSituation(state: State): Situation {
  const { policy } = state;
  const policies: Record<Side, Policy> = { primary: policy, secondary: mirrorPolicy(policy) };
  const holders = state.groups.map((group) => ({ name: group.policy.name, on: holderOf(state, group) }));
  const loss = peerLoss(state);
  const hasMet = state.verdict.kind === 'alive' || state.peer.met;
  return {
    kind: 'live',
    names: { primary: policy.self, secondary: policy.peer },
    policies,
    self,
    hosts: { primary: selfStart(state), secondary: { ...peerStart(state), daemon: hasMet } },
    first: [...phantomCut(policy), ...selfFirst(state), ...(hasMet ? [] : loss.actions)],
    later: [
      ...selfConditions(state, holders),
      ...peerConditions(state, holders),
      ...(hasMet ? loss.actions : []),
    ],
    waitMs: loss.waitMs,
    last: loss.last,
    expected: [expectedOf(state)],
    holders,
    lost: loss.lost,
    assumptions: assumptionsOf(state, loss.assumption),
  };
}

function selfStart(state: State): HostStart {
  const holds = state.groups.some((group) => holderOf(state, group) === self);
  const running = state.groups.flatMap((group) =>
    group.resources.filter(({ status }) => isThere(group, status?.kind)).map(({ id }) => id),
  );
  const ledger: Ledger = {
    ...state.ledger,
    peer: null,
    // Asked for later where it holds something: a node that starts in standby would give it away.
    standby: state.standby && !holds,
    maintenanceUntil: null,
  };
  return { daemon: true, ledger, running };
}

/** A group that is about to come up is told as one that has. */
function isThere({ phase }: GroupState, status: string | undefined): boolean {
  return status === 'up' || status === 'paused' || phase.kind === 'starting';
}

function peerStart(state: State): Omit<HostStart, 'daemon'> {
  const held = state.groups.filter((group) => holderOf(state, group) === peer);
  const groups = state.groups.map(({ policy: { name } }) => {
    const report = peerReport(state, name);
    return report === null ? { ...ledgerGroup(state.ledger, name), sole: false } : recordOf(report);
  });
  const standby = state.peer.content?.standby === true && held.length === 0;
  return {
    ledger: { groups, peer: null, standby, left: false, maintenanceUntil: null },
    running: held.flatMap(({ resources }) => resources.map(({ id }) => id)),
  };
}

function recordOf({
  name,
  generation,
  owner,
  writer,
  alone,
  discarding,
  sole,
  phase,
}: GroupReport): Ledger['groups'][number] {
  return {
    name,
    generation,
    owner,
    writer,
    alone,
    sole,
    frozen: phase === 'frozen',
    inTime: false,
    discards: discarding,
  };
}

/** What is under way is told as done. */
const settledPhases = {
  observing: 'stopped',
  claiming: 'stopped',
  starting: 'active',
  stopping: 'stopped',
} as const;

function expectedOf(state: State): Expected {
  return {
    side: self,
    verdict: state.verdict.kind,
    groups: state.groups.map(({ phase, policy: { name } }) => ({
      name,
      phase: Object.hasOwn(settledPhases, phase.kind)
        ? settledPhases[phase.kind as keyof typeof settledPhases]
        : phase.kind,
      obstacle: phase.kind === 'blocked' ? phase.obstacle : null,
      sole: ledgerGroup(state.ledger, name).sole,
      peerWilling: state.verdict.kind === 'alive' ? (peerReport(state, name)?.willing ?? null) : null,
    })),
  };
}

function assumptionsOf(state: State, ofLoss: string | null): readonly string[] {
  const { policy, peer: known, groups } = state;
  const list: string[] = [];
  if (known.content !== null) {
    list.push(`${policy.peer} has the same configuration, and what it said last still holds`);
  }
  if (known.content !== null && known.content.configDigest !== policy.configDigest) {
    list.push(`the configuration of ${policy.peer} differs, which is left out of account`);
  }
  for (const group of groups) {
    const { name } = group.policy;
    const report = peerReport(state, name);
    if (['starting', 'stopping', 'claiming'].includes(group.phase.kind)) {
      list.push(`${name}, which is ${group.phase.kind} on ${policy.self}, has come to an end of that`);
    }
    if (report !== null && owning.has(report.phase) && report.up < report.total) {
      list.push(`all of ${name} runs on ${policy.peer}, which says ${report.up} of ${report.total}`);
    }
    const givenUp = group.resources.filter(({ quarantined }) => quarantined !== null).map(({ id }) => id);
    if (givenUp.length > 0) {
      list.push(`${givenUp.join(', ')}, given up on ${policy.self}, can start on ${policy.peer}`);
    }
  }
  if (ofLoss !== null) list.push(ofLoss);
  return sameTimes(list);
}
