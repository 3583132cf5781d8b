// From a policy to what the modelled world can carry. It knows two segments, the dedicated cable and the LAN, so all
// heartbeat links of one segment are one link there. Pure.

import type { Policy, ProbeTarget } from '../core/policy.ts';
import type { Segment } from '../sim/action.ts';

const noDedicated = 'no dedicated cable';

export interface Modelled {
  readonly policy: Policy;
  /** Heartbeat links by segment, as the policy calls them. */
  readonly links: Readonly<Record<Segment, readonly string[]>>;
  /** The model has a dedicated link that the cluster has not: it is to be cut from the beginning. */
  readonly hasPhantom: boolean;
  readonly probeSegment: (target: ProbeTarget) => Segment;
}

export const interfaceOf = (link: string): string => link.split(' ')[0] ?? link;

export function modelPolicy(policy: Policy): Modelled {
  const links = linksBySegment(policy);
  const named = (names: readonly string[]) => (names.length === 0 ? [] : [names.join(' + ')]);
  const hasPhantom = links.dedicated.length === 0;
  const dedicated = hasPhantom ? [noDedicated] : named(links.dedicated);
  return {
    policy: { ...policy, links: [...dedicated, ...named(links.lan)] },
    links,
    hasPhantom,
    probeSegment: ({ kind, id }) => {
      const isDedicated = kind === 'peer' && links.dedicated.some((link) => id.endsWith(` on ${link}`));
      return isDedicated ? 'dedicated' : 'lan';
    },
  };
}

/**
 * The LAN is where the floating addresses are. Where no link is told to be on an interface of theirs (they may be on
 * a bridge), unicast links count as LAN, since they go to the nodes' own addresses; and if there are several links but
 * none like that, all but the first.
 */
function linksBySegment({ links, groups }: Policy): Modelled['links'] {
  const served = new Set(groups.flatMap(({ interfaces }) => interfaces));
  const guesses: readonly ((link: string, index: number) => boolean)[] = [
    (link) => served.has(interfaceOf(link)),
    (link) => link.endsWith(' unicast'),
    (_link, index) => index > 0,
  ];
  const isLan = guesses.find((guess) => links.some(guess)) ?? (() => false);
  return {
    dedicated: links.filter((link, index) => !isLan(link, index)),
    lan: links.filter(isLan),
  };
}

/** The peer's policy, as far as this node can know it: the same file read from the other side. */
export function mirrorPolicy(policy: Policy): Policy {
  const { self, peer } = policy;
  const probes = policy.probes.map((target): ProbeTarget => {
    if (target.kind !== 'peer') return target;
    const link = policy.links.find((name) => target.id.endsWith(` on ${name}`));
    return { kind: 'peer', id: link === undefined ? `address of ${self}` : `${self} on ${link}` };
  });
  const unique = probes.filter(({ id }, index) => probes.findIndex((other) => other.id === id) === index);
  return { ...policy, self: peer, peer: self, probes: unique };
}
