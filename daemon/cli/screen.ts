// What is drawn again and again on a terminal: a picture of its own, or a few lines below what is printed.
// Guarantees: what the terminal showed before is there afterwards, with its cursor, however the drawing ends; nothing is
// drawn over what was printed, also when the window changes its size in between. Sequences as in console_codes(4) and
// xterm's ctlseqs.

import { stripVTControlCharacters } from 'node:util';
import { type Output, width } from './output.ts';

const eraseToEnd = '\u001b[J';
const eraseLineEnd = '\u001b[K';
const home = '\u001b[H';
const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';
const otherScreen = '\u001b[?1049h';
const ownScreen = '\u001b[?1049l';

/** A window may be narrower already than is known here: what would wrap is cut off, so that each line stays one. */
const unwrapped = (text: string) => `\u001b[?7l${text}\u001b[?7h`;

const printAgainMs = 10_000;

/** Text for the terminal as it is now. */
export type Drawn = () => string;

export interface Picture {
  /**
   * `measure`: of pictures one after the other with the same, only the first is printed, and one again after a while:
   * that a reader has gone away is noticed in writing. Absent: their text.
   */
  readonly show: (drawn: Drawn, measure?: string) => void;
  /** The last picture stays, among what was printed before. */
  readonly close: () => void;
}

/** The terminal's other screen, as pagers use it; where nothing can be drawn over, each picture that is a new one is printed. */
export function openPicture(output: Output, againMs = printAgainMs): Picture {
  return output.canRedraw ? onOtherScreen(output) : oneAfterAnother(output, againMs);
}

function onOtherScreen(output: Output): Picture {
  let current: Drawn | null = null;
  let isThere = false;
  const redraw = () => {
    if (current === null) return;
    const whole = fitting(current().split('\n'), output);
    // Before it is written: behind the last column that would take its last character away.
    const lines = whole.map((line, index) => (index < whole.length - 1 ? eraseLineEnd : eraseToEnd) + line);
    // Once: a terminal that is told so again forgets where its cursor was before.
    const enter = isThere ? '' : otherScreen + hideCursor;
    isThere = true;
    // At its last line a newline would scroll.
    output.raw(`${enter}${home}${unwrapped(lines.join('\n'))}`);
  };
  const leave = () => {
    // A terminal that has no other screen is cleared.
    if (isThere) output.raw(`${home}${eraseToEnd}${showCursor}${ownScreen}`);
    isThere = false;
  };
  const release = output.whileDrawing({ redraw, leave });
  return {
    show(drawn) {
      current = drawn;
      redraw();
    },
    close() {
      release();
      leave();
      if (current !== null) output.line(current());
    },
  };
}

/** In a window that is too small the last line says how much is not shown. */
function fitting(lines: readonly string[], output: Output): readonly string[] {
  const rows = output.rows();
  const more = lines.length - rows + 1;
  const shown = more <= 1 ? lines : [...lines.slice(0, rows - 1), ` (${more} more lines: battito status)`];
  return shown.map((line) => cut(line, output));
}

/** A line that wraps takes two, and could not be drawn over. Only in a window smaller than all that is made for. */
function cut(line: string, output: Output): string {
  const { columns } = output.look();
  return width(line) > columns ? stripVTControlCharacters(line).slice(0, columns) : line;
}

function oneAfterAnother(output: Output, againMs: number): Picture {
  let before = '';
  let printedAtMs = 0;
  return {
    show(drawn, measure) {
      const text = drawn();
      const now = measure ?? text;
      const isOld = measure !== undefined && performance.now() - printedAtMs >= againMs;
      if (now === before && !isOld) return;
      output.line(text);
      before = now;
      printedAtMs = performance.now();
    },
    close: () => {},
  };
}

export interface LiveLines {
  /** Above the live lines, to stay. */
  readonly print: (text: string) => void;
  /** These take the place of those before; '': none. */
  readonly show: (drawn: Drawn) => void;
  readonly close: () => void;
}

/** Only where `output.canRedraw`. The cursor waits at their beginning: there it is also after lines have been wrapped anew. */
export function openLiveLines(output: Output): LiveLines {
  let current: Drawn = () => '';
  const redraw = () => {
    const text = current();
    const lines = text === '' ? [] : fitting(text.split('\n'), output);
    const back = lines.length > 1 ? `\u001b[${lines.length - 1}A` : '';
    output.raw(`${hideCursor}\r${eraseToEnd}${unwrapped(lines.join('\n'))}${back}\r`);
  };
  const leave = () => output.raw(`\r${eraseToEnd}${showCursor}`);
  const release = output.whileDrawing({ redraw, leave });
  return {
    print(text) {
      output.raw(`\r${eraseToEnd}${text}\n`);
      redraw();
    },
    show(drawn) {
      current = drawn;
      redraw();
    },
    close() {
      release();
      leave();
    },
  };
}
