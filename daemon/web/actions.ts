// What a person may do on the page, as wishes that the control API takes too. What could cost data (accept-data, fence
// confirm) is not among them: that is for a terminal, where more is shown and a name is typed.

import type { GroupView, OperatorRequest, Plan, RequestAnswer, Status } from '../control/api.ts';
import { type Html, html } from './html.ts';
import type { Session } from './login/sessions.ts';

export interface Action {
  readonly id: string;
  readonly isForGroup: boolean;
  /** Whether it makes sense now. */
  readonly fits: (status: Status, group: GroupView | null) => boolean;
  readonly label: (status: Status, group: string) => string;
  /** What comes of it, in a sentence. */
  readonly meaning: (status: Status, group: string) => string;
  /** Whose commands are shown first; null: it stops and starts nothing. */
  readonly plan: 'start' | 'stop' | null;
  readonly minutes?: readonly number[];
  readonly wish: (group: string, minutes: number) => OperatorRequest;
}

const minuteMs = 60_000;
const hasLost = ({ resources }: GroupView) => resources.some(({ quarantined }) => quarantined !== null);

export const actions: readonly Action[] = [
  {
    id: 'handover',
    isForGroup: true,
    fits: ({ self }, group) => group?.runsOn === self.name,
    label: ({ peer }, group) => `Hand ${group} over to ${peer.name}`,
    meaning: ({ peer }, group) =>
      `${group} is stopped here in order and started on ${peer.name}; its guests go as they are configured to.`,
    plan: 'stop',
    wish: (group) => ({ kind: 'handover', groups: [group] }),
  },
  {
    id: 'takeover',
    isForGroup: true,
    fits: ({ self }, group) => group !== null && group.runsOn !== self.name,
    label: ({ self }, group) => `Bring ${group} to ${self.name}`,
    meaning: ({ self, peer }, group) =>
      `${peer.name} is asked to hand ${group} over to ${self.name}; if it is gone, ${self.name} takes it over where that is safe.`,
    plan: 'start',
    wish: (group) => ({ kind: 'takeover', groups: [group] }),
  },
  {
    id: 'retry',
    isForGroup: true,
    fits: (_, group) => group !== null && hasLost(group),
    label: (_, group) => `Try again what was given up of ${group}`,
    meaning: (_, group) => `What was given up of ${group} is started again.`,
    plan: null,
    wish: (group) => ({ kind: 'retry', groups: [group] }),
  },
  {
    id: 'standby-on',
    isForGroup: false,
    fits: ({ self }) => !self.standby,
    label: ({ self }) => `Put ${self.name} in standby`,
    meaning: ({ self, peer }) =>
      `Everything on ${self.name} goes to ${peer.name}, and ${self.name} takes nothing over until standby is off.`,
    plan: 'stop',
    wish: () => ({ kind: 'standby', on: true }),
  },
  {
    id: 'standby-off',
    isForGroup: false,
    fits: ({ self }) => self.standby,
    label: ({ self }) => `End the standby of ${self.name}`,
    meaning: ({ self }) => `${self.name} may take over again.`,
    plan: null,
    wish: () => ({ kind: 'standby', on: false }),
  },
  {
    id: 'maintenance-on',
    isForGroup: false,
    fits: ({ self }) => self.maintenanceMs === 0,
    label: ({ self }) => `Begin maintenance of ${self.name}`,
    meaning: ({ self }) =>
      `Battito lets go of what runs on ${self.name} without touching it, and looks after nothing until the time is up.`,
    plan: null,
    minutes: [10, 30, 60, 240],
    wish: (_, minutes) => ({ kind: 'maintenance', durationMs: minutes * minuteMs }),
  },
  {
    id: 'maintenance-off',
    isForGroup: false,
    fits: ({ self }) => self.maintenanceMs > 0,
    label: ({ self }) => `End the maintenance of ${self.name}`,
    meaning: ({ self }) => `${self.name} looks after everything again.`,
    plan: null,
    wish: () => ({ kind: 'maintenance', durationMs: 0 }),
  },
];

/** Links to what makes sense now; each leads to a page that says what it does and asks. */
export function renderActions(status: Status): Html {
  const link = ({ id, label }: Action, group: string) => {
    const query = group === '' ? '' : `?group=${encodeURIComponent(group)}`;
    return html`<li><a class="button" id="act-${id}-${group}" href="/act/${id}${query}">${label(status, group)}</a></li>`;
  };
  const ofGroups = status.groups.flatMap((group) =>
    actions.filter((one) => one.isForGroup && one.fits(status, group)).map((one) => link(one, group.name)),
  );
  const ofNode = actions
    .filter((one) => !one.isForGroup && one.fits(status, null))
    .map((one) => link(one, ''));
  return html`<h2>Actions</h2><ul class="buttons">${ofGroups}${ofNode}</ul>`;
}

export interface Question {
  readonly action: Action;
  readonly group: string;
  readonly status: Status;
  readonly plans: readonly Plan[];
  readonly session: Session;
}

export function renderQuestion({ action, group, status, plans, session }: Question): Html {
  const steps = plans.filter(({ commands }) => commands.length > 0);
  const minutes =
    action.minutes === undefined
      ? ''
      : html`<p><label for="minutes">For how long</label> <select id="minutes" name="minutes">${action.minutes.map(
          (count) =>
            html`<option value="${count}"${count === 30 ? html` selected` : ''}>${count < 120 ? `${count} minutes` : `${count / 60} hours`}</option>`,
        )}</select></p>`;
  return html`<h1>${action.label(status, group)}?</h1><p>${action.meaning(status, group)}</p>${
    steps.length === 0
      ? ''
      : html`<details><summary>What is run on this node</summary>${steps.map(
          ({ resource, commands, remarks }) =>
            html`<h2>${resource}</h2>${remarks.map((remark) => html`<p class="note">${remark}</p>`)}<pre tabindex="0">${commands.join('\n')}</pre>`,
        )}</details>`
  }<form method="post" action="/act/${action.id}"><input type="hidden" name="csrf" value="${session.csrf}"><input type="hidden" name="group" value="${group}">${minutes}<p class="buttons"><button type="submit">${action.label(status, group)}</button><a class="button quiet" href="/">Leave it as it is</a></p></form>`;
}

export function renderAnswer(answer: RequestAnswer): Html {
  const { message } = answer;
  if (answer.kind !== 'refused')
    return html`<h1>It is under way</h1><p class="good">${message}</p><p><a class="button" href="/">Watch it</a></p>`;
  return html`<h1>Refused</h1><p class="bad">${message}</p><p class="next">Next: ${answer.next}</p><p><a class="button" href="/">Back to the status</a></p>`;
}
