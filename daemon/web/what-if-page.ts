// What would happen if something failed now: what `battito explain` says, as a page. Pure.

import type { GroupFate, ScenarioReport, TimelineEntry, WhatIfReport } from '../whatif/report.ts';
import type { Said } from './commands.ts';
import { type Html, html } from './html.ts';
import { renderFailure } from './incident-pages.ts';
import { severityTones } from './status-parts.ts';

const tones: Readonly<Record<GroupFate, 'good' | 'warn' | 'bad'>> = {
  untouched: 'good',
  started: 'good',
  moved: 'warn',
  back: 'warn',
  lost: 'bad',
  absent: 'bad',
  frozen: 'bad',
  unreached: 'bad',
  doubled: 'bad',
};

const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/** `isDetailed`: one fault, moment by moment. */
export function renderWhatIf(said: Said<WhatIfReport>, isDetailed: boolean): Html {
  if (said.kind === 'failed') return renderFailure('What if', said);
  const { now, scenarios, basis } = said.value;
  const times = basis.seeds.length;
  const doubts = [...basis.assumptions, ...basis.differences];
  return html`<h1>What if</h1><p>${now.summary}</p><ul class="scenarios">${scenarios.map((one) => scenario(one, isDetailed))}</ul><p class="note">Played through from the state of now, each ${times} times with different chances, with the same decisions as the daemon. Nothing is touched.</p>${doubts.map((doubt) => html`<p class="note">${sentence(doubt)}</p>`)}${isDetailed ? html`<p><a href="/what-if">All faults</a></p>` : ''}`;
}

function toneOf({ ending }: ScenarioReport): string {
  const all = ending.groups.map(({ fate }) => tones[fate]);
  return (['bad', 'warn'] as const).find((tone) => all.includes(tone)) ?? 'good';
}

function scenario(one: ScenarioReport, isDetailed: boolean): Html {
  const { id, title, ending, otherEndings, secondFault, timeline } = one;
  const heading = `If ${title}`;
  const more = isDetailed
    ? html`<h2>Moment by moment</h2><ol class="events">${timeline.map(entry)}</ol>`
    : '';
  return html`<li class="card ${toneOf(one)}"><h2>${isDetailed ? heading : html`<a href="/what-if?fault=${encodeURIComponent(id)}">${heading}</a>`}</h2><p>${sentence(ending.verdict)}</p>${otherEndings.map(({ verdict }) => html`<p>Or: ${verdict}.</p>`)}${secondFault === null ? '' : html`<p class="note">Until that is mended: ${secondFault.title}, ${secondFault.verdict}.</p>`}${more}</li>`;
}

function entry({ atMs, node, severity, group, message, next }: TimelineEntry): Html {
  const what = `${group === null ? '' : `${group}: `}${message}`;
  return html`<li class="${severityTones[severity]}"><span class="at">${(atMs / 1000).toFixed(2)} s</span><span>${node === null ? '' : html`<strong>${node}</strong> `}${what}${next === null ? '' : html` <span class="next">Next: ${next}</span>`}</span><span></span></li>`;
}
