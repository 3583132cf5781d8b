// What a restart makes of the wall clock, which anybody may set at any time. Pure, so that the modelled world starts
// its daemons by the same rules. Milliseconds since 1970 throughout.

/** Maintenance that outlives a reboot ends at the latest after this, whatever the wall clock has done. */
const maintenanceMaxMs = 7 * 24 * 3_600_000;

/** So that a run that goes by an old record does not get the number of one that has been since. */
const spread = 1000;

/**
 * Larger than any that is on record; the wall clock helps out when the record is lost. `known`: 0 when there is none.
 * `chance`: from 0 on, below 1.
 */
export function nextIncarnation(known: number, wallMs: number, chance: number): number {
  return Math.max(known + 1 + Math.floor(chance * spread), wallMs);
}

/** How much of a maintenance that was to end at `endsMs` is left in another boot; 0 or less: it is over. */
export function maintenanceLeftMs(endsMs: number, wallMs: number): number {
  return Math.min(endsMs - wallMs, maintenanceMaxMs);
}
