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
    'The state files belong to another node or cluster (exit code 78).',
    'The disk of another host was cloned, or a node was renamed.',
    'If this is a new node: move both files away.',
  ),
  'state-file-invalid': explained(
    'One of the two state files is damaged or missing (exit code 78).',
    'The file system was damaged, or somebody edited, deleted or put back one of them. A write that a power cut ended is no reason: the other file has the record before it.',
    'Move away what there is of them. This node then knows nothing of who wrote last: start the other node first.',
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
    '/proc/meminfo, or what /sys/kernel/mm/hugepages tells of huge pages, is missing or looks different.',
    'Report it with the output of `head -3 /proc/meminfo; ls /sys/kernel/mm/hugepages`.',
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

export const ofErrors = { ...daemon, ...commands };
