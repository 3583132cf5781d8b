// Lays the monotonic clocks of two nodes on each other. A packet arrives after it was sent: so every packet bounds the
// difference of the clocks from one side, by its sender's clock at the sending and its receiver's at the receipt.
// Between two packets the clocks may run apart by a limited rate. What is left between the bounds is the uncertainty,
// and unless a clock ran faster than that limit, the truth lies in it.

/** One packet that both nodes have recorded; both times in milliseconds, each by the clock of its own node. */
export interface PacketTimes {
  readonly sender: 'self' | 'peer';
  readonly sentAt: number;
  readonly receivedAt: number;
}

export interface Alignment {
  readonly packets: number;
  /** A moment of the peer's clock by our clock, and how far off that may be. */
  readonly toOurs: (peerAt: number) => { readonly at: number; readonly withinMs: number };
}

interface Bounds {
  /** By our clock. */
  readonly at: number;
  /** Of the peer's clock minus ours. */
  low: number;
  high: number;
}

/** Two clocks that an NTP daemon steers run apart by less than this, milliseconds a millisecond. */
export const driftMax = 200e-6;
/** Below this, bounds that contradict each other do so by rounding, milliseconds. */
const rounding = 1e-3;

/** @returns null: packets in both directions are needed, and there are none in one */
export function alignClocks(packets: readonly PacketTimes[]): Alignment | null {
  const directions = new Set(packets.map(({ sender }) => sender));
  if (directions.size < 2) return null;
  const raw = packets.map(boundOf).toSorted((a, b) => a.at - b.at);
  // A clock that stood still, as that of a suspended machine, contradicts the limit: then it is no limit.
  let drift = driftMax;
  let bounds = tighten(raw, drift);
  while (bounds.some(({ low, high }) => low > high + rounding) && drift < 1e6) {
    drift *= 4;
    bounds = tighten(raw, drift);
  }
  return {
    packets: packets.length,
    toOurs(peerAt) {
      let at = peerAt;
      let off = offsetAt(bounds, at, drift);
      // The difference depends on our time, which depends on the difference; it changes slowly, so this settles.
      for (let round = 0; round < 5; round += 1) {
        at = peerAt - off.offset;
        off = offsetAt(bounds, at, drift);
      }
      return { at: peerAt - off.offset, withinMs: off.withinMs };
    },
  };
}

function boundOf({ sender, sentAt, receivedAt }: PacketTimes): Bounds {
  return sender === 'self'
    ? { at: sentAt, low: Number.NEGATIVE_INFINITY, high: receivedAt - sentAt }
    : { at: receivedAt, low: sentAt - receivedAt, high: Number.POSITIVE_INFINITY };
}

/** Each bound also holds, widened by the drift, at every other moment: forwards, then backwards. */
function tighten(raw: readonly Bounds[], drift: number): readonly Bounds[] {
  const bounds = raw.map((bound) => ({ ...bound }));
  for (const order of [bounds, bounds.toReversed()]) {
    let last: Bounds | undefined;
    for (const bound of order) {
      if (last !== undefined) {
        const widening = Math.abs(bound.at - last.at) * drift;
        bound.low = Math.max(bound.low, last.low - widening);
        bound.high = Math.min(bound.high, last.high + widening);
      }
      last = bound;
    }
  }
  return bounds;
}

function offsetAt(bounds: readonly Bounds[], at: number, drift: number) {
  let first = 0;
  let end = bounds.length;
  while (first < end) {
    const middle = Math.floor((first + end) / 2);
    if ((bounds[middle]?.at ?? 0) <= at) first = middle + 1;
    else end = middle;
  }
  let low = Number.NEGATIVE_INFINITY;
  let high = Number.POSITIVE_INFINITY;
  for (const bound of bounds.slice(Math.max(0, first - 1), first + 1)) {
    const widening = Math.abs(at - bound.at) * drift;
    low = Math.max(low, bound.low - widening);
    high = Math.min(high, bound.high + widening);
  }
  return { offset: (low + high) / 2, withinMs: Math.abs(high - low) / 2 };
}
