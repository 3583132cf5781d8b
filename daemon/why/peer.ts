// The other node, the links to it, and how this node stands: what the verdicts and the warnings about them mean.

import type { VerdictKind } from '../core/state.ts';
import { type Explanation, explained } from './explanation.ts';

const verdicts = {
  'peer-alive': explained(
    'The other node is heard on at least one link.',
    'Its heartbeats arrive, are signed with the right key, and are newer than those before.',
    'Nothing.',
  ),
  'peer-late': explained(
    'The other node has been silent for longer than warntime, and not yet for deadtime.',
    'Packets are lost, or its daemon did not get to run for a moment. Evidence is gathered meanwhile.',
    'Nothing while it is rare. If it comes again and again: `battito check` compares the timings with the gaps that were measured; mend the network or raise warntime and deadtime.',
  ),
  'peer-listening': explained(
    'The other node has not been heard since this daemon started, and it is too early to judge it.',
    'A daemon listens for initdead before it concludes anything from silence.',
    'Wait for initdead. If it is never heard: start the other node, or see `battito check` there and here.',
  ),
  'peer-departed': explained(
    'The daemon of the other node was stopped in order, and said goodbye: it runs nothing any more.',
    'Somebody ran `systemctl stop battito` there, or shut that host down.',
    'When the work there is done: `systemctl start battito` on the other node. Until then nothing protects this one.',
  ),
  'peer-dead': explained(
    'The other node is silent on every link, none of its addresses answers, and this node reaches the outside: it is taken to be dead.',
    'Its power is lost, its kernel has crashed, or all of its network is gone. If the tier allows it, this node takes over.',
    'Find out why it went down (its console, its BMC, its power), then start it. It comes back as standby, and its disks are resynced by themselves.',
  ),
  'peer-fenced': explained(
    'It is proven that the other node runs nothing: its power was cut, its lease ran out with its watchdog, or a person has confirmed it.',
    'It fell silent while it might have run a group, and was switched off for safety before the group was started here.',
    'See with `battito history` why it was silent, mend that, then power it on. It comes back as standby.',
  ),
  'peer-isolated': explained(
    'The other node is silent, but so is everything else: this node is the one that is cut off.',
    'This node reaches neither the other node nor any address of `connectivity.ping`.',
    'Check the cables and the switch of this node. Nothing is started here meanwhile; what ran here is frozen.',
  ),
  'peer-unresponsive': explained(
    'The other node sends no heartbeats, but something of it still answers, so it may still run its guests.',
    'Its daemon has ended or hangs while the host goes on, or a firewall drops the heartbeats. To start its groups here could run a guest twice.',
    'On the other node: `systemctl restart battito`. If that host hangs: power it off, see that it is off, then here: `battito fence confirm NODE`.',
  ),
} as const satisfies Readonly<Record<`peer-${VerdictKind}`, Explanation>>;

