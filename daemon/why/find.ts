// From what a person has before the eyes, a code or a part of a message, to the codes that it may be. Pure.

import { distance } from 'fastest-levenshtein';
import { type Code, explanationOf } from './explanations.ts';
import messages from './messages.json' with { type: 'json' };

/** As the sources have them; what is filled in stands as `…`. */
export function messagesOf(code: Code): readonly string[] {
  const said = (messages as Readonly<Record<string, string>>)[code];
  return said === undefined ? [] : said.split('\n');
}

/** How much of a message that is pasted has to be in it word by word, characters. */
const literalMin = 8;
const nearMax = 5;

/** The code itself; else those whose message is in the text, or has the text in it, the most telling first. */
export function findCodes(text: string, all: readonly Code[]): readonly Code[] {
  const wanted = text.trim();
  if (explanationOf(wanted) !== undefined) return [wanted as Code];
  const said = wanted.toLowerCase().replaceAll(/\s+/g, ' ');
  const scored = all
    .map((code) => ({
      code,
      score: Math.max(0, ...messagesOf(code).map((message) => scoreOf(message, said))),
    }))
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score);
  const [best] = scored;
  // A message that stands in the text as a whole leaves those behind that share some words with it.
  return scored.filter(({ score }) => score * 2 > (best?.score ?? 0)).map(({ code }) => code);
}

/** How many characters the two have in common; 0: they do not belong together. */
function scoreOf(message: string, said: string): number {
  const parts = message.toLowerCase().replaceAll(/\s+/g, ' ').split('…');
  const literal = parts.join('').trim().length;
  if (literal >= literalMin && isIn(parts, said)) return literal;
  return said.length >= 4 && parts.some((part) => part.includes(said)) ? said.length : 0;
}

/** Are the fixed parts in the text, one after the other? */
function isIn(parts: readonly string[], said: string): boolean {
  let from = 0;
  for (const part of parts) {
    const found = said.indexOf(part.trim(), from);
    if (found < 0) return false;
    from = found + part.trim().length;
  }
  return true;
}

/** What was probably meant. */
export function nearCodes(text: string, all: readonly Code[]): readonly Code[] {
  const wanted = text.trim().toLowerCase();
  const beginning = all.filter((code) => code.startsWith(wanted) || code.endsWith(`-${wanted}`));
  if (beginning.length > 0) return beginning.slice(0, nearMax);
  return all
    .map((code) => ({ code, edits: distance(wanted, code) }))
    .filter(({ code, edits }) => edits <= Math.max(2, code.length / 4))
    .toSorted((a, b) => a.edits - b.edits)
    .slice(0, nearMax)
    .map(({ code }) => code);
}
