// `battito takeover`: brings groups to this node; orderly from a living peer, at once from one that is gone.

import type { OperatorRequest, Status } from '../control/api.ts';
import { acceptedGroups, confirm } from './accept-data.ts';
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
    const status = await context.client.status();
    const accepted = texts(args, 'accept-data');
    const named = [...args.positionals, ...accepted];
    const groups = chooseGroups(status, named, takeoverCommand);
    if (flag(args, 'dry-run')) {
      const isForced = named.length > args.positionals.length || texts(args, 'force').length > 0;
      const remark = isForced
        ? 'with data accepted as they are, DRBD is promoted by: drbdadm primary --force'
        : null;
      return printPlan(context, args, 'start', groups, remark);
    }
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
