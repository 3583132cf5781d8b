// Makes a configuration of what keepalived has been told: a group for each vrrp_instance, or for each vrrp_sync_group of
// several. One file is that of one node; the other node's says what that one does differently.

import { formatDuration } from '../duration.ts';
import { mailPattern } from '../schema-notify.ts';
import {
  type Draft,
  type DraftGroup,
  type DraftLink,
  type Given,
  type Noted,
  noteOf,
  type Remark,
  unique,
} from './draft.ts';
import { wholeAddresses } from './floating.ts';
import { deadtimeAdvice, mailAdvice } from './heartbeat-advice.ts';
import { readInstance, type VrrpInstance, whyNoEqual } from './keepalived-instance.ts';
import type { Statement } from './keepalived-text.ts';
import type { Problems } from './source.ts';
import { asName } from './words.ts';

export interface KeepalivedFiles {
  readonly path: string;
  readonly statements: readonly Statement[];
  /** The other node's; null: it is not known. */
  readonly peer: readonly Statement[] | null;
}

/** One group: the instances that move together. */
interface Unit {
  readonly name: string;
  readonly instances: readonly VrrpInstance[];
}

export function importKeepalived(
  { path, statements, peer }: KeepalivedFiles,
  given: Given,
  problems: Problems,
): Draft {
  const instances = instancesOf(statements, given, problems);
  const others = peer === null ? [] : instancesOf(peer, given, problems);
  const [self = '', other = ''] = given.addresses.keys();
  const nodes = orderedNodes(given, instances);
  if (instances.length === 0) problems.add(null, `${path}: there is no vrrp_instance, so there is no group`);
  const whole = wholeAddresses(
    instances.flatMap(({ addresses }) => addresses),
    [],
    given,
    problems,
  );
  const units = unitsOf(statements, instances, problems);
  const advert = instances.map(({ advertMs }) => advertMs).sort((a, b) => a.value - b.value)[0] ?? {
    value: 1000,
    note: null,
  };
  const groups = units.map((unit): DraftGroup => {
    const failback = failbackOf(unit.instances);
    return {
      name: asName(unit.name, `group-${units.indexOf(unit) + 1}`),
      preferred: preferredOf(unit.instances, others, nodes[0] ?? self, nodes[1] ?? other),
      ...failback,
      addresses: unique(
        unit.instances.flatMap(({ addresses }) => addresses).flatMap((item) => whole.get(item) ?? []),
      ),
      drbd: [],
      filesystems: [],
      guests: [],
      remarks: unit.instances.flatMap(({ remarks }) => remarks),
    };
  });
  const draft: Omit<Draft, 'safer' | 'check'> = {
    service: 'keepalived',
    cluster: { value: asName(nodes.join('-'), 'office'), note: 'a name of your own' },
    nodes: nodes.map((name) => ({
      value: { name, address: given.addresses.get(name) ?? '' },
      note: 'by --address',
    })),
    timings: timingsOf(advert),
    port: null,
    links: linksOf(instances, nodes, given),
    ping: [],
    watchdog: null,
    mail: unique([...statements, ...(peer ?? [])].flatMap(mailOf)),
    groups,
    remarks: statements.flatMap(remarkOf),
  };
  return { ...draft, ...adviceOn(draft, instances, peer !== null) };
}

function instancesOf(
  statements: readonly Statement[],
  { prefix }: Given,
  problems: Problems,
): readonly VrrpInstance[] {
  const defaults = statements
    .filter(({ words }) => words[0] === 'global_defs')
    .flatMap(({ block }) => block ?? []);
  const device = defaults.find(({ words }) => words[0] === 'default_interface')?.words[1] ?? null;
  const blocks = statements.filter(({ words }) => words[0] === 'vrrp_instance');
  const instances = blocks.map((statement) =>
    readInstance(statement, { interface: device, prefix }, problems),
  );
  for (const [index, { name, place }] of instances.entries()) {
    if (instances.findIndex((instance) => instance.name === name) < index) {
      problems.add(place, `there are two instances with the name ${name}`);
    }
  }
  return instances;
}

