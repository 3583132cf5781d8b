// What an operator who comes from Heartbeat is told: what is safer now and what to look at.

import { parseDuration } from '../duration.ts';
import type { Draft } from './draft.ts';
import type { HeartbeatFiles } from './heartbeat.ts';

const deadtimeMsMin = 500;

export function deadtimeAdvice({ timings }: Pick<Draft, 'timings'>): string[] {
  const deadtimeMs = parseDuration(timings.deadtime.value) ?? 0;
  if (deadtimeMs >= deadtimeMsMin && deadtimeMs <= 5000) return [];
  const short = deadtimeMs < deadtimeMsMin ? ': a host that is only busy would be given up' : '';
  return [
    `deadtime is ${timings.deadtime.value}, as it was${short}. battito check names the largest gap that there has been; 2s is usual.`,
  ];
}

/** What Heartbeat and keepalived gave to the mail system, or to a server, goes to the mail system now. */
export const mailAdvice = ({ mail }: Pick<Draft, 'mail'>) =>
  mail.length === 0
    ? []
    : [
        'The mails: they go by the sendmail of the host, or by a server that smtp names; battito notify test, on both nodes, says whether they arrive.',
      ];

export function adviceOn(
  draft: Omit<Draft, 'safer' | 'check'>,
  { directives, auth }: HeartbeatFiles,
): Pick<Draft, 'safer' | 'check'> {
  const has = (name: string) => directives.some((directive) => directive.name === name);
  const disks = draft.groups.some(({ drbd, filesystems }) => drbd.length + filesystems.length > 0);
  return {
    safer: [...keySafer(auth), ...rulesSafer(disks, has('stonith') || has('stonith_host'))],
    check: checksOf(draft, has),
  };
}

function keySafer(auth: HeartbeatFiles['auth']): string[] {
  const now = 'packets are signed with HMAC-SHA256 under a new key, and a repeated one is refused';
  const was = {
    crc: 'crc of authkeys proves nothing: anybody on the wire could speak as a node',
    md5: 'md5 of authkeys is weak',
    sha1: 'sha1 of authkeys is weak',
  };
  return [auth === null ? `${now}.` : `${was[auth.method]}; its key is not taken over: ${now}.`];
}

function rulesSafer(disks: boolean, fenced: boolean): string[] {
  return [
    'A node that is cut off pauses its guests and gives its addresses up before the other one takes over; after the cut exactly one goes on, and nothing is restarted on both.',
    'A silent node is judged by every path, DRBD, the LAN and the outside together, not by missing heartbeats alone.',
    ...(disks
      ? [
          'A DRBD resource is promoted by itself only where its data are known to be the newest; a file system that is held open undoes a handover instead of rebooting the host.',
        ]
      : []),
    ...(fenced
      ? [
          'Once fencing is written anew, a device has to say that the power is off before a takeover goes on, and each node can be tested: battito drill fence.',
        ]
      : []),
  ];
}

function checksOf(draft: Omit<Draft, 'safer' | 'check'>, has: (name: string) => boolean) {
  const { nodes, links, ping, groups, watchdog } = draft;
  const onDrbd = groups.filter(
    ({ drbd, filesystems }) =>
      drbd.length === 0 && filesystems.some(({ value }) => value.device.startsWith('/dev/drbd')),
  );
  const services = groups.flatMap(({ remarks }) => remarks.flatMap(({ service }) => service ?? []));
  const guests = groups.flatMap((group) => group.guests);
  const open = [draft.remarks, ...groups.map(({ remarks }) => remarks)].flat().length;
  const noted = groups.flatMap((group) => group.addresses).some(({ note }) => note?.includes('an addition'));
  return [
    `The nodes' own addresses, ${nodes.map(({ value }) => `${value.name} ${value.address}`).join(' and ')}: Heartbeat did without them.`,
    ...(noted ? ['The interface and prefix length of the addresses that named none.'] : []),
    ...(services.length > 0
      ? [
          `Nothing starts ${[...new Set(services)].join(', ')} at a takeover any more: a group moves addresses, disks and guests.`,
        ]
      : []),
    ...(links.length < 2 ? ['There is one path for heartbeats: add a second one that fails apart.'] : []),
    ...(ping.length === 0
      ? ['connectivity.ping is empty: name the gateway, so that a node can tell that it is cut off itself.']
      : []),
    ...deadtimeAdvice(draft),
    ...(onDrbd.length > 0
      ? onDrbd.map(
          ({ name }) => `Group ${name} mounts a DRBD device without a resource: add its name under drbd.`,
        )
      : []),
    ...(groups.some(({ drbd }) => drbd.length > 0)
      ? [
          'The fence-peer handler of the DRBD resources: /usr/share/doc/battito/examples/drbd-r0.res has it. drbd.service stays disabled.',
        ]
      : []),
    ...(guests.length > 0
      ? [
          'The guests: libvirt must not start them by itself (virsh autostart --disable), and those that have to come first need a priority.',
        ]
      : []),
    ...(has('stonith') || has('stonith_host')
      ? ['Fencing is not taken over: until it is written anew, the tier is evidence.']
      : []),
    ...mailAdvice(draft),
    ...(watchdog === null
      ? []
      : ['The watchdog: its device must be there on both nodes, and nobody else feed it.']),
    ...(open > 0
      ? [`The ${open} ${open === 1 ? 'line' : 'lines'} without an equal, each a comment in the file.`]
      : []),
  ];
}
