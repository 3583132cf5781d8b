// Why what an operator asked for is refused. Nothing is touched by any of these.

import { type Explanation, explained } from './explanation.ts';

export const ofRefusals = {
  refused: explained(
    'The daemon refuses what was asked for; nothing was touched.',
    'The reason stands in the message.',
    'Do what stands behind `next:`, then ask again.',
  ),
  'group-unknown': explained(
    'There is no group of that name.',
    'It is misspelt, or the daemon runs with another configuration.',
    '`battito status` lists the groups.',
  ),
  'group-not-named': explained(
    'This needs the name of a group.',
    'What loses data is never done to all groups at once.',
    'Name the group.',
  ),
  'group-in-use': explained(
    'The group runs here, so its data here cannot be given up.',
    'Its guests write to them.',
    'Hand it over first: `battito handover GROUP`; or give up the other side: the same command on the other node.',
  ),
  'node-stopping': explained(
    'The daemon of this node is stopping.',
    'It was told to, and takes nothing new.',
    '`systemctl start battito` when it has ended.',
  ),
  'no-carrier': explained(
    'This node has no carrier on the LAN, so it could not serve the group.',
    'Its cable or the switch port has failed.',
    'Mend the cable: `ip link` shows LOWER_UP when it is well.',
  ),
  'copy-not-up-to-date': explained(
    'The copy of the disks on this node is not up to date, so nothing is started from it.',
    'A resync is under way, or the disks are not connected.',
    'Wait for the end of the resync, or mend the connection of the disks; `battito status` shows both.',
  ),
  'copies-not-parted': explained(
    'The copies of these disks have not parted: there is nothing to give up.',
    'They are connected, or this one was not written to alone.',
    'Nothing. `battito status` shows both copies.',
  ),
  'not-waiting-for-data': explained(
    'The group does not wait for a person to accept its data.',
    'It runs, or something else holds it back.',
    '`battito status` says what it waits for.',
  ),
  'not-the-peer': explained(
    'The name is not that of the other node.',
    'It is asked for so that nobody confirms the wrong host.',
    'Type the name of the other node as it stands in the configuration.',
  ),
  'peer-not-off': explained(
    'The other node is not off: it was heard, or one of its addresses answers.',
    'To start its guests here now would run them twice.',
    'For an orderly move: `battito takeover`. Else power it off, wait a few seconds, and ask again.',
  ),
  'peer-not-proven-off': explained(
    'The other node is silent, but not proven off: to take over now could run a guest twice.',
    'Something of it still answers, or this node is cut off itself.',
    'See that it has no power, then: `battito fence confirm NODE`.',
  ),
  'own-state-unknown': explained(
    'It cannot be told what of the group runs on this node.',
    'A driver does not answer, or a guest is being started, or is asleep: what is started besides could run twice.',
    'See `battito status`, which names it and says what to do. Once all is told the node goes on by itself.',
  ),
  'peer-not-judged': explained(
    'Whether the other node lives is not known yet.',
    'It fell silent a moment ago, or this daemon has just started.',
    'Wait some seconds; `battito status` says when it is known.',
  ),
  'peer-not-heard': explained(
    'The other node is not heard, and its copy is the one that is to stay.',
    'Its daemon does not run, or the network between them is cut.',
    'Start the other node first.',
  ),
  'peer-cannot-take-over': explained(
    'The other node cannot take over: it is not alive, or not heard.',
    'Nothing is stopped here as long as nobody could go on with it.',
    'Bring the other node back; `battito status` says how it is.',
  ),
  'peer-unwilling': explained(
    'The other node cannot run the group now.',
    'Its disks are not up to date, its LAN is down, or its state file cannot be written.',
    '`battito status` on the other node says why.',
  ),
  'peer-cannot-be-told': explained(
    'Maintenance is refused: the other node cannot be told of it, so it could take over what runs here.',
    'It is silent, and a witness would lend it the lease.',
    'Bring the other node back; or, if it is powered off: `battito fence confirm NODE`.',
  ),
  'power-not-cut': explained(
    'The other node is alive, so its power is not cut.',
    'Its guests would be lost.',
    'Take its groups over first: `battito takeover`. Or, if it does not obey: --although-it-runs.',
  ),
  'drill-refused': explained(
    'No drill now; nothing was touched.',
    'The nodes are not in order, so that the drill could turn into an outage.',
    'Do what stands behind `next:`, then run it again.',
  ),
  'drill-not-ready': explained(
    'The drill did not begin or go on: something is not ready.',
    'A disk is resynced, or a node is in standby or maintenance.',
    'Do what stands behind `next:`, then run it again.',
  ),
  'drill-unfinished': explained(
    'A drill was not finished: the groups may be on the other node.',
    'It was interrupted, or a step took too long.',
    '`battito status`; bring the groups back with `battito takeover` or `battito handover`.',
  ),
  'not-confirmed': explained(
    'The name was not typed, so nothing was done.',
    'What cannot be undone is asked for by name.',
    'Run the same command again and type the name.',
  ),
  'nothing-to-force': explained(
    'No group with a DRBD resource is blocked here, so there is nothing to force.',
    'It runs already, or something other than its data holds it back.',
    '`battito status` says what it waits for.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;
