// Prints the diagram of the group machine and the table of its rules, as docs/development.md shows them.

import { pathToFileURL } from 'node:url';
import { transitions } from '../daemon/core/transitions.ts';

/** A Mermaid state diagram; every arrow carries the ids of its rules. */
export function renderDiagram(): string {
  const arrows = new Map<string, string[]>();
  for (const { id, from, to } of transitions) {
    const arrow = `${from} --> ${to}`;
    arrows.set(arrow, [...(arrows.get(arrow) ?? []), id]);
  }
  const lines = [...arrows].map(([arrow, ids]) => `    ${arrow}: ${ids.join(', ')}`);
  return ['```mermaid', 'stateDiagram-v2', '    [*] --> observing', ...lines, '```'].join('\n');
}

/** One row a rule: what it is called, where it leads, and the reason that is logged. */
export function renderTable(): string {
  const rows = transitions.map(({ id, from, to, reason }) => `| ${id} | ${from} | ${to} | ${reason} |`);
  return ['| rule | from | to | because |', '|---|---|---|---|', ...rows].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.stdout.write(`${renderDiagram()}\n\n${renderTable()}\n`);
}