/** The node whose file it is first: the one with the source address, else the one that was given first. */
function orderedNodes(given: Given, instances: readonly VrrpInstance[]): readonly string[] {
  const names = [...given.addresses.keys()];
  const owner = names.find((name) => instances.some(({ own }) => own === given.addresses.get(name)));
  const peer = names.find((name) => instances.some((item) => item.peer?.value === given.addresses.get(name)));
  const isSecond = owner === names[1] || (owner === undefined && peer === names[0]);
  return isSecond && names.length === 2 ? names.toReversed() : names;
}

function unitsOf(
  statements: readonly Statement[],
  instances: readonly VrrpInstance[],
  problems: Problems,
): readonly Unit[] {
  const synced = statements
    .filter(({ words }) => words[0] === 'vrrp_sync_group')
    .map(({ words, block }): Unit => {
      const members = (block ?? [])
        .filter((inner) => inner.words[0] === 'group')
        .flatMap((inner) => inner.block ?? []);
      return {
        name: words[1] ?? '',
        instances: members.flatMap((member) =>
          member.words.flatMap((name) => {
            const found = instances.find((instance) => instance.name === name);
            if (found === undefined) problems.add(member.place, `there is no vrrp_instance ${name}`);
            return found ?? [];
          }),
        ),
      };
    });
  const alone = instances.filter((instance) => synced.every((unit) => !unit.instances.includes(instance)));
  return [...synced, ...alone.map((instance): Unit => ({ name: instance.name, instances: [instance] }))];
}

/** Who has the higher priority; with one file, who says that it is the master. */
function preferredOf(
  [instance]: readonly VrrpInstance[],
  others: readonly VrrpInstance[],
  self: string,
  other: string,
): Noted<string> {
  if (instance === undefined) return { value: self, note: null };
  const { priority, state } = instance;
  const there = others.find(({ name }) => name === instance.name);
  if (there !== undefined && there.priority.value !== priority.value) {
    const isSelf = priority.value > there.priority.value;
    const note = `${priority.note}: priority ${priority.value}, the other one's is ${there.priority.value}`;
    return { value: isSelf ? self : other, note };
  }
  const master = state?.value === 'MASTER' ? self : there?.state?.value === 'MASTER' ? other : null;
  if (master !== null) {
    const said = state?.value === 'MASTER' ? state : there?.state;
    return { value: master, note: `${said?.note}: state MASTER` };
  }
  const note = `${priority.note}: priority ${priority.value}; the other one's is not known`;
  return { value: priority.value > 100 ? self : other, note };
}

function failbackOf(instances: readonly VrrpInstance[]): Pick<DraftGroup, 'failback' | 'failbackDelay'> {
  const kept = instances.find(({ nopreempt }) => nopreempt !== null)?.nopreempt;
  if (kept !== undefined && kept !== null) {
    return { failback: { value: 'manual', note: kept.note }, failbackDelay: null };
  }
  const delay = instances.find(({ preemptDelayMs }) => preemptDelayMs !== null)?.preemptDelayMs ?? null;
  return {
    failback: { value: 'automatic', note: 'keepalived preempts unless told not to' },
    failbackDelay: delay === null ? null : { value: formatDuration(delay.value), note: delay.note },
  };
}

/** A backup waits for three advertisements and up to one more. */
function timingsOf({ value, note }: Noted<number>): Draft['timings'] {
  const times = (count: number, more: string): Noted<string> => ({
    value: formatDuration(value * count),
    note: `${note}: ${more}`,
  });
  return {
    keepalive: times(1, 'advert_int'),
    warntime: times(2, 'two of them'),
    deadtime: times(4, 'three of them, and the skew of keepalived'),
    initdead: { value: formatDuration(Math.max(30_000, value * 4)), note: 'the default' },
  };
}

function linksOf(
  instances: readonly VrrpInstance[],
  [self = '', other = '']: readonly string[],
  given: Given,
): readonly Noted<DraftLink>[] {
  const links = instances.map((instance): Noted<DraftLink> => {
    const { interface: device, peer, own } = instance;
    const there = peer?.value ?? given.addresses.get(other) ?? '';
    const here = own ?? given.addresses.get(self) ?? '';
    const isLan = here === given.addresses.get(self) && there === given.addresses.get(other);
    if (peer === null && own === null) return { value: { interface: device.value }, note: device.note };
    const addresses = isLan ? {} : { addresses: { [self]: here, [other]: there } };
    return { value: { interface: device.value, mode: 'unicast', ...addresses }, note: device.note };
  });
  const used = new Set(links.map(({ value }) => value.interface));
  const tracked = instances
    .flatMap((instance) => instance.tracked)
    .filter(({ value }) => !used.has(value) && value !== 'lo')
    .map(
      ({ value, note }): Noted<DraftLink> => ({
        value: { interface: value },
        note: `${note}: was watched, and is a second path now`,
      }),
    );
  return unique([...links, ...tracked], ({ interface: name, mode = 'broadcast' }) => `${name} ${mode}`);
}

