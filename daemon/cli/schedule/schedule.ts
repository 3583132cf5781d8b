// `battito schedule`: what the daemon does by itself at times, how it went, and one of it now.

import { setTimeout as sleep } from 'node:timers/promises';
import { type TaskName, type TaskRun, type TaskView, taskNames } from '../../control/schedule.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import { nearestWord, usageError } from '../arguments.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag, jsonOption } from '../command.ts';
import { printJson } from '../output.ts';
import { formatTook } from '../time.ts';
import { renderSchedule } from './view.ts';

const actions = ['list', 'run'] as const;
/** Looks between two: what is waited for takes seconds, or hours. */
const looksEvery = 5;

export const scheduleCommand: Command = {
  name: 'schedule',
  summary: 'what is done by itself at times; do one of it now',
  usage: ['schedule [list] [--json]', 'schedule run NAME [--no-wait] [--json]'],
  description: [
    'list shows when each is due, when it was made last and how that ended, and why it was left out or missed. `schedule:` in the configuration has the times.',
    'run does one of them now, by the same rules as at its time: it is refused, with the reason, where this is not the node for it or something else has to come first. It is waited for; an interrupt leaves it to the daemon.',
    'readiness: both nodes are checked, as `battito check` does. definitions: those of libvirt guests are compared with the other node. verify: both copies of each DRBD resource are compared, one after the other, by the node that writes to them; it gives way to any move and any resync, and what differs is an alarm. drill: what `drill:` says. summary: the week, to those who are notified of warnings. prune: what is older than keep-days goes from history and journal.',
  ],
  options: {
    'no-wait': { type: 'boolean', help: 'with run: return as soon as it has begun' },
    json: jsonOption,
  },
  examples: [
    { command: 'battito schedule', meaning: 'when, and how it went' },
    { command: 'battito schedule run verify', meaning: 'compare both copies of the disks now' },
    { command: 'battito schedule run summary', meaning: 'the mail of the week, now' },
  ],
  exitCodes: {
    0: 'listed; run: done',
    1: 'refused, failed, or it gave way; the message says why and what to do',
    69: 'no daemon answers at the control socket',
    75: 'interrupted, or the daemon did not answer in time; what has begun goes on',
    77: 'not allowed: run it as root',
  },
  positionalsMax: 2,
  async run(context, args) {
    const [action = 'list', name] = args.positionals;
    if (action === 'list') {
      if (name !== undefined)
        throw usageError(`schedule list takes no "${name}"`, scheduleCommand, 'battito schedule');
      if (flag(args, 'no-wait')) throw usageError('--no-wait goes with schedule run', scheduleCommand);
      return list(context, args);
    }
    if (action === 'run') return runTask(context, args, nameFrom(name));
    const near = nearestWord(action, actions);
    const message = `there is no "schedule ${action}"; expected list or run`;
    throw usageError(message, scheduleCommand, near === undefined ? near : `battito schedule ${near}`);
  },
};

function nameFrom(given: string | undefined): TaskName {
  const all = taskNames.join(', ');
  if (given === undefined) throw usageError(`say what is to be run: ${all}`, scheduleCommand);
  const known = taskNames.find((name) => name === given);
  if (known !== undefined) return known;
  const near = nearestWord(given, taskNames);
  const message = `nothing that is done at times is called "${given}"; there are ${all}`;
  throw usageError(message, scheduleCommand, near === undefined ? near : `battito schedule run ${near}`);
}

async function list({ client, output }: Context, args: Arguments): Promise<number> {
  const status = await client.status();
  if (flag(args, 'json')) printJson(output, { schedule: status.schedule, readiness: status.readiness });
  else output.line(renderSchedule(status, output.look()));
  return exitCodes.ok;
}

async function runTask(context: Context, args: Arguments, task: TaskName): Promise<number> {
  const { client, output } = context;
  const json = flag(args, 'json');
  const at = await client.runTask(task);
  if (flag(args, 'no-wait')) {
    if (json) printJson(output, { task, at, begun: true });
    else output.line(`${task} has begun; \`battito schedule\` shows how it goes`);
    return exitCodes.ok;
  }
  const made = await context.interruptible((signal) => ended(context, { task, at, json }, signal));
  if (made === null) {
    throw new BattitoError('interrupted', `${task} goes on without this command`, {
      exitCode: exitCodes.timedOut,
      next: 'battito schedule   # shows how it goes',
    });
  }
  if (json) {
    printJson(output, { task, ...made });
    return made.result === 'done' ? exitCodes.ok : exitCodes.failed;
  }
  const took = made.tookMs === null ? '' : ` after ${formatTook(made.tookMs)}`;
  if (made.result === 'done') {
    output.line(`${task}: done${took}${made.message === '' ? '' : `: ${made.message}`}`);
    return exitCodes.ok;
  }
  const how =
    made.result === 'interrupted' ? 'gave way' : made.result === 'left-out' ? 'was left out' : 'failed';
  const options = made.next === null ? {} : { next: made.next };
  throw new BattitoError(`schedule-${made.result}`, `${task} ${how}${took}: ${made.message}`, options);
}

/** Null: interrupted. */
async function ended(
  { client, output, pollMs }: Context,
  { task, at, json }: { readonly task: TaskName; readonly at: string; readonly json: boolean },
  signal: AbortSignal,
): Promise<TaskRun | null> {
  let told: string | null = null;
  while (!signal.aborted) {
    const view = viewOf(await client.status(), task);
    if (view?.last?.at === at && view.running?.at !== at) return view.last;
    // Another daemon than the one that began it, or another time of the same.
    if (view?.running?.at !== at && view?.made?.at !== at) {
      throw new BattitoError('schedule-lost', `${task} has ended with the daemon that began it`, {
        next: `battito schedule run ${task}`,
      });
    }
    const progress = view?.running?.progress ?? null;
    if (!json && progress !== null && progress !== told) output.line(`${task}: ${progress}`);
    told = progress;
    await sleep(pollMs * looksEvery, undefined, { signal }).catch(() => {}); // Interrupted: the loop ends.
  }
  return null;
}

const viewOf = ({ schedule }: { readonly schedule: readonly TaskView[] }, task: TaskName) =>
  schedule.find(({ name }) => name === task);
