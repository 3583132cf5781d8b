// `battito init`: makes the first configuration and the key. It finds what the host can say, asks the rest, and writes
// at the very end, once our own loader has read the result. Whoever stops before that leaves nothing behind.

import { dirname, join, resolve } from 'node:path';
import { BattitoError, exitCodes } from '../../errors.ts';
import { usageError } from '../arguments.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag, jsonOption, text, texts } from '../command.ts';
import { printJson } from '../output.ts';
import { createAsker, stopped } from './asker.ts';
import { type Facts, type Host, lookAtHost, thisHost } from './host.ts';
import { type Note, notesOnHost, notesOnPlan } from './notes.ts';
import { makePlan, type Plan } from './plan.ts';
import { foundRows, renderFound, renderNotes, renderPlanned, renderSteps, stepsOf } from './view.ts';
import { checkPlaces, type Places, type Written, writeFiles } from './write.ts';
import { renderPlan } from './yaml.ts';

const value = (name: string, help: string) => ({ type: 'string', value: name, help }) as const;
const several = (name: string, help: string) => ({ ...value(name, help), multiple: true }) as const;

export const initCommand: Command = {
  name: 'init',
  summary: 'set up the first node: find, ask, write configuration and key',
  usage: ['init [OPTIONS]', 'init --yes --address ADDRESS [OPTIONS]', 'init --dry-run [OPTIONS]'],
  description: [
    "Looks at this host (interfaces, routes, DRBD's resources and what is mounted on them, guests of libvirt, a BMC, a watchdog) and asks what it cannot see; what it suggests stands in brackets, and Enter takes it. Every question has an option that answers it. --yes asks nothing: what has no suggestion has to be given.",
    'Then it writes the configuration, with comments, and the key, mode 0600, and prints the one line that brings both to the other node. Nothing is written before the last question is answered. A configuration that is there is never overwritten without --force, which keeps it beside the new one; a key that is there is kept.',
    'Run it on one of the two hosts, with the mirror mounted if there is one. It changes nothing else: no address, no DRBD, no guest.',
  ],
  options: {
    yes: { type: 'boolean', help: 'ask nothing; take what is suggested' },
    'dry-run': { type: 'boolean', help: 'print what it would write, and write nothing' },
    force: {
      ...several('FILE', 'replace the configuration; the old one is kept beside it, or as FILE'),
      valueOptional: true,
    },
    address: several('ADDRESS', 'floating address, such as 192.168.1.1 or 192.168.1.1/24 dev br0; or none'),
    peer: value('NAME', 'the other host; by default from DRBD or /etc/hosts'),
    'peer-address': value('ADDRESS', 'its own address on the LAN'),
    lan: value('INTERFACE', 'where clients are; by default that of the default route'),
    'own-address': value('ADDRESS', "this host's own address there"),
    dedicated: value('INTERFACE', 'the segment between the hosts, or none'),
    gateway: several('ADDRESS', 'what answers beyond both hosts; by default the gateway; or none'),
    drbd: several('RESOURCE', 'DRBD resources that move; by default all; or none'),
    mount: several('DEVICE=DIRECTORY', 'where a device of these is mounted; or none instead of a directory'),
    guests: value('NAMES', 'libvirt domains that move: all, none, or names with commas'),
    preferred: value('NODE', 'where it runs when both could; by default this host'),
    failback: value('HOW', 'manual (the default) or automatic'),
    deadtime: value('DURATION', 'silence after which a host is judged; by default 2s'),
    cluster: value('NAME', 'name of the cluster; by default office'),
    group: value('NAME', 'name of the group; by default that of the cluster'),
    'key-file': value('FILE', 'the key; by default the file key beside the configuration'),
    json: jsonOption,
  },
  examples: [
    { command: 'battito init', meaning: 'at a terminal: a few questions, each with a suggestion' },
    { command: 'battito init --yes --address 192.168.1.1', meaning: 'asks nothing; all else is found' },
    {
      command: 'battito init --dry-run --yes --address 192.168.1.1',
      meaning: 'only prints what it would write',
    },
  ],
  exitCodes: {
    0: 'configuration and key are written (with --dry-run: printed)',
    1: 'stopped by the operator, or there is a configuration already; nothing was changed',
    64: 'an answer is missing or wrong; the message names its option',
    77: 'not allowed: run it as root',
    78: 'the key file that is there is wrong, or what came out is; nothing was written',
  },
  positionalsMax: 0,
  run: async (context, args) => runInit(context, args, await thisHost()),
};

