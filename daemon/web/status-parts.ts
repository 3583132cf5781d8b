// The status as parts of a page, each in the element of its id; what changes is sent again part by part. Pure.

import type { GroupView, HistoryEntry, ResourceView, Status } from '../control/api.ts';
import { type Overall, overallOf } from '../control/overall.ts';
import { protectionGaps } from '../control/protection.ts';
import type { LinkMinutes } from '../control/web.ts';
import {
  type Colour,
  groupWords,
  linkWords,
  nodeFlags,
  type ResourceWords,
  refusedWords,
  resourceWords,
  verdictWords,
  type Words,
  witnessWords,
} from '../control/words.ts';
import { formatSpan, formatTime, formatTook } from '../incident/time.ts';
import { renderActions } from './actions.ts';
import { type Html, html } from './html.ts';
import type { Fragment } from './live.ts';
import { sparkline } from './sparkline.ts';

export interface PartsSource {
  readonly status: Status;
  readonly minutes: readonly LinkMinutes[];
  /** Oldest first. */
  readonly history: readonly HistoryEntry[];
}

const tones: Readonly<Record<Colour, string>> = {
  green: 'good',
  yellow: 'warn',
  red: 'bad',
  alarm: 'bad',
  dim: 'dim',
};
export const toneOf = ({ colour }: Pick<Words, 'colour'>) => (colour === null ? '' : tones[colour]);

const marks: Readonly<Record<ResourceWords['mark'], string>> = {
  up: '●',
  moving: '◐',
  paused: '‖',
  down: '○',
  'given-up': '✕',
  unknown: '?',
};
export const severityTones = { info: 'info', warning: 'warn', alarm: 'bad' } as const;
const severityWords = { info: 'note', warning: 'warning', alarm: 'alarm' } as const;
const overallTones = { OK: 'good', UNPROTECTED: 'warn', DEGRADED: 'warn', DOWN: 'bad' } as const;
const eventsShown = 15;

export function statusParts(source: PartsSource): readonly Fragment[] {
  const { status, minutes, history } = source;
  const part = (id: string, content: Html): Fragment => ({ id, markup: content.markup });
  return [
    part('headline', headline(status)),
    part('protection', protection(status)),
    part('attention', attention(status)),
    part('readiness', readiness(status)),
    part('nodes', nodes(status, minutes)),
    part('groups', html`${status.groups.map((group) => groupCard(group, status))}`),
    part('events', events(history)),
    part('about', about(status)),
    { ...part('actions', renderActions(status)), isForActors: true },
  ];
}

/** In a sentence, as it is read out when it changes. */
function headline(status: Status): Html {
  const overall = overallOf(status);
  const running = status.groups.map((group) => `${group.name} ${groupBrief(group, status)}`).join(', ');
  return html`<span class="badge ${overallTones[overall]}">${overall}</span> <span>${overallSentence(overall, status)}</span> <span class="dim">${running}; tier ${status.tier}</span>`;
}

function overallSentence(overall: Overall, status: Status): string {
  if (overall === 'DOWN') return 'A group runs nowhere.';
  if (overall === 'DEGRADED') {
    const { length } = status.attention.filter(({ severity }) => severity !== 'info');
    const open = length === 1 ? ' One thing needs a person.' : ` ${length} things need a person.`;
    return `It runs, but not as it should.${length === 0 ? '' : open}`;
  }
  if (overall === 'UNPROTECTED') return 'Everything runs, but a failure would not be made good.';
  return 'Everything runs, and a failure would be made good.';
}

function groupBrief({ phase, runsOn }: GroupView, { self }: Status): string {
  if (['starting', 'stopping', 'frozen'].includes(phase)) return `${phase} on ${self.name}`;
  return runsOn === null ? 'runs nowhere' : `on ${runsOn}`;
}

function protection(status: Status): Html {
  const gaps = protectionGaps(status);
  if (gaps.length === 0) return html``;
  return html`<div class="banner"><h2>No protection</h2><ul>${gaps.map(
    ({ message, next }) => html`<li>${message}. <span class="next">Next: ${next}</span></li>`,
  )}</ul></div>`;
}

function attention({ attention: items }: Status): Html {
  if (items.length === 0) return html``;
  return html`<h2>What needs a person</h2><ul class="items">${items.map(
    ({ severity, message, next }) =>
      html`<li class="${severityTones[severity]}"><span class="tag">${severityWords[severity]}</span><div><p>${message}</p><p class="next">Next: ${next}</p></div></li>`,
  )}</ul>`;
}

