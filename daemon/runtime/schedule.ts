// The daemon's end of daemon/schedule: what the tasks are on this node, and what is kept of them on disk.
// Guarantees: nothing of the core or of an operation waits for it, and no failure of it is theirs.

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Attention, Note, Status } from '../control/api.ts';
import {
  attentionOfReadiness,
  type Readiness,
  type ScheduleSource,
  type TaskView,
} from '../control/schedule.ts';
import { verifyResource } from '../drivers/drbd/verify.ts';
import { tellSummary } from '../notify/summary.ts';
import { cronClock } from '../schedule/clock.ts';
import { drillTask } from '../schedule/drill.ts';
import { definitionsTask, type PruneTaskOptions, pruneTask, summaryTask } from '../schedule/housekeeping.ts';
import { newerReadiness, readinessTask } from '../schedule/readiness.ts';
import { emptyRecord, recordSchema, type ScheduleRecord } from '../schedule/record.ts';
import { createScheduler, type Scheduler } from '../schedule/scheduler.ts';
import type { Task } from '../schedule/task.ts';
import { createUptime } from '../schedule/uptime.ts';
import { verifyTask } from '../schedule/verify.ts';
import { monotonicMs } from './clock.ts';
import type { Definitions } from './definitions/definitions.ts';
import { usesLibvirt } from './guests/known-guests.ts';
import type { Notifications } from './notifications.ts';
import { createPeerChecks } from './peer-checks.ts';
import type { History } from './records/history.ts';
import { pruneJournal } from './records/journal-files.ts';
import { openKeptFile } from './records/kept-file.ts';

export interface Schedule {
  /** For the control API. */
  readonly source: ScheduleSource;
  /** For the status. */
  view(): { readonly schedule: readonly TaskView[]; readonly readiness: Readiness | null };
  /** What failed, and has not succeeded since. */
  attention(): readonly Attention[];
  close(): Promise<void>;
}

export interface ScheduleOptions {
  readonly config: Config;
  /** Names of the nodes. */
  readonly self: string;
  readonly peer: string;
  readonly stateDir: string;
  /** `battito` with the options that name this daemon. */
  readonly command: readonly string[];
  /** Only asked once `ready` has resolved. */
  readonly status: () => Status;
  readonly ready: Promise<void>;
  readonly definitions: Pick<Definitions, 'channel' | 'source' | 'compareNow'>;
  readonly history: Pick<History, 'latest' | 'prune'>;
  readonly notifications: Pick<Notifications, 'send'>;
  /** To the log and to the history. */
  readonly tell: (note: Note) => void;
  readonly logger: Logger;
}

const lookEveryMs = 2000;
/** How long groups were up is kept this often, and when anything else is. */
const saveEveryMs = 5 * 60_000;
const historyMax = 1000;

export async function openSchedule(options: ScheduleOptions): Promise<Schedule> {
  const { config, self, peer, stateDir, command, status, definitions, logger } = options;
  const file = await openKeptFile({
    ...{ stateDir, name: 'schedule.json', schema: recordSchema, logger },
    what: 'the record of what was done by schedule',
  });
  const known = file.known ?? emptyRecord;
  let { readiness } = known;
  let scheduler: Scheduler | null = null;
  const uptime = createUptime(known.uptime, { wallMs: Date.now, monotonicMs });
  const record = (): ScheduleRecord => {
    const tasks = scheduler?.record() ?? known.tasks;
    return { format: 1, tasks, readiness, uptime: uptime.record() };
  };
  /** Not before what is under way in this turn of the loop. */
  const save = () => file.save(record);

  const keep = (found: Readiness) => {
    const newer = newerReadiness(readiness, found, Date.now());
    if (newer === readiness) return;
    readiness = newer;
    void save();
  };
  const peerChecks = createPeerChecks({
    channel: definitions.channel,
    command,
    peer,
    onReadiness: keep,
    logger,
  });

  const lookAtGroups = () =>
    uptime.look(
      status().groups.map(({ name, runsOn, phase, peer: there }) => ({
        name,
        isUp: runsOn === self ? phase === 'active' : runsOn !== null && there?.phase === 'active',
      })),
    );

  const sendSummary = () => {
    lookAtGroups();
    const seen = status();
    const week = uptime.week();
    options.notifications.send(
      tellSummary({ cluster: config.cluster, node: self }, randomUUID(), {
        nowMs: Date.now(),
        groups: seen.groups.map(({ name, runsOn }) => {
          const none = { upMs: 0, downMs: 0, outages: 0, longestMs: 0 };
          return { ...(week.find((one) => one.name === name) ?? none), name, runsOn };
        }),
        history: options.history.latest(historyMax),
        tasks: seen.schedule.filter(({ name }) => name === 'verify' || name === 'drill'),
        readiness,
        gaps: seen.gaps,
        deadtimeMs: seen.timings.deadtimeMs,
        attention: seen.attention,
      }),
    );
  };

  const tasks = tasksOf(options, { sendSummary, daysRun: uptime.daysLooked });
  let timers: readonly NodeJS.Timeout[] = [];
  let isClosed = false;
  void options.ready.then(() => {
    if (isClosed) return;
    scheduler = createScheduler({
      ...{ tasks, known: known.tasks, clock: cronClock, wallMs: Date.now, monotonicMs, save },
      tell: options.tell,
    });
    lookAtGroups();
    const look = () => {
      lookAtGroups();
      scheduler?.look();
    };
    timers = [setInterval(look, lookEveryMs).unref(), setInterval(save, saveEveryMs).unref()];
  });

  return {
    source: {
      run: (task) =>
        scheduler?.run(task) ?? {
          kind: 'refused',
          message: 'the daemon has just started',
          next: 'battito schedule',
        },
      checkPeer: peerChecks.ask,
      keepReadiness(found) {
        keep(found);
        peerChecks.tellReadiness(found);
      },
    },
    view: () => ({ schedule: scheduler?.view() ?? [], readiness }),
    attention: () => [...(scheduler?.attention() ?? []), ...attentionOfReadiness(readiness)],
    async close() {
      isClosed = true;
      for (const timer of timers) clearInterval(timer);
      await Promise.all([scheduler?.close(), peerChecks.close()]);
      await save();
    },
  };
}

/** What there is to be done on this node, in the order in which it is shown. */
function tasksOf(
  options: ScheduleOptions,
  { sendSummary, daysRun }: Pick<PruneTaskOptions, 'daysRun'> & { readonly sendSummary: () => void },
): readonly Task[] {
  const { config, stateDir, command, status, definitions, history, logger } = options;
  const { readiness, definitions: compared, verify, summary, prune, keepDays } = config.schedule;
  const { drill, notify, groups } = config;
  return [
    readinessTask({ schedule: readiness, status, command }),
    ...(usesLibvirt(config)
      ? [
          definitionsTask({
            ...{ schedule: compared, status, compare: definitions.compareNow },
            list: () => definitions.source.list(),
          }),
        ]
      : []),
    ...(groups.some((group) => group.drbd.length > 0)
      ? [
          verifyTask({
            ...{ schedule: verify, status },
            verify: (resource, signal) => verifyResource(resource, { signal, logger }),
          }),
        ]
      : []),
    ...(drill === null ? [] : [drillTask({ config: drill, status, command })]),
    ...(notify === null ? [] : [summaryTask({ schedule: summary, status, send: sendSummary })]),
    pruneTask({
      ...{ schedule: prune, keepDays, wallMs: Date.now, daysRun },
      history: (before) => history.prune(before),
      journal: (before) => pruneJournal(join(stateDir, 'journal'), before),
    }),
  ];
}
