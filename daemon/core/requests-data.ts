// What only a person may say of data: that they are used as they are, or given up.

import type { GroupName } from './policy.ts';
import { type Answered, accepted, refused } from './request-answer.ts';
import type { GroupState, Obstacle, State } from './state.ts';
import { isUnmirrored } from './storage.ts';

const isAboutData = (obstacle: Obstacle) =>
  obstacle === 'unproven-data' || obstacle === 'outdated-data' || obstacle === 'unknown-data';

function waitsForData({ phase }: GroupState): boolean {
  if (phase.kind === 'blocked') return isAboutData(phase.obstacle);
  return phase.kind === 'active' && phase.generation === 0;
}

export function acceptData(state: State, names: readonly GroupName[]): Answered {
  if (names.length === 0)
    return refused(state, 'group-not-named', 'no group was named', 'name the group whose data you accept');
  const waiting = state.groups.filter((group) => names.includes(group.policy.name) && waitsForData(group));
  if (waiting.length === 0) {
    const list = names.join(', ');
    return refused(
      state,
      'not-waiting-for-data',
      `${list} does not wait for this`,
      'run `battito status` to see what it waits for',
    );
  }
  const groups = state.groups.map((group) =>
    waiting.includes(group) ? { ...group, dataAccepted: true } : group,
  );
  const list = waiting.map(({ policy }) => policy.name).join(', ');
  return accepted({ ...state, groups }, `the data of ${list} on ${state.policy.self} is accepted as it is`);
}

export function discardData(state: State, names: readonly GroupName[]): Answered {
  const { self, peer } = state.policy;
  const wanted = state.groups.filter(({ policy }) => names.includes(policy.name));
  if (wanted.length === 0)
    return refused(
      state,
      'group-not-named',
      'no group was named',
      'name the group whose changes here are to be given up',
    );
  if (state.verdict.kind !== 'alive')
    return refused(
      state,
      'peer-not-heard',
      `${peer} is not heard`,
      `start ${peer} first: its copy is the one that stays`,
    );
  const held = wanted.find(({ phase }) => phase.kind !== 'stopped' && phase.kind !== 'blocked');
  if (held !== undefined) {
    const { name } = held.policy;
    return refused(
      state,
      'group-in-use',
      `${name} is in use on ${self}`,
      `run \`battito handover ${name}\`, or give up what ${peer} wrote instead: the same command there`,
    );
  }
  const whole = wanted.find((group) => !isUnmirrored(group));
  if (whole !== undefined)
    return refused(
      state,
      'copies-not-parted',
      `the disks of ${whole.policy.name} have not parted`,
      'nothing is to be given up; `battito status` shows how they are',
    );
  const groups = state.groups.map((group) =>
    wanted.includes(group) ? { ...group, discards: true, discardsSince: state.now } : group,
  );
  const list = wanted.map(({ policy }) => policy.name).join(', ');
  return accepted(
    { ...state, groups },
    `what ${self} wrote to ${list} since the copies parted is given up for the copy of ${peer}`,
  );
}
