// The heartbeat links. Refusals have a sample for every reason from the start, so that the first one counts in a rate.

import type { LinkView, SpellView } from '../../control/api.ts';
import type { RefusalReason } from '../../core/state.ts';
import { type WireRefusal, wireRefusals } from '../../drivers/link/wire.ts';
import { counter, every, type Family, gauge, type Labels, seconds } from '../family.ts';
import type { MetricsSource } from '../metrics.ts';

const refusals: readonly (RefusalReason | WireRefusal)[] = [
  ...every<RefusalReason>({ replayed: true, 'stale-incarnation': true, unproven: true }),
  // A node's own broadcasts come back to it; they are no refusals.
  ...wireRefusals.filter((reason) => reason !== 'own-packet'),
];

export function linkFamilies({ status, gaps }: MetricsSource): readonly Family[] {
  const links = named(status.links);
  const each = (value: (link: LinkView) => number | boolean | null) =>
    links.map(({ labels, link }) => [labels, value(link)] as const);
  const windows = status.gaps.links.map((window) => ({ labels: { link: window.name }, window }));
  const spells = { silence: status.gaps.silences, stall: status.gaps.stalls };
  const ofSpells = (value: (spell: SpellView) => number | null) =>
    Object.entries(spells).map(([kind, spell]) => [{ kind }, value(spell)] as const);
  return [
    gauge(
      'battito_link_fresh',
      'Whether the peer was heard on the link within deadtime.',
      each(({ fresh }) => fresh),
    ),
    gauge(
      'battito_link_usable',
      'Whether the link can be used on this node: its interface is there and up.',
      each(({ down }) => down === null),
    ),
    gauge(
      'battito_link_heard_by_peer',
      'Whether the peer says that it hears this node on the link.',
      each(({ heardByPeer }) => heardByPeer),
    ),
    gauge(
      'battito_link_silence_seconds',
      'Since the peer was last heard on the link.',
      each(({ ageMs }) => seconds(ageMs)),
    ),
    counter(
      'battito_link_packets_sent_total',
      'Heartbeats sent on the link.',
      each(({ sent }) => sent),
    ),
    counter(
      'battito_link_packets_received_total',
      'Authentic packets of the peer that came on the link.',
      each(({ received }) => received),
    ),
    counter(
      'battito_link_packets_refused_total',
      'Packets that came on the link and were refused, by reason.',
      links.flatMap(({ labels, link }) => {
        const reasons = new Set([...refusals, ...Object.keys(link.refused)]);
        return [...reasons].map((reason) => [{ ...labels, reason }, link.refused[reason] ?? 0] as const);
      }),
    ),
    {
      kind: 'histogram',
      name: 'battito_link_heartbeat_gap_seconds',
      help: 'Time between two heartbeats of the peer on the link, stalls of this daemon left out.',
      series: [...gaps].map(([link, reading]) => ({ labels: { link }, reading })),
    },
    gauge(
      'battito_link_longest_gap_seconds',
      'The longest gap of the last seven days that was shorter than deadtime.',
      windows.map(({ labels, window }) => [labels, seconds(window.largestMs)]),
    ),
    gauge(
      'battito_link_cuts',
      'Gaps of the last seven days that were longer than deadtime.',
      windows.map(({ labels, window }) => [labels, window.cuts.count]),
    ),
    gauge(
      'battito_link_longest_cut_seconds',
      'The longest of these; 0: there was none.',
      windows.map(({ labels, window }) => [labels, seconds(window.cuts.longestMs)]),
    ),
    gauge(
      'battito_spells',
      'In the last seven days: silences longer than deadtime on all links at once, and stalls of the daemon.',
      ofSpells(({ count }) => count),
    ),
    gauge(
      'battito_longest_spell_seconds',
      'The longest of these; 0: there was none.',
      ofSpells(({ longestMs }) => seconds(longestMs)),
    ),
  ];
}

/** Two links on one interface may have one name: two series must not. */
function named(links: readonly LinkView[]): readonly { readonly labels: Labels; readonly link: LinkView }[] {
  const seen = new Map<string, number>();
  return links.map((link) => {
    const count = (seen.get(link.name) ?? 0) + 1;
    seen.set(link.name, count);
    return { labels: { link: count === 1 ? link.name : `${link.name} (${count})` }, link };
  });
}
