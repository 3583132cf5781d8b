// The runbook for a dead peer: is it off, then everything up here, group by group.

import type { GroupConfig, LinkConfig } from '../config/config.ts';
import { arpingOnce } from '../drivers/arping.ts';
import { pingOnce } from '../drivers/ping.ts';
import { shellLine } from '../drivers/shell.ts';
import { promoteLibrary } from './drbd-library.ts';
import { addressLibrary, lostLibrary, typedLibrary } from './library.ts';
import type { RunbookParts, RunbookSource } from './runbook.ts';
import { addressUp, call, filesystemUp, guestUp, inMountOrder, inStartOrder } from './steps.ts';

export function takeoverParts(source: RunbookSource): RunbookParts {
  const { config, peer, self } = source;
  const hasDrbd = config.groups.some(({ drbd }) => drbd.length > 0);
  const hasAddresses = config.groups.some(({ addresses }) => addresses.length > 0);
  return {
    purpose: [
      `${peer.name} is dead, and Battito on ${self.name} cannot do its work: brings everything up here.`,
      `It asks before what cannot be taken back. The one thing that no script can know is whether ${peer.name} is off:`,
      'a guest that runs on both hosts ruins its disk. Look, or cut the power, before you say so.',
    ],
    withDaemon: `while it runs: battito takeover, and battito fence confirm ${peer.name} where it waits for your word; or, if it is of no use: systemctl stop battito, then this script again`,
    options: [
      {
        name: '--from-standby',
        variable: 'from_standby',
        help: `${peer.name} lives, and its runbook standby has ended there without a complaint`,
      },
    ],
    libraries: [
      typedLibrary,
      silenceLibrary,
      ...(hasAddresses ? [addressLibrary] : []),
      ...(hasDrbd ? [promoteLibrary] : []),
      lostLibrary,
    ],
    before: [
      `if [ "$from_standby" = yes ]; then`,
      '  typed "Has the runbook standby of$chosen ended on $peer without a complaint?" "$peer" ||',
      '    stop "nobody has said so" "run it there: standby.sh, of the same directory on $peer"',
      'else',
      '  say "== is $peer off?"',
      ...peerLooks(source).map((line) => `  ${call('must_be_silent', ...line)}`),
      ...config.groups.flatMap(({ drbd }) => drbd.map((name) => `  ${call('must_be_lost', name)}`)),
      '  say "Nothing that was asked answers. That proves nothing: a host that has lost its network may still run its guests."',
      ...fenceHint(source),
      '  typed "Have you SEEN that $peer has no power?" "$peer" ||',
      '    stop "nobody has said that $peer is off" "see to it that $peer has no power: pull its plug, or use its BMC"',
      'fi',
    ],
    question: (group) => `Bring up group ${group.name} on ${self.name}?`,
    group: (group) => groupUp(group, source),
    after: [
      'if [ -n "$lost" ]; then',
      '  problem "Not running:$lost. Mend what is said above, then run this script again."',
      'fi',
      'say "What to do next, in this order:"',
      'say "1. BEFORE $peer gets power again, here: systemctl start battito"',
      'say "   It adopts what runs now, and tells $peer who has the work. Without it $peer may start everything again."',
      'say "   If Battito cannot run here: start $peer with systemd.mask=battito.service on its kernel command line,"',
      'say "   and run the runbook return here."',
      'say "2. Then power for $peer; its copies are resynced; battito status shows how far that is."',
      ...(hasDrbd ? adjustHint(config.groups) : []),
      'if [ -n "$lost" ]; then exit 1; fi',
    ],
  };
}

const silenceLibrary = `
# must_be_silent WHAT QUESTION
must_be_silent() {
  if can_ask "$2" "$peer answers at $1" && holds "$2"; then
    stop "$peer answers at $1: it lives, and its guests may run" "hand over in order, on $peer: battito handover; or cut its power, then run this script again"
  fi
}
`;

/** Addresses of the peer, and how each is asked. */
function peerLooks({ config, peer }: RunbookSource): readonly (readonly [string, string])[] {
  const unicast = config.heartbeat.links.flatMap((link) => unicastOf(link, peer.name));
  const addresses = [...new Set([peer.address, ...unicast.map(({ address }) => address)])];
  const lan = config.groups.flatMap(({ addresses: floating }) =>
    floating.filter(({ family }) => family === 4).map((one) => one.interface),
  );
  const onLan = lan.map((name) => ({ address: peer.address, name }));
  const arps = [...unicast, ...onLan].map(
    ({ address, name }) => [`${address} on ${name}`, shellLine(arpingOnce(address, name))] as const,
  );
  const pings = addresses.map((address) => [address, shellLine(pingOnce(address, 2))] as const);
  return [...pings, ...new Map(arps)];
}

function unicastOf(link: LinkConfig, peer: string) {
  const address = link.mode === 'unicast' ? link.addresses[peer] : undefined;
  return address === undefined ? [] : [{ address, name: link.interface }];
}

const fenceHint = ({ config, peer }: RunbookSource) =>
  config.fencing?.nodes[peer.name] === undefined
    ? []
    : ['  say "Its power can be cut from here, if Battito\'s program is there: battito fence off $peer"'];

/** What may have been set aside for a dead peer, now or in an earlier run. */
function adjustHint(groups: readonly GroupConfig[]): readonly string[] {
  const names = groups.flatMap(({ drbd }) => drbd).join(' ');
  return [
    `say "3. Once both copies are UpToDate, here: for r in ${names}; do drbdadm adjust \\$r; done; battito check"`,
    'say "   DRBD then asks again before it goes on alone, as its files say. The runbook return does it, too."',
  ];
}

function groupUp(group: GroupConfig, source: RunbookSource): readonly string[] {
  const guests = inStartOrder(source.guests.get(group.name) ?? group.guests);
  return [
    ...group.drbd.map((name) => call('promote', name)),
    ...inMountOrder(group.filesystems).flatMap(filesystemUp),
    ...group.addresses.flatMap(addressUp),
    ...guests.flatMap((guest, index) => guestUp(guest, group, source, guests.slice(index + 1))),
  ];
}
