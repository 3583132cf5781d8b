// What is planned, as the text of battito.yaml: commented, so that whoever opens it next year knows what each line is
// for. Pure; our own loader has the last word before anything is written.

import { stringify } from 'yaml';
import { formatDuration, parseDuration } from '../../config/duration.ts';
import { harmless } from '../output.ts';
import type { Facts } from './host.ts';
import type { Plan } from './plan.ts';

export function renderPlan(plan: Plan, facts: Facts, keyFile: string): string {
  const { self, peer, lan, timings } = plan;
  return `# Made by \`battito init\` on ${self.name}. This file is the same on both hosts: ${self.name} and ${peer.name}.
# \`battito check\` reads it and names every problem with its line; man battito.yaml has every key.

# Packets of another cluster on the same wire are ignored.
cluster: ${word(plan.cluster)}

# The two hosts by name (\`hostname -s\`), with their own addresses on the LAN. Clients use the floating address.
nodes:
  ${word(self.name)}: ${flow({ address: self.address })}
  ${word(peer.name)}: ${flow({ address: peer.address })}

heartbeat:
  # Shared secret, mode 0600, the same on both hosts.
  key-file: ${word(keyFile)}
  keepalive: ${timings.keepalive} # time between two heartbeats
  warntime: ${timings.warntime} # silence after which the other host is late: a warning
  deadtime: ${timings.deadtime} # silence after which it is judged
  initdead: ${timings.initdead} # how long a host that starts alone waits for the other one
  # Paths for heartbeats. The other host is alive while any of them is fresh. Interfaces are called the same on both.
  links:
${linkLines(plan)}

${pingLines(plan)}
${fencingLines(plan, facts)}${watchdogLines(facts, timings.deadtime)}# What moves together.
groups:
  ${word(plan.group)}:
    preferred: ${word(plan.preferred)} # where it runs when both hosts could run it
    failback: ${plan.failback} # ${failbackNote(plan.failback)}
${groupLines(plan, lan.name)}`;
}

function linkLines({ self, peer, lan, dedicated }: Plan): string {
  const own = `    - ${flow({ interface: lan.name, mode: 'unicast' })} # the LAN`;
  if (dedicated === null) return `${own}; a second path that fails apart from it is worth a cable`;
  const name = dedicated.interface.name;
  const { address, prefix } = dedicated.address;
  // Networks of two addresses have no broadcast (RFC 3021).
  const { peerAddress } = dedicated;
  const link =
    prefix >= 31 && peerAddress !== null
      ? { interface: name, mode: 'unicast', addresses: { [self.name]: address, [peer.name]: peerAddress } }
      : { interface: name };
  return `    - ${flow(link)} # the dedicated segment, from host to host\n${own}, as a second path`;
}

function pingLines({ ping }: Plan): string {
  const why =
    '# What answers as long as a host is not cut off: it tells "I am cut off" from "the other one is dead".\n';
  if (ping.length > 0) return `${why}connectivity:\n  ping: ${flow(ping)}\n`;
  return `${why}# connectivity:\n#   ping: [GATEWAY]\n`;
}

function fencingLines({ self, peer }: Plan, { bmc }: Facts): string {
  if (bmc === null) return '';
  const device = (name: string, address: string) =>
    `#     bmc-${name}: ${flow({ agent: 'fence_ipmilan', options: { ip: address, lanplus: true }, secrets: `/etc/battito/fence-${name}` })}`;
  return `# This host has a BMC (${bmc.device}): it can cut the power of a silent host, so that a takeover needs no guess. Fill in the
# addresses, write username=... and password=... into the files (mode 0600), and take the # away: apt-get install
# fence-agents ipmitool
# fencing:
#   devices:
${device(self.name, bmc.address ?? `ADDRESS-OF-THE-BMC-OF-${self.name}`)}
${device(peer.name, `ADDRESS-OF-THE-BMC-OF-${peer.name}`)}
#   nodes:
#     ${word(self.name)}: [[bmc-${self.name}]]
#     ${word(peer.name)}: [[bmc-${peer.name}]]

`;
}

/** It may not be shorter than deadtime. */
const watchdogMsMin = 5000;

function watchdogLines({ watchdogs: [first] }: Facts, deadtime: string): string {
  if (first === undefined) return '';
  const timeout = formatDuration(Math.max(watchdogMsMin, parseDuration(deadtime) ?? 0));
  return `# Resets a host whose daemon hangs. Here it is ${harmless(first.identity)}; the other host needs one of the same name, too.
# watchdog: ${flow({ device: first.device, timeout })}

`;
}

const failbackNote = (failback: string) =>
  failback === 'manual'
    ? 'after a takeover it stays until someone runs `battito handover`'
    : 'it goes back once the preferred host has been back for a minute';

function groupLines(plan: Plan, lan: string): string {
  const { addresses, drbd, fileSystems, guests } = plan;
  const lines = [
    addresses.length === 0
      ? `    # addresses: [ADDRESS/PREFIX dev ${lan}]`
      : `    addresses: ${flow(addresses)} # on the host that runs the group; clients use them`,
    ...(drbd.length === 0 ? [] : [`    drbd: ${flow(drbd)} # mirrors, promoted where the group runs`]),
    ...(fileSystems.length === 0
      ? []
      : [
          '    filesystems: # mounted there; keep them out of /etc/fstab',
          ...fileSystems.map((each) => `      - ${flow(each)}`),
        ]),
    ...guestLines(guests),
  ];
  return `${lines.join('\n')}\n`;
}

function guestLines(guests: Plan['guests']): readonly string[] {
  if (guests === 'all')
    return ['    guests: all # every libvirt domain whose disks all lie on drbd and filesystems above'];
  if (guests.length === 0)
    return ['    # guests: all # every libvirt domain on the storage of the group, or a list of names'];
  return ['    guests: # libvirt domains', ...guests.map((name) => `      - ${word(name)}`)];
}

/** A text as YAML has it, quoted where it must be. */
const word = (text: string) => stringify(text, { lineWidth: 0 }).trimEnd();

/** A mapping or a list in one line. */
const flow = (value: unknown) =>
  stringify(value, {
    collectionStyle: 'flow',
    lineWidth: 0,
    flowCollectionPadding: !Array.isArray(value),
  }).trim();
