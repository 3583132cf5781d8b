// The walk-through of the README as something that can be carried out: its fenced blocks, in order, each with where it is
// typed. What a reader does by hand between them is the test's.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeName } from './plan.ts';

export type Step =
  /** A shell line, as it stands there. */
  | { readonly kind: 'line'; readonly where: NodeName | 'both'; readonly line: string }
  /** What is to be in a file; on the other host some of its lines are others. */
  | { readonly kind: 'file'; readonly path: string; readonly textFor: (node: NodeName) => string };

const heading = '## Two hosts, from nothing\n';
const readmeFile = join(import.meta.dirname, '../../../README.md');

/** @throws for a block that says neither where it is typed nor which file it is */
export function walkThrough(readme: string = readFileSync(readmeFile, 'utf8')): readonly Step[] {
  const [, rest] = readme.split(heading);
  if (rest === undefined) throw new Error(`the README has no ${heading.trim()}`);
  const section = rest.split(/^##+ /m)[0] ?? '';
  const blocks = [...section.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)];
  return blocks.flatMap(([, info = '', text = '']): Step[] => {
    const [language, where = ''] = info.split(' ');
    if (language === 'text' && where.startsWith('/')) {
      return [{ kind: 'file', path: where, textFor: (node) => (node === 'primary' ? text : forOther(text)) }];
    }
    if (language !== 'sh' || !isPlace(where))
      throw new Error(`the README does not say where this is typed: ${info}`);
    return text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => ({ kind: 'line', where, line }));
  });
}

const isPlace = (word: string): word is NodeName | 'both' => ['primary', 'secondary', 'both'].includes(word);

/** `# VALUE on the other host` stands above the line whose last word is another one there. */
function forOther(text: string): string {
  return text.replaceAll(/^( *# (\S+) on the other host\n.*?)\S+$/gm, '$1$2');
}
