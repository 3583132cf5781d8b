// Whether the guests that others wait for (`after`) are there. In a group with `all` any name may be one of its domains,
// so that the configuration alone cannot tell; where it can, it has refused a wrong one.

import type { GroupConfig } from '../../config/config.ts';
import { nearestWord } from '../arguments.ts';
import type { HostSight } from './domain-needs.ts';
import type { Reporter } from './finding.ts';

type Here = Pick<HostSight, 'answers' | 'isFirst' | 'peer'> & { readonly report: Reporter };

/** `names`: of all guests of each group, as this node knows them. */
export function checkWaits(
  here: Here,
  { name: group, guests, allGuests }: GroupConfig,
  names: ReadonlyMap<string, readonly string[]>,
): void {
  if (allGuests === null) return;
  const own = names.get(group) ?? [];
  const waits = guests.flatMap(({ name, after }) =>
    after.filter((other) => !own.includes(other)).map((other) => ({ name, other })),
  );
  for (const { name, other } of waits) {
    const near = nearestWord(
      other,
      own.filter((one) => one !== name),
    );
    const [elsewhere] = [...names].find(([, all]) => all.includes(other)) ?? [];
    if (near === undefined && elsewhere === undefined && (!here.answers || here.isFirst)) {
      here.report.info(
        `${name}: whether there is a guest ${other}, which it waits for, cannot be told yet: ${here.peer} has sent no definition of it`,
      );
      continue;
    }
    const what = elsewhere === undefined ? 'none' : `one of group ${elsewhere}, not`;
    const hint = near === undefined ? '' : `; did you mean ${near}?`;
    here.report.problem(
      'after-unknown',
      `${name}: it is to start after ${other}, which is ${what} of ${group}'s guests: it waits for nobody${hint}`,
      `battito guests   # which there are; then correct \`after\` of ${name} in the configuration, on both nodes`,
    );
  }
}
