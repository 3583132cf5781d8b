// The control API's answers, field by field, as a test checks them: a field that one of them gains or loses fails
// the test or the compiler.

import { z } from 'zod';
import type { HistoryEntry, Status } from '../../../daemon/control/api.ts';
import { readinessSchema, taskNames, taskRunSchema } from '../../../daemon/control/schedule.ts';
import { phaseKinds } from '../../../daemon/core/heartbeat.ts';
import { type Code, explanations } from '../../../daemon/why/explanations.ts';

/** Only what `battito why` explains. */
const code = z.enum(Object.keys(explanations) as Code[]);
const severity = z.enum(['info', 'warning', 'alarm']);
const verdictKind = z.enum([
  'listening',
  'alive',
  'late',
  'departed',
  'isolated',
  'unresponsive',
  'dead',
  'fenced',
]);
const phaseKind = z.enum(phaseKinds);
const nodeView = z.strictObject({
  name: z.string(),
  address: z.ipv4(),
  standby: z.boolean(),
  leaving: z.boolean(),
  standbyMs: z.number().nonnegative().nullable(),
  maintenanceMs: z.number().nonnegative(),
  lan: z.boolean().nullable(),
  software: z.string().nullable(),
  configDigest: z.string().nullable(),
});
const linkView = z.strictObject({
  name: z.string(),
  ageMs: z.number().nonnegative().nullable(),
  fresh: z.boolean(),
  heardByPeer: z.boolean().nullable(),
  down: z.string().nullable(),
  sent: z.int(),
  received: z.int(),
  refused: z.record(z.string(), z.int().positive()),
});
const resourceView = z.strictObject({
  id: z.string(),
  kind: z.enum(['address', 'guest']),
  status: z.enum(['up', 'down', 'paused', 'failed', 'unknown']),
  operation: z.strictObject({ action: z.string(), forMs: z.number().nonnegative() }).nullable(),
  quarantined: z.string().nullable(),
  lastError: z.string().nullable(),
  waitsFor: z.array(z.string()),
  leftOut: z.boolean(),
  ready: z.boolean().nullable(),
  readyWhy: z.string().nullable(),
  // No mirrored disk is to be had here.
  storage: z.null(),
  resync: z.null(),
  apart: z.null(),
  upForMs: z.number().nonnegative().nullable(),
  trouble: z.null(),
});
const peerGroupView = z.looseObject({
  phase: phaseKind,
  generation: z.int(),
  willing: z.boolean(),
  up: z.int(),
  total: z.int(),
  quarantined: z.int(),
  alone: z.boolean(),
  discarding: z.boolean(),
});
const groupView = z.strictObject({
  name: z.string(),
  phase: phaseKind,
  forMs: z.number().nonnegative(),
  generation: z.int(),
  preferred: z.string(),
  failback: z.enum(['manual', 'automatic']),
  willing: z.boolean(),
  reason: z.string().min(1),
  resources: z.array(resourceView),
  peer: peerGroupView.nullable(),
  // Nothing is remarked without a mirrored disk.
  peerRemarks: z.null(),
  undone: z.string().nullable(),
  discarding: z.boolean(),
  runsOn: z.string().nullable(),
});
const taskView = z.strictObject({
  name: z.enum(taskNames),
  schedule: z.string().nullable(),
  next: z.iso.datetime().nullable(),
  running: z
    .strictObject({ at: z.iso.datetime(), forMs: z.number().nonnegative(), progress: z.string().nullable() })
    .nullable(),
  last: taskRunSchema.strict().nullable(),
  made: taskRunSchema.strict().nullable(),
});
const spell = z.strictObject({ count: z.int(), longestMs: z.number() });
export const statusSchema: z.ZodType<Status> = z.strictObject({
  cluster: z.string(),
  tier: z.enum(['evidence', 'fenced']),
  tierLacks: z.null(),
  self: nodeView,
  peer: nodeView,
  verdict: z.strictObject({
    kind: verdictKind,
    forMs: z.number().nonnegative(),
    silentMs: z.number().nonnegative().nullable(),
    signs: z.array(z.string()),
  }),
  links: z.array(linkView),
  probes: z.array(z.strictObject({ target: z.string(), kind: z.string(), last: z.string().nullable() })),
  groups: z.array(groupView),
  // No host of these tests has one.
  watchdog: z.null(),
  stalls: z.strictObject({ count: z.int(), lastMs: z.number() }),
  gaps: z.strictObject({
    days: z.int(),
    links: z.array(
      z.strictObject({
        name: z.string(),
        count: z.int(),
        largestMs: z.number(),
        usualMs: z.number(),
        cuts: spell,
      }),
    ),
    silences: spell,
    stalls: spell,
  }),
  attention: z.array(z.strictObject({ severity, code, message: z.string(), next: z.string().min(1) })),
  schedule: z.array(taskView),
  readiness: readinessSchema.strict().nullable(),
  witness: z.null(),
  timings: z.strictObject({
    keepaliveMs: z.number(),
    warntimeMs: z.number(),
    deadtimeMs: z.number(),
    initdeadMs: z.number(),
  }),
  daemon: z.strictObject({ pid: z.int(), uptimeMs: z.number().nonnegative(), incarnation: z.int() }),
});
export const historySchema: z.ZodType<HistoryEntry[]> = z.array(
  z.strictObject({
    time: z.iso.datetime(),
    monotonicMs: z.number(),
    severity,
    code: z.string().regex(/^[a-z]+(-[a-z]+)*$/),
    group: z.string().nullable(),
    message: z.string().min(1),
    next: z.string().nullable(),
    tookMs: z.number().nonnegative().nullable(),
  }),
);
