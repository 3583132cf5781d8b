// The picture of two nodes and the links between them: side by side, or one above the other where it is narrow.
// Pure.

import type { LinkView, Status } from '../../control/api.ts';
import {
  type LinkWords,
  linkWords,
  nodeFlags,
  refusedWords,
  verdictWords,
  type Words,
} from '../../control/words.ts';
import { type Colour, type Look, padTo, paint, width, wrap } from '../output.ts';

interface Strokes {
  readonly across: string;
  readonly down: string;
  readonly corners: readonly [string, string, string, string];
  readonly links: Readonly<Record<LinkWords['kind'], { readonly left: string; readonly line: string }>>;
  readonly upright: Readonly<Record<LinkWords['kind'], string>>;
}

const unicodeStrokes: Strokes = {
  across: '─',
  down: '│',
  corners: ['┌', '┐', '└', '┘'],
  links: {
    good: { left: '━━', line: '━' },
    'one-way': { left: '◀━', line: '━' },
    silent: { left: '╌╌', line: '╌' },
    down: { left: '╌╳', line: ' ' },
  },
  upright: { good: '┃', 'one-way': '▲', silent: '╎', down: '╳' },
};

const asciiStrokes: Strokes = {
  across: '-',
  down: '|',
  corners: ['+', '+', '+', '+'],
  links: {
    good: { left: '==', line: '=' },
    'one-way': { left: '<=', line: '=' },
    silent: { left: '..', line: '.' },
    down: { left: '-X', line: ' ' },
  },
  upright: { good: '|', 'one-way': '^', silent: ':', down: 'X' },
};

/** Below this many columns the nodes are stacked. */
const sideBySideColumnsMin = 72;
const boxColumnsMax = 30;
/** Below this many, a text is not indented as far as its label reaches. */
const roomyColumnsMin = 50;
const narrowIndent = '      ';
const firstWordColumns = 8;

/** This node left, its peer right; below them whatever is wrong with a link. */
export function renderPicture(status: Status, look: Look): string[] {
  const strokes = look.unicode ? unicodeStrokes : asciiStrokes;
  const drawn = look.columns >= sideBySideColumnsMin ? sideBySide : stacked;
  return [...drawn(status, look, strokes), ...linkTroubles(status, look)];
}

/** The lines about a node, below its name. */
function nodeWords(status: Status, which: 'self' | 'peer'): Words[] {
  const node = status[which];
  const role: Words = which === 'self' ? { text: 'this node', colour: null } : verdictWords(status);
  return [{ text: node.address, colour: null }, role, ...nodeFlags(node)];
}

function sideBySide(status: Status, look: Look, strokes: Strokes): string[] {
  const boxColumns = Math.min(boxColumnsMax, Math.floor((look.columns - 4) * 0.35));
  const middleColumns = look.columns - 2 - 2 * boxColumns;
  const left = boxLines(nodeWords(status, 'self'), boxColumns - 4, look);
  const right = boxLines(nodeWords(status, 'peer'), boxColumns - 4, look);
  const middle = status.links.map((link) => acrossLine(link, status, middleColumns, look, strokes));
  const rows = Math.max(left.length, right.length, middle.length);
  const [topLeft, topRight, bottomLeft, bottomRight] = strokes.corners;
  const gap = ' '.repeat(middleColumns);
  const top = (name: string) => {
    const title = `${topLeft}${strokes.across} ${shorten(name, boxColumns - 6)} `;
    return title + strokes.across.repeat(boxColumns - title.length - 1) + topRight;
  };
  const bottom = bottomLeft + strokes.across.repeat(boxColumns - 2) + bottomRight;
  const inBox = (line = '') => `${strokes.down} ${padTo(line, boxColumns - 4)} ${strokes.down}`;
  const body = Array.from(
    { length: rows },
    (_, row) => ` ${inBox(left[row])}${middle[row] ?? gap}${inBox(right[row])}`,
  );
  return [` ${top(status.self.name)}${gap}${top(status.peer.name)}`, ...body, ` ${bottom}${gap}${bottom}`];
}

function boxLines(words: readonly Words[], columns: number, look: Look): string[] {
  return words.flatMap(({ text, colour }) => wrap(text, columns).map((line) => paint(look, colour, line)));
}

