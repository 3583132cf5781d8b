// When a move to this node is done, and when it will not be.

import type { Status } from '../control/api.ts';
import { givenUpHere, listNames, sameGroups } from './groups.ts';
import type { Judgement } from './wait.ts';

/** Do these groups run here? */
export function judgeRunningHere(status: Status, wanted: Status['groups']): Judgement {
  const groups = sameGroups(status, wanted);
  const self = status.self.name;
  const missing = groups.filter(({ phase }) => phase !== 'active');
  if (missing.length === 0) {
    const message = `${self} runs ${listNames(groups)} now`;
    return { kind: 'done', message, attention: givenUpHere(groups) };
  }
  const blocked = missing.find(({ phase }) => phase === 'blocked');
  if (blocked === undefined) {
    const waitingFor = missing.map(({ name, phase }) => `${name} is ${phase} on ${self}`).join(', ');
    return { kind: 'pending', waitingFor };
  }
  // What is said of it names its disks, too.
  const said = status.attention.find(
    ({ code, message }) => code.startsWith('blocked-') && message.startsWith(`${blocked.name} `),
  );
  const message = said?.message ?? `${blocked.name} is blocked on ${self}: ${blocked.reason}`;
  const next = said?.next ?? status.attention[0]?.next ?? 'look with `battito status`';
  return { kind: 'stuck', message, next };
}
