// `battito takeover`: brings groups to this node; orderly from a living peer, at once from one that is gone.

import type { GroupView, OperatorRequest, Status } from '../control/api.ts';
import { acceptedGroups, confirm, forcedDisks, hopelessDisk, isDisk } from './accept-data.ts';
import { usageError } from './arguments.ts';
import type { Arguments, Command, Context } from './command.ts';
import { flag, jsonOption, text, texts } from './command.ts';
import { dryRunOption, printPlan } from './dry-run.ts';
import { chooseGroups, givenUpHere, listNames, sameGroups } from './groups.ts';
import { checkWaitOptions, type Judgement, runMove, waitExitCodes, waitOptions } from './wait.ts';

export const takeoverCommand: Command = {
  name: 'takeover',
  summary: 'bring groups to this node',
  usage: [
    'takeover [GROUP...] [--no-wait | --timeout DURATION]',
    'takeover [GROUP...] --peer-is-off NODE',
    'takeover [GROUP...] --force[=RESOURCE]',
    'takeover --accept-data GROUP',
    'takeover [GROUP...] --dry-run',
  ],
  description: [
    'Brings the named groups, or all of them, to this node and waits until they run here. From a living peer they are handed over in order. From a dead one this node takes over by itself; the command then only waits.',
    'When the daemon cannot tell whether the peer is off, it refuses, since a guest that runs twice ruins its disk. Whoever has seen that the peer has no power says so with --peer-is-off.',
    "When the data here may not be the newest, because a DRBD resource is not up to date or the peer may have written after this node did, only a person's word starts the group here: what the peer wrote since is lost. --force shows the state of each resource in doubt and asks for its name; a script names it, --force=r0, once for each. --accept-data names the group instead. Either way it is on record: battito history.",
  ],
  options: {
    'peer-is-off': { type: 'string', value: 'NODE', help: 'NODE has no power: I have made sure of it' },
    'although-it-answers': {
      type: 'boolean',
      help: "with --peer-is-off: something else answers at one of NODE's addresses",
    },
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
    {
      command: 'battito takeover --force',
      meaning: 'the other copy is lost for good; asks for the resource by name',
    },
  ],
  exitCodes: waitExitCodes,
  positionalsMax: Number.POSITIVE_INFINITY,
  async run(context, args) {
    checkWaitOptions(args, takeoverCommand);
    if (flag(args, 'although-it-answers') && text(args, 'peer-is-off') === undefined)
      throw usageError('--although-it-answers has a meaning with --peer-is-off NODE only', takeoverCommand);
    const status = await context.client.status();
    checkNames(args, status);
    const named = [...args.positionals, ...texts(args, 'accept-data')];
    const groups = chooseGroups(status, named, takeoverCommand);
    if (flag(args, 'dry-run')) {
      const forced = forcedDisks(args, status, takeoverCommand);
      const meant = named.length > 0 || forced.groups.length === 0 ? groups : forced.groups;
      return printPlan(context, args, { action: 'start', groups: meant }, dryRunRemarks(meant, forced.disks));
    }
    const requests = await requestsFor(context, args, status);
    const accepted = requests.flatMap((request) => (request.kind === 'accept-data' ? request.groups : []));
    const isThatAll = requests.every(({ kind }) => kind === 'accept-data');
    const wanted = isThatAll ? chooseGroups(status, [...named, ...accepted], takeoverCommand) : groups;
    const isByWord = requests.some(({ kind }) => kind !== 'takeover');
    return runMove(context, args, takeoverCommand, {
      requests,
      judge: (now) => judge(now, wanted),
      ...(isByWord ? { said: saidBy(args, status) } : {}),
    });
  },
};

/** What is no group, or not the peer, with the whole command that was probably meant. */
function checkNames(args: Arguments, status: Status): void {
  const { positionals } = args;
  const node = text(args, 'peer-is-off');
  if (node !== undefined && node !== status.peer.name) {
    const message = `"${node}" is not the other node; that is ${status.peer.name}`;
    const although = flag(args, 'although-it-answers') ? ['--although-it-answers'] : [];
    const words = [...positionals, '--peer-is-off', status.peer.name, ...although];
    throw usageError(message, takeoverCommand, `battito takeover ${words.join(' ')}`);
  }
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
  const node = text(args, 'peer-is-off');
  const disks = texts(args, 'force').length === 0 ? [] : forcedDisks(args, status, takeoverCommand).disks;
  return [
    'battito takeover',
    ...args.positionals,
    ...(node === undefined ? [] : ['--peer-is-off', node]),
    ...(flag(args, 'although-it-answers') ? ['--although-it-answers'] : []),
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

async function requestsFor(context: Context, args: Arguments, status: Status): Promise<OperatorRequest[]> {
  const requests: OperatorRequest[] = [];
  const node = text(args, 'peer-is-off');
  if (node !== undefined) {
    const assertion = `You say that ${node} has no power. If ${node} is still running, every guest will run twice and its disks will be damaged.`;
    await confirm(context, args, assertion, node);
    requests.push({ kind: 'confirm-peer-off', force: flag(args, 'although-it-answers'), node });
  }
  const groups = await acceptedGroups(context, args, status, takeoverCommand);
  if (groups.length > 0) requests.push({ kind: 'accept-data', groups });
  return requests.length > 0 ? requests : [{ kind: 'takeover', groups: args.positionals }];
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
  // What is said of it names its disks, too.
  const said = status.attention.find(
    ({ code, message }) => code.startsWith('blocked-') && message.startsWith(`${blocked.name} `),
  );
  const message = said?.message ?? `${blocked.name} is blocked on ${self}: ${blocked.reason}`;
  const next = said?.next ?? status.attention[0]?.next ?? 'look with `battito status`';
  return { kind: 'stuck', message, next };
}
