// The worlds that are searched, in two sizes. In the evidence tier no more goes wrong than the tier promises to bear:
// one fault, whatever is lost or late besides; with a guard, faults add up.

import { type Budget, noBudget, type Setup, unlimited } from './model.ts';

const plain: Setup = {
  name: '',
  what: '',
  guard: 'none',
  hasAddress: false,
  beginning: 'steady',
  cuts: ['whole', 'out', 'in', 'heartbeats'],
  mends: true,
  requests: [],
  budget: noBudget,
  inFlightMax: 1,
  quickSteps: 1,
  slowSteps: 0,
  errandSteps: 0,
};

/** Any single fault: a daemon killed, a host without power, a cut, a silent gateway. */
const oneFault: Budget = {
  ...noBudget,
  faults: 1,
  crashes: 1,
  powerLosses: 1,
  cuts: 1,
  gateways: 1,
  boots: 1,
};

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
  budget: { ...noBudget, faults: 1, powerLosses: 1 },
};

const handover: Setup = {
  ...plain,
  name: 'handover',
  what: 'no guard; a handover, a takeover or a stop is asked for on either node; a daemon is killed, a host off',
  requests: ['handover', 'takeover', 'stop'],
  budget: { ...noBudget, faults: 1, crashes: 1, powerLosses: 1, requests: 1 },
};

const device: Setup = {
  ...plain,
  name: 'device',
  what: 'each host can power the other one off; a partition, and a daemon killed at any time of it',
  guard: 'device',
  cuts: ['between'],
  budget: { ...noBudget, faults: 2, crashes: 1, cuts: 1 },
};

const lease: Setup = {
  ...plain,
  name: 'lease',
  what: 'a witness and watchdogs; a partition, and a daemon killed at any time of it',
  guard: 'lease',
  cuts: ['between'],
  budget: { ...noBudget, faults: 2, crashes: 1, cuts: 1 },
};

const leaseCut: Setup = {
  ...lease,
  name: 'lease-cut',
  what: 'a witness and watchdogs; a host cut off, or a partition, that does not end; a daemon killed or a failing operation',
  cuts: ['whole', 'between'],
  mends: false,
  budget: { ...noBudget, faults: 2, crashes: 1, cuts: 1, failures: 1 },
};

export const smallSetups: readonly Setup[] = [evidence, cold, handover, device, lease, leaseCut];

function more(
  setup: Setup,
  word: string,
  what: string,
  budget: Partial<Budget>,
  changes: Partial<Setup> = {},
) {
  return {
    ...setup,
    ...changes,
    name: `${setup.name}-${word}`,
    what: `${setup.what}; ${what}`,
    budget: { ...setup.budget, ...budget },
  };
}

const slow = { slowSteps: 1, errandSteps: 1 } as const;
const wholeCut = { cuts: ['whole'] } as const;
const anyCut = { cuts: ['whole', 'between', 'out'] } as const;

export const largeSetups: readonly Setup[] = [
  more(evidence, 'slow', 'or an operation that fails; slow operations and writes', { failures: 1 }, slow),
  more(evidence, 'late', 'and once a daemon runs late', { lateness: 1 }),
  more(evidence, 'delayed', 'and one packet is late', { delays: 1 }, wholeCut),
  more(evidence, 'lossy', 'and one packet is lost', { losses: 1 }, wholeCut),
  more(evidence, 'address', 'with an address', {}, { hasAddress: true }),
  more(cold, 'back', 'or its daemon is killed; and back', { crashes: 1, boots: 1 }),
  more(handover, 'back', 'and back', { boots: 1 }),
  more(handover, 'cut', 'or a host is cut off', { cuts: 1 }, wholeCut),
  more(device, 'back', 'and it is started again', { boots: 1 }),
  more(
    device,
    'three',
    'or any cut; a host off, an errand that fails: three faults',
    {
      faults: 3,
      powerLosses: 1,
      failures: 1,
    },
    anyCut,
  ),
  more(device, 'lossy', 'any packet may be lost', { losses: unlimited }),
  more(lease, 'lossy', 'and one packet or answer is lost', { losses: 1 }),
  more(lease, 'back', 'or a host off; and back', { powerLosses: 1, boots: 1 }),
  more(lease, 'whole', 'a host cut off instead', { faults: 1, crashes: 0 }, wholeCut),
];
