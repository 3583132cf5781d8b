// `battito why`: what a message means, why it comes, and what to do. Asks no daemon: it works where nothing else does.

import { BattitoError, exitCodes } from '../errors.ts';
import { type Code, chapters, explanations } from '../why/explanations.ts';
import { findCodes, messagesOf, nearCodes } from '../why/find.ts';
import type { Command } from './command.ts';
import { flag, jsonOption } from './command.ts';
import { type Look, paint, printJson, wrap } from './output.ts';

const columnsMax = 100;
/** More than these a person does not read; the codes of the rest are named. */
const shownMax = 3;

export const whyCommand: Command = {
  name: 'why',
  summary: 'what a message means, and what to do about it',
  usage: ['why [CODE]', "why 'PART OF A MESSAGE'"],
  description: [
    'Every message has a code that stays the same: `battito status` and `battito check` show it behind "why:", errors have it with --json, notes in `battito history --json`. This explains one; with words instead of a code it finds the messages that have them, also where names and numbers were filled in. Without any word it lists all codes. No daemon is asked.',
  ],
  options: { json: jsonOption },
  examples: [
    { command: 'battito why peer-unresponsive', meaning: 'the code that battito status shows' },
    { command: "battito why 'may have parted'", meaning: 'a part of a message, in quotes' },
  ],
  exitCodes: { 1: 'no message has that code or those words' },
  positionalsMax: Number.POSITIVE_INFINITY,
  async run({ output }, args) {
    const all = Object.keys(explanations) as Code[];
    const asked = args.positionals.join(' ');
    const found = asked === '' ? all : findCodes(asked, all);
    if (found.length === 0) throw unknown(asked, nearCodes(asked, all));
    if (flag(args, 'json')) printJson(output, found.map(viewOf));
    else if (asked === '') output.line(renderList(output.look()));
    else output.line(renderFound(found, output.look()));
    return exitCodes.ok;
  },
};

const viewOf = (code: Code) => ({ code, messages: messagesOf(code), ...explanations[code] });

function unknown(asked: string, near: readonly Code[]): BattitoError {
  return new BattitoError('code-unknown', `no message has the code or the words "${asked}"`, {
    next:
      near.length === 0
        ? '`battito why` lists all codes'
        : `did you mean ${near.map((code) => `\`battito why ${code}\``).join(', or ')}?`,
  });
}

function renderFound(found: readonly Code[], look: Look): string {
  const shown = found.slice(0, shownMax).map((code) => renderOne(code, look).join('\n'));
  const rest = found.slice(shownMax);
  const more = rest.length === 0 ? [] : [wrap(`also: ${rest.join(', ')}`, columnsOf(look)).join('\n')];
  return [...shown, ...more].join('\n\n');
}

function renderOne(code: Code, look: Look): string[] {
  const { means, because, next } = explanations[code];
  const labelled = (label: string, text: string) => {
    const [first, ...others] = wrap(text, columnsOf(look) - 9);
    return [`  ${label.padEnd(7)}${first}`, ...others.map((line) => `         ${line}`)];
  };
  return [
    paint(look, 'bold', code),
    ...messagesOf(code).flatMap((message) =>
      wrap(`"${message}"`, columnsOf(look) - 2).map((line) => paint(look, 'dim', `  ${line}`)),
    ),
    ...labelled('means', means),
    ...labelled('why', because),
    ...labelled('next', next),
  ];
}

function renderList(look: Look): string {
  return Object.entries(chapters)
    .flatMap(([title, entries]) => [
      paint(look, 'bold', title),
      ...wrap(Object.keys(entries).join(' '), columnsOf(look) - 2).map((line) => `  ${line}`),
      '',
    ])
    .join('\n')
    .trimEnd();
}

const columnsOf = ({ columns }: Look) => Math.min(columnsMax, Math.max(30, columns));
