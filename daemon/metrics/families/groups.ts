// What moves together: where it runs, in which phase it is on each node, and what is in it.

import type { GroupView, ResourceView } from '../../control/api.ts';
import { phaseKinds } from '../../core/heartbeat.ts';
import { every, type Family, gauge, type Labels, oneOf, type Point, seconds } from '../family.ts';
import type { MetricsSource } from '../metrics.ts';

const statuses = every<ResourceView['status']>({
  up: true,
  down: true,
  paused: true,
  incoming: true,
  failed: true,
  unknown: true,
});

export function groupFamilies({ status }: MetricsSource): readonly Family[] {
  const { groups, self, peer } = status;
  const each = (value: (group: GroupView) => number | boolean | null): readonly Point[] =>
    groups.map((group) => [{ group: group.name }, value(group)]);
  const onBoth = (points: (group: GroupView, labels: (node: string) => Labels) => readonly Point[]) =>
    groups.flatMap((group) => points(group, (node) => ({ group: group.name, node })));
  const resources = groups.flatMap((group) =>
    group.resources.map((resource) => ({ resource, labels: resourceLabels(group, resource) })),
  );
  const ofResources = (value: (resource: ResourceView) => number | boolean | null): readonly Point[] =>
    resources.map(({ resource, labels }) => [labels, value(resource)]);
  const ofGuests = (value: (resource: ResourceView) => number | boolean | null): readonly Point[] =>
    groups.flatMap((group) =>
      group.resources
        .filter(({ kind }) => kind === 'guest')
        .map((guest) => [{ group: group.name, guest: nameOf(guest) }, value(guest)] as const),
    );
  return [
    gauge(
      'battito_group_phase',
      'The phase of the group on each node: 1 for the one that it is in.',
      onBoth((group, labels) => [
        ...oneOf('phase', phaseKinds, group.phase, labels(self.name)),
        ...(group.peer === null ? [] : oneOf('phase', phaseKinds, group.peer.phase, labels(peer.name))),
      ]),
    ),
    gauge(
      'battito_group_phase_age_seconds',
      'For how long the group has been in its phase here.',
      each(({ forMs }) => seconds(forMs)),
    ),
    gauge(
      'battito_group_runs',
      'Whether the node runs the group, as far as this one knows.',
      onBoth((group, labels) =>
        [self.name, peer.name].map((node) => [labels(node), group.runsOn === node] as const),
      ),
    ),
    gauge(
      'battito_group_preferred',
      'Whether the group prefers the node.',
      onBoth((group, labels) =>
        [self.name, peer.name].map((node) => [labels(node), group.preferred === node] as const),
      ),
    ),
    gauge(
      'battito_group_willing',
      'Whether the node could run the group, as far as it is concerned itself.',
      onBoth((group, labels) => [
        [labels(self.name), group.willing],
        [labels(peer.name), group.peer?.willing ?? null],
      ]),
    ),
    gauge(
      'battito_group_generation',
      'How often the group has changed hands.',
      each(({ generation }) => generation),
    ),
    gauge(
      'battito_group_handover_undone',
      'Whether its last handover was undone, since something could not be let go of.',
      each(({ undone }) => undone !== null),
    ),
    gauge(
      'battito_group_resources',
      'Parts of the group by what they are seen to be, on each node; of the peer only those that are up.',
      onBoth((group, labels) => [
        ...statuses.map((kind) => [{ ...labels(self.name), status: kind }, countOf(group, kind)] as const),
        [{ ...labels(peer.name), status: 'up' }, group.peer?.up ?? null],
      ]),
    ),
    gauge(
      'battito_group_resources_given_up',
      'Parts of the group that are not started again by themselves, on each node.',
      onBoth((group, labels) => [
        [labels(self.name), group.resources.filter(({ quarantined }) => quarantined !== null).length],
        [labels(peer.name), group.peer?.quarantined ?? null],
      ]),
    ),
    gauge(
      'battito_resource_up',
      'Whether the part of the group is in use on this node.',
      ofResources(({ status: seen }) => seen === 'up'),
    ),
    gauge(
      'battito_resource_given_up',
      'Whether it failed so often that it is not started again by itself.',
      ofResources(({ quarantined }) => quarantined !== null),
    ),
    gauge(
      'battito_resource_operation_seconds',
      'For how long an operation on it has been under way; what is at rest has no sample.',
      resources.map(({ resource: { operation }, labels }) => [
        { ...labels, action: operation?.action ?? '' },
        operation === null ? null : seconds(operation.forMs),
      ]),
    ),
    gauge(
      'battito_guest_ready',
      'Whether the guest, which runs here, has answered as its readiness asks; one that is not asked has no sample.',
      ofGuests(({ ready }) => ready),
    ),
    gauge(
      'battito_guest_uptime_seconds',
      'Since the process of the guest was started here.',
      ofGuests(({ upForMs }) => seconds(upForMs)),
    ),
    gauge(
      'battito_guest_left_out',
      'Whether the guest is not started here for want of memory.',
      ofGuests(({ leftOut }) => leftOut),
    ),
  ];
}

const countOf = ({ resources }: GroupView, kind: ResourceView['status']) =>
  resources.filter(({ status }) => status === kind).length;

/** Without its kind, which is a label of its own: `mail` of `guest:mail`. */
export const nameOf = ({ id }: ResourceView) => id.slice(id.indexOf(':') + 1);

function resourceLabels(group: GroupView, resource: ResourceView): Labels {
  return { group: group.name, kind: resource.kind, resource: nameOf(resource) };
}
