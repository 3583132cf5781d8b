// The state file of a modelled host: written whole, one write after the other, and what is left of it after a crash;
// as daemon/runtime/records/state-file.ts does it. What that makes of the wall clock, the world is given (`restarts`).

import type { Effect, Ledger } from '../core/events.ts';
import { post } from './daemon.ts';
import { chanceOf } from './engine.ts';
import { type Host, hostClock, type Saved, standsStill, type Write, wallClock } from './model.ts';

const remembered = 4;

/** What a restart makes of a wall clock that anybody may have set; all times in milliseconds. */
export interface Restarts {
  /** Of the run that begins; `known`: of the last one that is on record, 0: none. */
  readonly nextIncarnation: (known: number, wallMs: number, chance: number) => number;
  /** How much of a maintenance is left in another boot; 0 or less: it is over. */
  readonly maintenanceLeftMs: (endsMs: number, wallMs: number) => number;
}

/** A clock that nobody sets. */
const plainRestarts: Restarts = {
  nextIncarnation: (known) => known + 1,
  maintenanceLeftMs: (endsMs, wallMs) => endsMs - wallMs,
};

export const emptySaved: Saved = {
  incarnation: 0,
  ledger: { groups: [], peer: null, standby: false, left: false, maintenanceUntil: null },
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
  const { model, savedBefore, saved, boot, incarnation } = host;
  savedBefore.push(saved);
  if (savedBefore.length > remembered) savedBefore.shift();
  const { maintenanceUntil } = ledger;
  const leftMs = maintenanceUntil === null ? null : maintenanceUntil - hostClock(host);
  const maintenanceEnds = leftMs === null ? null : wallClock(host) + leftMs;
  host.saved = { incarnation, ledger, boot, maintenanceEnds };
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

/** What a daemon that starts now reads; its incarnation is on disk before it does anything. */
export function openLedger(host: Host): Ledger {
  if (host.stateFile === 'lost') host.saved = emptySaved;
  if (host.stateFile === 'old') host.saved = host.savedBefore[0] ?? host.saved;
  host.stateFile = 'ok';
  const { restarts = plainRestarts } = host.model.options;
  const known = host.saved;
  host.incarnation = restarts.nextIncarnation(known.incarnation, wallClock(host), chanceOfRun(host));
  const ledger = { ...known.ledger, maintenanceUntil: maintenanceUntil(host, known, restarts) };
  save(host, ledger);
  return ledger;
}

/** A stream of its own for each run. */
function chanceOfRun({ model, side, run }: Host): number {
  return chanceOf(model.options.seed, `run ${run} of ${side}`)();
}

function maintenanceUntil(host: Host, known: Saved, { maintenanceLeftMs }: Restarts): number | null {
  const { ledger, boot, maintenanceEnds } = known;
  if (ledger.maintenanceUntil === null || maintenanceEnds === null) return null;
  const clock = hostClock(host);
  const isSameBoot = boot === host.boot;
  const until = isSameBoot
    ? ledger.maintenanceUntil
    : clock + maintenanceLeftMs(maintenanceEnds, wallClock(host));
  return until > clock ? until : null;
}
