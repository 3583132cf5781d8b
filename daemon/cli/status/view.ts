// The whole of `battito status` as text: what needs a person, the two nodes, the groups. Pure: the same status,
// width and look always give the same text, and no line is wider than asked for (32 columns at the least).

import type { Attention, GroupView, Severity, Status } from '../../control/api.ts';
import { overallColours, overallOf } from '../../control/overall.ts';
import { protectionGaps } from '../../control/protection.ts';
import {
  groupWords,
  type ResourceWords,
  resourceWords,
  tierWords,
  witnessWords,
} from '../../control/words.ts';
import type { Colour, Look } from '../output.ts';
import { harmless, padTo, paint, width } from '../output.ts';
import { formatSpan } from '../time.ts';
import { hanging, renderPicture, shorten } from './picture.ts';
import { readinessWords, scheduleWords } from './schedule.ts';

const columnsMin = 32;
/** Below this many, what is said of each resource is not in a column of its own. */
const alignedColumnsMin = 50;
const columnsMax = 100;
/** Of the one word for the whole. */
const wordColumnsMax = 16;

const unicodeMarks: Readonly<Record<ResourceWords['mark'], string>> = {
  up: '●',
  moving: '◐',
  paused: '‖',
  down: '○',
  'given-up': '✗',
  unknown: '?',
};

const asciiMarks: Readonly<Record<ResourceWords['mark'], string>> = {
  up: '+',
  moving: '~',
  paused: '=',
  down: '-',
  'given-up': 'x',
  unknown: '?',
};

const attentionColours: Readonly<Record<Severity, Colour>> = {
  info: 'cyan',
  warning: 'yellow',
  alarm: 'red',
};
const attentionLabels: Readonly<Record<Severity, string>> = {
  info: 'NOTE',
  warning: 'WARNING',
  alarm: 'ALARM',
};

