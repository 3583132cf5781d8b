// Incidents as a list, and one of them as a picture, a bar for whatever took time, and moment by moment. The same words
// and times as `battito incident`. Pure.

import type { Incident } from '../incident/list.ts';
import { formatTime, formatTook } from '../incident/time.ts';
import type { Timeline, TimelineEntry } from '../incident/timeline.ts';
import { lengthOf, relative } from '../incident/words.ts';
import type { Said } from './commands.ts';
import { type Html, html } from './html.ts';
import { severityTag, severityTones } from './status-parts.ts';

type Told = Omit<Incident, 'notes'>;
/** What `battito incident --json` says. */
export interface IncidentList {
  readonly incidents: readonly Told[];
}
/** What `battito incident show N --json` says. */
export type IncidentTimeline = Pick<Timeline, 'node' | 'peer' | 'entries'> & { readonly incident: Told };

const listed = 50;
/** Units of the picture's width. */
const widthUnits = 1000;
const barMin = 8;

export function renderIncidents(said: Said<IncidentList>): Html {
  if (said.kind === 'failed') return renderFailure('Incidents', said);
  const newest = said.value.incidents.toReversed().slice(0, listed);
  if (newest.length === 0)
    return html`<h1>Incidents</h1><p>None: no warning and no alarm since the journal began.</p>`;
  return html`<h1>Incidents</h1><ol class="incidents">${newest.map(
    (incident) =>
      html`<li class="${severityTones[incident.severity]}"><a href="/incidents/${incident.number}"><strong>${incident.kind}</strong> <time datetime="${incident.startedAt}">${formatTime(incident.startedAt).slice(0, 19)}</time></a><span class="took">${lengthOf(incident)}</span><p>${incident.summary}</p></li>`,
  )}</ol>`;
}

export function renderIncident(said: Said<IncidentTimeline>): Html {
  if (said.kind === 'failed') return renderFailure('Incident', said);
  const { incident, entries, node, peer } = said.value;
  const { number, kind, severity, summary, startedAt, outageMs, groups } = incident;
  const outage =
    outageMs === null ? '' : html`<div><dt>Without service</dt><dd>${formatTook(outageMs)}</dd></div>`;
  return html`<h1>Incident ${number}: ${kind}</h1><p class="${severityTones[severity]}">${summary}</p><dl class="facts"><div><dt>Began</dt><dd>${formatTime(startedAt)}</dd></div><div><dt>Lasted</dt><dd>${lengthOf(incident)}</dd></div>${outage}<div><dt>Groups</dt><dd>${groups.join(', ') || 'none'}</dd></div></dl>${picture(entries, incident)}<h2>Moment by moment</h2><ol class="moments">${entries.map(moment)}</ol><p class="note">As ${node} saw it. With the journal of ${peer} beside it: battito incident show ${number} --peer FILE</p><p><a href="/incidents">All incidents</a></p>`;
}

const beganAt = ({ atMs, tookMs }: TimelineEntry) => atMs - (tookMs ?? 0);

/** What matters on one scale of time: what took long as a bar, warnings and alarms as a mark. */
function picture(entries: readonly TimelineEntry[], { durationMs, kind }: Told): Html {
  // Short stalls come by the dozen where a host is busy.
  const isNoise = ({ code }: TimelineEntry) => code === 'stalled' && kind !== 'stall';
  const shown = entries.filter(
    (entry) => (entry.tookMs !== null || entry.severity !== 'info') && !isNoise(entry),
  );
  if (shown.length === 0) return html``;
  const from = Math.min(0, ...shown.map(beganAt));
  const to = Math.max(durationMs, ...shown.map(({ atMs }) => atMs), from + 1);
  return html`<h2>The picture</h2><p class="scale" aria-hidden="true"><span>${relative(from)}</span><span>${relative(to)}</span></p><ol class="timeline">${shown.map((entry) => bar(entry, from, to))}</ol>`;
}

function bar(entry: TimelineEntry, from: number, to: number): Html {
  const { atMs, severity, group, text, tookMs } = entry;
  const unit = (ms: number) => ((ms - from) / (to - from)) * (widthUnits - barMin);
  const x = unit(beganAt(entry));
  const width = Math.max(barMin, unit(atMs) - x);
  const when = tookMs === null ? relative(atMs) : formatTook(tookMs);
  return html`<li class="${severityTones[severity]}"><span class="what">${group === null ? '' : html`<strong>${group}</strong> `}${text.replace(/: done$/, '')}</span><span class="took">${when}</span><svg class="bar" aria-hidden="true" viewBox="0 0 ${widthUnits} 8" preserveAspectRatio="none"><line class="zero" x1="${unit(0).toFixed(1)}" x2="${unit(0).toFixed(1)}" y1="0" y2="8"/><rect class="${tookMs === null ? 'instant' : 'span'}" x="${x.toFixed(1)}" y="0.5" width="${width.toFixed(1)}" height="7"/></svg></li>`;
}

function moment({ atMs, severity, group, text, next, tookMs }: TimelineEntry): Html {
  const took = tookMs === null ? '' : formatTook(tookMs);
  return html`<li class="${severityTones[severity]}"><span class="at">${relative(atMs)}</span><span>${severityTag(severity)}${group === null ? '' : html`<strong>${group}</strong> `}${text}${next === null ? '' : html` <span class="next">Next: ${next}</span>`}</span><span class="took">${took}</span></li>`;
}

export function renderFailure(
  title: string,
  { message, next }: Extract<Said<unknown>, { kind: 'failed' }>,
): Html {
  return html`<h1>${title}</h1><p class="bad">${message}</p>${next === null ? '' : html`<p class="next">Next: ${next}</p>`}`;
}
