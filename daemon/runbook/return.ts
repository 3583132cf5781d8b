// The runbook for the time after a repair: the peer is back, and the mirrors are to be mirrors again.

import type { GroupConfig } from '../config/config.ts';
import { pingOnce } from '../drivers/ping.ts';
import { shellLine } from '../drivers/shell.ts';
import { resyncLibrary } from './drbd-library.ts';
import type { RunbookParts, RunbookSource } from './runbook.ts';
import { call } from './steps.ts';

export function returnParts(source: RunbookSource): RunbookParts {
  const { config, peer, self } = source;
  const hasDrbd = config.groups.some(({ drbd }) => drbd.length > 0);
  const ping = shellLine(pingOnce(peer.address, 2));
  return {
    purpose: [
      `${peer.name} is repaired and has power again, while ${self.name} runs the work without Battito: connects the mirrors,`,
      'waits until they are resynced, and gives DRBD the options of its files again. It stops and starts no guest.',
      `It may be interrupted at any time: the resync goes on by itself.`,
    ],
    withDaemon:
      'it connects the mirrors by itself, and battito status shows how far the resync is; after it: drbdadm adjust for each resource, and battito check',
    options: [],
    libraries: hasDrbd ? [resyncLibrary] : [],
    before: [
      `if [ "$dry_run" = yes ]; then ${call('holds', ping)} || true; elif ! ${call('holds', ping)}; then`,
      `  stop "$peer does not answer at ${peer.address}" "see why: is it up, is its cable in? then run this script again"`,
      'fi',
    ],
    question: (group) => `Connect the mirrors of group ${group.name} with ${peer.name}?`,
    group: (group) => groupBack(group),
    after: [
      'say "What to do next, in this order:"',
      'say "1. here: systemctl start battito; it adopts what runs"',
      'say "2. on $peer: systemctl start battito"',
      'say "3. battito status; then, if the work is to go back to $peer: battito handover"',
    ],
  };
}

const groupBack = ({ drbd }: GroupConfig) =>
  drbd.length === 0 ? ['say "   it has no mirror"'] : drbd.map((name) => call('remirror', name));
