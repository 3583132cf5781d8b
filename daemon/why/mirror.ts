// How DRBD is set up: what `battito check` finds, and what keeps a mirror from being seen.

import { type Explanation, explained } from './explanation.ts';

const adjust = 'Set it in /etc/drbd.d/NAME.res on both nodes, then: `drbdadm adjust NAME`.';

export const ofMirror = {
  'drbd-not-read-yet': explained(
    'The state of DRBD has not been read yet.',
    'The daemon has just started.',
    'Wait a few seconds.',
  ),
  'drbd-silent': explained(
    'DRBD does not say what it does.',
    '`drbdsetup events2` has ended or hangs; it is started again by itself.',
    '`dmesg` and `drbdsetup status` on this host say more.',
  ),
  'drbd-resource-not-up': explained(
    'A DRBD resource is not up on this host.',
    'It was taken down by hand, or never brought up.',
    '`drbdadm up NAME`',
  ),
  'drbd-not-readable': explained(
    'What DRBD says was not understood.',
    'A version of drbd-utils that is newer, or much older, than this program knows.',
    'Compare `drbdadm --version` on both nodes, and report it with the output of `drbdsetup events2 --now`.',
  ),
  'drbd-not-configured': explained(
    'DRBD has no such resource for this host.',
    'It is misspelt under `drbd`, its file is missing in /etc/drbd.d, or has no section `on` for this host.',
    '`drbdadm sh-resources` shows the names that there are.',
  ),
  'drbd-utils-missing': explained(
    'The tools of DRBD are not installed.',
    '`drbdadm` or `drbdsetup` is not to be found.',
    '`apt-get install drbd-utils`',
  ),
  'drbd-module-not-loaded': explained(
    'The kernel module of DRBD is not loaded.',
    'Nothing has used DRBD since the boot.',
    '`modprobe drbd`; the daemon does so itself at a start.',
  ),
  'drbd-module-not-loadable': explained(
    'The kernel module of DRBD cannot be loaded.',
    'This kernel has none, or it is of another version or not signed.',
    '`modprobe drbd` and `dmesg` say why; install the module for the running kernel.',
  ),
  'drbd-kernel-unusable': explained(
    'The kernel has a version of DRBD that this program does not know.',
    '8.4 and 9 are known.',
    '`modinfo -F version drbd`; install another module.',
  ),
  'kmod-missing': explained(
    'The program modprobe is missing.',
    'The package kmod is not installed.',
    '`apt-get install kmod`',
  ),
  'no-drbd-device': explained(
    'What should be a device of DRBD is none.',
    'The resource is not up, or its minor is used by something else.',
    '`drbdadm up NAME`, then `ls -l /dev/drbd*`.',
  ),
  'foreign-drbd-device': explained(
    'A device belongs to another DRBD resource than those of its group.',
    'Nothing would make it primary together with the group.',
    '`drbdadm sh-dev NAME` shows the devices; correct the device, or the list `drbd` of the group.',
  ),
  'no-drbd-resource': explained(
    'A group uses a device of DRBD, but does not name its resource.',
    'Nothing makes the device primary then.',
    'Add `drbd: [NAME]` to the group.',
  ),
  'drbd-hosts': explained(
    'A DRBD resource is between other hosts than the two nodes.',
    'DRBD goes by host names, and has no resource for one that it does not know.',
    'Correct the names after `on` in /etc/drbd.d/NAME.res, on both nodes.',
  ),
  'drbd-peer-address': explained(
    'The address of the other node for a DRBD resource is one of this host.',
    'The two sections `on` were mixed up, or copied.',
    adjust,
  ),
  'drbd-own-address': explained(
    'No interface of this host has the address of its DRBD resource.',
    'The dedicated segment is down, or the address is misspelt.',
    'Bring the address up and make it permanent, or correct it in /etc/drbd.d/NAME.res.',
  ),
  'drbd-protocol': explained(
    'A DRBD resource does not use protocol C.',
    'A write then counts as done before it is on both disks, so a takeover loses it.',
    adjust,
  ),
  'drbd-fencing': explained(
    'DRBD does not wait for an answer about its peer when it loses it.',
    '`fencing` is not resource-and-stonith.',
    adjust,
  ),
  'drbd-no-fence-peer': explained(
    'A DRBD resource has no fence-peer handler.',
    'Nobody can answer DRBD when it loses its peer, so its IO stands still.',
    adjust,
  ),
  'drbd-other-fence-peer': explained(
    'The fence-peer handler of a DRBD resource is that of another program.',
    'It was set up for Pacemaker or by hand. Two programs would decide about one disk.',
    adjust,
  ),
  'drbd-other-unfence-peer': explained(
    'A DRBD resource calls another program after a resync.',
    'It was set up for Pacemaker.',
    'Take unfence-peer and after-resync-target out of its file, then: `drbdadm adjust NAME`.',
  ),
  'drbd-two-primaries': explained(
    'allow-two-primaries is on: nothing keeps both nodes from writing at once.',
    'It was set by hand, or a live migration was cut short. It belongs on for that moment only.',
    '`drbdadm net-options --protocol=C --allow-two-primaries=no NAME`',
  ),
  'drbd-auto-promote': explained(
    'auto-promote is on: whoever opens the device makes this node primary.',
    'It is the default of DRBD 9.',
    adjust,
  ),
  'drbd-after-split-brain': explained(
    'DRBD would choose by itself whose data are thrown away after a split brain.',
    'One of after-sb-0pri, -1pri, -2pri is not `disconnect`.',
    adjust,
  ),
  'drbd-ping-int': explained(
    'DRBD notices a lost connection later than deadtime.',
    'ping-int + ping-timeout is longer than deadtime.',
    adjust,
  ),
  'drbd-timeout': explained(
    'A write to a peer that has died waits longer than deadtime, and the guests with it.',
    '`timeout` is long.',
    adjust,
  ),
  'drbd-not-adjusted': explained(
    'A DRBD resource runs with other settings than its files say.',
    'The files were changed, and `drbdadm adjust` was not run.',
    '`drbdadm --dry-run adjust NAME`, then without --dry-run when the mirror is in step.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;
