// Groups: every row of the transition table, why a group is held back, and what a person is asked about it.

import type { Obstacle, RuleId } from '../core/codes.ts';
import { type Explanation, explained } from './explanation.ts';

const nothing = 'Nothing.';
const wait = 'Nothing: `battito status` shows how far it is.';

const rules = {
  'found-running': explained(
    'The daemon has started and found the group running: it is adopted as it is.',
    'A restarted daemon never restarts a healthy guest.',
    nothing,
  ),
  'found-frozen': explained(
    'The daemon has started and found the group frozen: it stays so.',
    'This node was cut off before; whether the other node has taken over is not known yet.',
    'Mend the network. It goes on, or is given up, when the other node is heard.',
  ),
  'found-stopped': explained(
    'The daemon has started, and the group does not run here.',
    'It runs on the other node, or nowhere yet.',
    nothing,
  ),
  'take-over': explained(
    'This node takes the group over.',
    'The other node is gone, proven off or stopped in order, and nobody runs the group.',
    'See what became of the other node: `battito incident show last`.',
  ),
  claim: explained(
    'This node asks the other one to agree that it runs the group.',
    'Both nodes live, and nobody runs it, or it is offered.',
    wait,
  ),
  block: explained(
    'The other node is silent, but the group may not be started here.',
    'What holds it back stands in the message; `battito status` has it as an alarm of its own.',
    'Do what the alarm in `battito status` says.',
  ),
  'stop-stray': explained(
    'A part of the group was started here by hand, and is stopped.',
    'This node does not own the group, so a second copy could run.',
    'Start and stop guests of a group with `battito takeover` and `battito handover` only.',
  ),
  unblock: explained(
    'What held the group back is gone.',
    'The other node was heard, or it is proven that it runs nothing.',
    nothing,
  ),
  'claim-granted': explained(
    'The other node agreed that this node runs the group.',
    'It runs nothing of it.',
    wait,
  ),
  'claim-dropped': explained(
    'This node no longer asks for the group.',
    'The reason is gone: the other node runs it, or it may not run here.',
    nothing,
  ),
  'claim-yielded': explained(
    'Both nodes asked for the group at once, and the other one goes first.',
    'Exactly one of them may have it.',
    nothing,
  ),
  started: explained(
    'The group runs here.',
    'Everything of it that can be up is up.',
    '`battito status` shows what was given up, if anything.',
  ),
  'start-frozen': explained(
    'The group is frozen while it was being started.',
    'This node hears neither the other node nor the outside, so the other one may take over.',
    'Mend the network of this node.',
  ),
  'start-outranked': explained(
    'The start is given up: the other node runs the group by a better right.',
    'It has the newer generation.',
    nothing,
  ),
  freeze: explained(
    'The group is frozen: its addresses are released, its guests paused.',
    'This node hears neither the other node nor the outside, so the other one may take over in a moment.',
    'Mend the network. If the other node did not take over, the guests go on where they were.',
  ),
  yield: explained(
    'The group is given up here.',
    'The other node runs it by a better right: the newer generation, or the newer data.',
    nothing,
  ),
  'hand-over': explained(
    'The group is handed over to the other node, in order.',
    'An operator asked for it, or it belongs there.',
    wait,
  ),
  leave: explained(
    'The group is stopped in order.',
    'The daemon stops, and nobody can take the group over.',
    'Start the daemon again: `systemctl start battito`.',
  ),
  'own-stray': explained(
    'The group was found running here, and this node owns it from now on.',
    'There is no record of it, and nobody else runs it.',
    nothing,
  ),
  'leave-while-starting': explained(
    'The start is given up, since the daemon stops.',
    'Nobody can take the group over.',
    'Start the daemon again: `systemctl start battito`.',
  ),
  resume: explained(
    'The frozen guests go on.',
    'The other node is back, did not take over, and agrees.',
    nothing,
  ),
  'resume-by-lease': explained(
    'The frozen guests go on.',
    "The lease of the witness is this node's again, and nobody else has had it.",
    nothing,
  ),
  discard: explained(
    'The frozen copies are discarded.',
    'The other node took over while this one was cut off; its copies are the newer ones.',
    'Nothing: the disks are resynced by themselves.',
  ),
  'discard-when-fenced': explained(
    'The frozen copies are discarded, and the group is started afresh.',
    'The other node is proven off.',
    nothing,
  ),
  'stop-at-once': explained(
    'The rest of the group is stopped at once.',
    'This node was cut off while it stopped the group in order.',
    'Mend the network of this node.',
  ),
  'give-back': explained(
    'The group is left to the other node.',
    'The state file cannot be written, or the watchdog cannot be armed, so nothing may be started here.',
    'Do what the other alarms in `battito status` say.',
  ),
  decline: explained(
    'The start is given up, and the group left to the other node.',
    "The data here are older than the other node's, or only the witness knows, and it cannot be asked.",
    'Let the disks resync: `battito status` shows how far it is.',
  ),
  'decline-stuck': explained(
    'The start is given up, and the group left to the other node.',
    'The other node cannot let go of the group.',
    'On the other node `battito status` says what holds it.',
  ),
  'take-back': explained(
    'The handover is undone, and the group goes on here.',
    'A part of it cannot be let go of: mostly a program that holds a disk open.',
    'The message names the holder: end it, then `battito handover GROUP`.',
  ),
  stopped: explained('Nothing of the group runs here any more.', 'It was stopped.', nothing),
} as const satisfies Readonly<Record<RuleId, Explanation>>;

const whenOff = 'Or, when you have seen that the other node has no power: `battito fence confirm NODE`.';

