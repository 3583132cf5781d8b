// Faults as a person writes them for a configuration: the words of daemon/sim/action-text.ts, with the names of this
// cluster's interfaces and guests in place of the model's. Pure.

import type { Policy } from '../core/policy.ts';
import { sides, type TimedAction } from '../sim/action.ts';
import { type HostNames, parseTimedAction, writeDuration } from '../sim/action-text.ts';
import { impossibleFault, withRealParts } from './fault-checks.ts';
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

/** A story is played from its beginning, in steps of a heartbeat: longer ones take too long. */
const atMsMax = 60 * 60_000;

function readFault(policy: Policy, names: HostNames, text: string): TimedAction {
  const modelled = withSegment(policy, names, text);
  const timed = parseTimedAction(modelled.includes('@') ? modelled : `${modelled} @0s`, names);
  if (timed.atMs > atMsMax) {
    const problem = `${writeDuration(timed.atMs)} is too late`;
    throw impossibleFault(text, problem, `everything happens within ${writeDuration(atMsMax)}, such as @10s`);
  }
  return { ...timed, action: withRealParts(policy, text, timed.action) };
}

/** Where an action names a cable: after the host, or at once. */
const segmentAt: Readonly<Record<string, number>> = { cut: 2, mend: 2, network: 1 };

/** An interface becomes the segment that it is on. Throws BattitoError `fault-not-understood` where it is on none. */
function withSegment(policy: Policy, names: HostNames, text: string): string {
  const [what = '', ...when] = text.trim().split(/(?=@)/);
  const words = what.trim().split(/\s+/);
  const index = segmentAt[words[0] ?? ''];
  const word = index === undefined ? undefined : words[index];
  if (index === undefined || word === undefined) return text;
  const { links } = modelPolicy(policy);
  const onLan = [...links.lan.map(interfaceOf), ...policy.groups.flatMap(({ interfaces }) => interfaces)];
  const cables = { dedicated: links.dedicated.map(interfaceOf), lan: onLan };
  const segments = ['dedicated', 'lan'] as const;
  const segment = segments.find((one) => one === word || cables[one].includes(word));
  const isHostKnown = index === 1 || sides.some((side) => names[side] === words[1]);
  if (segment === undefined && isHostKnown) {
    const known = segments
      .filter((one) => cables[one].length > 0)
      .map((one) => `${one} (${[...new Set(cables[one])].join(', ')})`);
    throw impossibleFault(text, `there is no cable ${word}`, `the cables are ${known.join(' and ')}`);
  }
  return [...words.with(index, segment ?? word), ...when].join(' ');
}
