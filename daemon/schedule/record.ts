// What is remembered over a restart: how each task went, when the next one was to be, how ready both nodes are, and for
// how long groups were up. One small file.

import * as z from 'zod';
import { readinessSchema, taskNames, taskRunSchema } from '../control/schedule.ts';
import { uptimeSchema } from './uptime.ts';

const taskRecord = z.object({
  last: taskRunSchema.nullable(),
  made: taskRunSchema.nullable(),
  /** When it is due next, and by which schedule that was found. */
  due: z.object({ at: z.iso.datetime(), schedule: z.string() }).nullable(),
});
export type TaskRecord = z.output<typeof taskRecord>;

export const recordSchema = z.object({
  format: z.literal(1),
  tasks: z.partialRecord(z.enum(taskNames), taskRecord),
  readiness: readinessSchema.nullable(),
  uptime: uptimeSchema,
});
export type ScheduleRecord = z.output<typeof recordSchema>;

export const emptyRecord: ScheduleRecord = { format: 1, tasks: {}, readiness: null, uptime: { days: [] } };
export const emptyTask: TaskRecord = { last: null, made: null, due: null };
