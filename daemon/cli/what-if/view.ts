// A what-if report as text: the present, a paragraph for each fault, and what it was computed from. Pure.

import type {
  Ending,
  GroupFate,
  Notice,
  ScenarioReport,
  TimelineEntry,
  WhatIfReport,
} from '../../whatif/report.ts';
import { isAtRisk, plainName, spanOf } from '../../whatif/words.ts';
import { type Colour, type Look, paint } from '../output.ts';
import { hanging } from '../status/picture.ts';

const columnsMax = 100;

const fateColours: Readonly<Record<GroupFate, Colour>> = {
  untouched: 'green',
  moved: 'yellow',
  back: 'yellow',
  started: 'green',
  lost: 'red',
  absent: 'red',
  frozen: 'red',
  unreached: 'red',
  doubled: 'alarm',
};

const labels = { info: 'note', warning: 'warning', alarm: 'ALARM' } as const;

/** `isDetailed`: with everything that is said afterwards, and moment by moment. */
export function renderWhatIf(report: WhatIfReport, wanted: Look, isDetailed: boolean): string {
  const look = { ...wanted, columns: Math.min(columnsMax, Math.max(50, wanted.columns)) };
  const sections = [
    renderNow(report, look),
    ...report.scenarios.map((scenario) => renderScenario(scenario, look, isDetailed)),
    renderBasis(report, look),
  ];
  return sections.map((lines) => lines.join('\n')).join('\n\n');
}

function renderNow({ now }: WhatIfReport, look: Look): string[] {
  return [
    ...hanging(' Now: ', now.summary, look.columns).map((line) => paint(look, 'bold', line)),
    ...now.notices.flatMap((notice) => renderNotice('   ', notice, look)),
  ];
}

function renderScenario(scenario: ScenarioReport, look: Look, isDetailed: boolean): string[] {
  const { ending, otherEndings, secondFault, measuredFrom } = scenario;
  const total = [ending, ...otherEndings].reduce((sum, { runs }) => sum + runs, 0);
  const lines = hanging(' ', `If ${scenario.title}:`, look.columns).map((line) => paint(look, 'bold', line));
  const tell = (label: string, text: string, colour: Colour | null = null) =>
    lines.push(...hanging(label, text, look.columns).map((line) => paint(look, colour, line)));
  const share = (runs: number) => (otherEndings.length === 0 ? '' : ` (${runs} of ${total} runs)`);
  tell('   ', capital(ending.verdict) + share(ending.runs), colourOf(ending));
  for (const other of otherEndings) {
    tell('   or: ', capital(other.verdict) + share(other.runs), colourOf(other));
  }
  const isTimed = ending.groups.some(({ fate }) => fate !== 'untouched');
  if (measuredFrom !== null && isTimed) tell('   ', `Times count from ${measuredFrom}.`);
  if (!ending.atRest) tell('   ', 'It had not come to rest when the simulation was ended.', 'yellow');
  for (const notice of shownNotices(scenario, isDetailed)) lines.push(...renderNotice('   ', notice, look));
  if (secondFault !== null) {
    tell('   ', `Until that is mended: ${secondFault.title}, ${secondFault.verdict}.`);
  }
  if (isDetailed) lines.push(...renderDetails(scenario, look));
  return lines;
}

const capital = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function colourOf({ groups }: Ending): Colour {
  const colours = groups.map((group) =>
    isAtRisk(group) && group.fate !== 'doubled' ? 'red' : fateColours[group.fate],
  );
  const worst = (['alarm', 'red', 'yellow'] as const).find((colour) => colours.includes(colour));
  return worst ?? 'green';
}

/** In the overview the most urgent one, unless what is said anyway tells as much. */
function shownNotices({ ending, secondFault }: ScenarioReport, isDetailed: boolean): readonly Notice[] {
  const { notices, groups } = ending;
  const distinct = notices.filter(
    ({ next }, index) => notices.findIndex((one) => one.next === next) === index,
  );
  if (isDetailed) return distinct;
  if (groups.some(({ hindrances }) => hindrances.length > 0)) return [];
  const alarm = distinct.find(({ severity }) => severity === 'alarm');
  if (alarm !== undefined) return [alarm];
  const isCalm = groups.every(({ fate }) => fate === 'untouched') && secondFault === null;
  return isCalm ? distinct.slice(0, 1) : [];
}

