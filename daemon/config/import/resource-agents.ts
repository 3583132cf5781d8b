// What a resource of haresources is here: an address, a DRBD resource, a file system, guests, something that is done
// anyway, or nothing. The agents are those of Heartbeat's resource.d and of the scripts that people put beside them.

import { basename } from 'node:path';
import { normalPath } from '../paths.ts';
import { mailPattern } from '../schema-notify.ts';
import { deviceExpected, mountExpected, namePattern } from '../values.ts';
import type { DraftFilesystem } from './draft.ts';
import { guestsOfScript, type StartedGuests } from './guest-scripts.ts';
import type { Resource } from './haresources.ts';
import { parseHeartbeatAddress, type WrittenAddress } from './words.ts';

export type Meaning =
  | { readonly kind: 'address'; readonly written: WrittenAddress }
  | { readonly kind: 'drbd'; readonly name: string }
  | { readonly kind: 'filesystem'; readonly filesystem: DraftFilesystem }
  /** `note`: what to say beside them. */
  | { readonly kind: 'guests'; readonly guests: StartedGuests; readonly note: string }
  | { readonly kind: 'mail'; readonly to: readonly string[] }
  /** `service`: what nobody starts at a takeover any more. */
  | { readonly kind: 'no-equal'; readonly why: string; readonly service?: string }
  | { readonly kind: 'problem'; readonly message: string };

const noEqual = (why: string): Meaning => ({ kind: 'no-equal', why });
const problem = (message: string): Meaning => ({ kind: 'problem', message });

/** Text of an agent's script in resource.d; null where there is none. */
export type ReadScript = (agent: string) => string | null;

/** Agents that are known by their names, in lower case. */
const agents: Readonly<Record<string, (resource: Resource) => Meaning>> = {
  ipaddr: address,
  ipaddr2: address,
  ipv6addr: address,
  drbddisk: drbd,
  filesystem,
  drbdupper: () => noEqual('a stacked DRBD resource is for a third node; there are two'),
  sendarp: () => noEqual('done anyway: every floating address is announced, and again after a conflict'),
  mailto,
  audiblealarm: () => noEqual('there is no bell; a hook under notify is told what happens, and may ring one'),
  winpopup: () => noEqual('there are no pop-ups; a hook under notify is told what happens'),
  delay: () => noEqual('nothing has to be waited for: each step begins when the one before it is done'),
  ipsrcaddr: () => noEqual('the source address of packets is left to the routes of the host'),
  portblock: () => noEqual('no port is blocked meanwhile'),
  ldirectord: () => noEqual('a load balancer is not managed here; run it in a guest'),
  lvm: () => noEqual('volume groups are not activated; put DRBD on the logical volumes instead'),
  raid1: () => noEqual('md devices are not assembled here; DRBD is the mirror'),
  xendomains: () => noEqual('Xen is not run; guests are libvirt domains or QEMU'),
  xen: () => noEqual('Xen is not run; guests are libvirt domains or QEMU'),
  libvirtd: () => noEqual('enable libvirtd on both nodes; it is not part of a group'),
  'libvirt-bin': () => noEqual('enable libvirtd on both nodes; it is not part of a group'),
  drbd: () => noEqual('disable drbd.service on both nodes: a group promotes and demotes'),
};

/** Scripts that start guests are called so, by those who write them; an argument is a guest. */
const guestAgent =
  /^(virtualdomain|virsh|(start|run|my|ha)?[-_]?(libvirt|kvm|qemu|virt|vm|domain|guest|virtual-?machine)s?([-_]?(guest|domain|vm|machine|host)s?)?)$/i;

export function meaningOf(resource: Resource, readScript: ReadScript): Meaning {
  const { agent } = resource;
  const name = agent.toLowerCase();
  if (Object.hasOwn(agents, name)) return agents[name]?.(resource) ?? noEqual('');
  return guestsOf(resource, readScript) ?? service(agent);
}

function service(agent: string): Meaning {
  if (/kvm|virt|qemu|guest|vm/i.test(agent)) {
    return noEqual('which guests it starts is not known: name them under guests');
  }
  const why =
    'a service of the host does not move with a group: put it into a guest, or, if it needs nothing of the group, let systemd run it on both nodes';
  return { kind: 'no-equal', why, service: agent };
}

