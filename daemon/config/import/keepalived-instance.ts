// One vrrp_instance of keepalived.conf(5): what is taken over of it, and which of its lines have no equal.

import { isHostIPv4 } from '../values.ts';
import { type Noted, noteOf, type Remark } from './draft.ts';
import type { FoundAddress } from './floating.ts';
import type { Statement } from './keepalived-text.ts';
import type { Place, Problems } from './source.ts';
import { parsePrefix, withoutAlias } from './words.ts';

export interface VrrpInstance {
  readonly name: string;
  readonly place: Place;
  readonly state: Noted<'MASTER' | 'BACKUP'> | null;
  readonly priority: Noted<number>;
  readonly nopreempt: Noted<true> | null;
  readonly preemptDelayMs: Noted<number> | null;
  readonly advertMs: Noted<number>;
  readonly interface: Noted<string>;
  readonly tracked: readonly Noted<string>[];
  /** Ends of the unicast path; null where it is multicast. */
  readonly own: string | null;
  readonly peer: Noted<string> | null;
  readonly addresses: readonly FoundAddress[];
  readonly remarks: readonly Remark[];
  readonly authentication: { readonly method: string; readonly place: Place } | null;
}

/** What stands outside of an instance and counts in it. */
export interface InstanceDefaults {
  readonly interface: string | null;
  /** For addresses without one; null: they stand alone. */
  readonly prefix: number | null;
}

const taken = [
  'state interface priority advert_int nopreempt preempt preempt_delay track_interface unicast_src_ip',
  'mcast_src_ip unicast_peer virtual_ipaddress virtual_ipaddress_excluded',
].flatMap((line) => line.split(' '));

/** Why a keyword of an instance, or of a group of them, has none. */
export const whyNoEqual = (keyword: string): string => {
  if (/^(notify|smtp_alert)/.test(keyword)) {
    return 'no script is run at a change; put what it starts into a guest, or let systemd run it on both nodes; a hook under notify is only told what happened';
  }
  if (keyword === 'track_script' || keyword === 'track_process' || keyword === 'track_file') {
    return 'a service is not watched by a group; a guest has readiness';
  }
  if (/^virtual_(routes|rules)/.test(keyword)) return 'routes and rules stay with the host';
  if (/^(garp_|gna_|lower_prio|higher_prio|vrrp_garp)/.test(keyword)) {
    return 'done anyway: every floating address is announced, and again after a conflict';
  }
  if (/vmac|ipvlan/.test(keyword))
    return 'an address is added to the interface itself, without a MAC of its own';
  if (keyword === 'virtual_router_id') return "packets are told apart by the cluster's name and its key";
  if (keyword === 'authentication') return 'its password is not taken over; battito keygen makes a key';
  if (keyword === 'dont_track_primary') return 'carrier of the interface is always watched';
  if (keyword === 'mcast_group' || keyword === 'version' || keyword === 'native_ipv6') {
    return 'heartbeats are packets of their own, not VRRP';
  }
  return 'there is nothing like it';
};

