// The two nodes, what this one concludes about its peer, and the guarantee in force.

import type { NodeView, Status } from '../../control/api.ts';
import { protectionGaps } from '../../control/protection.ts';
import type { Tier } from '../../core/policy.ts';
import type { VerdictKind } from '../../core/state.ts';
import { every, type Family, gauge, info, oneOf, type Point, seconds } from '../family.ts';
import type { MetricsSource } from '../metrics.ts';

const verdicts = every<VerdictKind>({
  listening: true,
  alive: true,
  late: true,
  departed: true,
  isolated: true,
  unresponsive: true,
  dead: true,
  fenced: true,
});
const tiers = every<Tier>({ evidence: true, fenced: true });

export function nodeFamilies({ status }: MetricsSource): readonly Family[] {
  const { cluster, self, peer, verdict, tier, tierLacks, timings, probes } = status;
  const both = (value: (node: NodeView) => number | boolean | null): readonly Point[] =>
    [self, peer].map((node) => [{ node: node.name }, value(node)]);
  return [
    info('battito_cluster_info', 'The cluster, this node and its peer.', [
      { cluster, node: self.name, peer: peer.name },
    ]),
    gauge(
      'battito_peer_verdict',
      'What this node concludes about its peer: 1 for what it concludes now.',
      oneOf('verdict', verdicts, verdict.kind),
    ),
    gauge('battito_peer_verdict_age_seconds', 'For how long it has concluded that.', [
      [{}, seconds(verdict.forMs)],
    ]),
    gauge('battito_peer_silence_seconds', 'Since the peer was last heard on any link.', [
      [{}, seconds(verdict.silentMs)],
    ]),
    gauge('battito_tier', 'The guarantee that the configuration gives: 1 for that one.', [
      ...oneOf('tier', tiers, tier),
    ]),
    gauge('battito_tier_effective', 'Whether what the guarantee rests on works now.', [
      [{}, tierLacks === null],
    ]),
    gauge('battito_protected', 'Whether a failure of either node would be made good now.', [
      [{}, protectionGaps(status).length === 0],
    ]),
    gauge(
      'battito_node_standby',
      'Whether the node is in standby.',
      both(({ standby }) => standby),
    ),
    gauge(
      'battito_node_leaving',
      'Whether the daemon of the node is stopping.',
      both(({ leaving }) => leaving),
    ),
    gauge(
      'battito_node_maintenance_seconds',
      'How much is left of the maintenance of the node; 0: there is none.',
      both(({ maintenanceMs }) => seconds(maintenanceMs)),
    ),
    gauge(
      'battito_node_lan_usable',
      'Whether the LAN of the node works, by its own word.',
      both(({ lan }) => lan),
    ),
    gauge('battito_config_in_sync', 'Whether both nodes run with the same configuration.', [
      [{}, inSync(status)],
    ]),
    gauge('battito_timing_seconds', 'The timings of the configuration.', [
      [{ timing: 'keepalive' }, seconds(timings.keepaliveMs)],
      [{ timing: 'warntime' }, seconds(timings.warntimeMs)],
      [{ timing: 'deadtime' }, seconds(timings.deadtimeMs)],
      [{ timing: 'initdead' }, seconds(timings.initdeadMs)],
    ]),
    gauge(
      'battito_probe_answered',
      'Whether an address outside answered when it was asked last.',
      probes.map(({ target, kind, last }) => [{ target, kind }, last === null ? null : last === 'answered']),
    ),
  ];
}

/** Null: the peer has not said which one it has. */
function inSync({ self, peer }: Status): boolean | null {
  return peer.configDigest === null ? null : peer.configDigest === self.configDigest;
}
