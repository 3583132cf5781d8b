// What each device has of the time of one attempt, for being told and for being read. Switching off goes by it, and so do
// those who say beforehand whether a device would do. Pure.

export interface Share {
  /** For all devices of the level, milliseconds. */
  readonly levelMs: number;
  /** For one device, at least. */
  readonly tellingMs: number;
  readonly readingMs: number;
}

/** Of the time of a level, for telling; the rest is for reading. */
const tellingPart = 2 / 3;
/** An agent reads the power, then cuts it: about two of the times that a reading takes. */
export const readingsUntilOff = 2;

/** What the next one of `levels` has of the time that is left, and each of its `devices`. */
export function shareOf(leftMs: number, levels: number, devices: number): Share {
  const levelMs = leftMs / levels;
  const tellingMs = (levelMs * tellingPart) / devices;
  return { levelMs, tellingMs, readingMs: levelMs / devices - tellingMs };
}

/** By device, where all others take all of their time; of a device in several levels the least. */
export function sharesOf<Device>(
  levels: readonly (readonly Device[])[],
  timeoutMs: number,
): ReadonlyMap<Device, Share> {
  const shares = new Map<Device, Share>();
  for (const level of levels) {
    const share = shareOf(timeoutMs, levels.length, level.length);
    for (const device of level) {
      const known = shares.get(device);
      if (known === undefined || share.readingMs < known.readingMs) shares.set(device, share);
    }
  }
  return shares;
}

/** The least `fencing.timeout` in which a device would do that has `share` of `timeoutMs`, and takes so long to be read. */
export function timeoutNeededMs(readMs: number, share: Share, timeoutMs: number): number {
  return timeoutMs * Math.max(readMs / share.readingMs, (readMs * readingsUntilOff) / share.tellingMs);
}
