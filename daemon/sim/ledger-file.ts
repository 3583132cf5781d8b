// The state file of a modelled host: written whole, one write after the other, and what is left of it after a crash;
// as daemon/runtime/state-file.ts does it, with the world's time for the wall clock.

import type { Effect, Ledger } from '../core/events.ts';
import { post } from './daemon.ts';
import { type Host, hostClock, type Saved, standsStill, type Write } from './model.ts';

const remembered = 4;

export const emptySaved: Saved = {
  ledger: { groups: [], peer: null, standby: false, maintenanceUntil: null },
  boot: 0,
  maintenanceEnds: null,
};

export function persist(host: Host, effect: Extract<Effect, { readonly kind: 'persist-ledger' }>): void {
  const { agenda } = host.model;
  const { revision, ledger } = effect;
  const write: Write = { host, run: host.run, revision, ledger };
  host.writes.push(write);
  host.diskFreeAt = Math.max(agenda.now(), host.diskFreeAt) + 1 + host.chance() * 5;
  agenda.at(host.diskFreeAt, written, write);
}

function written(write: Write): void {
  const { host, revision, ledger } = write;
  if (!host.writes.includes(write) || standsStill(host, written, write)) return;
  host.writes.splice(host.writes.indexOf(write), 1);
  if (host.diskFull) {
    post(host, { kind: 'ledger-not-persisted', at: 0, revision, message: 'no space left on device' });
    return;
  }
  save(host, ledger);
  if (host.run === write.run) post(host, { kind: 'ledger-persisted', at: 0, revision });
}

function save(host: Host, ledger: Ledger): void {
  const { model, savedBefore, saved, boot } = host;
  savedBefore.push(saved);
  if (savedBefore.length > remembered) savedBefore.shift();
  const { maintenanceUntil } = ledger;
  const leftMs = maintenanceUntil === null ? null : maintenanceUntil - hostClock(host);
  const maintenanceEnds = leftMs === null ? null : model.agenda.now() + leftMs;
  host.saved = { ledger, boot, maintenanceEnds };
  model.trace?.({ kind: 'ledger-on-disk', at: model.agenda.now(), side: host.side, ledger });
}

/** The daemon, or its host, dies in the middle: some of what was under way is on disk, in order. */
export function breakOffWrites(host: Host): void {
  for (const { ledger } of host.writes) {
    if (host.diskFull || host.chance() < 0.5) break;
    save(host, ledger);
  }
  host.writes.length = 0;
}

/** What a daemon that starts now reads. */
export function readLedger(host: Host): Ledger {
  if (host.stateFile === 'lost') host.saved = emptySaved;
  if (host.stateFile === 'old') host.saved = host.savedBefore[0] ?? host.saved;
  host.stateFile = 'ok';
  const { ledger, boot, maintenanceEnds } = host.saved;
  if (ledger.maintenanceUntil === null || maintenanceEnds === null) return ledger;
  const clock = hostClock(host);
  const until =
    boot === host.boot ? ledger.maintenanceUntil : clock + maintenanceEnds - host.model.agenda.now();
  return { ...ledger, maintenanceUntil: until > clock ? until : null };
}
