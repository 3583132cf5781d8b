// `battito check`: would a takeover succeed? Both nodes are looked at, each by itself. It reads and asks, and changes nothing; of programs
// it starts those alone that tell of DRBD, of libvirt and its images, of kernel modules, of units and of a node's power.

import { readFileSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import type { Readiness } from '../../control/schedule.ts';
import type { Policy } from '../../core/policy.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import { usesLibvirt } from '../../runtime/guests/known-guests.ts';
import { buildPolicy } from '../../runtime/policy.ts';
import type { Arguments, Command, Context } from '../command.ts';
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
import { checkPeer } from './peer.ts';
import { readinessOf, renderReadiness } from './readiness.ts';
import { checkStorage } from './storage.ts';
import { checkUnits } from './units.ts';
import { checkWatchdog } from './watchdog.ts';
import { checkWeb } from './web.ts';
import { checkWitness } from './witness.ts';

export const checkCommand: Command = {
  name: 'check',
  summary: 'would a takeover succeed? Both nodes are checked',
  usage: ['check [--this-node]'],
  description: [
    'Looks at the configuration, the key, the interfaces, the programs, the disks, the guests and libvirt of this node, who is told what went wrong, and asks the running daemon whether both nodes agree. A witness is asked to lend a lease of its own to this check, which is given back. Each finding comes with the command that mends it. Nothing is changed.',
    'The daemon of the other node is asked to check that one in the same way, over the encrypted channel of the two; with --this-node, or when it cannot be reached, which is said, this node is checked alone. What both have alike is shown once.',
    'It ends with the readiness: 100, less 30 for each finding by which a takeover would fail or not be tried, which makes it NOT READY whatever is left, and less 5 for each other warning. The daemon keeps the last one, shows it in `battito status`, and checks by itself at times: `schedule:` in the configuration.',
  ],
  options: {
    'this-node': { type: 'boolean', help: 'leave the other node alone' },
    json: jsonOption,
  },
  examples: [
    { command: 'battito check', meaning: 'before the first start, and after every change' },
    { command: 'battito check --this-node', meaning: 'before the other node is there' },
    { command: 'battito check --config ./new.yaml', meaning: 'a configuration that is not in force yet' },
  ],
  exitCodes: {
    0: 'no problems; there may be warnings',
    1: 'at least one problem',
    78: 'the configuration or the key file is wrong',
  },
  positionalsMax: 0,
  async run(context, args) {
    const { output } = context;
    const { readiness, findings, exitCode } = await checkNodes(context, args);
    const problems = countOf(findings, 'problem');
    const warnings = countOf(findings, 'warning');
    if (flag(args, 'json')) printJson(output, { problems, warnings, readiness, findings });
    else
      output.line(
        `${renderFindings(findings, output.look())}\n\n${renderReadiness(readiness, output.look())}`,
      );
    return exitCode;
  },
};

/** This node, the other one through its daemon, and what both come to. */
async function checkNodes(context: Context, args: Arguments) {
  const { client, settings } = context;
  const self = settings.node;
  const isAlone = flag(args, 'this-node');
  const [own, peer] = await Promise.all([check(context), isAlone ? nobody : checkPeer(client, self)]);
  const { checked } = peer;
  const mine = checked === null ? own.findings : own.findings.map((finding) => ({ ...finding, node: self }));
  const findings = [...mine, ...peer.findings];
  const readiness = readinessOf({
    ...{ findings, by: self, at: new Date().toISOString() },
    nodes: checked === null ? [self] : [self, checked],
  });
  if (!isAlone && own.digest !== null) await keep(client, readiness, own.digest);
  const exitCode =
    own.exitCode === exitCodes.ok && countOf(findings, 'problem') > 0 ? exitCodes.failed : own.exitCode;
  return { readiness, findings, exitCode };
}

const nobody = { checked: null, findings: [] };

/** For the status; of a configuration that is in force only. */
async function keep(client: Context['client'], readiness: Readiness, digest: string): Promise<void> {
  try {
    const { self } = await client.status();
    if (self.configDigest !== null && digest.startsWith(self.configDigest))
      await client.keepReadiness(readiness);
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error; // No daemon: that is a finding.
  }
}

interface CheckResult {
  /** Of the configuration; null: there is none to speak of. */
  readonly digest: string | null;
  readonly findings: readonly Finding[];
  readonly exitCode: number;
}

async function check({ settings, client }: Context): Promise<CheckResult> {
  const { config, findings } = await checkConfiguration(settings.configPath);
  if (config === null) return { digest: null, findings, exitCode: exitCodes.config };
  const { digest } = config;
  const key = await checkKey(config);
  searchSystemDirectories();
  const machine = thisMachine();
  const definitions = usesLibvirt(config) ? await readDefinitions(client, settings.stateDir) : noDefinitions;
  const domains = await checkDomains(config, settings.node, definitions);
  const running = config.watchdog === null ? null : await client.status().catch(() => null);
  const fencing = await checkFencing(config, settings.node, client);
  const witness = await checkWitness(config, settings.node);
  const watchdog = checkWatchdog(config, settings.node, running);
  const ways = { fencingLacks: fencing.lacks, findings: [...witness, ...watchdog] };
  const all = [
    ...findings,
    ...key,
    ...checkMachine(config, settings.node, machine),
    ...(await checkStorage(config, settings.node, machine)),
    ...checkGuests(config, settings.node),
    ...domains.findings,
    ...(await checkGuestMemory(config, domains, settings.node)),
    ...checkAgreement(definitions, config),
    ...(await checkUnits(config)),
    ...fencing.findings,
    ...witness,
    ...(await checkNotify(config)),
    ...checkWeb(config),
    ...watchdog,
    ...(await checkDaemon(config, policyOf(config, settings.node), client, ways)),
  ];
  if (countOf(key, 'problem') > 0) return { digest, findings: all, exitCode: exitCodes.config };
  return { digest, findings: all, exitCode: countOf(all, 'problem') > 0 ? exitCodes.failed : exitCodes.ok };
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
      report.problem(error.code, error.message, error.next ?? `mend ${path}`);
    } else {
      // Each problem of the file is a finding of its own.
      for (const problem of parsed.problems) {
        report.problem(problem.code, formatProblem(problem), `edit line ${problem.line} of ${path}`);
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
    report.problem(error.code, error.message, error.next ?? 'battito keygen');
  }
  return report.findings;
}