/** What the last check of both nodes has found; nothing, as long as there was none. */
function readiness({ readiness: seen }: Partial<Pick<Status, 'readiness'>>): Html {
  if (seen == null) return html``;
  const { score, ready, at, nodes: checked, losses } = seen;
  const tone = ready ? (score === 100 ? 'good' : 'warn') : 'bad';
  const when = formatTime(at).slice(0, 16);
  const whose = checked.length === 1 ? `, ${checked[0]} alone` : '';
  const found = losses.map(({ area, node, message, mend, points }) => {
    const next = mend === null ? '' : html`<p class="next">Next: ${mend}</p>`;
    const where = node === null ? area : `${node}, ${area}`;
    return html`<li><div><p>${where}: ${message}</p>${next}</div><span class="dim">−${points}</span></li>`;
  });
  return html`<h2>Readiness</h2><article class="card"><p class="row"><span class="${tone}">${ready ? 'ready for a takeover' : 'a takeover would fail'}</span><strong>${score} of 100</strong></p><progress max="100" value="${score}" aria-label="readiness"></progress><p class="note">Checked ${when}${whose}.</p>${
    found.length === 0 ? '' : html`<ul class="losses">${found}</ul>`
  }</article>`;
}

function nodes(status: Status, minutes: readonly LinkMinutes[]): Html {
  const links = status.links.map((link) => {
    const words = linkWords(link, status);
    const refused = refusedWords(link);
    const state = words.kind === 'good' ? 'heard' : words.text;
    const longestMs = minutes.find(({ name }) => name === link.name)?.longestMs ?? [];
    return html`<li><p class="row"><span>${link.name}</span><span class="${toneOf(words)}">${state}</span></p>${
      longestMs.length === 0 ? '' : sparkline(link.name, longestMs, status.timings)
    }${words.why === null ? '' : html`<p class="note ${toneOf(words)}">${words.why}</p>`}${
      refused === null ? '' : html`<p class="note">packets refused: ${refused}</p>`
    }</li>`;
  });
  return html`${nodeCard(status, 'self')}<div class="card links"><h3>Links</h3><ul>${links}</ul></div>${nodeCard(status, 'peer')}`;
}

function nodeCard(status: Status, which: 'self' | 'peer'): Html {
  const node = status[which];
  const state: Words = which === 'self' ? { text: 'this node', colour: 'green' } : verdictWords(status);
  const flags = nodeFlags(node);
  const runs = status.groups.filter(({ runsOn }) => runsOn === node.name).map(({ name }) => name);
  return html`<article class="card node"><h3><span class="dot ${toneOf(state)}" aria-hidden="true"></span>${node.name}</h3><p class="note">${node.address}</p><p class="${toneOf(state)}">${state.text}</p>${flags.map(
    (flag) => html`<p class="${toneOf(flag)}">${flag.text}</p>`,
  )}<p>${runs.length === 0 ? html`<span class="dim">runs nothing</span>` : html`runs <strong>${runs.join(', ')}</strong>`}</p></article>`;
}

function groupCard(group: GroupView, status: Status): Html {
  const words = groupWords(group, status);
  const isElsewhere = group.runsOn !== null && group.runsOn !== status.self.name;
  const isSettled = group.phase === 'active' || (isElsewhere && group.phase === 'stopped');
  const away = group.preferred === (group.runsOn ?? group.preferred) ? '' : `, prefers ${group.preferred}`;
  // Of a group that runs elsewhere, only what is not simply down here is worth a line.
  const shown = group.resources.filter(
    ({ status: state, operation, quarantined, kind }) =>
      !isElsewhere || state !== 'down' || operation !== null || quarantined !== null || kind === 'drbd',
  );
  return html`<article class="card group"><h3>${group.name}</h3><p class="${toneOf(words)}">${words.text}${away}</p>${
    isSettled || group.reason === '' ? '' : html`<p class="note">${group.reason}</p>`
  }${peerLine(group, isElsewhere)}${shown.length === 0 ? '' : html`<ul class="resources">${shown.map(resourceRow)}</ul>`}</article>`;
}

function peerLine({ peer, runsOn }: GroupView, isElsewhere: boolean): Html {
  if (!isElsewhere || peer === null) return html``;
  const tone = peer.quarantined > 0 ? 'bad' : peer.up === peer.total ? 'good' : 'warn';
  const lost = peer.quarantined === 0 ? '' : `, ${peer.quarantined} given up`;
  return html`<p class="${tone}">${peer.up} of ${peer.total} up on ${runsOn}${lost}</p>`;
}

