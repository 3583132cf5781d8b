// What a group is made of: disks and their mirrors, guests and their definitions.

import { type Explanation, explained } from './explanation.ts';

export const ofResources = {
  'storage-not-seen': explained(
    'Nothing, or nothing good, can be seen of a mirrored disk.',
    'DRBD, its tools or its module does not work here; the message says which.',
    'Do what stands behind `next:`.',
  ),
  'storage-standalone': explained(
    'The two copies of a mirrored disk are not connected any more, and may have parted (split brain).',
    'Both nodes wrote to their copy while they did not hear each other, so DRBD will not choose between them.',
    '`battito drbd resolve NAME` shows who wrote what and when, and asks whose changes are given up.',
  ),
  unmirrored: explained(
    'A mirrored disk is not connected to its mirror, although the nodes hear each other.',
    'The network between the disks is cut, or the addresses in /etc/drbd.d differ.',
    'Mend that network; compare /etc/drbd.d on both nodes; `drbdadm status NAME`, `drbdadm adjust NAME`.',
  ),
  'no-whole-copy': explained(
    'Neither copy of a mirrored disk is whole, so nothing can be started from it.',
    'The disk of the copy from which the other one was being copied has failed; or both are new, and nobody has said which one counts.',
    'If the failed disk can be read again, attach it. If it is lost, make one copy count as it is with `drbdadm primary --force NAME`, and restore its content from a backup.',
  ),
  resync: explained(
    'A mirrored disk is being copied to the other node. Until that ends nothing protects it.',
    'A node was away, or a disk was replaced.',
    'Wait: `battito status` shows how far it is and how long it takes.',
  ),
  'disk-trouble': explained(
    'The disk under a mirror hangs or fails.',
    'The drive, its controller or its cable is broken.',
    'Do what stands behind `next:`: `drbdadm detach --force NAME` lets the work go on by the other copy. Then replace the drive.',
  ),
  'disk-answers': explained(
    'A disk answers again, or is not in use any more.',
    'It was replaced, or given up.',
    'See with `dmesg` and `smartctl` whether it can be trusted.',
  ),
  quarantined: explained(
    'A part of the group is given up: it failed too often, and is not tried any more. The rest goes on.',
    'The reason stands in the message.',
    'Mend the cause, then: `battito retry GROUP`.',
  ),
  'operation-failed': explained(
    'A step failed; it is tried again.',
    'The reason stands in the message; `battito history` shows each attempt.',
    'Nothing while it is rare. If it is given up at last: mend the cause, then `battito retry GROUP`.',
  ),
  'operation-done': explained('A step is done.', 'It is a part of a start or a stop.', 'Nothing.'),
  'resource-changed': explained(
    'Something of the group was changed from outside: an address was removed, a guest ended or was paused.',
    'A person or a program did it, or a guest crashed.',
    'Nothing: it is put right. To stop a guest for longer, take it out of the group.',
  ),
  'resource-unknown': explained(
    'Whether something runs cannot be told, so it is left alone.',
    'Its manager does not answer: libvirtd hangs, or a monitor socket is gone.',
    'Look at its process and log: `systemctl status libvirtd`, `journalctl -e`. It goes on when it can be told again.',
  ),
  paused: explained(
    'A guest is paused.',
    'By hand, or by QEMU after an error of its disk.',
    'See why (`virsh domstate --reason NAME`, free space), then resume it (`virsh resume NAME`), or stop it: it is started again.',
  ),
  'libvirt-silent': explained(
    'libvirt does not answer, so nothing can be said of its guests.',
    'libvirtd hangs or does not run. What cannot be told is unknown, never stopped: nothing is started twice.',
    '`systemctl restart libvirtd` (or virtqemud): running guests are not touched by that.',
  ),
  'guest-failed': explained(
    'A guest has crashed.',
    'Its process has ended, or says that it cannot go on.',
    'Nothing: it is started again, not for ever. Its log: /var/log/libvirt/qemu.',
  ),
  'guest-left-out': explained(
    'A guest is not started here: there is no memory for it.',
    'This host has less memory than the guests of both nodes together want. Those of higher priority come first.',
    'Stop something, or give the guest less memory; then: `battito retry GROUP`.',
  ),
  'guest-not-ready': explained(
    'A guest has not answered in time as its `readiness` asks. Guests after it are started all the same.',
    'It boots slowly, or its service or agent does not run.',
    'Look at its console. If it is only slow: raise the time of `readiness`.',
  ),
  'guest-ready': explained('A guest answers as its `readiness` asks.', 'It has booted.', 'Nothing.'),
  'handover-otherwise': explained(
    'A guest does not go as it was to.',
    'It cannot be moved live, or saved; the reason stands in the message.',
    'Nothing: it goes by the next way. `battito check` says what live migration lacks.',
  ),
  'definitions-conflict': explained(
    'The definition of a guest was edited on both nodes.',
    'The nodes did not hear each other at the time.',
    '`battito guests diff NAME` shows the difference; `battito guests keep NAME --from NODE` chooses.',
  ),
  'guest-name-taken': explained(
    'Two guests have the same name: each node has made its own.',
    'Both were defined with different UUIDs.',
    'On the node of the one that is not wanted: `virsh domrename`, or `virsh undefine`.',
  ),
  'no-such-definition': explained(
    'A node has no definition of this guest.',
    'It was never defined there, or is gone.',
    '`battito guests` shows what each node has.',
  ),
  'no-such-guest': explained(
    'There is no guest of that name, or no definition of it is stored.',
    'It is misspelt, or belongs to no group.',
    '`battito guests` lists them.',
  ),
  'name-taken': explained(
    'Two guests have this name, so which one is meant is not clear.',
    'Each node has its own of that name.',
    '`battito guests` shows both; rename one with `virsh domrename`.',
  ),
  'domain-incomplete': explained(
    'The definition of a guest lacks something that has to be there.',
    'The XML was edited by hand, or made by another program.',
    '`virsh edit NAME`: add what the message names.',
  ),
  'domain-not-qemu': explained(
    'The definition is not of a QEMU or KVM machine.',
    'Other kinds of guests (LXC, Xen) cannot be moved by this program.',
    'Take it out of `guests`.',
  ),
  'xml-malformed': explained(
    'A definition is not well-formed XML.',
    'It was edited by hand, or cut off.',
    '`virsh dumpxml NAME` or the stored copy shows the place.',
  ),
  'no-such-resource': explained(
    'No group has the DRBD resource of that name.',
    'It is misspelt, or not listed under `drbd` of a group.',
    '`battito status` lists them; name it under `drbd:` of its group.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;