/** The picture that an operator sees; without a newline at its end. */
export function renderStatus(given: Status, wanted: Look): string {
  const look = { ...wanted, columns: Math.min(columnsMax, Math.max(columnsMin, wanted.columns)) };
  const status = harmlessStatus(given);
  const sections = [
    [...renderHeader(status, look), ...renderBanner(status, look)],
    [...status.attention.flatMap((item) => renderAttention(item, look)), ...renderWhere(status, look)],
    renderPicture(status, look),
    ...status.groups.map((group) => renderGroup(group, status, look)),
    renderRemarks(status, look),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

/** Texts in it come from the other host and from outside programs. */
function harmlessStatus(status: Status): Status {
  return JSON.parse(JSON.stringify(status), (_key, value: unknown) =>
    typeof value === 'string' ? harmless(value).replaceAll('\n', '; ') : value,
  ) as Status;
}

function renderHeader(status: Status, look: Look): string[] {
  const overall = overallOf(status);
  const cluster = ` ${paint(look, 'bold', shorten(status.cluster, look.columns - wordColumnsMax))}`;
  const tier = tierWords(status.tier, status.tierLacks);
  const word = paint(look, overallColours[overall], look.colour ? ` ${overall} ` : overall);
  const withWord = (title: string) => padTo(title, look.columns - width(word)) + word;
  const isFitting = width(cluster) + 3 + tier.length + 2 + width(word) <= look.columns;
  return isFitting ? [withWord(`${cluster}   ${tier}`)] : [withWord(cluster), ` ${tier}`];
}

/** That nothing protects the groups, in one line for all reasons. */
function renderBanner(status: Status, look: Look): string[] {
  const reasons = protectionGaps(status).map(({ message }) => message);
  if (reasons.length === 0) return [];
  return hanging(' NOT PROTECTED: ', reasons.join('; '), look.columns).map((line) =>
    paint(look, 'alarm', line),
  );
}

/** Where more is said about what needs a person. */
function renderWhere({ attention }: Status, look: Look): string[] {
  const codes = [...new Set(attention.map(({ code }) => code))];
  if (codes.length === 0) return [];
  const commands = codes.map((code) => `battito why ${code}`).join('; ');
  return hanging(' why: ', commands, look.columns).map((line) => paint(look, 'dim', line));
}

function renderAttention({ severity, message, next }: Attention, look: Look): string[] {
  const label = ` ${attentionLabels[severity]} `;
  const colour = attentionColours[severity];
  const lines = hanging(label, message, look.columns);
  return [
    ...lines.map((line) => paint(look, colour, line)),
    ...hanging(`${' '.repeat(label.length)}next: `, next, look.columns),
  ];
}

function renderGroup(group: GroupView, status: Status, look: Look): string[] {
  const { text, colour } = groupWords(group, status);
  const elsewhere = group.runsOn !== null && group.runsOn !== status.self.name;
  const away = group.preferred === (group.runsOn ?? group.preferred) ? '' : `, prefers ${group.preferred}`;
  const heading = hanging(` ${group.name}  `, text + away, look.columns).map((line, index) =>
    index === 0
      ? ` ${paint(look, 'bold', line.slice(1, group.name.length + 1))}  ${paint(look, colour, line.slice(group.name.length + 3))}`.trimEnd()
      : paint(look, colour, line),
  );
  const settled = group.phase === 'active' || (elsewhere && group.phase === 'stopped');
  const reason = settled || group.reason === '' ? [] : hanging('   why: ', group.reason, look.columns);
  return [
    ...heading,
    ...reason,
    ...renderPeerReport(group, status, elsewhere, look),
    ...renderResources(group, elsewhere, look),
  ];
}

/** What the peer says of a group that it runs. */
function renderPeerReport(group: GroupView, status: Status, elsewhere: boolean, look: Look): string[] {
  const { peer } = group;
  if (!elsewhere || peer === null) return [];
  const mark = markFor(peer.quarantined > 0 ? 'given-up' : peer.up === peer.total ? 'up' : 'moving', look);
  const lost = peer.quarantined === 0 ? '' : `, ${peer.quarantined} given up`;
  const ready = peer.willing ? '' : `, ${status.peer.name} would not take it now`;
  const colour = peer.quarantined > 0 ? 'red' : peer.up === peer.total ? 'green' : 'yellow';
  const unwilling = group.runsOn === status.peer.name ? '' : ready;
  const text = `${peer.up} of ${peer.total} up on ${group.runsOn}${lost}${unwilling}`;
  return hanging(`   ${mark} `, text, look.columns).map((line) => paint(look, colour, line));
}

/** Of a group that runs elsewhere, only what is not simply down here is worth a line. */
function renderResources(group: GroupView, elsewhere: boolean, look: Look): string[] {
  const shown = group.resources.filter(
    ({ status, operation, quarantined }) =>
      !elsewhere || status !== 'down' || operation !== null || quarantined !== null,
  );
  const isAligned = look.columns >= alignedColumnsMin;
  const columns = isAligned ? Math.max(0, ...shown.map(({ id }) => id.length)) : 0;
  return shown.flatMap((resource) => {
    const words = resourceWords(resource);
    const label = `   ${markFor(words.mark, look)} ${resource.id.padEnd(columns)}  `;
    return hanging(label, words.text, look.columns).map((line) => paint(look, words.colour, line));
  });
}

function markFor(mark: ResourceWords['mark'], look: Look): string {
  return (look.unicode ? unicodeMarks : asciiMarks)[mark];
}

/** What is good to know and seldom matters. */
function renderRemarks(status: Status, look: Look): string[] {
  const { probes, stalls, daemon, self, verdict, peer, witness, watchdog } = status;
  const lines: string[] = [];
  const tell = (label: string, text: string) => lines.push(...hanging(` ${label}: `, text, look.columns));
  if (verdict.signs.length > 0) tell(`life of ${peer.name}`, verdict.signs.join('; '));
  const silent = probes.filter(({ last }) => last === 'unanswered').map(({ target }) => target);
  const failed = probes.filter(({ last }) => last === 'failed').map(({ target }) => target);
  if (silent.length > 0) tell('no answer from', silent.join(', '));
  if (failed.length > 0) tell('could not ask', failed.join(', '));
  if (witness !== null) tell('witness', witnessWords(witness));
  if (watchdog !== null) {
    const how = watchdog.armed ? 'armed' : watchdog.lastError === null ? 'not needed now' : 'cannot be armed';
    tell('watchdog', `${watchdog.device} of ${formatSpan(watchdog.timeoutMs)}, ${how}`);
  }
  if (stalls.count > 0) {
    const times = stalls.count === 1 ? 'once' : `${stalls.count} times`;
    tell('stalls', `this daemon did not get to run ${times}, the last time for ${formatSpan(stalls.lastMs)}`);
  }
  const ready = readinessWords(status);
  if (ready !== null) tell('readiness', ready);
  const scheduled = scheduleWords(status);
  if (scheduled !== null) tell('schedule', scheduled);
  tell('what if', 'battito explain');
  const software = self.software === null ? '' : `battito ${self.software}, `;
  tell('daemon', `${software}process ${daemon.pid}, up for ${formatSpan(daemon.uptimeMs)}`);
  return lines.map((line) => paint(look, 'dim', line));
}
