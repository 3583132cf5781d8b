// What an operator may ask for, and the answer: accepted with what will happen, or refused with what to do.

import { dataUsable, isEligible, lanUsable } from './eligibility.ts';
import type { OperatorRequest } from './events.ts';
import { cannotAct } from './facts.ts';
import { explainObstacle } from './obstacles.ts';
import type { GroupName, HandoverMode } from './policy.ts';
import { type Answered, accepted, holdsIt, meant, type Refusal, refused } from './request-answer.ts';
import { acceptData, discardData } from './requests-data.ts';
import { awaitsWitness } from './resumption.ts';
import type { GroupState, State } from './state.ts';
import { peerReport } from './state.ts';
import { detoursOf } from './ways.ts';

export function answerRequest(state: State, request: OperatorRequest): Answered {
  if ('groups' in request) {
    const unknown = request.groups.find((name) => !state.groups.some(({ policy }) => policy.name === name));
    if (unknown !== undefined) {
      const names = state.groups.map(({ policy }) => policy.name).join(', ');
      return refused(state, 'group-unknown', `there is no group "${unknown}"`, `the groups are: ${names}`);
    }
  }
  switch (request.kind) {
    case 'takeover':
      return takeover(state, request.groups);
    case 'accept-data':
      return acceptData(state, request.groups);
    case 'discard-data':
      return discardData(state, request.groups);
    case 'confirm-peer-off':
      return confirmPeerOff(state, request.node, request.force);
    case 'handover':
      return handover(state, request.groups, request.guests ?? null);
    case 'standby':
      return standby(state, request.on, request.guests ?? null);
    case 'maintenance':
      return maintenance(state, request.durationMs);
    case 'retry':
      return retry(state, request.groups);
    default:
      throw new Error(`unknown request ${JSON.stringify(request satisfies never)}`);
  }
}

function ownObstacle(state: State, group: GroupState): Refusal | null {
  const { self } = state.policy;
  if (state.leavingSince !== null)
    return ['node-stopping', `the daemon on ${self} is stopping`, 'start it again first'];
  if (state.standby) return ['standby', `${self} is in standby`, 'run `battito standby off` first'];
  if (state.maintenanceUntil !== null)
    return ['maintenance', `${self} is in maintenance`, 'run `battito maintenance off` first'];
  if (state.ledgerFailing !== null)
    return [
      'ledger-not-written',
      `${self} cannot write its state file`,
      'free space in its state directory first',
    ];
  if (!lanUsable(state, group))
    return ['no-carrier', `${self} has no carrier on the LAN`, 'mend its cable first'];
  if (state.watchdog.lastError !== null)
    return ['watchdog-failed', `the watchdog of ${self} cannot be armed`, 'load its driver or mend it first'];
  if (state.verdict.kind === 'alive' && !dataUsable(state, group)) {
    return [
      'copy-not-up-to-date',
      `the copy of its disks on ${self} is not up to date`,
      'wait for the end of the resync, or mend the connection of the disks; `battito status` shows both',
    ];
  }
  return null;
}