const obstacles = {
  'blocked-peer-unresponsive': explained(
    'The group is not started here, since the other node may still run it.',
    'That node sends no heartbeats, but is not proven off.',
    `Start its daemon again, or power it off. ${whenOff}`,
  ),
  'blocked-isolated': explained(
    'The group is not started here, since this node is or was cut off.',
    'The other node may have taken it over meanwhile.',
    `Mend the network. ${whenOff}`,
  ),
  'blocked-left-to-peer': explained(
    'The group is not started here: this node left it to the other one when it said goodbye.',
    'That node took it over, is silent now, and may still run it.',
    `Start the other node, or mend its network. ${whenOff}`,
  ),
  'blocked-unproven-data': explained(
    'The group is not started here: the other node may have written to it last.',
    'This node started alone, and its record says that the other one had the group.',
    'Start the other node. Or, if its newer data may be lost: `battito takeover --accept-data GROUP`.',
  ),
  'blocked-outdated-data': explained(
    'The group is not started here: the copy of a disk is not up to date.',
    'A resync did not end, or this copy was disconnected while the other one was written to.',
    'Start the other node and let the disks resync. Or, if its newer data may be lost: `battito takeover --force`.',
  ),
  'blocked-unknown-data': explained(
    'The group is not started here: whether the other node has newer data cannot be asked.',
    'The witness keeps that record, and does not answer.',
    'Bring the witness back. Or, if newer data of the other node may be lost: `battito takeover --accept-data GROUP`.',
  ),
  'blocked-not-fenced': explained(
    'The group is not started here: the other node could not be powered off.',
    'Its fencing device does not answer or refuses; perhaps it lost its power together with its host.',
    'Power the other node off by hand, see that it is off, then: `battito fence confirm NODE`.',
  ),
  'blocked-no-lease': explained(
    'The group is not started here: the witness has not lent this node the lease.',
    'The witness does not answer, or the other node still has the lease.',
    `Bring the witness back (\`battito check\` says what is wrong). ${whenOff}`,
  ),
  'blocked-no-watchdog': explained(
    'The group is not started here: the watchdog cannot be armed.',
    'Its driver is not loaded, or another program holds the device.',
    '`modprobe softdog`, or end what holds /dev/watchdog; `battito check` names it.',
  ),
  'blocked-no-lan': explained(
    'The group is not started here: this node has no working LAN.',
    'Nobody could reach the group here.',
    'Mend the LAN cable or the gateway of this node.',
  ),
  'blocked-peer-in-maintenance': explained(
    'The group is not started here: the other node was in maintenance when it fell silent, and asked to be left alone.',
    'Its guests may run on while its daemon, or its network, is being worked on.',
    `Wait until the maintenance ends. ${whenOff}`,
  ),
} as const satisfies Readonly<Record<`blocked-${Obstacle}`, Explanation>>;

export const ofGroups = {
  ...rules,
  ...obstacles,
  'awaits-witness': explained(
    'A frozen group stays frozen, or one whose disks are without their mirror is not started, until the witness is heard.',
    'The daemon of the other node may have been restarted since, and have forgotten what it did; only the witness knows who wrote.',
    'Mend the witness; a start goes on as well once the disks are connected. Or give up what was written before a freeze here: `battito takeover GROUP` on the other node.',
  ),
  frozen: explained(
    'The group is frozen: its addresses are released and its guests paused.',
    'This node was cut off, and the other one may have taken it over.',
    'Mend the network, or what the message says is awaited. If the other node is powered off: `battito fence confirm NODE`; the paused guests are then started afresh.',
  ),
  'nobody-runs-it': explained(
    'The group runs on neither node.',
    'Both are in standby or maintenance, or neither may start it.',
    '`battito status` on both nodes says what each waits for: `battito standby off`, `battito maintenance off`.',
  ),
  'taken-back': explained(
    'A handover was undone, and the group goes on where it was.',
    'A part of it could not be let go of, mostly a disk that a program holds open.',
    'End what the message names, then: `battito handover GROUP`.',
  ),
  unowned: explained(
    'The group runs here, but by the record the other node owns it. Nothing of it is started or repaired.',
    'It was started by hand, or the record is older than what happened.',
    'Start the other node. Or, if its newer data may be lost: `battito takeover --accept-data GROUP`.',
  ),
  'waiting-for-witness': explained(
    'The start of a group waits: its disks are without their mirror, and the witness does not answer.',
    'The other node lives, but was restarted since the witness was asked last; it may have lost its record of having written to its own disks.',
    'Mend the witness, or the connection of the disks; either is enough. Or, if newer data of the other node may be lost: stop the daemon there, then here: `battito takeover --accept-data GROUP`.',
  ),
  'waiting-for-peer': explained(
    'Something of the group is to be started and waits: the other node is silent, and had not let go of everything.',
    'It may still hold a disk or run a guest of the group.',
    'Power it off, see that it is off, then: `battito fence confirm NODE`.',
  ),
  offered: explained(
    'The group is offered to the other node.',
    'The reason stands in the message: an operator, standby, failback, a lost LAN or disk.',
    wait,
  ),
  'request-accepted': explained(
    'What an operator asked for is accepted.',
    'It can be done, as far as this node knows.',
    wait,
  ),
  'request-refused': explained(
    'What an operator asked for is refused, and nothing was touched.',
    'It could run a guest twice, lose data, or could not be done now.',
    'Do what stands behind `next:` in the history; the command itself has named a more exact code.',
  ),
  'request-expired': explained(
    'What an operator asked for was not carried out within a minute, and is forgotten.',
    'The other node did not let go, or was not heard.',
    '`battito status` says what is in the way; then ask again.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;
