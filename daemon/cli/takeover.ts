// `battito takeover`: brings groups to this node; orderly from a living peer, at once from one that is gone.

import type { GroupView, OperatorRequest, Status } from '../control/api.ts';
import { usageError } from './arguments.ts';
import type { Arguments, Command, Context } from './command.ts';
import { flag, jsonOption, texts } from './command.ts';
import { acceptedGroups, forcedDisks, hopelessDisk, isDisk } from './drbd/accept-data.ts';
import { dryRunOption, printPlan } from './dry-run.ts';
import { chooseGroups, nothingToDo, preferredOption, withPreferred } from './groups.ts';
import { judgeRunningHere } from './running-here.ts';
import { checkWaitOptions, runMove, waitExitCodes, waitOptions } from './wait.ts';

export const takeoverCommand: Command = {
  name: 'takeover',
  summary: 'bring groups to this node',
  usage: [
    'takeover [GROUP...] [--no-wait | --timeout DURATION]',
    'takeover [GROUP...] --force[=RESOURCE]',
    'takeover --accept-data GROUP',
    'takeover --preferred here|there ...',
    'takeover [GROUP...] --dry-run',
  ],
  description: [
    'Brings the named groups, or all of them, to this node and waits until they run here. From a living peer they are handed over in order. From a dead one this node takes over by itself; the command then only waits.',
    'When the daemon cannot tell whether the peer is off, it refuses, since a guest that runs twice ruins its disk. Whoever has seen that the peer has no power says so with battito fence confirm.',
    "When the data here may not be the newest, because a DRBD resource is not up to date or the peer may have written after this node did, only a person's word starts the group here: what the peer wrote since is lost. --force shows the state of each resource in doubt and asks for its name; a script names it, --force=r0, once for each. --accept-data names the group instead. Either way it is on record: battito history.",
  ],
  options: {
    force: {
      type: 'string',
      value: 'RESOURCE',
      valueOptional: true,
      multiple: true,
      help: "start from this node's copy of the DRBD resource RESOURCE, though it may not be the newest; without a name it asks for it",
    },
    'accept-data': {
      type: 'string',
      value: 'GROUP',
      multiple: true,
      help: "start GROUP from this node's data, though the peer's may be newer",
    },
    yes: { type: 'boolean', help: 'do not ask for the name again' },
    preferred: preferredOption,
    'dry-run': dryRunOption,
    ...waitOptions,
    json: jsonOption,
  },
  examples: [
    { command: 'battito takeover', meaning: 'everything runs here' },
    { command: 'battito takeover mail', meaning: 'the group mail runs here' },
    {
      command: 'battito takeover --dry-run',
      meaning: 'the commands that would run, to read or to run by hand',
    },
    {
      command: 'battito takeover --force',
      meaning: 'the other copy is lost for good; asks for the resource by name',
    },
  ],
  exitCodes: waitExitCodes,
  positionalsMax: Number.POSITIVE_INFINITY,
  async run(context, given) {
    checkWaitOptions(given, takeoverCommand);
    const status = await context.client.status();
    const args = withPreferred(given, status, takeoverCommand);
    if (typeof args === 'string') return nothingToDo(context, given, args);
    checkNames(args, status);
    const named = [...args.positionals, ...texts(args, 'accept-data')];
    const groups = chooseGroups(status, named, takeoverCommand);
    if (flag(args, 'dry-run')) {
      const forced = forcedDisks(args, status, takeoverCommand);
      const meant = named.length > 0 || forced.groups.length === 0 ? groups : forced.groups;
      return printPlan(context, args, { action: 'start', groups: meant }, dryRunRemarks(meant, forced.disks));
    }
    const request = await requestFor(context, args, status);
    const isByWord = request.kind === 'accept-data';
    const wanted = isByWord ? chooseGroups(status, [...named, ...request.groups], takeoverCommand) : groups;
    return runMove(context, args, takeoverCommand, {
      requests: [request],
      judge: (now) => judgeRunningHere(now, wanted),
      groups: wanted.map(({ name }) => name),
      ...(isByWord ? { said: saidBy(args, status) } : {}),
    });
  },
};

/** What is no group, with the whole command that was probably meant. */
function checkNames(args: Arguments, status: Status): void {
  const { positionals } = args;
  if (texts(args, 'force').length === 0) return;
  const isGroup = (name: string) => status.groups.some((group) => group.name === name);
  const disk = positionals.find((name) => !isGroup(name) && isDisk(status, name));
  if (disk === undefined) return;
  const message = `there is no group "${disk}": it is a DRBD resource, which --force takes after a "="`;
  const words = positionals.map((name) => (isGroup(name) ? name : `--force=${name}`));
  throw usageError(message, takeoverCommand, `battito takeover ${words.join(' ')}`);
}

/** The command with every name that the person has typed, also at a question: what is on record of it. */
function saidBy(args: Arguments, status: Status): string {
  const disks = texts(args, 'force').length === 0 ? [] : forcedDisks(args, status, takeoverCommand).disks;
  return [
    'battito takeover',
    ...args.positionals,
    ...texts(args, 'accept-data').map((name) => `--accept-data ${name}`),
    ...disks.map((name) => `--force=${name}`),
  ].join(' ');
}

/** What the commands do not show: how data are accepted, and what stands in the way of any of them. */
function dryRunRemarks(groups: readonly GroupView[], forced: readonly string[]): readonly string[] {
  const each = forced.map((name) => `drbdadm primary --force ${name}`).join('; ');
  const hopeless = groups.flatMap(({ resources }) => resources).flatMap((disk) => hopelessDisk(disk) ?? []);
  return [
    ...(forced.length === 0 ? [] : [`with data accepted as they are, DRBD is promoted by: ${each}`]),
    ...hopeless.map(({ message, next }) => `this would fail now: ${message}; next: ${next}`),
  ];
}

type GroupsRequest = Extract<OperatorRequest, { kind: 'takeover' | 'accept-data' }>;

async function requestFor(context: Context, args: Arguments, status: Status): Promise<GroupsRequest> {
  const groups = await acceptedGroups(context, args, status, takeoverCommand);
  return groups.length > 0 ? { kind: 'accept-data', groups } : { kind: 'takeover', groups: args.positionals };
}
