// `battito status`: asks the daemon and shows its answer, once or again and again.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../../control/api.ts';
import { overallOf } from '../../control/overall.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag, jsonOption } from '../command.ts';
import { type Look, printJson } from '../output.ts';
import { openPicture } from '../screen.ts';
import { formatTime } from '../time.ts';
import { hanging } from './picture.ts';
import { renderStatus } from './view.ts';

/** Looks between two pictures: half a second. */
const watchPolls = 5;

export const statusCommand: Command = {
  name: 'status',
  summary: 'both nodes, the links, the groups, and what needs attention',
  usage: ['status [--watch]'],
  description: [
    'Shows what this node sees: what needs a person comes first, with what to do next; then the two nodes with the links between them, and each group with where it runs.',
  ],
  options: {
    watch: {
      type: 'boolean',
      help: 'go on, twice a second, until Ctrl-C; into a pipe: what has changed; with --json, one object a line',
    },
    json: jsonOption,
  },
  examples: [
    { command: 'battito status', meaning: 'is all well?' },
    { command: 'battito status --watch', meaning: 'keep it before your eyes during a move' },
  ],
  exitCodes: {
    0: 'all is well',
    3: 'something needs attention, a group is not running, or nothing protects the groups',
    69: 'no daemon answers at the control socket',
    75: 'the daemon did not answer in time',
    77: 'not allowed: run it as root',
  },
  positionalsMax: 0,
  async run(context, args) {
    if (flag(args, 'watch')) return context.interruptible((signal) => watch(context, args, signal));
    const status = await context.client.status();
    if (flag(args, 'json')) printJson(context.output, status);
    else context.output.line(renderStatus(status, context.output.look()));
    return exitCodeOf(status);
  },
};

export function exitCodeOf(status: Status): number {
  return overallOf(status) === 'OK' ? exitCodes.ok : exitCodes.degraded;
}

/** Until interrupted. A daemon that is away is shown as such: it may come back. */
async function watch(context: Context, args: Arguments, signal: AbortSignal): Promise<number> {
  const { client, output, pollMs } = context;
  const isJson = flag(args, 'json');
  const picture = openPicture(isJson ? { ...output, canRedraw: false } : output);
  const show = (render: (look: Look) => string) => {
    const measure = measureOf(render(anyLook));
    if (output.canRedraw) picture.show(() => render(output.look()));
    else picture.show(() => `${formatTime(new Date().toISOString())}\n${render(output.look())}\n`, measure);
  };
  let exitCode: number = exitCodes.ok;
  try {
    while (!signal.aborted) {
      try {
        const status = await client.status();
        exitCode = exitCodeOf(status);
        if (isJson) picture.show(() => JSON.stringify(status));
        else show((look) => renderStatus(status, look));
      } catch (error) {
        if (!(error instanceof BattitoError)) throw error;
        exitCode = error.exitCode;
        const { code, message, next = null } = error;
        if (isJson) picture.show(() => JSON.stringify({ error: { code, message, next } }));
        else show((look) => renderAway(message, next, look));
      }
      await sleep(pollMs * watchPolls, undefined, { signal }).catch(() => {}); // Interrupted: the loop ends.
    }
  } finally {
    picture.close();
  }
  return exitCode;
}

/** Lines are nothing in it but their words: no strokes between two nodes, which grow when a time gets shorter. */
const anyLook: Look = { columns: 60, colour: false, unicode: true };

/** What is left when time passes and data are copied, and nothing else happens: where these are printed, the rest is lost in them. */
function measureOf(text: string): string {
  return text
    .replaceAll(/\d+(?:\.\d+)? (?:ms|s|min|h|days?|[KMG]iB(?:\/s)?)(?![\w/])/g, '')
    .replaceAll(/(\d+)(?:\.\d+)? %/g, (_, percent: string) => `${Math.floor(Number(percent) / 10)} tenths`)
    .replaceAll(/\s+/g, ' ');
}

function renderAway(message: string, next: string | null, { columns }: Look): string {
  const more = next === null ? [] : hanging(' next: ', next, columns);
  return [...hanging(' ', message, columns), ...more].join('\n');
}
