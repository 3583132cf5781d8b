// The messages by code as the program carries them, and docs/troubleshooting.md: both made from the sources.

import { type Code, chapters, explanations } from '../../daemon/why/explanations.ts';
import type { Extracted } from './extract.ts';

/** JSON: a line for each code, its messages parted by line ends. */
export function renderMessages({ messages }: Extracted): string {
  const codes = (Object.keys(explanations) as Code[]).toSorted();
  const kept = codes.map((code) => [code, (messages.get(code) ?? []).filter(isTelling).join('\n')] as const);
  return `${JSON.stringify(Object.fromEntries(kept.filter(([, said]) => said !== '')), null, 2)}\n`;
}

/** One that is only filled in says nothing by itself. */
const isTelling = (message: string) => message.replaceAll(/[^a-z]/gi, '').length >= 4;

export function renderPage(extracted: Extracted): string {
  const lines = [
    '# Troubleshooting',
    '',
    'Every message of Battito has a code that stays the same: in `battito status`, `battito history`, in an error with',
    '`--json`, in a mail. On a host `battito why CODE` says what stands here, and `battito why` with a part of a message in',
    'quotes finds the code. This page is made from the sources by `npm run troubleshooting`; what a message fills in stands',
    'as `…`.',
    '',
    'First of all: `battito status`, then `battito history`, then `battito check`. What stands behind `next:` is what to do.',
  ];
  for (const [title, entries] of Object.entries(chapters)) {
    lines.push('', `## ${title}`);
    for (const [code, { means, because, next }] of Object.entries(entries)) {
      const said = (extracted.messages.get(code) ?? []).filter(isTelling);
      lines.push('', `### ${code}`, '');
      if (said.length > 0) lines.push(...said.map((message) => `> ${quoted(message)}\n>`), '');
      lines.push(`${means} ${because}`, '', `**What to do:** ${next}`);
    }
  }
  return `${lines.join('\n').replaceAll('\n>\n\n', '\n\n')}\n`;
}

const quoted = (message: string) =>
  message
    .replaceAll(/\s*\n\s*/g, ' ')
    .replaceAll('<', '&lt;')
    .replaceAll('*', '\\*')
    .replaceAll('_', '\\_');