export function readInstance(
  { words, place, block }: Statement,
  defaults: InstanceDefaults,
  problems: Problems,
): VrrpInstance {
  const name = words[1] ?? '';
  if (name === '') problems.add(place, 'vrrp_instance has no name');
  const inner = block ?? [];
  const last = (keyword: string) => inner.findLast((statement) => statement.words[0] === keyword);
  const number = (keyword: string, otherwise: number, min: number, max: number): Noted<number> => {
    const found = last(keyword);
    if (found === undefined) return { value: otherwise, note: "keepalived's default" };
    const value = Number(found.words[1] ?? Number.NaN);
    if (!(value >= min && value <= max)) {
      problems.add(
        found.place,
        `${keyword} takes a number from ${min} to ${max}, not "${found.words[1] ?? ''}"`,
      );
    }
    return { value, note: noteOf(found.place) };
  };
  const advert = number('advert_int', 1, 0.01, 255);
  const delay = last('preempt_delay') === undefined ? null : number('preempt_delay', 0, 0, 1000);
  const given = last('interface');
  const device = given?.words[1] ?? defaults.interface;
  if (device === null) problems.add(place, `vrrp_instance ${name} names no interface`);
  const own = (last('unicast_src_ip') ?? last('mcast_src_ip'))?.words[1] ?? null;
  return {
    name,
    place,
    state: stateOf(last('state'), problems),
    priority: number('priority', 100, 1, 255),
    nopreempt:
      last('nopreempt') === undefined
        ? null
        : { value: true, note: noteOf(last('nopreempt')?.place ?? place) },
    preemptDelayMs: delay === null ? null : { value: delay.value * 1000, note: delay.note },
    advertMs: { value: Math.round(advert.value * 1000), note: advert.note },
    interface: { value: withoutAlias(device ?? ''), note: noteOf(given?.place ?? place) },
    tracked: entriesOf(inner, 'track_interface').map(({ words: [tracked = '', ...options], place: at }) => ({
      value: withoutAlias(tracked),
      note: noteOf(at, options.includes('weight') ? 'its weight has no equal' : ''),
    })),
    own,
    peer: peerOf(name, inner, problems),
    addresses: ['virtual_ipaddress', 'virtual_ipaddress_excluded']
      .flatMap((keyword) => entriesOf(inner, keyword))
      .flatMap((entry) => addressOf(entry, withoutAlias(device ?? ''), defaults.prefix, problems)),
    authentication: authenticationOf(inner),
    remarks: inner
      .filter((statement) => !taken.includes(statement.words[0] ?? ''))
      .map((statement) => ({
        place: statement.place,
        text: statement.words.join(' '),
        why: whyNoEqual(statement.words[0] ?? ''),
      })),
  };
}

function stateOf(found: Statement | undefined, problems: Problems): VrrpInstance['state'] {
  const state = found?.words[1];
  if (found === undefined) return null;
  if (state === 'MASTER' || state === 'BACKUP') return { value: state, note: noteOf(found.place) };
  problems.add(found.place, `state takes MASTER or BACKUP, not "${state ?? ''}"`);
  return null;
}

const entriesOf = (inner: readonly Statement[], keyword: string) =>
  inner.filter(({ words }) => words[0] === keyword).flatMap(({ block }) => block ?? []);

function peerOf(name: string, inner: readonly Statement[], problems: Problems): Noted<string> | null {
  const entries = entriesOf(inner, 'unicast_peer');
  // Several may stand in one line.
  const peers = entries.flatMap(({ words, place }) =>
    words
      .filter((word) => /^[0-9a-f.:]+$/i.test(word) && /[.:]/.test(word))
      .map((value) => ({ value, place })),
  );
  const [peer, more] = peers;
  if (more !== undefined) {
    const count = peers.length + 1;
    problems.add(
      more.place,
      `vrrp_instance ${name} has ${count} nodes; Battito is for two, and the others have to go first`,
    );
  }
  if (peer === undefined) return null;
  if (!isHostIPv4(peer.value)) problems.add(peer.place, `${peer.value}: links are IPv4`);
  return { value: peer.value, note: noteOf(peer.place) };
}

/** `192.168.1.1/24 brd 192.168.1.255 dev eth0 label eth0:vip`; without a prefix it is the address alone. */
function addressOf(
  { words, place }: Statement,
  device: string,
  prefixGiven: number | null,
  problems: Problems,
): FoundAddress[] {
  const [text = '', ...options] = words;
  const [address = '', mask, ...more] = text.split('/');
  const isSix = address.includes(':');
  const bits = isSix ? 128 : 32;
  const prefix = mask === undefined ? (prefixGiven ?? bits) : parsePrefix(mask, bits);
  if (prefix === undefined || more.length > 0) {
    problems.add(place, `expected an address such as 192.168.1.1/24, not "${text}"`);
    return [];
  }
  const dev = options[options.indexOf('dev') + 1];
  const name = options.includes('dev') && dev !== undefined ? withoutAlias(dev) : device;
  const label = options.includes('label') ? (options[options.indexOf('label') + 1] ?? null) : null;
  return [{ place, written: { address, prefix, interface: name, broadcast: null, label } }];
}

/** The password is nobody's business: it went over the wire in clear text. */
function authenticationOf(inner: readonly Statement[]): VrrpInstance['authentication'] {
  const block = inner.find(({ words }) => words[0] === 'authentication');
  if (block === undefined) return null;
  const type = block.block?.find(({ words }) => words[0] === 'auth_type')?.words[1];
  return { method: type ?? 'PASS', place: block.place };
}
