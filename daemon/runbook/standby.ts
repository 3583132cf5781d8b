// The runbook that puts everything on this node down in order, so that the other one may take it.

import type { GroupConfig } from '../config/config.ts';
import { demoteLibrary } from './drbd-library.ts';
import { settleLibrary } from './library.ts';
import type { RunbookParts, RunbookSource } from './runbook.ts';
import {
  addressDown,
  call,
  filesystemDown,
  guestDown,
  guestNeeds,
  inMountOrder,
  inStartOrder,
} from './steps.ts';

export function standbyParts(source: RunbookSource): RunbookParts {
  const { config, peer, self } = source;
  const hasDrbd = config.groups.some(({ drbd }) => drbd.length > 0);
  return {
    purpose: [
      `Puts everything on ${self.name} down in order, without Battito: addresses away, guests shut down, file systems`,
      `unmounted, DRBD secondary. Afterwards ${peer.name} can take it over by its runbook takeover --from-standby.`,
    ],
    withDaemon:
      'while it runs: battito standby; or, if it is of no use: systemctl stop battito, then this script again',
    options: [],
    libraries: [settleLibrary, ...(hasDrbd ? [demoteLibrary] : [])],
    before: config.groups.flatMap((group) => {
      const needs = guestsOf(group, source).flatMap((guest) => guestNeeds(guest, group, source));
      if (needs.length === 0) return [];
      return [`if ${call('wanted', group.name)}; then`, ...needs.map((line) => `  ${line}`), 'fi'];
    }),
    question: (group) => `Shut group ${group.name} down on ${self.name}?`,
    group: (group) => groupDown(group, source),
    counts: true,
    // The other node is told by name what it may start: what was left here, or was not meant, may still run.
    after: [
      'if [ -n "$went" ]; then',
      '  say "Nothing of$went runs on $self any more. What to do next:"',
      '  say "  on $peer: takeover.sh --from-standby$went, of the same directory there"',
      '  say "  or here again, with the daemons: systemctl start battito on both nodes"',
      'fi',
      'if [ -n "$left" ]; then',
      '  problem "Left as it is, and may still run on $self:$left. It must NOT be started on $peer."',
      '  exit 1',
      'fi',
    ],
  };
}

const guestsOf = (group: GroupConfig, { guests }: RunbookSource) => guests.get(group.name) ?? group.guests;

function groupDown(group: GroupConfig, source: RunbookSource): readonly string[] {
  const guests = inStartOrder(guestsOf(group, source));
  return [
    ...group.addresses.flatMap(addressDown),
    ...guests.toReversed().flatMap((guest) => guestDown(guest, group, source)),
    ...inMountOrder(group.filesystems).toReversed().flatMap(filesystemDown),
    ...group.drbd.toReversed().map((name) => call('demote', name)),
  ];
}