function takeover(state: State, names: readonly GroupName[]): Answered {
  const { self, peer } = state.policy;
  const wanted = state.groups.filter((group) => meant(group, names) && !holdsIt(group));
  if (wanted.length === 0) return accepted(state, `${self} runs it already`);
  for (const group of wanted) {
    const obstacle = ownObstacle(state, group);
    if (obstacle !== null) return refused(state, ...obstacle);
  }
  const { peer: peerName } = state.policy;
  if (state.verdict.kind !== 'alive' && wanted.some(({ phase }) => phase.kind === 'frozen')) {
    return refused(
      state,
      'frozen',
      `it is frozen here: ${peerName} may have taken it over while this node was cut off`,
      `mend the network; or, if ${peerName} is powered off, run \`battito fence confirm ${peerName}\`: the paused guests are then discarded and started afresh`,
    );
  }
  if (wanted.some((group) => awaitsWitness(state, group))) {
    return refused(
      state,
      'awaits-witness',
      `it is frozen here until the witness says what ${peerName} did meanwhile`,
      `mend the witness; or run \`battito takeover\` on ${peerName}: the paused guests are then discarded`,
    );
  }
  const untold = wanted.find(({ phase }) => phase.kind === 'observing');
  const pull = (group: GroupState) => (wanted.includes(group) ? { ...group, pullSince: state.now } : group);
  switch (state.verdict.kind) {
    case 'alive':
      if ((state.peer.content?.maintenanceMinutes ?? 0) > 0) {
        return refused(
          state,
          'peer-maintenance',
          `${peer} is in maintenance`,
          `run \`battito maintenance off\` on ${peer} first`,
        );
      }
      return accepted(
        { ...state, groups: state.groups.map(pull) },
        `${peer} is asked to hand over ${wanted.map(({ policy }) => policy.name).join(', ')}`,
      );
    case 'departed':
    case 'fenced':
    case 'dead':
      if (wanted.some(({ phase }) => phase.kind === 'blocked')) return refusedWhileBlocked(state, wanted);
      if (untold !== undefined) {
        return refused(
          state,
          'own-state-unknown',
          `it cannot be told yet what of ${untold.policy.name} runs on ${self}`,
          `\`battito status\` names what it cannot be told of; once that is known, ${self} takes over by itself`,
        );
      }
      return accepted(state, `${peer} is ${state.verdict.kind}: ${self} takes over by itself`);
    case 'listening':
    case 'late':
      return refused(
        state,
        'peer-not-judged',
        `whether ${peer} is alive is not known yet`,
        `wait until \`battito status\` says; or, if ${peer} is powered off, run \`battito fence confirm ${peer}\``,
      );
    default:
      return refused(
        state,
        'peer-not-proven-off',
        `${peer} is ${state.verdict.kind}: taking over now could run a guest twice`,
        `make sure that ${peer} is powered off, then run \`battito fence confirm ${peer}\``,
      );
  }
}

function refusedWhileBlocked(state: State, wanted: readonly GroupState[]): Answered {
  for (const group of wanted) {
    const { phase, policy } = group;
    if (phase.kind !== 'blocked') continue;
    const { why, next } = explainObstacle(phase.obstacle, state, group);
    return refused(
      state,
      `blocked-${phase.obstacle}`,
      `${policy.name} may not be started here: ${why}`,
      next,
    );
  }
  throw new Error('nothing is blocked');
}

function confirmPeerOff(state: State, node: string, force: boolean): Answered {
  const { peer } = state.policy;
  const { verdict } = state;
  if (node !== peer)
    return refused(state, 'not-the-peer', `the peer's name is ${peer}, not ${node}`, `type the name ${peer}`);
  if (verdict.kind === 'alive' || verdict.kind === 'late') {
    return refused(
      state,
      'peer-not-off',
      `${peer} is not off: its heartbeats arrive`,
      'run `battito takeover` for an orderly move',
    );
  }
  if (verdict.kind === 'unresponsive' && verdict.signs.length > 0 && !force) {
    return refused(
      state,
      'peer-not-off',
      `${peer} is not off: ${verdict.signs.join('; ')}`,
      `power ${peer} off, wait a few seconds and run the same command again; if it is off and something else answers in its place, add --although-it-answers`,
    );
  }
  const confirmed = { ...state, peer: { ...state.peer, confirmedOff: true } };
  return accepted(confirmed, `${peer} is taken to be powered off because the operator says so`);
}

/** What is frozen is not held, and cannot be given: nobody knows yet whose it is. */
function frozenObstacle({ policy, groups }: State, names: readonly GroupName[]): Refusal | null {
  const frozen = groups.find((group) => meant(group, names) && group.phase.kind === 'frozen');
  if (frozen === undefined) return null;
  const { name } = frozen.policy;
  return [
    'frozen',
    `${name} is frozen on ${policy.self}: ${policy.peer} may have taken it over`,
    `mend what cuts this node off first; \`battito status\` says how ${name} is then`,
  ];
}

function handover(state: State, names: readonly GroupName[], by: HandoverMode | null): Answered {
  const { self, peer } = state.policy;
  const frozen = frozenObstacle(state, names);
  if (frozen !== null) return refused(state, ...frozen);
  const held = state.groups.filter((group) => meant(group, names) && holdsIt(group));
  if (held.length === 0) return accepted(state, `${self} runs none of it`);
  const obstacle = peerObstacle(state, held);
  if (obstacle !== null) return refused(state, ...obstacle);
  const groups = state.groups.map((group) =>
    held.includes(group) ? { ...group, pushSince: state.now, handoverBy: by, takenBack: null } : group,
  );
  const message = `${held.map(({ policy }) => policy.name).join(', ')} goes to ${peer}`;
  return accepted({ ...state, groups }, withDetours(message, held, by));
}