function renderNotice(indent: string, { node, severity, message, next }: Notice, look: Look): string[] {
  const label = `${indent}${labels[severity]} on ${node}: `;
  return hanging(indent, `${label.trimStart()}${message}; next: ${next}`, look.columns).map((line) =>
    paint(look, severity === 'alarm' ? 'red' : 'yellow', line),
  );
}

function renderDetails({ faults, ending, timeline }: ScenarioReport, look: Look): string[] {
  const orders = ending.groups
    .filter(({ order }) => order.length > 0)
    .flatMap(({ name, to, order }) =>
      hanging(`   ${name} starts on ${to} in this order: `, order.map(plainName).join(', '), look.columns),
    );
  return [
    ...orders,
    ...hanging('   As a fault for `battito simulate`: ', faults.join('; '), look.columns),
    paint(look, 'bold', '   Moment by moment, in the first run:'),
    ...timeline.flatMap((entry) => renderEntry(entry, timeline, look)),
  ];
}

const colours = { info: null, warning: 'yellow', alarm: 'red' } as const;

function renderEntry(entry: TimelineEntry, timeline: readonly TimelineEntry[], look: Look): string[] {
  const nodeColumns = Math.max(0, ...timeline.map(({ node }) => node?.length ?? 0));
  const time = `${(entry.atMs / 1000).toFixed(2)} s`.padStart(10);
  const label = `${time}  ${(entry.node ?? '').padEnd(nodeColumns)}  `;
  const group = entry.group === null ? '' : `${entry.group}: `;
  const next = entry.next === null ? '' : `; next: ${entry.next}`;
  return hanging(label, group + entry.message + next, look.columns).map((line) =>
    paint(look, colours[entry.severity], line),
  );
}

function renderBasis({ basis }: WhatIfReport, look: Look): string[] {
  const count = basis.seeds.length;
  const what = basis.kind === 'live' ? 'the state of now' : 'the configuration, both nodes well';
  const runs = count === 1 ? 'once' : `${count} times, with different chances`;
  const text = `Simulated from ${what}, each ${runs}, with the same decisions as the daemon. ${durationWords(basis.durations)}`;
  const lines = hanging(' ', text, look.columns).map((line) => paint(look, 'dim', line));
  for (const assumption of basis.assumptions) {
    lines.push(
      ...hanging(' Taken for granted: ', assumption, look.columns).map((line) => paint(look, 'dim', line)),
    );
  }
  for (const difference of basis.differences) {
    const words = `the simulation does not begin quite as things are: ${difference}`;
    lines.push(...hanging(' WARNING ', words, look.columns).map((line) => paint(look, 'yellow', line)));
  }
  return lines;
}

/** Where the times of the guests' starts are from. */
function durationWords(durations: WhatIfReport['basis']['durations']): string {
  const guests = durations.filter(({ resource }) => resource.startsWith('guest:'));
  const each = (from: string, words: (one: (typeof guests)[number]) => string) =>
    guests.filter((one) => one.from === from).map(words);
  const recorded = each('recorded', ({ resource, ms, count }) => {
    const starts = count === 1 ? 'the last start' : `the last ${count} starts`;
    return `${plainName(resource)} ${spanOf(ms)} (${starts} here)`;
  });
  const given = each('given', ({ resource, ms }) => `${plainName(resource)} ${spanOf(ms)} (as told)`);
  const assumed = each('assumed', ({ resource, ms }) => `${plainName(resource)} ${spanOf(ms)} (assumed)`);
  const all = [...recorded, ...given, ...assumed];
  if (all.length === 0) return '';
  return `Time to start a guest, give or take a half: ${all.join(', ')}. A guest then boots as after a power cut.`;
}