export const ofPeer = {
  ...verdicts,
  'peer-answers': explained(
    'A host that was taken to be dead answers again, but its daemon does not yet.',
    'It has been started, and its daemon is not up; or it was never off.',
    'Wait until its daemon is up. If it does not come: `systemctl status battito` there.',
  ),
  'peer-standby': explained(
    'The other node is in standby: it takes nothing over, not even when this node dies.',
    'Somebody ran `battito standby` there and has not ended it.',
    'On the other node: `battito standby off`. With `battito standby on --for 2h` it ends by itself.',
  ),
  'peer-maintenance': explained(
    'The other node is in maintenance: it starts, stops and repairs nothing, and nothing is taken from it.',
    'Somebody ran `battito maintenance on --for ...` there. It ends by itself when its time is up.',
    'Wait, or on the other node: `battito maintenance off`.',
  ),
  'peer-no-lan': explained(
    'The other node has no working LAN, so it could not serve what runs here.',
    'Its LAN cable has no carrier, or it reaches no gateway of `connectivity.ping`.',
    'Check the LAN cable, the switch port and the gateway of the other node.',
  ),
  'no-lan': explained(
    'This node has no working LAN.',
    'Its LAN cable has no carrier, or it reaches no gateway of `connectivity.ping`. A peer that has the LAN is given the groups.',
    'Check the LAN cable, the switch port and the gateway of this node.',
  ),
  isolated: explained(
    'This node is cut off: neither the other node nor the outside answers.',
    'All of its cables, or the switch that they meet in, have failed. What runs here is frozen, so that the other node may take it over.',
    'Check the cables and the switch of this node. It goes on by itself when it hears the other node again.',
  ),
  standby: explained(
    'This node is in standby: it runs no group and takes none over.',
    'Somebody ran `battito standby`. Without --for it stays so over restarts.',
    '`battito standby off`',
  ),
  maintenance: explained(
    'This node is in maintenance: the daemon starts, stops and repairs nothing here.',
    'Somebody ran `battito maintenance on --for ...`. It ends by itself when its time is up.',
    'Wait, or: `battito maintenance off`',
  ),
  'maintenance-ended': explained(
    'The time of maintenance is up, and groups are looked after again.',
    'Maintenance is always for a limited time.',
    'Nothing. If the work is not done: `battito maintenance on --for 1h`.',
  ),
  'standby-ended': explained(
    'The time of standby is up: this node may run groups again.',
    'It was asked for with `battito standby on --for ...`.',
    'Nothing. Groups come back by themselves only with `failback: automatic`; else `battito takeover`.',
  ),
  'link-heard': explained(
    'The other node is heard again on a link.',
    'What was in its way is gone.',
    'Nothing.',
  ),
  'link-silent': explained(
    'The other node is not heard on one link; another one still carries the heartbeats.',
    'A cable, a port or an interface has failed, or a firewall drops UDP there.',
    'Check the cable and the interface that the message names, on both nodes: `ip -s link`. One more failure and the nodes lose sight of each other.',
  ),
  'link-one-way': explained(
    'The other node is heard on a link, but does not hear this one there.',
    'A firewall on the other node drops the UDP packets, or a cable is broken in one direction.',
    'Let UDP of the port of `heartbeat` in on the other node; then check the cable.',
  ),
  'peer-version-unsupported': explained(
    'The other node is there and speaks another version of the heartbeat protocol, so the two do not know of each other.',
    'One node was upgraded over more than one version, or not at all.',
    'Install the same version on both. The other node may be well and run its groups: do not power it off for this.',
  ),
  'packets-refused': explained(
    'Packets of the other node arrive, but are refused.',
    'The keys of the two hosts differ, or the names of cluster or nodes.',
    'Compare /etc/battito/key (`sha256sum`) and the names in /etc/battito/battito.yaml on both nodes; then `systemctl reload battito`.',
  ),
  'stale-incarnation': explained(
    'Packets of an earlier run of the other node arrive, and are not believed.',
    'Somebody replays recorded packets; or the other node has lost its state file while its clock is behind.',
    'Set the clock of the other node, then restart its daemon: `systemctl restart battito`.',
  ),
  'config-differs': explained(
    'The two nodes run with different configurations.',
    'A file was edited on one node only, or a daemon has not read the new one yet.',
    'Copy the right /etc/battito/battito.yaml to the other node, then `systemctl reload battito`. What a reload cannot take it says.',
  ),
  stalled: explained(
    'This daemon did not get to run for a while. That silence is not held against the other node.',
    'The host is overloaded, its storage hangs, or a virtual machine was stopped and went on.',
    'If it comes again: look at the load and the storage of this host (`dmesg`, `vmstat 1`), and at deadtime.',
  ),
  stopping: explained('The daemon was told to stop.', 'By systemd, or by a signal.', 'Nothing.'),
} as const satisfies Readonly<Record<string, Explanation>>;
