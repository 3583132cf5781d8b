// The only place that writes to the terminal. Everything else hands it whole lines.

import { stripVTControlCharacters, styleText } from 'node:util';

export type Colour = 'red' | 'yellow' | 'green' | 'cyan' | 'dim' | 'bold' | 'alarm';

/** What the terminal can show. */
export interface Look {
  /** Characters in a line. */
  readonly columns: number;
  readonly colour: boolean;
  readonly unicode: boolean;
}

/** Something that stands on the terminal. */
export interface Drawing {
  readonly redraw: () => void;
  /** Takes it away, and gives the cursor back. */
  readonly leave: () => void;
}

/** Where a command writes. `line` and `problem` end the line themselves; `raw` does not. */
export interface Output {
  /** Asked anew each time: a window may be resized. */
  readonly look: () => Look;
  /** Lines on the screen; Infinity when this is not a terminal. */
  readonly rows: () => number;
  readonly isTerminal: boolean;
  /** A terminal on which what was drawn can be drawn over. */
  readonly canRedraw: boolean;
  /** Until the returned function is called: after a new size, and while the job is suspended (Ctrl-Z). */
  readonly whileDrawing: (drawing: Drawing) => () => void;
  readonly line: (text: string) => void;
  readonly problem: (text: string) => void;
  readonly raw: (text: string) => void;
}

const widthElsewhere = 80;
const rowsElsewhere = 24;

const formats = {
  red: 'red',
  yellow: 'yellow',
  green: 'green',
  cyan: 'cyan',
  dim: 'dim',
  bold: 'bold',
  alarm: ['bold', 'white', 'bgRed'],
} as const;

export function paint(look: Look, colour: Colour | null, text: string): string {
  if (!look.colour || colour === null || text === '') return text;
  return styleText([...[formats[colour]].flat()], text, { validateStream: false });
}

/** Characters that a text takes on the screen. */
export function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

export function padTo(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - width(text)));
}

/** A number stays with its unit: `1` at the end of a line and `GiB` in the next is easily misread. So does `2 h 5 min`. */
const insideQuantity =
  /(?<=\d) (?=(?:ms|s|min|h|days?|%|[KMG]iB(?:\/s)?)(?![\w/]))|(?<=\d (?:h|days?)) (?=\d)/g;
const glue = '\u00a0';

/**
 * Words in lines of at most `columns` characters; a longer word is broken. Always at least one line. `firstColumns`: of
 * the first one, which is empty where its first word does not fit.
 */
export function wrap(text: string, columns: number, firstColumns = columns): string[] {
  const lines: string[] = [];
  let line = '';
  const words = text.replaceAll(insideQuantity, glue).split(/[^\S\u00a0]+/);
  for (const word of words.flatMap((long) => chunks(long.replaceAll(glue, ' '), columns))) {
    const most = lines.length === 0 ? firstColumns : columns;
    const isFitting = (line === '' ? 0 : line.length + 1) + word.length <= most;
    if (!isFitting && (line !== '' || most < columns)) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** On a terminal, which would break it inside of a word, in lines that fit; elsewhere as it is, for `grep`. */
export function fitting(text: string, { isTerminal, look }: Output): string {
  const { columns } = look();
  return isTerminal && width(text) > columns ? wrap(text, columns).join('\n') : text;
}

function chunks(word: string, columns: number): string[] {
  const count = Math.max(1, Math.ceil(word.length / columns));
  return Array.from({ length: count }, (_, index) => word.slice(index * columns, (index + 1) * columns));
}

export { harmless } from '../incident/words.ts';

export function printJson(output: Output, value: unknown): void {
  output.line(JSON.stringify(value, null, 2));
}

/**
 * Follows NO_COLOR (no-color.org), TERM and the locale as in locale(7). `unread` is called with the exit code that says so
 * when nobody reads any more.
 */
export function processOutput(
  unread: (exitCode: number) => void = process.exit,
  env: NodeJS.ProcessEnv = process.env,
): Output {
  const { stdout, stderr } = process;
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  const unicode = /utf-?8/i.test(locale);
  const isTerminal = stdout.isTTY === true;
  const { TERM: kind = 'dumb' } = env;
  const canRedraw = isTerminal && kind !== 'dumb' && kind !== '';
  const colour = canRedraw && !env['NO_COLOR'];
  // A reader that has seen enough, as `head`, closes the pipe: that is no error.
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => unread(error.code === 'EPIPE' ? 0 : 1));
  }
  return {
    // A serial console does not know its size and says 0.
    look: () => ({ columns: stdout.columns || widthElsewhere, colour, unicode }),
    rows: () => (isTerminal ? stdout.rows || rowsElsewhere : Number.POSITIVE_INFINITY),
    isTerminal,
    canRedraw,
    whileDrawing,
    line: (text) => stdout.write(`${text}\n`),
    problem: (text) => stderr.write(`${text}\n`),
    raw: (text) => stdout.write(text),
  };
}

/** Until all of it has been taken by whoever reads it: to a pipe, most of it is written later. */
export async function writtenOut(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.stdout.write('', () => process.stderr.write('', () => resolve()));
  await promise;
}

function whileDrawing({ redraw, leave }: Drawing): () => void {
  const { stdout } = process;
  const suspend = () => {
    leave();
    process.once('SIGCONT', redraw);
    process.kill(process.pid, 'SIGSTOP');
  };
  stdout.on('resize', redraw);
  process.on('SIGTSTP', suspend);
  return () => {
    stdout.off('resize', redraw);
    process.off('SIGTSTP', suspend).off('SIGCONT', redraw);
  };
}
