// `battito takeover`: brings groups to this node; orderly from a living peer, at once from one that is gone.

import type { OperatorRequest, Status } from '../control/api.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import type { Arguments, Command, Context } from './command.ts';
import { flag, jsonOption, text, texts } from './command.ts';
import { dryRunOption, printPlan } from './dry-run.ts';
import { chooseGroups, givenUpHere, listNames, sameGroups } from './groups.ts';
import { type Judgement, runMove, waitExitCodes, waitOptions } from './wait.ts';

export const takeoverCommand: Command = {
  name: 'takeover',
  summary: 'bring groups to this node',
  usage: [
    'takeover [GROUP...] [--no-wait | --timeout DURATION]',
    'takeover [GROUP...] --peer-is-off NODE',
    'takeover --accept-data GROUP',
    'takeover [GROUP...] --dry-run',
  ],
  description: [
    'Brings the named groups, or all of them, to this node and waits until they run here. From a living peer they are handed over in order. From a dead one this node takes over by itself; the command then only waits.',
    'When the daemon cannot tell whether the peer is off, it refuses, since a guest that runs twice ruins its disk. Whoever has seen that the peer has no power says so with --peer-is-off.',
    'When the peer may have written to a group after this node did, only --accept-data starts it here: what the peer wrote since is lost.',
  ],
  options: {
    'peer-is-off': { type: 'string', value: 'NODE', help: 'NODE has no power: I have made sure of it' },
    'although-it-answers': {
      type: 'boolean',
      help: "with --peer-is-off: something else answers at one of NODE's addresses",
    },
    'accept-data': {
      type: 'string',
      value: 'GROUP',
      multiple: true,
      help: "start GROUP from this node's data, though the peer's may be newer",
    },
    yes: { type: 'boolean', help: 'do not ask for the name again' },
    'dry-run': dryRunOption,
    ...waitOptions,
    json: jsonOption,
  },
  examples: [
    { command: 'battito takeover', meaning: 'everything runs here' },
    { command: 'battito takeover mail', meaning: 'the group mail runs here' },
    { command: 'battito takeover --peer-is-off primary', meaning: 'primary was seen to be without power' },
    {
      command: 'battito takeover --dry-run',
      meaning: 'the commands that would run, to read or to run by hand',
    },
  ],
  exitCodes: waitExitCodes,
  positionalsMax: Number.POSITIVE_INFINITY,
  async run(context, args) {
    const status = await context.client.status();
    const accepted = texts(args, 'accept-data');
    const named = [...args.positionals, ...accepted];
    const groups = chooseGroups(status, named, takeoverCommand);
    if (flag(args, 'dry-run')) return printPlan(context, args, 'start', groups);
    const requests = await requestsFor(context, args, status);
    return runMove(context, args, takeoverCommand, { requests, judge: (now) => judge(now, groups) });
  },
};

async function requestsFor(context: Context, args: Arguments, status: Status): Promise<OperatorRequest[]> {
  const requests: OperatorRequest[] = [];
  const node = text(args, 'peer-is-off');
  if (node !== undefined) {
    const assertion = `You say that ${node} has no power. If ${node} is still running, every guest will run twice and its disks will be damaged.`;
    await confirm(context, args, assertion, node);
    requests.push({ kind: 'confirm-peer-off', force: flag(args, 'although-it-answers'), node });
  }
  const groups = texts(args, 'accept-data');
  for (const group of groups) {
    const assertion = `You accept the data of ${group} on ${status.self.name}. Whatever ${status.peer.name} wrote to ${group} later will be lost.`;
    await confirm(context, args, assertion, group);
  }
  if (groups.length > 0) requests.push({ kind: 'accept-data', groups });
  return requests.length > 0 ? requests : [{ kind: 'takeover', groups: args.positionals }];
}

/** At a terminal the name must be typed again; elsewhere the option's value is the confirmation. */
async function confirm(context: Context, args: Arguments, assertion: string, name: string): Promise<void> {
  if (flag(args, 'yes') || context.ask === undefined) return;
  context.output.problem(assertion);
  const answer = await context.ask(`Type ${name} to confirm: `);
  if (answer.trim() === name) return;
  throw new BattitoError('not-confirmed', 'not confirmed: nothing was done', {
    exitCode: exitCodes.failed,
    next: `run the same command again and type ${name}`,
  });
}

function judge(status: Status, wanted: Status['groups']): Judgement {
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
  const next = status.attention[0]?.next ?? 'look with `battito status`';
  return { kind: 'stuck', message: `${blocked.name} is blocked on ${self}: ${blocked.reason}`, next };
}
