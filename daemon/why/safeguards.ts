// What protects: fencing, witness, watchdog, the state file, drills, and who is told.

import { type Explanation, explained } from './explanation.ts';

export const ofSafeguards = {
  fencing: explained(
    'The other node is being powered off.',
    'It is silent and might still run what is about to be started here.',
    'Wait until it is off; then see with `battito history` why it was silent.',
  ),
  fenced: explained(
    'The other node is powered off, and reads off.',
    'Its fencing device has confirmed it.',
    'Find out why it was silent, then power it on: `battito fence on NODE`.',
  ),
  'fence-failed': explained(
    'The other node could not be powered off.',
    'A device does not answer, or refuses. It is tried again, ever more seldom.',
    '`battito fence status NODE` says what the device answers. Or power it off by hand, then: `battito fence confirm NODE`.',
  ),
  'fence-belied': explained(
    'A fencing device says that the other node is off, but it still answers, or its daemon has gone on.',
    'The device switches another outlet or another host, or lies.',
    'Power the other node off by hand; then correct the device under `fencing`, and try it: `battito drill fence`.',
  ),
  'fence-ended': explained(
    'The other node answers again, after it was switched off by its device.',
    'Somebody has switched it on. If nobody has, its device may have lied while it stood still.',
    'Wait until its daemon is heard. If nobody has switched it on, look at once at what runs on it.',
  ),
  'fence-device': explained(
    'A fencing device does not answer as it should.',
    'It is off, unreachable, or its login has changed. It is asked again and again while all is well.',
    '`battito check` says what is wrong; `battito fence status NODE` asks the device.',
  ),
  'fence-device-well': explained(
    'The fencing devices answer again.',
    'What was in their way is gone.',
    'Nothing.',
  ),
  'fence-on': explained('A node was switched on by an operator.', '`battito fence on`', 'Nothing.'),
  'fence-off': explained(
    'A node was switched off by an operator, or could not be.',
    '`battito fence off`',
    'If it is not proven off: pull its plug, then `battito fence confirm NODE`.',
  ),
  'fence-drill': explained(
    'The fencing devices were tried.',
    '`battito drill fence`',
    'If one failed: `battito check` says what is wrong with its options.',
  ),
  'lease-held': explained(
    'The witness has lent this node the lease.',
    'Who has the lease may run groups while the other node is silent.',
    'Nothing.',
  ),
  'lease-not-held': explained(
    'The witness does not lend this node the lease, or does not answer.',
    'The other node has it, or the witness cannot be reached.',
    '`battito check` asks the witness and says what is wrong.',
  ),
  'witness-unreachable': explained(
    'The witness cannot be used: this node could not take over by it.',
    'It is off, cannot be reached, or refuses the login or the certificate.',
    'Do what the message says; `battito check` lends a lease of its own, as a trial.',
  ),
  'witness-endpoint-away': explained(
    'One endpoint of the witness does not answer, while others do.',
    'One member of etcd is off or cannot be reached.',
    'On that host: `systemctl status etcd`. The others carry on meanwhile.',
  ),
  'watchdog-failed': explained(
    'The watchdog cannot be armed, so nothing is started here.',
    'Its driver is not loaded, or another program holds the device.',
    '`modprobe softdog`, or end what holds the device; `battito check` names it. It is tried again by itself.',
  ),
  'watchdog-trouble': explained(
    'The watchdog cannot be fed any more: this host will be reset.',
    'Its device or driver failed.',
    '`dmesg` says what its driver says; `battito check` once the host is back.',
  ),
  'watchdog-has-reset': explained(
    'This host was reset by its watchdog.',
    'The daemon did not get to run for longer than the watchdog allows: the host hung, or was overloaded.',
    'See what the journal says of the time before: `journalctl -b -1 -e`, `battito incident`.',
  ),
  'ledger-not-written': explained(
    'The state file cannot be written, so nothing new is started here.',
    'The file system of /var/lib/battito is full, read-only or broken.',
    'Free space or mend that file system. It is tried again by itself.',
  ),
  'state-file-torn': explained(
    'A power cut most likely ended a write of the state file, so this node knows what it knew before that.',
    'The host lost its power in just that moment; or the file was damaged otherwise.',
    'Nothing while the other node runs: it tells this one. Else nothing starts here before a person says so; `battito status` has the command.',
  ),
  'metrics-not-written': explained(
    'The metrics for node_exporter cannot be written.',
    'Its directory is missing, full or read-only.',
    'Make the directory that `metrics` in the configuration names; it is tried again by itself.',
  ),
  'handover-drill': explained(
    'A drill has handed a group over and back, or says how far it came.',
    '`battito drill handover`',
    'If it is a warning: do what stands behind `next:`.',
  ),
  'takeover-drill': explained(
    'A drill has switched the other node off, to see the takeover, or says how far it came.',
    '`battito drill takeover`',
    'If it is a warning: do what stands behind `next:`.',
  ),
  'operator-said': explained(
    'What a person typed, and who it was, kept for the record.',
    'It was a request that accepts a loss.',
    'Nothing.',
  ),
  'notify-failed': explained(
    'A message could not be delivered; it is kept and tried again.',
    'The mail server, the webhook or the hook refuses or does not answer.',
    '`battito notify test` tries every channel and says what is wrong.',
  ),
  'ended-abruptly': explained(
    'The daemon ended without a word.',
    'The host lost its power or was reset, or the daemon was killed.',
    'See what came before: `battito incident`, `journalctl -b -1 -u battito -e`.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;
