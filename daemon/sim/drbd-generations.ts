// Generation identifiers of DRBD 8.4 and what a comparison of two sets says about who follows whom. Facts from
// drbd_receiver.c drbd_uuid_compare(), drbd_main.c drbd_uuid_new_current() and drbd_uuid_set_bm(), drbd_worker.c
// drbd_resync_finished(). The lowest bit ("was primary") is left out: every comparison masks it.

/** Identifiers: 0 is none. The history holds the two before the bitmap's. */
export interface Generations {
  current: number;
  bitmap: number;
  younger: number;
  older: number;
}

export interface Parties {
  readonly selfCrashedPrimary: boolean;
  readonly peerCrashedPrimary: boolean;
  readonly selfPrimary: boolean;
  readonly peerPrimary: boolean;
  /** Who wins when both were primary in the same crash: whoever's connection was accepted, so chance. */
  readonly tieToSelf: boolean;
}

/** `rule`: the kernel's rule number. `ambiguous`: split brain told by the history only, so a resync would be full. */
export type Verdict =
  | { readonly kind: 'equal'; readonly rule: number }
  | { readonly kind: 'resync'; readonly rule: number; readonly from: 'self' | 'peer'; readonly full: boolean }
  | { readonly kind: 'split-brain'; readonly rule: number; readonly ambiguous: boolean }
  | { readonly kind: 'unrelated'; readonly rule: number };

/** UUID_JUST_CREATED: fresh metadata that never held data. */
export const justCreated = 4;

/** UUID_NEW_BM_OFFSET: a resync is itself a generation, this far from the bitmap's. */
const resyncOffset = 1;

/** Steps between generations, so that restarted resyncs never meet the next one. */
const stride = 2 ** 20;

export const nthGeneration = (count: number): number => count * stride;

export const createGenerations = (current: number): Generations => ({
  current,
  bitmap: 0,
  younger: 0,
  older: 0,
});

const resync = (rule: number, from: 'self' | 'peer', full = false): Verdict => ({
  kind: 'resync',
  rule,
  from,
  full,
});

const splitBrain = (rule: number, ambiguous: boolean): Verdict => ({ kind: 'split-brain', rule, ambiguous });

/** The old current one becomes the bitmap's; a bitmap generation already there is lost, as in the kernel. */
export function startGeneration(own: Generations, fresh: number): void {
  own.bitmap = own.current;
  own.current = fresh;
}

function bitmapIntoHistory(own: Generations): void {
  if (own.bitmap === 0) return;
  own.older = own.younger;
  own.younger = own.bitmap;
  own.bitmap = 0;
}

/** Both sides as a resync begins: the target is known by the resync's own generation until it is through. */
export function beginResync(source: Generations, target: Generations, fresh: number): void {
  const generation = source.bitmap === 0 ? fresh : source.bitmap + resyncOffset;
  bitmapIntoHistory(source);
  source.bitmap = generation;
  target.current = generation;
  target.bitmap = 0;
}

/** Both sides as it ends: the target adopts what the source is. */
export function endResync(source: Generations, target: Generations): void {
  bitmapIntoHistory(source);
  target.current = source.current;
  target.bitmap = source.bitmap;
  target.younger = source.younger;
  target.older = source.older;
}

/** In the kernel's order. Corrects either side where one missed the beginning or the end of a resync. */
export function compareGenerations(self: Generations, peer: Generations, parties: Parties): Verdict {
  const selfEmpty = self.current === justCreated;
  const peerEmpty = peer.current === justCreated;
  if (selfEmpty && peerEmpty) return { kind: 'equal', rule: 10 };
  if ((selfEmpty || self.current === 0) && !peerEmpty) return resync(20, 'peer', true);
  if (!selfEmpty && (peerEmpty || peer.current === 0)) return resync(30, 'self', true);
  if (self.current === peer.current) return compareEqual(self, peer, parties);

  if (self.current === peer.bitmap) return resync(50, 'peer');
  if (undoResyncStart(peer, self)) return resync(51, 'peer');
  if (self.current === peer.younger || self.current === peer.older) return resync(60, 'peer', true);
  if (self.bitmap === peer.current) return resync(70, 'self');
  if (undoResyncStart(self, peer)) return resync(71, 'self');
  if (peer.current === self.younger || peer.current === self.older) return resync(80, 'self', true);

  if (self.bitmap === peer.bitmap && self.bitmap !== 0) return splitBrain(90, false);
  const related = (one: number) => one === peer.younger || one === peer.older;
  if (related(self.younger) || related(self.older)) return splitBrain(100, true);
  return { kind: 'unrelated', rule: 100 };
}

/** The resync's own generation never reached the target: the source takes it back. */
function undoResyncStart(source: Generations, target: Generations): boolean {
  if (target.current !== source.younger || source.younger + resyncOffset !== source.bitmap) return false;
  source.bitmap = source.younger;
  source.younger = source.older;
  return true;
}

function compareEqual(self: Generations, peer: Generations, parties: Parties): Verdict {
  if (peer.bitmap === 0 && self.bitmap !== 0) {
    return resync(correctResyncEnd(self, peer) ? 34 : 36, 'self');
  }
  if (self.bitmap === 0 && peer.bitmap !== 0) {
    return resync(correctResyncEnd(peer, self) ? 35 : 37, 'peer');
  }
  const { selfCrashedPrimary, peerCrashedPrimary, selfPrimary, peerPrimary, tieToSelf } = parties;
  if (!selfCrashedPrimary && !peerCrashedPrimary) return { kind: 'equal', rule: 40 };
  if (selfPrimary || peerPrimary) {
    if (selfPrimary && peerPrimary) return splitBrain(41, true);
    return resync(41, selfPrimary ? 'self' : 'peer');
  }
  if (selfCrashedPrimary && peerCrashedPrimary) return resync(40, tieToSelf ? 'self' : 'peer');
  return resync(40, selfCrashedPrimary ? 'self' : 'peer');
}

/** The source missed that the resync was through. */
function correctResyncEnd(source: Generations, target: Generations): boolean {
  if (source.bitmap !== target.younger || source.younger !== target.older) return false;
  bitmapIntoHistory(source);
  return true;
}
