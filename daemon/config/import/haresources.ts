// Reads haresources: a line for each resource group, the node that it prefers first, then its resources from the left to
// the right, `agent::argument::argument`. A backslash as the last character continues a line.

import { isIPv4 } from 'node:net';
import { nearest } from '../problem.ts';
import type { Place, Problems, SourceLine } from './source.ts';

export interface Resource {
  readonly agent: string;
  readonly args: readonly string[];
  readonly place: Place;
  /** As it stands there. */
  readonly text: string;
}

export interface ResourceLine {
  readonly node: string;
  readonly place: Place;
  readonly resources: readonly Resource[];
}

interface Word {
  readonly text: string;
  readonly place: Place;
}

/** @param nodes as ha.cf names them */
export function parseHaresources(
  lines: readonly SourceLine[],
  nodes: readonly string[],
  problems: Problems,
): readonly ResourceLine[] {
  return logicalLines(lines, problems).flatMap(([first, ...rest]): ResourceLine[] => {
    if (first === undefined) return [];
    const node = nodes.find((name) => name.toLowerCase() === first.text.toLowerCase());
    if (node === undefined) {
      if (nodes.length === 2) problems.add(first.place, unknownNode(first.text, nodes));
      return [];
    }
    return [{ node, place: first.place, resources: rest.map((word) => parseResource(word)) }];
  });
}

function unknownNode(word: string, nodes: readonly string[]): string {
  if (word.includes('::') || isIPv4(word.split('/')[0] ?? '')) {
    const hint = 'a line that goes on needs a backslash as its last character';
    return `a resource line begins with a node, not with ${word}; ${hint}`;
  }
  const near = nearest(word, nodes);
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  return `"${word}" is none of the nodes of ha.cf, ${nodes.join(' and ')}${hint}`;
}

/** The words of each line that may be continued; comments are left out. */
function logicalLines(lines: readonly SourceLine[], problems: Problems): readonly (readonly Word[])[] {
  const found: Word[][] = [];
  let goesOn = false;
  for (const { place, text } of lines) {
    const isComment = text.trimStart().startsWith('#');
    const content = isComment ? '' : text.replace(/\s#.*/s, '');
    const continued = content.endsWith('\\');
    const words = (continued ? content.slice(0, -1) : content)
      .split(/\s+/)
      .filter((word) => word !== '')
      .flatMap((word): Word[] => {
        if (word !== '\\') return [{ text: word, place }];
        problems.add(place, 'the backslash has to be the last character of the line');
        return [];
      });
    const last = found.at(-1);
    if (goesOn && last !== undefined) last.push(...words);
    else if (words.length > 0) found.push(words);
    goesOn = continued && (goesOn || words.length > 0);
  }
  return found;
}

/** An address alone is short for IPaddr. */
function parseResource({ text, place }: Word): Resource {
  if (isIPv4(text.split('/')[0] ?? '')) return { agent: 'IPaddr', args: [text], place, text };
  const [agent = '', ...args] = text.split('::');
  // The separator of arguments is also a part of IPv6 addresses.
  const whole = /^ipv6addr$/i.test(agent) ? [text.slice(agent.length + 2)] : args;
  return { agent, args: whole.filter((arg) => arg !== ''), place, text };
}
