// The worlds that are searched, in two sizes. In the evidence tier no more goes wrong than the tier promises to bear:
// one fault, whatever is lost or late besides; with a guard, faults add up.

import type { Budget, Setup } from './exhaustive-model.ts';

const calm: Budget = {
  faults: 0,
  crashes: 0,
  powerLosses: 0,
  cuts: 0,
  gateways: 0,
  failures: 0,
  boots: 0,
  losses: 0,
  delays: 0,
  lateness: 0,
  requests: 0,
};

const plain: Setup = {
  name: '',
  what: '',
  guard: 'none',
  hasAddress: false,
  beginning: 'steady',
  cuts: ['whole', 'out', 'in', 'heartbeats'],
  requests: [],
  budget: calm,
  inFlightMax: 1,
  quickSteps: 1,
  slowSteps: 0,
  errandSteps: 0,
};

/** Any single fault: a daemon killed, a host without power, a cut, a silent gateway. */
const oneFault: Budget = { ...calm, faults: 1, crashes: 1, powerLosses: 1, cuts: 1, gateways: 1, boots: 1 };

const evidence: Setup = {
  ...plain,
  name: 'evidence',
  what: 'no guard; one fault: a daemon killed, a host off, any cut but a partition, a silent gateway; and back',
  budget: oneFault,
};

const cold: Setup = {
  ...plain,
  name: 'cold',
  what: 'no guard; nothing has ever run, the daemons start at any time of each other; a host loses its power',
  beginning: 'cold',
  budget: { ...calm, faults: 1, powerLosses: 1 },
};

const handover: Setup = {
  ...plain,
  name: 'handover',
  what: 'no guard; a handover, a takeover or a stop is asked for on either node; a daemon is killed, a host off',
  requests: ['handover', 'takeover', 'stop'],
  budget: { ...calm, faults: 1, crashes: 1, powerLosses: 1, requests: 1 },
};

const device: Setup = {
  ...plain,
  name: 'device',
  what: 'each host can power the other one off; a partition and a daemon killed at any time of it',
  guard: 'device',
  cuts: ['between'],
  budget: { ...calm, faults: 2, crashes: 1, cuts: 1 },
};

const lease: Setup = {
  ...plain,
  name: 'lease',
  what: 'a witness and watchdogs; a partition and a daemon killed at any time of it',
  guard: 'lease',
  cuts: ['between'],
  budget: { ...calm, faults: 2, crashes: 1, cuts: 1 },
};

export const smallSetups: readonly Setup[] = [evidence, cold, handover, device, lease];

const more = (setup: Setup, what: string, changes: Partial<Setup>, budget: Partial<Budget>): Setup => ({
  ...setup,
  ...changes,
  what: `${setup.what}; ${what}`,
  budget: { ...setup.budget, ...budget },
});

const slow = { slowSteps: 1, errandSteps: 1 } as const;

export const largeSetups: readonly Setup[] = [
  more(evidence, 'a failing operation; slow ones', slow, { failures: 1 }),
  more(
    evidence,
    'an address; two packets on the way; a lost one, a late one, a late daemon',
    { hasAddress: true, inFlightMax: 2 },
    { losses: 1, delays: 1, lateness: 1 },
  ),
  more(cold, 'or its daemon, and it comes back', {}, { crashes: 1, boots: 1 }),
  more(handover, 'or a cut; and it comes back', {}, { cuts: 1, boots: 1 }),
  more(
    device,
    'or a host off, and it comes back; any cut',
    { cuts: ['whole', 'between', 'out'] },
    {
      powerLosses: 1,
      boots: 1,
      failures: 1,
    },
  ),
  more(
    lease,
    'or a host off, and it comes back; any cut',
    { cuts: ['whole', 'between', 'out'] },
    {
      powerLosses: 1,
      boots: 1,
      failures: 1,
    },
  ),
];
