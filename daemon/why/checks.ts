// What `battito check` finds on a node and between the two: names, network, programs, the daemon, what protects.

import { type Explanation, explained } from './explanation.ts';

export const ofChecks = {
  'peer-not-checked': explained(
    'The other node could not be checked, so a takeover by it is not proved.',
    'Its daemon does not run, cannot be reached over the encrypted channel, or is of another version.',
    'Do what the message says; until then run `battito check` there.',
  ),
  'agreement-unknown': explained(
    'The other node has not been heard, so whether it has the same configuration is not known.',
    'Its daemon does not run, or no link lets its heartbeats through.',
    '`battito status` on both nodes; is UDP 694 let through?',
  ),
  'daemon-config-other': explained(
    'The daemon runs with an older state of the configuration file.',
    'The file was edited and not loaded yet.',
    '`systemctl reload battito`, on both nodes.',
  ),
  'software-differs': explained(
    'The two nodes run different versions of Battito.',
    'An upgrade is under way, or was forgotten on one node. Neighbouring versions understand each other; what only the newer one can do is not to be had until both have it.',
    'Bring both to the same version, one after the other: `battito maintenance on --for 30m`, install, `battito maintenance off`.',
  ),
  'machine-too-late': explained(
    'This machine lets the daemon run later than the timings bear.',
    'It is slow, busy, or a virtual machine that shares its processors; or `deadtime` is very short.',
    'Give `deadtime` the value that the message names, on both nodes, or give the machine less to do.',
  ),
  'machine-late': explained(
    'This machine lets the daemon run nearly as late as the timings bear.',
    'It is busy at times, or `deadtime` is very short.',
    'Give `deadtime` the value that the message names before a busy day does harm.',
  ),
  'probe-failed': explained(
    'An address that is asked for signs of life could not be asked.',
    'There is no route to it, or the program that asks cannot run.',
    'Try it by hand: `ping -c 1 ADDRESS`; then correct `connectivity` or the network.',
  ),
  'gateway-silent': explained(
    'A gateway does not answer, so this node takes itself for cut off sooner.',
    'It is off, does not answer to ping, or its address is wrong.',
    'Ping it by hand; name one that answers under `connectivity`.',
  ),
  'no-gateway': explained(
    'There is nothing outside that could be asked whether this node is cut off.',
    '`connectivity` names no address.',
    'Name the gateway: `connectivity: { ping: [192.168.1.254] }`.',
  ),
  'not-root': explained(
    'The check does not run as root, so it cannot see everything.',
    'Keys, devices and units are for root.',
    'Run it as root: `sudo battito check`.',
  ),
  'node-address-missing': explained(
    'No interface here has the address that the configuration gives this node.',
    'The address is not set up, or the configuration has another one.',
    'Set it up for good in the network configuration of the host, or correct `nodes`.',
  ),
  'link-address-missing': explained(
    'The interface of a link has no address that heartbeats could be sent from.',
    'The dedicated segment is not set up on this host.',
    'Give the interface an address, for good, in the network configuration of the host.',
  ),
  'interface-down': explained(
    'An interface of the configuration is down, or has no carrier.',
    'The cable is out, the switch is off, or nobody has set it up.',
    '`ip link set dev NAME up`, and look at its cable on both ends.',
  ),
  'one-interface': explained(
    'All heartbeats go through one interface, so a cut cable looks like a dead node.',
    'Only one link is configured, or all of them use the same card.',
    'Add a link on another interface under `heartbeat.links`, best the dedicated segment and the LAN.',
  ),
  'port-for-root': explained(
    'The UDP port of the heartbeats is below 1024, which only root may use.',
    'The check does not run as root; neither must the daemon.',
    'Run the daemon by its unit: `systemctl start battito`.',
  ),
  'program-missing': explained(
    'A program that a takeover starts is not installed.',
    'The package that has it was removed, or was never there.',
    '`apt-get install` the package that the message names.',
  ),
  'unit-not-enabled': explained(
    'Nothing starts the daemon when this node boots.',
    'The unit battito.service is not there, or is disabled.',
    '`systemctl enable --now battito`.',
  ),
  'drbd-service-enabled': explained(
    'drbd.service is enabled and does what Battito does, at another moment.',
    'The package of DRBD enables it.',
    '`systemctl disable drbd`; Battito brings the resources up itself.',
  ),
  'host-may-sleep': explained(
    'This host may go to sleep by itself. It is silent then, and when it wakes up its guests go on before it knows better.',
    'It has a desktop, which suspends a host that nobody types on, and sleep is not masked.',
    '`systemctl mask sleep.target suspend.target hibernate.target hybrid-sleep.target`, on both nodes.',
  ),
  'deadtime-tight': explained(
    'Heartbeats have come nearly as late as deadtime: a busy day could look like a death.',
    'deadtime is short for these hosts and links, or something makes them stall.',
    'Set the deadtime that the message names, the same on both nodes; then `systemctl reload battito`.',
  ),
  'deadtime-exceeded': explained(
    'For longer than deadtime nothing was heard on any link, although the other node went on.',
    'All cables were cut at once, the other host stood still, or deadtime is too short.',
    '`battito incident` shows what it was; mend that, or raise deadtime.',
  ),
  'tier-not-effective': explained(
    'Nothing would be taken over from a dead peer now.',
    'What would prove it off does not work: a fencing device, the witness, or the watchdog.',
    '`battito status` names what it is; mend that first.',
  ),
  'secrets-unusable': explained(
    'A file with secrets, of a fencing device or of a notification channel, cannot be used.',
    'It is not there, others than root may read it, or a line that is needed is missing.',
    'Do what the message says; such a file belongs to root with mode 0600.',
  ),
  'script-unusable': explained(
    'A script that the configuration names cannot be used.',
    'It is not there, is not executable, or others than root may change it.',
    'Write it, then `chown root: FILE && chmod 0755 FILE`.',
  ),
  'fence-agent-unusable': explained(
    'The fence agent of a device is not there, or does not tell what it takes.',
    'The package fence-agents is missing, or the program is no fence agent.',
    '`apt-get install fence-agents`; or correct `agent` of the device.',
  ),
  'fence-option-wrong': explained(
    'A fence agent does not take an option that is given, or lacks one that it needs.',
    'It is misspelt, or belongs to another agent.',
    'The message has the nearest one; the manual of the agent lists all. Then `battito drill fence`.',
  ),
  'fence-helper-missing': explained(
    'A fence agent needs a program that is not installed.',
    'Agents call others, such as ipmitool or snmpset.',
    '`apt-get install` the package that the message names.',
  ),
  'fence-timeout-short': explained(
    'A fencing device would be broken off before it has cut the power.',
    'Its share of the timeout, which all levels and devices divide, is shorter than it takes.',
    'Set `timeout` under `fencing` as the message says, on both nodes; then `battito drill fence`.',
  ),
  'fence-secret-shown': explained(
    'A secret of a fencing device can be seen in `ps` while the device is asked.',
    'The fence agent hands it to a helper, such as snmpget, as an argument.',
    'Let nobody else log in on the host, and give that user of the device no other right.',
  ),
  'fence-delay-short': explained(
    'When all cables are cut, both nodes could switch each other off.',
    'The devices need longer to cut the power than the delay by which one node lets the other go first.',
    'Set `delay` under `fencing` as the message says, on both nodes.',
  ),
  'watchdog-missing': explained(
    'The watchdog of the configuration is not there, so nothing may be started on this node.',
    'Its driver is not loaded.',
    'Load it now and at every boot, as the message shows.',
  ),
  'watchdog-unfit': explained(
    'The watchdog cannot be used as it would have to be.',
    'It cannot be stopped, ends with its process, takes other times, or something else uses it.',
    'Do what the message says, or name another one under `watchdog`.',
  ),
  'watchdog-unknown': explained(
    'The kernel tells nothing about the watchdog, so whether it fits is not known.',
    'Its driver is an old one, which has no place in /sys/class/watchdog.',
    'Look at it with `wdctl`; best name another one under `watchdog`.',
  ),
  'watchdog-alone': explained(
    'The watchdog protects nothing by itself.',
    'It is fed by the right that a witness lends, and there is no witness.',
    'Configure a `witness` too, or leave `watchdog` out.',
  ),
  'witness-not-secured': explained(
    'Others than the two nodes could answer for the witness, or take its lease away.',
    'It is asked without TLS, without a user or certificate, or serves also whoever gives none.',
    'Do what the message says; without it a guest could run twice.',
  ),
  'witness-database-full': explained(
    'The database of a witness is nearly at its quota, at which it lends nothing any more.',
    'etcd keeps every old state until it is told not to.',
    'Run etcd with --auto-compaction-retention=1h; then `etcdctl compact` and `etcdctl defrag`.',
  ),
  'certificate-expires': explained(
    'A certificate is no longer valid, or will soon not be.',
    'Certificates end at a date; so do those of a clock that is wrong.',
    'Make a new one; look at `date` on this host.',
  ),
  'certificate-unreadable': explained(
    'A certificate of the configuration cannot be used.',
    'The file is not there, holds none (PEM), or its key belongs to another one.',
    'Correct the path, or make it anew; then `systemctl reload battito`.',
  ),
  'notify-host-unknown': explained(
    'The name of the host that takes messages has no address here.',
    'It is misspelt, or name resolution does not work.',
    '`getent hosts NAME`; then `battito notify test`.',
  ),
  'notify-unencrypted': explained(
    'Mails go over the network unencrypted.',
    '`tls: none` is given for a server that is not this host.',
    '`tls: starttls` for that channel, then `battito notify test`.',
  ),
  'sendmail-missing': explained(
    'The program that is to send mails is not there.',
    'No mail system is installed on this host.',
    '`apt-get install msmtp-mta`, or use `smtp` instead; then `battito notify test`.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;
