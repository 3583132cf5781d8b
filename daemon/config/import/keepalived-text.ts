// Reads keepalived.conf(5): keywords in blocks of braces; comments from `#` or `!` on; double quotes; `$NAME=` definitions;
// lines for one host that begin with `@`; and files that are included.

import { globSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Place, type Problems, readSource, type SourceLine } from './source.ts';

export interface Statement {
  readonly words: readonly string[];
  readonly place: Place;
  /** null: no block follows. */
  readonly block: readonly Statement[] | null;
}

interface Token {
  readonly text: string;
  readonly place: Place;
  readonly kind: 'word' | 'open' | 'close' | 'end';
}

const includeDepthMax = 8;

/** @param configId what `@NAME` at the beginning of a line is compared with; null: no such line is taken */
export function readKeepalivedFile(
  file: string,
  configId: string | null,
  problems: Problems,
): readonly Statement[] {
  const reading: Reading = { configId, definitions: new Map(), ids: new Map(), problems };
  const tokens = tokensOf(file, reading, 0);
  const [id, place] = [...reading.ids][0] ?? [];
  if (id !== undefined && place !== undefined && configId !== null && !reading.ids.has(configId)) {
    const ids = [...reading.ids.keys()].map((name) => `@${name}`).join(', ');
    const message = `lines are for ${ids}, and none is for the node ${configId}; write its name instead in a copy`;
    problems.add(place, message);
  }
  return parseStatements(tokens, problems);
}

interface Reading {
  readonly configId: string | null;
  readonly definitions: Map<string, string>;
  /** What stood behind an `@`, with its first place. */
  readonly ids: Map<string, Place>;
  readonly problems: Problems;
}

function tokensOf(file: string, reading: Reading, depth: number): Token[] {
  const { configId, definitions, ids, problems } = reading;
  const next = 'name the configuration of keepalived, such as /etc/keepalived/keepalived.conf';
  return readSource(file, 'the configuration of keepalived', next).flatMap((line): Token[] => {
    if (isQuoteOpen(line.text)) {
      problems.add(line.place, 'a double quote is never closed in this line');
      return [];
    }
    const id = /^\s*@\^?(\S+)/.exec(line.text)?.[1];
    if (id !== undefined && !ids.has(id)) ids.set(id, line.place);
    const text = conditional(expanded(withoutComment(line.text), definitions), configId).trim();
    const definition = /^\$(\w+)=(.*)$/.exec(text);
    if (definition !== null) {
      definitions.set(definition[1] ?? '', definition[2] ?? '');
      return [];
    }
    const unknown = /\$\{?\w+\}?/.exec(text);
    if (unknown !== null) {
      problems.add(line.place, `${unknown[0]} is nowhere defined before this line`);
      return [];
    }
    const included = /^include[rmwbae]?\s+(.+)$/.exec(text)?.[1];
    if (included === undefined) return wordsOf(text, line);
    const files = depth >= includeDepthMax ? [] : globSync(resolve(dirname(file), unquoted(included)));
    if (files.length === 0) problems.add(line.place, `there is no file ${included} to include`);
    return files.sort().flatMap((inner) => tokensOf(inner, reading, depth + 1));
  });
}

/** A `#` or `!` inside of double quotes is none. */
const withoutComment = (text: string) => /^(?:"[^"]*"|[^"#!])*/.exec(text)?.[0] ?? '';

/** The first quote that no other one closes, and not in a comment. */
const isQuoteOpen = (text: string) => text[withoutComment(text).length] === '"';

const expanded = (text: string, definitions: ReadonlyMap<string, string>) =>
  /^\s*\$\w+=/.test(text)
    ? text
    : text.replaceAll(
        /\$\{(\w+)\}|\$(\w+)/g,
        (all, braced, plain) => definitions.get(braced ?? plain) ?? all,
      );

/** `@lb1 priority 100` is for lb1 alone, `@^lb1 ...` for all but lb1. */
function conditional(text: string, configId: string | null): string {
  const [, not, name, rest = ''] = /^\s*@(\^?)(\S+)\s*(.*)$/.exec(text) ?? [];
  if (name === undefined) return text;
  return (name === configId) === (not === '') ? rest : '';
}

const unquoted = (text: string) => text.trim().replaceAll('"', '');

/** A brace stands for itself, or hangs on a word; one inside of a word or of quotes, or in a password, is none. */
function wordsOf(text: string, { place }: SourceLine): Token[] {
  const found = text.match(/(?:"[^"]*"|[^\s"])+/g) ?? [];
  const tokens = found.flatMap((word, index): Token[] => {
    const token = (part: string): Token => {
      const kind = part === '{' ? 'open' : part === '}' ? 'close' : 'word';
      return { text: part.replaceAll('"', ''), place, kind };
    };
    if (found[index - 1] === 'auth_pass') return [{ ...token(word), kind: 'word' }];
    const [, before = '', middle = '', after = ''] = /^([{}]*)(.*?)([{}]*)$/.exec(word) ?? [];
    return [...before, ...(middle === '' ? [] : [middle]), ...after].map(token);
  });
  return tokens.length === 0 ? [] : [...tokens, { text: '', place, kind: 'end' }];
}

function parseStatements(tokens: readonly Token[], problems: Problems): readonly Statement[] {
  interface Open {
    readonly statements: Statement[];
    readonly place: Place | null;
  }
  const root: Open = { statements: [], place: null };
  const open: Open[] = [root];
  let words: Token[] = [];
  const finish = () => {
    const [first] = words;
    if (first === undefined) return;
    const statement = { words: words.map(({ text }) => text), place: first.place, block: null };
    open.at(-1)?.statements.push(statement);
    words = [];
  };
  for (const token of tokens) {
    if (token.kind === 'word') words.push(token);
    else if (token.kind === 'end') finish();
    else if (token.kind === 'open') {
      const block: Statement[] = [];
      const within = open.at(-1)?.statements ?? root.statements;
      // The brace may stand in a line of its own.
      const [first] = words;
      const last =
        first === undefined
          ? within.pop()
          : { words: words.map(({ text }) => text), place: first.place, block: null };
      words = [];
      if (last === undefined || last.block !== null)
        problems.add(token.place, 'a brace without a keyword before it');
      else within.push({ ...last, block });
      open.push({ statements: block, place: token.place });
    } else {
      finish();
      if (open.length === 1) problems.add(token.place, 'there is no open brace that this one would close');
      else open.pop();
    }
  }
  finish();
  const unclosed = open.at(-1);
  if (unclosed !== undefined && unclosed.place !== null) {
    problems.add(unclosed.place, 'this brace is never closed');
  }
  return root.statements;
}
