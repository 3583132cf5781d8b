// What `battito check` finds, and how it is shown. Pure.

import type { ErrorCode } from '../../errors.ts';
import { harmless, type Look, paint } from '../output.ts';
import { hanging } from '../status/picture.ts';

export type Level = 'ok' | 'info' | 'warning' | 'problem';

export interface Finding {
  /** Heading that it stands under. */
  readonly area: string;
  readonly level: Level;
  /** Stable: `battito why CODE` explains it, one of another version perhaps not. Null: there is nothing to mend. */
  readonly code: string | null;
  readonly message: string;
  /** The command, or the sentence, that mends it. */
  readonly mend: string | null;
  /** A takeover would fail by it, or not be tried, though the node may run as it is. A problem is always one. */
  readonly blocks?: true;
  /** Name of the node that has it, where several were checked. */
  readonly node?: string;
}

/** Makes findings of one area. */
export interface Reporter {
  readonly ok: (message: string) => void;
  /** To be known, with nothing to mend. */
  readonly info: (message: string) => void;
  readonly warning: (code: ErrorCode, message: string, mend: string) => void;
  /** A warning, and no takeover would succeed as long as it is so. */
  readonly obstacle: (code: ErrorCode, message: string, mend: string) => void;
  readonly problem: (code: ErrorCode, message: string, mend: string) => void;
  readonly findings: readonly Finding[];
}

export function reporter(area: string): Reporter {
  const findings: Finding[] = [];
  // A message may hold what a definition, or a program, says.
  const add = (level: Level, code: ErrorCode | null, message: string, mend: string | null, blocks = false) =>
    void findings.push({
      area,
      level,
      code,
      message: harmless(message),
      mend: mend === null ? null : harmless(mend).replaceAll('\n', ' '),
      ...(blocks && { blocks }),
    });
  return {
    findings,
    ok: (message) => add('ok', null, message, null),
    info: (message) => add('info', null, message, null),
    warning: (code, message, mend) => add('warning', code, message, mend),
    obstacle: (code, message, mend) => add('warning', code, message, mend, true),
    problem: (code, message, mend) => add('problem', code, message, mend),
  };
}

const labels = { ok: 'ok       ', info: 'note     ', warning: 'warning  ', problem: 'PROBLEM  ' } as const;
const colours = { ok: 'green', info: 'cyan', warning: 'yellow', problem: 'red' } as const;
const columnsMax = 100;

/** Under their headings in the order of their coming; ends with the count. What both nodes have alike is said once. */
export function renderFindings(given: readonly Finding[], look: Look): string {
  const findings = merged(given);
  const columns = Math.min(columnsMax, look.columns);
  const areas = [...new Set(findings.map(({ area }) => area))];
  const sections = areas.map((area) => {
    const lines = findings
      .filter((finding) => finding.area === area)
      .flatMap(({ level, code, message, mend, node }) => [
        ...hanging(`  ${labels[level]}`, node === undefined ? message : `${node}: ${message}`, columns).map(
          (line) => paint(look, colours[level], line),
        ),
        // A command is never broken over lines: it is to be copied.
        ...(mend === null ? [] : [`             mend: ${mend}`]),
        ...(code === null ? [] : [paint(look, 'dim', `             why:  battito why ${code}`)]),
      ]);
    return [paint(look, 'bold', area), ...lines].join('\n');
  });
  return [...sections, summaryOf(findings)].join('\n\n');
}

/** Said by both nodes alike: once, and of no node. */
export function merged(findings: readonly Finding[]): readonly Finding[] {
  const key = ({ area, level, message, mend }: Finding) => JSON.stringify([area, level, message, mend]);
  const nodes = new Map<string, Set<string | undefined>>();
  for (const finding of findings)
    nodes.set(key(finding), (nodes.get(key(finding)) ?? new Set()).add(finding.node));
  const seen = new Set<string>();
  return findings.flatMap((finding) => {
    if ((nodes.get(key(finding))?.size ?? 0) < 2) return [finding];
    if (seen.has(key(finding))) return [];
    seen.add(key(finding));
    const { node: _, ...both } = finding;
    return [both];
  });
}

export function countOf(findings: readonly Finding[], level: Level): number {
  return findings.filter((finding) => finding.level === level).length;
}

function summaryOf(findings: readonly Finding[]): string {
  const counted = (level: Level) => {
    const count = countOf(findings, level);
    return `${count} ${level}${count === 1 ? '' : 's'}`;
  };
  const blocking = findings.filter(({ level, blocks }) => level === 'warning' && blocks === true).length;
  const which = blocking === 0 ? '' : `, ${blocking} of them in the way of a takeover`;
  return `${counted('problem')}, ${counted('warning')}${which}`;
}
