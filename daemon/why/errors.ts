// Errors with which a command ends, and with which the daemon does not start.

import { type Explanation, explained } from './explanation.ts';

const daemon = {
  'daemon-not-running': explained(
    'No daemon answers at the control socket (exit code 69).',
    'It does not run, or was started with another --socket.',
    '`systemctl start battito`; if it does not stay up: `journalctl -u battito -e`.',
  ),
  'daemon-slow': explained(
    'The daemon did not answer in time (exit code 75).',
    'The host is overloaded, or the daemon hangs.',
    '`systemctl status battito`, `journalctl -u battito -e`.',
  ),
  'daemon-unreachable': explained(
    'The control socket cannot be used (exit code 69).',
    'The path is no socket.',
    'Name the control socket of the daemon with --socket.',
  ),
  'daemon-answer-invalid': explained(
    'What answers at the control socket makes no sense.',
    'Daemon and command are of different versions, or it is another program.',
    '`battito --version`; then restart the daemon in place: `battito maintenance on --for 10m; systemctl restart battito; battito maintenance off`.',
  ),
  'no-permission': explained(
    'This user may not speak to the daemon (exit code 77).',
    'The control socket belongs to root.',
    'Run the command as root.',
  ),
  'already-running': explained(
    'Another daemon runs already.',
    'Two daemons on one host, with the same socket or state directory.',
    'Stop the other one: `systemctl stop battito`.',
  ),
  'socket-unusable': explained(
    'The control socket cannot be opened.',
    'The daemon is not root, or its directory cannot be written.',
    'Run the daemon as root, or name another path with --socket.',
  ),
  'state-dir-unusable': explained(
    'The state directory cannot be used, so the daemon does not start (exit code 78).',
    'It is read-only, full, or a file is in its place.',
    'Make it writable, with free space; or name another with --state-dir.',
  ),
  'state-file-foreign': explained(
    'The state file belongs to another node or cluster (exit code 78).',
    'The disk of another host was cloned, or a node was renamed.',
    'If this is a new node: move the file away.',
  ),
  'state-file-invalid': explained(
    'The state file is damaged (exit code 78).',
    'The file system was damaged, or it was edited.',
    'Move it away. This node then knows nothing of who wrote last: start the other node first.',
  ),
  'node-unknown': explained(
    'The name of this host is not one of the two nodes (exit code 78).',
    'The host was renamed, or `nodes` has other names.',
    'Rename one of them, or start with --node NAME.',
  ),
  'node-names-collide': explained(
    'The names of the two nodes look alike on the wire.',
    'A heartbeat carries a short digest of each.',
    'Rename one node.',
  ),
  'interface-missing': explained(
    'An interface of the configuration does not exist on this host (exit code 78).',
    'It is misspelt, or the network is not up.',
    '`ip link` lists them. Correct the name, or create the interface.',
  ),
  'bridge-missing': explained(
    'The bridge of a guest does not exist on this host (exit code 78).',
    'It is misspelt, or the network is not up.',
    'Create the bridge (README, "Two hosts, from nothing"), or correct the name.',
  ),
  'memory-reserve-too-large': explained(
    '`start.memory-reserve` keeps more memory free than this host has (exit code 78).',
    'The value is of another host, or has the wrong unit.',
    'Lower it.',
  ),
  'host-memory-unknown': explained(
    'How much memory this host has cannot be read.',
    '/proc/meminfo is missing or looks different.',
    'Report it with the output of `head -3 /proc/meminfo`.',
  ),
  internal: explained(
    'The daemon met an error of its own while it answered.',
    'A defect of the program.',
    '`journalctl -u battito -e` has where; report it.',
  ),
  'not-found': explained(
    'The daemon does not know this question.',
    'It is older than the command: an upgrade has not restarted it yet.',
    '`battito maintenance on --for 10m; systemctl restart battito; battito maintenance off`',
  ),
  'method-not-allowed': explained(
    'The control API does not take this method at this path.',
    'A program other than the command asks.',
    'The methods are those of the control API: GET to ask, POST to request.',
  ),
  'not-understood': explained(
    'The daemon does not understand the request.',
    'The command is newer than the daemon: an upgrade has not restarted it yet.',
    '`battito maintenance on --for 10m; systemctl restart battito; battito maintenance off`',
  ),
  'not-json': explained(
    'The request to the control API is not JSON.',
    'A program other than the command asks.',
    'Send a JSON object.',
  ),
  'too-large': explained(
    'The request to the control API is too large.',
    'A program other than the command asks.',
    'Send less than 64 KiB.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;

const commands = {
  usage: explained(
    'The command line was not understood, and nothing was done (exit code 64).',
    'A word or an option is misspelt, missing or too many.',
    '`battito help COMMAND`',
  ),
  unexpected: explained(
    'The command met an error that nobody expected.',
    'A defect of the program.',
    'Run it again with BATTITO_DEBUG=1 to see where, and report it.',
  ),
  'code-unknown': explained(
    'No message has that code or those words.',
    'It is misspelt, or of another version.',
    '`battito why` lists all codes; docs/troubleshooting.md has them with their messages.',
  ),
  'not-done-in-time': explained(
    'What was asked for is not done in time (exit code 75); it goes on.',
    'A guest shuts down slowly, a disk is checked, or the other node is slow.',
    '`battito status --watch`; more patience with --timeout 10m.',
  ),
  'move-stuck': explained(
    'The move does not go on.',
    'What is in the way stands in the message.',
    'Do what stands behind `next:`, then ask again.',
  ),
  'too-early': explained(
    'The daemon knows too little yet to say what would happen.',
    'It has just started and has not looked at everything.',
    'Ask again in some seconds.',
  ),
  'fault-not-understood': explained(
    'The fault that is to be tried is not understood.',
    'It is misspelt, or names something that does not exist.',
    '`battito help simulate` lists the faults.',
  ),
  'runbook-not-written': explained(
    'The runbook could not be written.',
    'The directory does not exist, or may not be written to.',
    'Name another with --output, or run it as root.',
  ),
  'notify-none': explained(
    'The configuration has no section `notify`: nobody is told anything.',
    'It was never written.',
    'Write it after the example in `man battito.yaml`.',
  ),
  'notify-unknown': explained(
    'There is no notification channel of that name.',
    'It is misspelt.',
    'The message lists those that there are.',
  ),
  'notify-input': explained(
    'What came on the standard input is no message.',
    'This is called by the daemon; a person needs `battito notify test`.',
    '`battito notify test`',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;

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
    'Write it: README, "Fencing".',
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

export const ofErrors = { ...daemon, ...commands, ...keys, ...journals, ...imports, ...power };
