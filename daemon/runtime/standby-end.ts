// When standby ends by itself. The core knows only that it is on; here is until when, in a small file beside its record.
//
// The rule for clocks: within a boot the monotonic clock alone counts, so that setting the wall clock neither lengthens
// nor shortens it. Over a reboot there is only the wall clock: what it says is left then, but never more than was asked
// for. A clock that was set back therefore lengthens it by at most its own length; one that was set forward ends it early,
// which lets this node take over again: the safer side.

import { readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { monotonicMs } from './clock.ts';
import { writeDurably } from './records/durable-file.ts';
import { readBootId } from './records/state-file.ts';

const fileSchema = z.object({
  bootId: z.string(),
  /** Of that boot, milliseconds. */
  untilMonotonicMs: z.number(),
  /** The same by the wall clock, milliseconds since 1970, for another boot. */
  untilWallMs: z.number(),
  durationMs: z.number().positive(),
});

/** How much is left of it after a start; 0 or less: it is over. Pure. */
export function standbyLeftMs(
  known: z.infer<typeof fileSchema>,
  now: { readonly bootId: string; readonly monotonicMs: number; readonly wallMs: number },
): number {
  const leftMs =
    known.bootId === now.bootId ? known.untilMonotonicMs - now.monotonicMs : known.untilWallMs - now.wallMs;
  return Math.min(leftMs, known.durationMs);
}

export interface StandbyEnd {
  /** Null: it has no end. */
  leftMs(): number | null;
  /** Rejects when it cannot be written: nothing has changed then. Null: no end. */
  set(durationMs: number | null): Promise<void>;
  /** Calls `over` when the time is up, at once where it was up before this start. */
  watch(over: () => void): void;
  close(): void;
}

/** A file that cannot be read counts as none: standby then lasts until a person ends it, as it does without --for. */
export async function openStandbyEnd(stateDir: string): Promise<StandbyEnd> {
  const path = join(stateDir, 'standby-ends.json');
  const bootId = await readBootId();
  let endsAt: number | null = null;
  let over: (() => void) | null = null;
  let timer: NodeJS.Timeout | undefined;
  const arm = () => {
    clearTimeout(timer);
    if (endsAt === null || over === null) return;
    timer = setTimeout(over, Math.max(0, endsAt - monotonicMs()));
    timer.unref();
  };
  const known = await readFile(path, 'utf8').then(
    (text) => fileSchema.safeParse(parseJson(text)).data ?? null,
    () => null,
  );
  if (known !== null) {
    const now = { bootId, monotonicMs: monotonicMs(), wallMs: Date.now() };
    endsAt = now.monotonicMs + standbyLeftMs(known, now);
  }
  return {
    leftMs: () => (endsAt === null ? null : Math.max(0, endsAt - monotonicMs())),
    async set(durationMs) {
      if (durationMs === null) {
        endsAt = null;
        clearTimeout(timer);
        await unlink(path).catch(() => {}); // There was none; or it is over at the next start, when standby is off.
        return;
      }
      const untilMonotonicMs = monotonicMs() + durationMs;
      const content: z.infer<typeof fileSchema> = {
        bootId,
        untilMonotonicMs,
        untilWallMs: Date.now() + durationMs,
        durationMs,
      };
      await writeDurably(path, `${JSON.stringify(content)}\n`);
      endsAt = untilMonotonicMs;
      arm();
    },
    watch(call) {
      over = call;
      arm();
    },
    close: () => clearTimeout(timer),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
