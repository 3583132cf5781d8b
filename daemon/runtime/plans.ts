// The commands that a start or a handover would run on this node, as a shell would take them, for --dry-run. Asks nobody,
// and changes nothing.

import type { Plan } from '../control/api.ts';
import { isPairable } from '../core/migration.ts';
import type { GroupPolicy, HandoverMode, ResourcePolicy } from '../core/policy.ts';
import { drbdNameOf, guestNameOf } from '../core/resource.ts';
import { describeMode, wayOf } from '../core/ways.ts';
import { twoPrimariesWords } from '../drivers/drbd/two-primaries.ts';
import { shellLine, shellQuote } from '../drivers/shell.ts';
import type { Driven } from './driven.ts';

export interface PlanOptions {
  readonly groups: readonly GroupPolicy[];
  readonly peer: string;
  readonly driver: (group: string, resource: string) => Driven | undefined;
}

type Step = Omit<Plan, 'group' | 'resource'>;

export function plansOf(
  { groups, peer, driver }: PlanOptions,
  action: 'start' | 'stop',
  wished: HandoverMode | null,
): readonly Plan[] {
  return groups.flatMap((group) => {
    const commandsOf = ({ id }: ResourcePolicy, what: Plan['action']) =>
      driver(group.name, id)?.commands(what) ?? [];
    const plain = (policy: ResourcePolicy): Step => {
      const needs = action === 'start' ? policy.needs : usersOf(group, policy);
      return { action, remarks: [], needs, commands: commandsOf(policy, action) };
    };
    const stepOf = (policy: ResourcePolicy): Step => {
      const step = plain(policy);
      if (action === 'start') return step;
      if (policy.kind === 'drbd' && isMovedOn(group, policy, wished))
        return { ...step, commands: [...step.commands, drbdLine(policy.id, false)] };
      if (policy.kind !== 'guest') return step;
      const { mode, cannot } = wayOf(policy.guest, wished);
      const remarks = cannot.map((one) => `not ${describeMode(one.mode)}: ${one.why}`);
      if (mode === 'shutdown') return { ...step, remarks };
      if (mode === 'save') return { ...step, remarks, action: 'save', commands: commandsOf(policy, 'save') };
      const devices = policy.needs.filter((id) => isPairable(group, id));
      const commands = [
        ...devices.flatMap((id) => [drbdLine(id, true), there(peer, promotion(id))]),
        ...commandsOf(policy, 'migrate'),
        there(peer, shellLine(['virsh', 'resume', guestNameOf(policy.id)])),
      ];
      return { ...step, remarks: [...remarks, tunnelRemark], action: 'migrate', commands };
    };
    const resources = action === 'start' ? group.resources : inStopOrder(group);
    return resources.map((policy) => ({ group: group.name, resource: policy.id, ...stepOf(policy) }));
  });
}

const tunnelRemark =
  'the daemons go through their own channel instead of ssh, and let the guest run there only once it has ended here';

/** Addresses first, then guests, and what is below them last. */
function inStopOrder({ resources }: GroupPolicy): readonly ResourcePolicy[] {
  const order = ['address', 'guest', 'filesystem', 'drbd'];
  return resources.toReversed().toSorted((one, other) => order.indexOf(one.kind) - order.indexOf(other.kind));
}

/** What has to be down before it. */
const usersOf = ({ resources }: GroupPolicy, { id }: ResourcePolicy) =>
  resources.filter(({ needs }) => needs.includes(id)).map((user) => user.id);

const isMovedOn = (group: GroupPolicy, { id }: ResourcePolicy, wished: HandoverMode | null) =>
  isPairable(group, id) &&
  group.resources.some(({ needs, guest }) => needs.includes(id) && wayOf(guest, wished).mode === 'live');

const drbdLine = (id: string, allowed: boolean) =>
  shellLine(['drbdadm', ...twoPrimariesWords(allowed), drbdNameOf(id)]);

const promotion = (id: string) =>
  `${drbdLine(id, true)} && ${shellLine(['drbdadm', 'primary', drbdNameOf(id)])}`;

const there = (peer: string, line: string) => `ssh ${shellQuote(peer)} ${shellQuote(line)}`;