/** `━━ eth1  0.1 s ━━━━━━`, exactly as wide as the gap. */
function acrossLine(link: LinkView, status: Status, columns: number, look: Look, strokes: Strokes): string {
  const words = linkWords(link, status);
  const { left, line } = strokes.links[words.kind];
  const name = nameInPicture(link, status);
  const text = name.length + words.text.length + 7 <= columns ? words.text : words.short;
  const label = ` ${shorten(name, columns - text.length - 7)}  ${text} `;
  const rest = columns - width(left) - width(label);
  // A link that is down shows its break at both ends.
  const right = words.kind === 'down' ? [...left].reverse().join('').padStart(rest) : line.repeat(rest);
  return paint(look, words.colour, left + label + right);
}

/** The interface alone says it, unless two links share one. */
function nameInPicture({ name }: LinkView, { links }: Status): string {
  const interfaceOf = (text: string) => text.split(' ')[0] ?? text;
  const sharing = links.filter((other) => interfaceOf(other.name) === interfaceOf(name));
  return sharing.length > 1 ? name : interfaceOf(name);
}

function stacked(status: Status, look: Look, strokes: Strokes): string[] {
  const node = (which: 'self' | 'peer') => {
    const { name } = status[which];
    const title: Piece = { text: shorten(name, look.columns - 1), colour: 'bold' };
    return fill([title, ...nodeWords(status, which)], look);
  };
  const links = status.links.map((link) => {
    const words = linkWords(link, status);
    const upright = strokes.upright[words.kind];
    const label = `   ${upright} ${nameInPicture(link, status)}  `;
    return hanging(label, words.text, look.columns).map((line) => paint(look, words.colour, line));
  });
  return [...node('self'), ...links.flat(), ...node('peer')];
}

interface Piece {
  readonly text: string;
  readonly colour: Colour | null;
}

/** Pieces in lines, two spaces apart; a piece that does not fit goes to the next line. */
function fill(pieces: readonly Piece[], look: Look): string[] {
  const lines: string[] = [];
  let line = '';
  for (const { text, colour } of pieces) {
    const whole = paint(look, colour, text);
    const longer = line === '' ? ` ${whole}` : `${line}  ${whole}`;
    if (line === '' || width(longer) <= look.columns) {
      line = longer;
      continue;
    }
    const parts = wrap(text, look.columns - 3).map((part) => `   ${paint(look, colour, part)}`);
    lines.push(line, ...parts.slice(0, -1));
    line = parts.at(-1) ?? '';
  }
  return [...lines, line];
}

function linkTroubles(status: Status, look: Look): string[] {
  const anyFresh = status.links.some(({ fresh }) => fresh);
  return status.links.flatMap((link) => {
    const { kind, why, colour } = linkWords(link, status);
    const refused = refusedWords(link);
    const lines: string[] = [];
    const tell = (text: string, of: Words['colour']) =>
      lines.push(...hanging(` ${link.name}: `, text, look.columns).map((line) => paint(look, of, line)));
    // Where no link is heard, the verdict on the peer says it already.
    if (why !== null && (kind !== 'silent' || anyFresh)) tell(why, colour);
    if (refused !== null) tell(`packets refused: ${refused}`, 'yellow');
    return lines;
  });
}

/** Text after a label; further lines are indented below it. A label that takes too much gets a line of its own. */
export function hanging(label: string, text: string, columns: number): string[] {
  const [only = '', ...none] = wrap(text, columns);
  if (none.length === 0 && label.length + only.length <= columns) return [label + only];
  const isNarrow = columns < roomyColumnsMin && label.length > narrowIndent.length;
  const labelColumnsMax = isNarrow ? columns - firstWordColumns : columns * 0.6;
  if (label.length > labelColumnsMax) {
    const lines = wrap(text, columns - narrowIndent.length).map((line) => narrowIndent + line);
    return [...labelLines(label.trimEnd(), columns), ...lines];
  }
  const indent = isNarrow ? narrowIndent : ' '.repeat(label.length);
  const [first = '', ...others] = wrap(text, columns - indent.length, columns - label.length);
  return [(label + first).trimEnd(), ...others.map((line) => indent + line)];
}

/** The whole of it: it may be a path, of which nothing can be left out. */
function labelLines(label: string, columns: number): string[] {
  const text = label.trimStart();
  const indent = label.length - text.length;
  return wrap(text, columns - indent).map((line) => ' '.repeat(indent) + line);
}

export function shorten(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(1, columns - 1))}~`;
}