function resourceRow(resource: ResourceView): Html {
  const words = resourceWords(resource);
  const [kind = '', name = resource.id] = split(resource.id);
  const { resync } = resource;
  const bar =
    resync === null
      ? ''
      : html`<progress max="100" value="${Math.floor(resync.percent)}" aria-label="resync of ${name}"></progress>`;
  return html`<li><span class="mark ${toneOf(words)}" aria-hidden="true">${marks[words.mark]}</span><span class="kind">${kind}</span><span class="name">${name}</span><span class="state ${toneOf(words)}">${words.text}${bar}</span></li>`;
}

function split(id: string): readonly string[] {
  const colon = id.indexOf(':');
  return colon < 0 ? ['', id] : [id.slice(0, colon), id.slice(colon + 1)];
}

/** Newest first; the same thing again and again is one line. */
function events(history: readonly HistoryEntry[]): Html {
  if (history.length === 0) return html`<p class="dim">Nothing yet.</p>`;
  const folded: { readonly newest: HistoryEntry; times: number }[] = [];
  for (const newest of history.toReversed()) {
    const last = folded.at(-1);
    const isSame = last?.newest.code === 'stalled' && newest.code === 'stalled';
    if (last !== undefined && isSame) last.times += 1;
    else folded.push({ newest, times: 1 });
  }
  const rows = folded.slice(0, eventsShown).map(({ newest, times }) => {
    const { time, severity, group, message, tookMs, next } = newest;
    const took = times > 1 ? `${times} times` : tookMs === null ? '' : formatTook(tookMs);
    const [date = '', clock = ''] = formatTime(time).split(' ');
    const what = `${group === null ? '' : `${group}: `}${message}`;
    return html`<li class="${severityTones[severity]}"><time datetime="${time}" title="${date}">${clock.slice(0, 8)}</time><span>${severityTag(severity)}${what}${next === null ? '' : html` <span class="next">Next: ${next}</span>`}</span><span class="took">${took}</span></li>`;
  });
  return html`<ol class="events">${rows}</ol>`;
}

/** In words too, for who sees no colours. */
export function severityTag(severity: HistoryEntry['severity']): Html {
  return severity === 'info' ? html`` : html`<span class="tag">${severityWords[severity]}</span> `;
}

const tierWords = {
  fenced: 'fenced: no two writers under any combination of faults',
  evidence: 'evidence: no two writers under any single fault',
} as const;

function about(status: Status): Html {
  const { tier, timings, witness, watchdog, stalls, probes, gaps, self, daemon } = status;
  const facts: [string, string][] = [['Tier', tierWords[tier]]];
  facts.push([
    'Timings',
    `keepalive ${formatTook(timings.keepaliveMs)}, warntime ${formatTook(timings.warntimeMs)}, deadtime ${formatTook(timings.deadtimeMs)}`,
  ]);
  for (const { target, last } of probes) facts.push([target, last ?? 'not asked now']);
  if (witness !== null) facts.push(['Witness', witnessWords(witness)]);
  if (watchdog !== null) {
    const how = watchdog.armed ? 'armed' : watchdog.lastError === null ? 'not needed now' : 'cannot be armed';
    facts.push(['Watchdog', `${watchdog.device} of ${formatSpan(watchdog.timeoutMs)}, ${how}`]);
  }
  for (const { name, usualMs, largestMs, cuts } of gaps.links) {
    const cut = cuts.count === 0 ? '' : `, cut off ${cuts.count === 1 ? 'once' : `${cuts.count} times`}`;
    facts.push([
      `${name}, ${gaps.days === 1 ? 'one day' : `${gaps.days} days`}`,
      `usually silent for ${formatTook(usualMs)} at most, once ${formatTook(largestMs)}${cut}`,
    ]);
  }
  if (stalls.count > 0) facts.push(['Stalls', `${stalls.count}, the last for ${formatTook(stalls.lastMs)}`]);
  const since = formatTime(new Date(Date.now() - daemon.uptimeMs).toISOString()).slice(0, 16);
  facts.push([
    'Daemon',
    `${self.software === null ? '' : `battito ${self.software}, `}process ${daemon.pid}, since ${since}`,
  ]);
  return html`<dl>${facts.map(([name, text]) => html`<div><dt>${name}</dt><dd>${text}</dd></div>`)}</dl>`;
}