/** With the guests that do not go as they were to. */
function withDetours(message: string, held: readonly GroupState[], by: HandoverMode | null): string {
  return [message, ...held.flatMap((group) => detoursOf(group, by))].join('; ');
}

function peerObstacle(state: State, held: readonly GroupState[]): Refusal | null {
  const { peer } = state.policy;
  if (state.maintenanceUntil !== null)
    return ['maintenance', `${state.policy.self} is in maintenance`, 'run `battito maintenance off` first'];
  if (state.verdict.kind !== 'alive') {
    return [
      'peer-cannot-take-over',
      `${peer} cannot take over: it is ${state.verdict.kind}`,
      `bring ${peer} back first; \`battito status\` says why`,
    ];
  }
  const { content } = state.peer;
  const unwilling = held.find(({ policy }) => peerReport(state, policy.name)?.willing !== true);
  if (unwilling === undefined) return null;
  if (content?.standby === true)
    return ['peer-standby', `${peer} is in standby`, `run \`battito standby off\` on ${peer} first`];
  if ((content?.maintenanceMinutes ?? 0) > 0)
    return [
      'peer-maintenance',
      `${peer} is in maintenance`,
      `run \`battito maintenance off\` on ${peer} first`,
    ];
  if (content?.lan === false)
    return ['peer-no-lan', `${peer} has no working LAN`, `mend the cable or gateway of ${peer} first`];
  return [
    'peer-unwilling',
    `${peer} cannot run ${unwilling.policy.name} now`,
    `run \`battito status\` on ${peer}`,
  ];
}

function standby(state: State, on: boolean, by: HandoverMode | null): Answered {
  const { self } = state.policy;
  if (state.standby === on) return accepted(state, `${self} is ${on ? 'already' : 'not'} in standby`);
  const held = on ? state.groups.filter(holdsIt) : [];
  if (on) {
    const obstacle = frozenObstacle(state, []) ?? (held.length === 0 ? null : peerObstacle(state, held));
    if (obstacle !== null) return refused(state, ...obstacle);
  }
  const message = on
    ? `${self} hands everything over and takes nothing until \`battito standby off\``
    : `${self} may run groups again`;
  const groups = state.groups.map((group) => ({
    ...group,
    takenBack: null,
    handoverBy: held.includes(group) ? by : null,
  }));
  return accepted({ ...state, groups, standby: on }, withDetours(message, held, by));
}

function maintenance(state: State, durationMs: number): Answered {
  const { self, peer } = state.policy;
  if (durationMs <= 0) {
    if (state.maintenanceUntil === null) return accepted(state, `${self} is not in maintenance`);
    return accepted({ ...state, maintenanceUntil: null }, `${self} looks after its groups again`);
  }
  // With a witness, a peer that has not read of it may take over once the lease is free.
  if (state.policy.witness !== null && state.verdict.kind !== 'alive' && !cannotAct(state)) {
    return refused(
      state,
      'peer-cannot-be-told',
      `${peer} is ${state.verdict.kind} and cannot be told, so it could take over what runs here`,
      `bring ${peer} back first; or, if it is powered off, run \`battito fence confirm ${peer}\``,
    );
  }
  const minutes = Math.ceil(durationMs / 60_000);
  return accepted(
    { ...state, maintenanceUntil: state.now + durationMs, maintenanceSequence: null },
    `${self} touches nothing for ${minutes} min, and nothing is taken from it; it re-arms itself then`,
  );
}

function retry(state: State, names: readonly GroupName[]): Answered {
  const groups = state.groups.map((group) =>
    meant(group, names)
      ? {
          ...group,
          takenBack: null,
          resources: group.resources.map((resource) => ({
            ...resource,
            failures: 0,
            retryAt: null,
            starts: [],
            quarantined: null,
            lastError: null,
          })),
        }
      : group,
  );
  const waiting = groups.some((group) => isEligible(state, group));
  return accepted(
    { ...state, groups },
    waiting ? 'what had been given up is tried again' : 'nothing can start here now',
  );
}
