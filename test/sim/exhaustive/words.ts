// The words of the core as small numbers. Where the core learns a new word, the compiler asks for it here.

import type { OfferReason } from '../../../daemon/core/claims.ts';
import type { LeaseAnswer, ResourceAction, ResourceStatus } from '../../../daemon/core/events.ts';
import type { ClaimReason } from '../../../daemon/core/heartbeat.ts';
import type { Obstacle, Phase, StopReason, VerdictKind } from '../../../daemon/core/state.ts';

type Words<W extends string> = Readonly<Record<W, number>>;

export const phases: Words<Phase['kind']> = {
  observing: 0,
  stopped: 1,
  blocked: 2,
  claiming: 3,
  starting: 4,
  active: 5,
  frozen: 6,
  stopping: 7,
};

export const stopReasons: Words<StopReason> = {
  handover: 0,
  yield: 1,
  leave: 2,
  stray: 3,
  discard: 4,
  decline: 5,
};

export const claimReasons: Words<ClaimReason> = { 'nobody-runs-it': 0, offered: 1, operator: 2, resume: 3 };

export const verdicts: Words<VerdictKind> = {
  listening: 0,
  alive: 1,
  late: 2,
  departed: 3,
  isolated: 4,
  unresponsive: 5,
  dead: 6,
  fenced: 7,
};

export const vouchers = { operator: 0, device: 1, lease: 2 } as const;

export const statuses: Words<ResourceStatus['kind']> = {
  down: 0,
  up: 1,
  paused: 2,
  unknown: 3,
  failed: 4,
  incoming: 5,
};

export const actions: Words<ResourceAction> = {
  start: 0,
  stop: 1,
  destroy: 2,
  freeze: 3,
  resume: 4,
  outdate: 5,
  connect: 6,
  discard: 7,
  save: 8,
  migrate: 9,
  reject: 10,
  'allow-two': 11,
  'forbid-two': 12,
};

export const offers: Words<OfferReason> = {
  operator: 0,
  standby: 1,
  leave: 2,
  failback: 3,
  'no-lan': 4,
  'no-disk': 5,
  outside: 6,
};

export const obstacles: Words<Obstacle> = {
  'peer-unresponsive': 0,
  isolated: 1,
  'unproven-data': 2,
  'outdated-data': 3,
  'unknown-data': 4,
  'no-lan': 5,
  'no-watchdog': 6,
  'not-fenced': 7,
  'no-lease': 8,
  'peer-in-maintenance': 9,
  'left-to-peer': 10,
};

export const leaseAnswers: Words<LeaseAnswer['kind']> = { held: 0, refused: 1, unreachable: 2 };
