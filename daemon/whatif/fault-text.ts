// Faults as a person writes them for a configuration: the words of daemon/sim/action-text.ts, with the names of this
// cluster's interfaces and guests in place of the model's. Pure.

import { BattitoError, exitCodes } from '../errors.ts';
import type { Action, TimedAction } from '../sim/action.ts';
import { type HostNames, parseTimedAction } from '../sim/action-text.ts';
import { interfaceOf, modelPolicy } from './modelled.ts';
import type { Scenario } from './scenarios.ts';
import type { Situation } from './situation.ts';

/** Several faults as one story. Throws BattitoError `fault-not-understood`. */
export function readFaults({ policies, names }: Situation, texts: readonly string[]): Scenario {
  const faults = texts
    .map((text) => readFault(policies.primary, names, text))
    .toSorted((a, b) => a.atMs - b.atMs);
  const [first] = faults;
  return {
    id: 'faults',
    title: texts.join('; '),
    faults,
    measuredFrom:
      faults.length > 1 && first !== undefined ? { atMs: first.atMs, what: 'the first fault' } : null,
    isDegrading: false,
  };
}

function readFault(policy: Situation['policies']['primary'], names: HostNames, text: string): TimedAction {
  const { links } = modelPolicy(policy);
  const segmentOf = (word: string) => {
    if (links.dedicated.some((link) => interfaceOf(link) === word)) return 'dedicated';
    const served = policy.groups.flatMap(({ interfaces }) => interfaces);
    return links.lan.some((link) => interfaceOf(link) === word) || served.includes(word) ? 'lan' : word;
  };
  const [kind = '', ...words] = text.trim().split(/\s+/);
  const isOfCable = kind === 'cut' || kind === 'mend' || kind === 'network';
  const modelled = [kind, ...(isOfCable ? words.map(segmentOf) : words)].join(' ');
  try {
    const timed = parseTimedAction(modelled.includes('@') ? modelled : `${modelled} @0s`, names);
    return { ...timed, action: withRealResource(policy, text, timed.action) };
  } catch (error) {
    if (!(error instanceof BattitoError) || !isOfCable) throw error;
    const cables = (['dedicated', 'lan'] as const).flatMap((segment) =>
      links[segment].map((link) => `${segment} is ${interfaceOf(link)}`),
    );
    const { code, exitCode, message, next = '', cause } = error;
    throw new BattitoError(code, message, { exitCode, next: `${next}; ${cables.join(', ')}`, cause });
  }
}

function withRealResource(policy: Situation['policies']['primary'], text: string, action: Action): Action {
  const ids = policy.groups.flatMap(({ resources }) => resources.map(({ id }) => id));
  const real = (name: string) => {
    const found = ids.find((id) => id === name) ?? ids.find((id) => id.endsWith(`:${name}`));
    if (found !== undefined) return found;
    throw new BattitoError('fault-not-understood', `cannot do ${JSON.stringify(text)}: there is no ${name}`, {
      exitCode: exitCodes.usage,
      next: `there is ${ids.join(', ')}`,
    });
  };
  switch (action.kind) {
    case 'break':
    case 'start-by-hand':
    case 'stop-by-hand':
      return { ...action, resource: real(action.resource) };
    case 'guest-dies':
      return { ...action, guest: real(action.guest) };
    default:
      return action;
  }
}