/** `host`: a test gives its own. */
export async function runInit(context: Context, args: Arguments, host: Host): Promise<number> {
  const { settings, output } = context;
  const [json, dryRun, yes] = [flag(args, 'json'), flag(args, 'dry-run'), flag(args, 'yes')];
  // Both nodes have the files at the same place, whatever the directory is from which it is typed.
  const configPath = resolve(settings.configPath);
  const keyFile = resolve(text(args, 'key-file') ?? join(dirname(configPath), 'key'));
  const places: Places = { configPath, keyFile };
  const ask = yes || json ? undefined : context.ask;
  if (ask === undefined && !yes) throw nobodyToAsk(json);
  const force = texts(args, 'force');
  if (!dryRun) checkPlaces(places, force.length > 0);

  const facts = await lookAtHost(host, settings.node);
  const before = notesOnHost(facts);
  // What is printed may be sent into a file, so that the rest goes beside it.
  const tell = (paragraph: string) => {
    if (paragraph !== '' && !json) (dryRun ? output.problem : output.line)(`${paragraph}\n`);
  };
  tell(renderFound(facts, output.look()));
  if (ask !== undefined) tell(renderNotes(before, output.look()));
  const asker = createAsker({ command: initCommand, args, output, ask });
  const plan = await makePlan(facts, { command: initCommand, args, asker, host });
  const yaml = renderPlan(plan, facts, keyFile);
  await holdToLoader(yaml, configPath);
  const notes = [
    ...(ask === undefined ? before : []),
    ...notesOnPlan(plan, facts, await answeringNow(plan, host)),
  ];

  if (ask !== undefined) {
    tell(`\n${renderPlanned(plan, output.look())}`);
    tell(renderNotes(notes, output.look()));
    if (!dryRun) await confirm(ask, places);
  }
  const written = dryRun ? null : writeFiles(places, yaml, backupFor(configPath, force));
  const steps = stepsOf(plan, configPath, keyFile);
  if (json) {
    const found = Object.fromEntries(foundRows(facts));
    const next = steps.map(({ why, command }) => ({ why, command }));
    printJson(output, {
      written: written !== null,
      file: configPath,
      keyFile,
      ...written,
      found,
      configuration: yaml,
      notes,
      next,
    });
    return exitCodes.ok;
  }
  if (written === null) {
    output.raw(yaml);
    if (ask === undefined) output.problem(renderNotes(notes, output.look()));
    return exitCodes.ok;
  }
  tellWritten(context, places, written, ask === undefined ? notes : []);
  output.line(`\n${renderSteps(steps, output.look())}`);
  return exitCodes.ok;
}

/** Where the configuration of before is kept; null: it may not be replaced. */
function backupFor(configPath: string, force: readonly string[]): string | null {
  const [last] = force.slice(-1);
  if (last === undefined || last !== '') return last === undefined ? null : resolve(last);
  return `${configPath}.${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
}

function tellWritten(
  { output }: Context,
  { configPath, keyFile }: Places,
  written: Written,
  notes: readonly Note[],
) {
  const { backup, keyIsNew } = written;
  output.line(`${configPath}: written${backup === null ? '' : `; the one of before is ${backup}`}`);
  output.line(`${keyFile}: ${keyIsNew ? 'a new key, mode 0600' : 'kept as it is'}`);
  if (notes.length > 0) output.line(`\n${renderNotes(notes, output.look())}`);
}

function nobodyToAsk(json: boolean): BattitoError {
  const why = json
    ? 'init asks no questions with --json'
    : 'init asks questions, and there is no terminal to answer at';
  return usageError(why, initCommand, 'battito init --yes --address ADDRESS');
}

async function confirm(
  ask: (question: string) => Promise<string>,
  { configPath, keyFile }: Places,
): Promise<void> {
  const answer = await ask(`Write ${configPath} and ${keyFile} [yes]: `).catch((cause: unknown) => {
    throw stopped(cause);
  });
  if (!/^(y|yes)?$/i.test(answer.trim())) throw stopped();
}

/** Floating addresses that somebody on the LAN has: IPv4, where arping can ask. */
async function answeringNow({ addresses }: Plan, host: Host): Promise<readonly string[]> {
  const { arpingDuplicates } = await import('../../drivers/arping.ts');
  const asked = addresses.map(async (each) => {
    const [, address = '', name = ''] = /^([\d.]+)\/\d+ dev (\S+)$/.exec(each) ?? [];
    if (address === '') return [];
    const { exitCode } = await host.run(arpingDuplicates(address, name));
    return exitCode === 1 ? [address] : [];
  });
  return (await Promise.all(asked)).flat();
}

/** What our own daemon would refuse is not written. */
async function holdToLoader(yaml: string, file: string): Promise<void> {
  const { formatProblem, parseConfig } = await import('../../config/load.ts');
  const parsed = parseConfig(yaml, file);
  if (parsed.ok) return;
  const found = parsed.problems.map((problem) => {
    const line = yaml.split('\n')[problem.line - 1]?.trim() ?? '';
    return `${formatProblem(problem)}\n    ${line}`;
  });
  throw new BattitoError('init-invalid', [...found, 'nothing was written'].join('\n'), {
    exitCode: exitCodes.config,
    next: 'run it again with other answers; `battito init --help` has the option for each',
  });
}

export type { Facts };
