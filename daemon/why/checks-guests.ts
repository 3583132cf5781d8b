// What `battito check` finds of guests, of libvirt, and of the disks that they stand on.

import { type Explanation, explained } from './explanation.ts';

export const ofGuestChecks = {
  'definitions-unreadable': explained(
    'The definition of a guest, or the store of all of them, cannot be read.',
    'libvirt did not give it, or the check may not read the store.',
    'Run the check as root; then do what the message says.',
  ),
  'definition-not-there': explained(
    'The other node does not have the newest definition of a guest yet: after a takeover it would run with the one before.',
    'The nodes exchange definitions every few minutes, and at once after a change while they are connected.',
    '`battito guests` shows how far it is.',
  ),
  'definitions-not-compared': explained(
    'The definitions of the guests are not compared between the nodes, so one may not know what the other has defined.',
    'TCP 694 is not let through between them, or the other daemon does not run.',
    'Let it through on both nodes; `battito guests` shows when they were compared.',
  ),
  'definition-damaged': explained(
    'A stored definition was damaged, and is put aside.',
    'The disk, or somebody, has changed the file.',
    '`battito guests`: where the other node still has it nothing is lost. Then remove the file.',
  ),
  'virsh-missing': explained(
    'virsh is not installed, so no domain can be started or stopped here.',
    'The clients of libvirt are a package of their own.',
    '`apt-get install libvirt-clients libvirt-daemon-system`.',
  ),
  'libvirt-unusable': explained(
    'libvirt does not answer, or refuses, so its guests can be neither seen nor started here.',
    'Its daemon hangs, is off, or `libvirt.uri` is another one.',
    '`virsh -c qemu:///system list --all` as root, and what the message says.',
  ),
  'libvirt-guests-enabled': explained(
    "libvirt-guests.service stops or starts guests behind Battito's back.",
    'Distributions enable it; it acts when the host goes down and when it boots.',
    '`systemctl disable libvirt-guests`; where it is active hand everything over before it is stopped, as the message shows.',
  ),
  'libvirt-not-listed': explained(
    'The networks or pools of libvirt cannot be listed.',
    'Where libvirt is modular, the daemon for them is not enabled.',
    'Enable the socket that the message names.',
  ),
  'libvirt-object-missing': explained(
    'A network or pool that a guest needs is not defined here: the guest could not start.',
    'It was defined on the other node only.',
    'Bring the definition here, as the message shows, start it, and have it started at boot.',
  ),
  'libvirt-object-inactive': explained(
    'A network or pool that a guest needs is not active here, or would not be after a boot.',
    'It was not started, or is not marked to start by itself.',
    'Start it and have it started at boot, as the message shows.',
  ),
  'domain-unknown': explained(
    'A guest of the configuration is not known here, so nothing could start it.',
    'It has another name, or its definition has not come from the other node.',
    '`virsh list --all --name` on both nodes; `battito guests` says why it was not sent.',
  ),
  'after-unknown': explained(
    'A guest is to start after one that its group does not have, so it does not wait for anybody.',
    'The name under `after` is misspelt, or the guest was renamed, removed, or is in another group.',
    '`battito guests` shows which there are; correct `after` in the configuration, on both nodes.',
  ),
  'agent-channel-missing': explained(
    'A guest is to be ready when its agent answers, and its definition has no channel to the agent, so that it never does.',
    'It was defined without the channel, or the channel was taken out.',
    'Add the channel with `virsh edit NAME`, as the message shows, or give the guest another `readiness`.',
  ),
  'domain-transient': explained(
    'A domain is transient: once it is off, nothing is left of it.',
    'It was started with virsh create instead of virsh define.',
    'Define it from what runs, as the message shows.',
  ),
  'domain-autostart': explained(
    'libvirt starts a guest by itself with this host, even while it runs on the other one.',
    'The domain is marked for autostart.',
    '`virsh autostart --disable NAME`: Battito starts it where it belongs.',
  ),
  'domain-name-unusable': explained(
    'The name of a domain cannot be used: virsh takes it for an id, or it is too long.',
    'Names of digits only are ids; longer ones fit into no file name.',
    'Rename it while it is off: `virsh domrename OLD NEW`, and in the configuration.',
  ),
  'domain-not-in-group': explained(
    'A guest has a disk on the storage of a group and does not belong to it.',
    'It is not in the list `guests`, or the disk is there by mistake.',
    'Add it to the group, or move its disk.',
  ),
  'domain-file-missing': explained(
    'A file that a guest names is not on this host, or must be the same on both.',
    'An installation image, a shared directory or firmware that only one host has.',
    'Put it on both hosts, or take it out of the definition.',
  ),
  'guest-disk-apart': explained(
    'A disk of a guest does not lie on the storage of its group, so it could not fail over with it.',
    'It is a file or volume of this host alone, or of another group.',
    'Move it while the guest is off, as the message shows.',
  ),
  'guest-not-live': explained(
    'A guest is to be handed over while it runs, and cannot be.',
    'It has something that belongs to its host, or shares its disk.',
    'Do what the message says, or give it `handover: save` or `shutdown`.',
  ),
  'guest-disk-missing': explained(
    'The disk of a guest, or an image that it stands on, is not there, so the guest could not be started.',
    'It was moved or removed, the definition has another name for it, or it lies on something that this host does not have.',
    '`ls -lL` the file, on both nodes; name the right one, or bring it back from the backup.',
  ),
  'serial-directory-missing': explained(
    'The directory for the serial console of a guest is not there.',
    'It was removed, or is made only by hand.',
    '`mkdir -p` the directory that the message names.',
  ),
  'memory-short': explained(
    'This node has no room for all guests: if it has to run them all, some are left out.',
    'Together they take more memory than the host has without its reserve.',
    'Give guests less, or `priority` to what must run, or more memory to the host.',
  ),
  'memory-besides': explained(
    'Domains that are in no group run on this node, or start with it, and nobody keeps memory free for them.',
    'Guests are let in by the memory of the host less `start: { memory-reserve: ... }`, whatever else runs there.',
    'Configure a memory-reserve that holds them, on both nodes alike, or put them into a group.',
  ),
  'huge-pages-short': explained(
    'This node has too few huge pages for the guests whose memory is to be on them: some could not start here.',
    'Huge pages are set aside on each host by itself, and here fewer are, or none of that size.',
    'Have as many as the message says set aside at boot, or take `<hugepages/>` out of the definition.',
  ),
  'kvm-missing': explained(
    'There is no /dev/kvm: guests that need it cannot start, others are many times slower.',
    'Virtualisation is off in the firmware, or the module is not loaded.',
    'Allow it in the firmware; `modprobe kvm_intel` or `modprobe kvm_amd`.',
  ),
  'emulator-missing': explained(
    'The emulator that the definition of a guest names is not installed here.',
    'The other host has another QEMU, or the same one in another place.',
    '`apt-get install qemu-system`, the same on both nodes.',
  ),
  'firmware-missing': explained(
    'The firmware that the definition of a guest names is not installed here.',
    'UEFI firmware is a package of its own.',
    '`apt-get install ovmf`, the same on both nodes.',
  ),
  'swtpm-missing': explained(
    'swtpm is missing, so guests with an emulated TPM cannot start.',
    'It is a package of its own.',
    '`apt-get install swtpm swtpm-tools`.',
  ),
  'machine-unsupported': explained(
    'This host cannot give a guest the machine or the processor that its definition asks for.',
    'The two hosts have different processors, or different versions of QEMU.',
    'Choose in the definition what both hosts have; `virsh domcapabilities` lists it.',
  ),
  'host-device-missing': explained(
    'A device of the host that a guest has is not in this host, so it could not start here.',
    'It was passed through on the other node.',
    'Take it out of the definition, or have the same device at the same address in both.',
  ),
  'host-device-needed': explained(
    'A guest has a device of its host, and fails over only if the other host has the same one.',
    'It is passed through to it.',
    'Look at the other node; take it out of the definition if it is not there.',
  ),
  'drbd-handler-missing': explained(
    "DRBD's fence-peer handler is not there: writes would stay frozen when the mirror is lost.",
    'The path in the resource is wrong, or the package is not installed.',
    'Correct the handler in /etc/drbd.d, on both nodes; then `drbdadm adjust RESOURCE`.',
  ),
  'filesystem-unusable': explained(
    'A file system of the configuration could not be mounted here.',
    'Its mount point, its program or its type is not there, or something else has it.',
    'Do what the message says; nothing is mounted by the check.',
  ),
  'device-missing': explained(
    'A device that is to be mounted is not there.',
    'Its DRBD resource is not up, or the name is wrong.',
    '`drbdadm up` the resource, or correct `device` under `filesystems`.',
  ),
  'disk-shared': explained(
    'Two guests, or a guest and a file system, have the same device: one would destroy what the other has written.',
    'The same path, or two names of one device, stand in the configuration.',
    'Give each a disk of its own.',
  ),
  'disk-not-mirrored': explained(
    'A disk of a group with DRBD is no device of DRBD: what is written there is not mirrored.',
    'It names the disk under the resource, or another one.',
    'Name the device of the resource: `drbdadm sh-dev RESOURCE`; leave it if both nodes see the same storage.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;
