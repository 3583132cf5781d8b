// `battito check`: is this node fit to run, and do both nodes agree? It reads and asks, and changes nothing; of programs
// it starts those alone that tell of DRBD, of libvirt and its images, of kernel modules, of units and of a node's power.

import { readFileSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import type { Policy } from '../../core/policy.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import { usesLibvirt } from '../../runtime/known-guests.ts';
import { buildPolicy } from '../../runtime/policy.ts';
import type { Command, Context } from '../command.ts';
import { flag, jsonOption } from '../command.ts';
import { printJson } from '../output.ts';
import { checkDaemon } from './daemon.ts';
import { checkAgreement, noDefinitions, readDefinitions } from './definitions.ts';
import { checkDomains } from './domains.ts';
import { checkFencing } from './fencing.ts';
import { countOf, type Finding, renderFindings, reporter } from './finding.ts';
import { checkGuestMemory } from './guest-memory.ts';
import { checkGuests } from './guests.ts';
import { checkMachine, membersOf, searchSystemDirectories, thisMachine } from './machine.ts';
import { checkNotify } from './notify.ts';
import { checkStorage } from './storage.ts';
import { checkUnits } from './units.ts';
import { checkWatchdog } from './watchdog.ts';
import { checkWeb } from './web.ts';
import { checkWitness } from './witness.ts';

export const checkCommand: Command = {
  name: 'check',
  summary: 'is this node ready, and do both nodes agree?',
  usage: ['check'],
  description: [
    'Looks at the configuration, the key, the interfaces, the programs, the disks, the guests and libvirt of this node, who is told what went wrong, and asks the running daemon whether both nodes agree. A witness is asked to lend a lease of its own to this check, which is given back. Each finding comes with the command that mends it. Nothing is changed.',
  ],
  options: { json: jsonOption },
  examples: [
    { command: 'battito check', meaning: 'before the first start, and after every change' },
    { command: 'battito check --config ./new.yaml', meaning: 'a configuration that is not in force yet' },
  ],
  exitCodes: {
    0: 'no problems; there may be warnings',
    1: 'at least one problem',
    78: 'the configuration or the key file is wrong',
  },
  positionalsMax: 0,
  async run(context, args) {
    const { findings, exitCode } = await check(context);
    const problems = countOf(findings, 'problem');
    const warnings = countOf(findings, 'warning');
    const { output } = context;
    if (flag(args, 'json')) printJson(output, { problems, warnings, findings });
    else output.line(renderFindings(findings, output.look()));
    return exitCode;
  },
};

interface CheckResult {
  readonly findings: readonly Finding[];
  readonly exitCode: number;
}

async function check({ settings, client }: Context): Promise<CheckResult> {
  const { config, findings } = await checkConfiguration(settings.configPath);
  if (config === null) return { findings, exitCode: exitCodes.config };
  const key = await checkKey(config);
  searchSystemDirectories();
  const machine = thisMachine();
  const definitions = usesLibvirt(config) ? await readDefinitions(client, settings.stateDir) : noDefinitions;
  const domains = await checkDomains(config, settings.node, definitions);
  const running = config.watchdog === null ? null : await client.status().catch(() => null);
  const all = [
    ...findings,
    ...key,
    ...checkMachine(config, settings.node, machine),
    ...(await checkStorage(config, settings.node, machine)),
    ...checkGuests(config, settings.node),
    ...domains.findings,
    ...(await checkGuestMemory(config, domains.known, settings.node)),
    ...checkAgreement(definitions, config),
    ...(await checkUnits(config)),
    ...(await checkFencing(config, settings.node, client)),
    ...(await checkWitness(config, settings.node)),
    ...(await checkNotify(config)),
    ...checkWeb(config),
    ...checkWatchdog(config, settings.node, running),
    ...(await checkDaemon(config, policyOf(config, settings.node), client)),
  ];
  if (countOf(key, 'problem') > 0) return { findings: all, exitCode: exitCodes.config };
  return { findings: all, exitCode: countOf(all, 'problem') > 0 ? exitCodes.failed : exitCodes.ok };
}

/** Null: the configuration does not know this node, which is a finding of its own. */
function policyOf(config: Config, node: string): Policy | null {
  return membersOf(config, node) === undefined ? null : buildPolicy(config, node, '');
}

async function checkConfiguration(path: string) {
  const { formatProblem, loadConfig, parseConfig } = await import('../../config/load.ts');
  const report = reporter('configuration');
  let config: Config | null = null;
  try {
    config = loadConfig(path);
    report.ok(`${path}: cluster ${config.cluster}, digest ${config.digest.slice(0, 12)}`);
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    const parsed = error.code === 'config-invalid' ? parseConfig(readFileSync(path, 'utf8'), path) : null;
    if (parsed === null || parsed.ok) {
      report.problem(error.message, error.next ?? `mend ${path}`);
    } else {
      // Each problem of the file is a finding of its own.
      for (const problem of parsed.problems) {
        report.problem(formatProblem(problem), `edit line ${problem.line} of ${path}`);
      }
    }
  }
  return { config, findings: report.findings };
}

async function checkKey({ heartbeat: { keyFile } }: Config): Promise<readonly Finding[]> {
  const { loadKeyRing } = await import('../../config/key-file.ts');
  const report = reporter('key');
  try {
    const { accepted } = loadKeyRing(keyFile);
    if (accepted.length === 1) report.ok(`${keyFile}: one key`);
    else report.ok(`${keyFile}: two keys, a change of keys is under way`);
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    report.problem(error.message, error.next ?? 'battito keygen');
  }
  return report.findings;
}