/** A name without an address was somebody on this host. */
function mailOf({ words, block }: Statement): readonly Noted<string>[] {
  if (words[0] !== 'global_defs') return [];
  return (block ?? [])
    .filter((inner) => inner.words[0] === 'notification_email')
    .flatMap((inner) => inner.block ?? [])
    .flatMap((entry) => entry.words.map((value) => ({ value, note: noteOf(entry.place) })))
    .filter(({ value }) => mailPattern.test(value));
}

function remarkOf({ words, place, block }: Statement): Remark[] {
  const [keyword = ''] = words;
  const text = `${words.join(' ')} ...`;
  const remark = (why: string): Remark[] => [{ place, text, why }];
  if (keyword === 'vrrp_instance') return [];
  if (keyword === 'vrrp_sync_group') {
    return (block ?? [])
      .filter((inner) => inner.words[0] !== 'group')
      .map((inner) => ({
        place: inner.place,
        text: inner.words.join(' '),
        why: whyNoEqual(inner.words[0] ?? ''),
      }));
  }
  if (keyword === 'global_defs')
    return remark('names and limits of keepalived; of these only who gets a mail is taken over, to notify');
  if (/^vrrp_(script|track)/.test(keyword))
    return remark('a service is not watched by a group; a guest has readiness');
  if (/^(virtual_server|real_server|SSL$)/.test(keyword))
    return remark('a load balancer is not managed here; run it in a guest');
  if (keyword.startsWith('static_'))
    return remark('what stays on a node is part of its network configuration');
  return remark('there is nothing like it');
}

function adviceOn(
  { nodes, links, groups, mail, timings, remarks }: Omit<Draft, 'safer' | 'check'>,
  instances: readonly VrrpInstance[],
  bothKnown: boolean,
): Pick<Draft, 'safer' | 'check'> {
  const method = instances.find(({ authentication }) => authentication !== null)?.authentication?.method;
  const now = 'packets are signed with HMAC-SHA256 under a new key, and a repeated one is refused';
  const was =
    method === undefined
      ? 'Advertisements were not authenticated'
      : `auth_type ${method} sent its password in the clear, or proved little, and the password is not taken over`;
  const open = [remarks, ...groups.map((group) => group.remarks)].flat().length;
  const alone = groups.flatMap((group) => group.addresses).filter(({ value }) => /\/(32|128) /.test(value));
  return {
    safer: [
      `${was}: ${now}.`,
      'An address is taken only from a node that is dead by every path, not after three lost packets; a daemon that died alone does not leave it on both.',
      'A node that is cut off gives its addresses up before the other one takes over.',
    ],
    check: [
      `The nodes' own addresses and names, ${nodes.map(({ value }) => `${value.name} ${value.address}`).join(' and ')}: the names are those of the hosts.`,
      ...(bothKnown
        ? []
        : [
            "Which node is preferred: one file only says half of it. Name the other node's file, too, to have the priorities compared.",
          ]),
      ...(alone.length > 0
        ? [
            `${alone.length === 1 ? 'One address has' : `${alone.length} addresses have`} no prefix length, standing alone as with keepalived; that of the LAN is usual: --prefix 24.`,
          ]
        : []),
      ...deadtimeAdvice({ timings }),
      ...mailAdvice({ mail }),
      ...(links.length < 2 ? ['There is one path for heartbeats: add a second one that fails apart.'] : []),
      'connectivity.ping is empty: name the gateway, so that a node can tell that it is cut off itself.',
      ...(open > 0
        ? [`The ${open} ${open === 1 ? 'line' : 'lines'} without an equal, each a comment in the file.`]
        : []),
    ],
  };
}
