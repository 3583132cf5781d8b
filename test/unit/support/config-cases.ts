// Tables of faults in a configuration: each case edits a sound one, and gives one problem. Three lines a case: its title;
// a text in the sound configuration => what stands there instead (\n and \t as in a program); the problem with its place.

import { type ConfigProblem, parseConfig } from '../../../daemon/config/load.ts';

export type Edit = readonly [from: string, to: string];

export interface ProblemCase {
  readonly title: string;
  readonly edit: Edit;
  /** `line:column: key: sentence`. */
  readonly problem: string;
}

const casePattern = /^(\S.*)\n {2}(.+?) =>(?: (.*))?\n {2}(.+)$/gm;

/** Throws where a line of the table belongs to no case. */
export function casesIn(table: string): readonly ProblemCase[] {
  const unescaped = (text: string) => text.replaceAll('\\n', '\n').replaceAll('\\t', '\t');
  const cases = [...table.matchAll(casePattern)].map(
    ([, title = '', from = '', to = '', problem = '']): ProblemCase => ({
      title,
      edit: [unescaped(from), unescaped(to)],
      problem,
    }),
  );
  const lines = table.trim().split('\n').length;
  if (cases.length * 3 !== lines) throw new Error(`${lines} lines make ${cases.length} cases`);
  return cases;
}

/** Of the sound configuration after the edits. */
export function problemsOf(sound: string, edits: readonly Edit[]): readonly ConfigProblem[] {
  const text = edits.reduce((before, [from, to]) => {
    if (!before.includes(from)) {
      throw new Error(`the sound configuration does not contain ${JSON.stringify(from)}`);
    }
    return before.replace(from, () => to);
  }, sound);
  const parsed = parseConfig(text, 'battito.yaml');
  return parsed.ok ? [] : parsed.problems;
}