function address({ args, agent }: Resource): Meaning {
  const [text = '', ...more] = args;
  const written = more.length > 0 ? undefined : parseHeartbeatAddress(text);
  if (written === undefined) {
    return problem(
      `${agent} takes ADDRESS/PREFIX/INTERFACE such as 192.168.1.1/24/eth0, not "${args.join('::')}"`,
    );
  }
  return { kind: 'address', written };
}

/** Of its arguments, those that tell anything but a subject; `root` alone was somebody on this host. */
function mailto({ args: [text = ''] }: Resource): Meaning {
  const to = text.split(/[\s,]+/).filter((word) => word !== '');
  if (to.length > 0 && to.every((word) => mailPattern.test(word))) return { kind: 'mail', to };
  return noEqual('nobody is told yet: give a whole address, such as root@HOST, in a channel under notify');
}

function drbd({ args, agent }: Resource): Meaning {
  const [name, ...more] = args;
  if (name === undefined || name === 'all') {
    return problem(`${agent} without a name stands for every resource; name them: drbddisk::r0`);
  }
  if (more.length > 0 || !namePattern.test(name)) {
    return problem(`${agent} takes the name of one DRBD resource, not "${args.join('::')}"`);
  }
  return { kind: 'drbd', name };
}

function filesystem({ args, agent }: Resource): Meaning {
  const [given = '', directory = '', type, options, ...more] = args;
  if (directory === '' || more.length > 0) {
    return problem(`${agent} takes DEVICE::MOUNT-POINT::TYPE::OPTIONS, not "${args.join('::')}"`);
  }
  if (/^(nfs4?|cifs|smbfs|glusterfs|ceph|ocfs2|gfs2?)$/.test(type ?? '') || /^[^/]*:\/|^\/\//.test(given)) {
    return noEqual('a file system that both nodes reach belongs into /etc/fstab of both');
  }
  if (/(^|,)r?bind(,|$)/.test(options ?? '') || type === 'none') {
    return noEqual('a bind mount is not part of a group; use the path on the file system itself');
  }
  const device = byTag(given);
  const mount = normalPath(directory);
  const wrong = deviceExpected(device) ?? mountExpected(mount);
  if (wrong !== null) {
    const found = deviceExpected(device) === null ? `mount point ${directory}` : `device ${given}`;
    return problem(`${found}: expected ${wrong}`);
  }
  return {
    kind: 'filesystem',
    filesystem: {
      device,
      mount,
      ...(type === undefined ? {} : { type }),
      ...(options === undefined || options === 'defaults' ? {} : { options }),
    },
  };
}

/** `-Ldata`, `LABEL=data`, `-U...` and `UUID=...` as the path that udev gives them. */
function byTag(given: string): string {
  const [, letter, tag] = /^(?:-([LU])|(?:LABEL|UUID)=)(.+)$/.exec(given) ?? [];
  if (tag === undefined) return given;
  const isLabel = letter === 'L' || given.startsWith('LABEL');
  return `/dev/disk/by-${isLabel ? 'label' : 'uuid'}/${tag}`;
}

function guestsOf(resource: Resource, readScript: ReadScript): Meaning | undefined {
  const { agent, args } = resource;
  const script = readScript(agent);
  if (script !== null) {
    const started = guestsOfScript(script, args);
    if (started.kind === 'qemu') {
      return noEqual(
        `its script runs QEMU itself: write the guest with driver: qemu, memory and disk, or make a libvirt domain of it`,
      );
    }
    if (started.kind === 'guests') return checked(resource, started.guests, 'started by its script');
  }
  if (!guestAgent.test(agent)) return undefined;
  const guests = args.length === 0 ? ('all' as const) : args.map((arg) => basename(arg, '.xml'));
  const isFile = args.some((arg) => arg.endsWith('.xml'));
  return checked(resource, guests, isFile ? 'named after the file; virsh list --all has the names' : '');
}

function checked({ text }: Resource, guests: StartedGuests, note: string): Meaning {
  const wrong = guests === 'all' ? undefined : guests.find((name) => !namePattern.test(name));
  if (wrong !== undefined) {
    return problem(
      `${text}: "${wrong}" cannot be the name of a guest (letters, digits, dots, dashes and underscores, at most 31)`,
    );
  }
  return { kind: 'guests', guests, note };
}
