// Errors about files, devices and programs: keys, journals, what is imported, power, witness, monitors of guests.

import { type Explanation, explained } from './explanation.ts';

const keys = {
  'key-file-missing': explained(
    'There is no key file (exit code 78).',
    'It was never made, or not copied to this node.',
    '`battito keygen` on one node, then copy the file as it says.',
  ),
  'key-file-mode': explained(
    'Others than root may read or change the key file, so it is refused (exit code 78).',
    'It was copied without its mode.',
    '`chown root /etc/battito/key; chmod 0600 /etc/battito/key`',
  ),
  'key-file-unreadable': explained(
    'The key file cannot be read (exit code 78).',
    'The command does not run as root.',
    'Run it as root.',
  ),
  'key-file-invalid': explained(
    'The key file is damaged (exit code 78).',
    'It was edited, or cut off.',
    'Copy it from the other node, or make a new one: `battito keygen`.',
  ),
  'key-file-exists': explained(
    'There is a key already, and it is left as it is.',
    'A new one would part the nodes.',
    'To change keys without a gap: `battito help keygen`.',
  ),
  'key-file-unwritable': explained(
    'The key file cannot be written.',
    'The command does not run as root, or the file system is full.',
    'Run it as root.',
  ),
  'key-already-staged': explained(
    'The key file holds two keys already: a change of keys is under way.',
    'The change before was not finished.',
    'Finish it: `battito help keygen` has the steps.',
  ),
  'key-not-staged': explained(
    'The key file holds one key only, so there is none to change to.',
    'The first step was left out.',
    '`battito help keygen` has the steps.',
  ),
  'witness-key-missing': explained(
    'The key file of `witness` does not exist (exit code 78).',
    'The path is wrong, or it was not copied to this node.',
    'Give the file with the key of `witness.certificate`.',
  ),
  'witness-key-mode': explained(
    'Others may read the key file of `witness`, so it is refused (exit code 78).',
    'It was copied without its mode.',
    '`chown root FILE; chmod 0600 FILE`',
  ),
  'witness-key-unreadable': explained(
    'The key file of `witness` cannot be read (exit code 78).',
    'The command does not run as root.',
    'Run it as root.',
  ),
  'witness-key-invalid': explained(
    'The key file of `witness` is too long to be one (exit code 78).',
    'It is another file.',
    'Give the file with the key of `witness.certificate`.',
  ),
  'witness-password-missing': explained(
    'The password file of `witness` does not exist (exit code 78).',
    'The path is wrong, or it was not copied to this node.',
    'Write the password into its first line, mode 0600.',
  ),
  'witness-password-mode': explained(
    'Others may read the password file of `witness`, so it is refused (exit code 78).',
    'It was copied without its mode.',
    '`chown root FILE; chmod 0600 FILE`',
  ),
  'witness-password-unreadable': explained(
    'The password file of `witness` cannot be read (exit code 78).',
    'The command does not run as root.',
    'Run it as root.',
  ),
  'witness-password-invalid': explained(
    'The password file of `witness` is too long to be one (exit code 78).',
    'It is another file.',
    'Write the password into its first line, mode 0600.',
  ),
  'witness-file': explained(
    'A file of `witness` cannot be used (exit code 78).',
    'It does not exist, or holds something else.',
    'Mend the file, or correct what `witness` names.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;

const journals = {
  'journal-missing': explained(
    'There is no such journal.',
    'The path is wrong, or the daemon has never run here.',
    'Name the state directory or an exported file with --state-dir.',
  ),
  'journal-empty': explained(
    'The journal is empty.',
    'The daemon has not run yet, or the files were removed.',
    'Start the daemon; it records from then on.',
  ),
  'journal-not-readable': explained(
    'The journal cannot be read.',
    'It belongs to root, or a file is damaged.',
    'Run the command as root.',
  ),
  'journal-foreign': explained(
    'The file is not a journal of Battito.',
    'It is another file.',
    'Name a file that `battito incident export` has written.',
  ),
  'journal-not-of-peer': explained(
    'The journal is not that of the other node.',
    'The file is of this node, or of another cluster.',
    'On the other node: `battito incident export FILE`.',
  ),
  'journal-format-unknown': explained(
    'The journal was written by a version that this one does not understand.',
    'It is newer.',
    'Read it with the version that the message names.',
  ),
  'incident-unknown': explained(
    'There is no such incident.',
    'The number is too large, or nothing went wrong since the journal began.',
    '`battito incident` lists them.',
  ),
  'export-exists': explained(
    'The file exists, and is left as it is.',
    'An export never overwrites.',
    'Name another file.',
  ),
  'export-failed': explained(
    'The journal could not be written there.',
    'The directory does not exist, is full, or may not be written to.',
    'Name another file.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;

const imports = {
  'import-unreadable': explained(
    'What is to be imported cannot be read (exit code 78).',
    'There is no such file or directory, or it belongs to root.',
    'Name the directory of ha.cf, or the file keepalived.conf.',
  ),
  'import-invalid': explained(
    'What is to be imported cannot be understood as a whole; nothing was written (exit code 78).',
    'Each problem stands with file and line.',
    'Mend the lines, or answer with --address, --interface and --prefix, then run it again.',
  ),
  'import-exists': explained(
    'The file is there already, and was not touched.',
    'An import never overwrites.',
    'Name another with --output.',
  ),
  'import-unwritable': explained(
    'The file cannot be written.',
    'The directory does not exist or may not be written to.',
    'Name another with --output.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;

const power = {
  'no-fencing': explained(
    'The configuration names no fencing device (exit code 78).',
    'There is no section `fencing`.',
    'Write it: docs/fencing.md, "Fencing".',
  ),
  'not-powered-on': explained(
    'A node is not switched on by each of its devices.',
    'A device does not answer or refuses.',
    '`battito fence status NODE`; mend the device, or press the power button.',
  ),
  'not-powered-off': explained(
    'A node is not proven off.',
    'A device does not answer, refuses, or does not read off.',
    'Pull its plug; when you have seen that it has no power: `battito fence confirm NODE`.',
  ),
  'etcd-token': explained(
    'The witness does not take the token any more.',
    'It was restarted, or the login has changed.',
    'Nothing: a new one is asked for. If it stays: check `witness.user` and its password.',
  ),
  'etcd-lease-gone': explained(
    'The lease at the witness is gone.',
    'It ran out while this node could not renew it.',
    'Nothing: a new one is asked for.',
  ),
  'etcd-no-auth': explained(
    'The witness refuses the login.',
    'User or password is wrong, or the user lacks the role.',
    'Correct `witness.user` and its password; `battito check` tries them.',
  ),
  'etcd-failed': explained(
    'The witness does not answer as it should.',
    'It is off, unreachable, or has no majority.',
    'On its hosts: `systemctl status etcd`, `etcdctl endpoint health`.',
  ),
  witness: explained(
    'The witness cannot be used.',
    'What it keeps under the prefix is not of this cluster, or not understood.',
    'Do what stands behind `next:`.',
  ),
  'qmp-unreachable': explained(
    'The monitor of a guest does not listen.',
    'Its process has ended.',
    'See its log in /run/battito; it is started again.',
  ),
  'qmp-silent': explained(
    'The monitor of a guest does not answer in time.',
    'The process hangs, mostly in its disk.',
    'See `dmesg` about the storage.',
  ),
  'qmp-closed': explained(
    'The monitor of a guest has closed the connection.',
    'Its process has ended.',
    'See its log in /run/battito.',
  ),
  'qmp-garbled': explained(
    'What the monitor of a guest said is not QMP.',
    'Another program listens at its socket.',
    'See who does: `fuser -v SOCKET`.',
  ),
  'qmp-refused': explained(
    'QEMU refuses a command.',
    'The reason stands in the message.',
    'See the log of the guest.',
  ),
  'qmp-aborted': explained('A question to a guest was broken off.', 'The daemon stops.', 'Nothing.'),
} as const satisfies Readonly<Record<string, Explanation>>;

export const ofFiles = { ...keys, ...journals, ...imports, ...power };
