// Could this node switch the other one off? Asks each device for its status, with its real password, and changes nothing;
// the options are held against what the agent says of itself, here for the devices of both nodes.

import { existsSync, type Stats, statSync } from 'node:fs';
import type { Config, FenceDeviceConfig } from '../../config/config.ts';
import { formatDuration } from '../../config/duration.ts';
import { levelsFor } from '../../config/fencing.ts';
import type { Status } from '../../control/api.ts';
import { agentsPackage } from '../../drivers/fence/device.ts';
import { devicesOf, fenceLevels, readDevice, wholeReadingMs } from '../../drivers/fence/fence.ts';
import {
  describeAgent,
  helperPrograms,
  optionProblems,
  secretsInArgv,
} from '../../drivers/fence/metadata.ts';
import { scriptTrouble } from '../../drivers/fence/script.ts';
import { readDeviceSecrets } from '../../drivers/fence/secrets.ts';
import { readingsUntilOff, type Share, sharesOf, timeoutNeededMs } from '../../drivers/fence/shares.ts';
import { shellQuote } from '../../drivers/shell.ts';
import { BattitoError } from '../../errors.ts';
import { nearestWord } from '../arguments.ts';
import type { ControlClient } from '../client.ts';
import { formatTook } from '../time.ts';
import { type Finding, type Reporter, reporter } from './finding.ts';
import { membersOf } from './machine.ts';

export interface FencingFound {
  readonly findings: readonly Finding[];
  /** Why no device would power the peer off; null: one would, or there is none in the configuration. */
  readonly lacks: string | null;
}

export async function checkFencing(
  config: Config,
  node: string,
  client: Pick<ControlClient, 'status'>,
): Promise<FencingFound> {
  const { fencing } = config;
  const members = membersOf(config, node);
  if (fencing === null || members === undefined) return { findings: [], lacks: null };
  const peer = members.peer.name;
  const report = reporter('fencing');
  const ofPeer = new Set(levelsFor(fencing, peer).flat());
  const sound = new Set<string>();
  for (const device of fencing.devices) {
    const isSound = await checkDevice(report, device, ofPeer.has(device));
    if (isSound) sound.add(device.name);
  }
  const isHeard = await hears(client);
  const levels = fenceLevels(fencing, peer);
  const devices = devicesOf(levels).filter(({ name }) => sound.has(name));
  const shares = sharesOf(fencing.nodes[peer] ?? [], fencing.timeoutMs);
  const fit = new Set<string>();
  let slowestMs = 0;
  for (const one of devices) {
    const reading = await readDevice(one, new AbortController().signal);
    const { device, state, tookMs } = reading;
    const wholeMs = wholeReadingMs(one, reading);
    if (state.kind !== 'unknown') slowestMs = Math.max(slowestMs, wholeMs);
    if (state.kind === 'unknown') {
      const mend = `battito fence status ${peer}   # until it tells`;
      report.problem('fence-device', `${device} does not tell the power of ${peer}: ${state.message}`, mend);
    } else if (state.kind === 'off' && isHeard) {
      const message = `${device} says that ${peer} is off, but ${peer} is heard: the device has another host`;
      report.problem(
        'fence-belied',
        message,
        `correct fencing.devices.${device}: its address, or its outlet`,
      );
    } else {
      report.ok(`${device}: ${peer} is ${state.kind} (${formatTook(Math.round(tookMs))})`);
      const measured = { device, peer, share: shares.get(device), readMs: wholeMs };
      if (hasTime(report, fencing.timeoutMs, measured)) fit.add(device);
    }
  }
  checkDelay(report, fencing.delayMs, slowestMs * readingsUntilOff);
  report.info(`what ${peer} has against this node is seen from there: battito check on ${peer}`);
  const isFit = levels.some((level) => level.every(({ name }) => fit.has(name)));
  return { findings: report.findings, lacks: isFit ? null : `no device could switch ${peer} off now` };
}

/** Whatever can be told without the device. @returns whether it can be asked at all */
async function checkDevice(
  report: Reporter,
  device: FenceDeviceConfig,
  isUsedHere: boolean,
): Promise<boolean> {
  const { name, program, kind } = device;
  const secrets = readDeviceSecrets(device);
  if (secrets.kind === 'unusable') {
    const message = `${name}: ${secrets.message}`;
    // The file for this node's own devices is needed on the other one.
    if (isUsedHere) report.problem('secrets-unusable', message, secrets.mend);
    return false;
  }
  if (kind === 'script') return checkScript(report, name, program, `fencing.devices.${name}.script`);
  const description = await describeAgent(device);
  if (description.kind === 'missing') {
    report.problem(
      'fence-agent-unusable',
      `${name}: ${description.message}`,
      `apt-get install ${agentsPackage}`,
    );
    return false;
  }
  if (description.kind === 'unreadable') {
    report.problem(
      'fence-agent-unusable',
      `${name}: ${description.message}`,
      `${program} -o metadata   # shows what is wrong with it`,
    );
    return false;
  }
  const { metadata } = description;
  const plug = Object.values(device.plugs)[0];
  const given = { ...device.options, ...secrets.options, ...(plug === undefined ? {} : { plug }) };
  const problems = optionProblems(metadata, given, (option) => Object.hasOwn(secrets.options, option));
  for (const problem of problems) {
    const meant = nearestWord(problem.name, problem.known);
    const where = Object.hasOwn(secrets.options, problem.name)
      ? (device.secrets ?? '')
      : `fencing.devices.${name}.options`;
    const hint =
      meant === undefined
        ? `man ${program}   # its options; then correct ${where}`
        : `${meant}   # instead, in ${where}`;
    report.problem('fence-option-wrong', `${name}: ${problem.message} (${program})`, hint);
  }
  for (const helper of helperPrograms(metadata, given)) {
    if (existsSync(helper.program)) continue;
    report.problem(
      'fence-helper-missing',
      `${name}: ${helper.program}, which ${program} needs, is missing`,
      `apt-get install ${helper.debianPackage}`,
    );
  }
  const shown = secretsInArgv(metadata, given);
  if (shown.length > 0) {
    report.warning(
      'fence-secret-shown',
      `${name}: ${program} makes ${shown.join(' and ')} an argument of the program that it starts, which \`ps\` shows to every user of this host`,
      `let nobody log in here who may not know it, and let the device grant no more by it than to switch these outlets`,
    );
  }
  return problems.length === 0;
}

/** It runs as root, so nobody else may write it. */
export function checkScript(report: Reporter, name: string, path: string, where: string): boolean {
  let stats: Stats;
  try {
    stats = statSync(path);
  } catch {
    report.problem('script-unusable', `${name}: there is no ${path}`, `write it, or correct ${where}`);
    return false;
  }
  if (!stats.isFile() || (stats.mode & 0o111) === 0) {
    report.problem('script-unusable', `${name}: ${path} is not a program`, `chmod 0755 ${shellQuote(path)}`);
    return false;
  }
  const trouble = scriptTrouble(path);
  if (trouble !== null) report.problem('script-unusable', `${name}: ${trouble.message}`, trouble.mend);
  return trouble === null;
}

async function hears(client: Pick<ControlClient, 'status'>): Promise<boolean> {
  let status: Status;
  try {
    status = await client.status();
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    return false;
  }
  return status.verdict.kind === 'alive';
}

interface Measured {
  readonly device: string;
  readonly peer: string;
  readonly share: Share | undefined;
  readonly readMs: number;
}

/** What the power needs is measured once; it may take longer in earnest. */
const withReserve = (ms: number) => formatDuration(Math.ceil((ms * 1.5) / 1000) * 1000);

/** Would it be done in its share of the time? */
function hasTime(report: Reporter, timeoutMs: number, { device, peer, share, readMs }: Measured): boolean {
  if (share === undefined) return false;
  const neededMs = timeoutNeededMs(readMs, share, timeoutMs);
  if (neededMs <= timeoutMs) return true;
  const [needs, has] = [readMs, share.readingMs].map((ms) => formatTook(Math.round(ms)));
  report.problem(
    'fence-timeout-short',
    `${device} needs about ${needs} to be read, and twice that to cut the power; of the timeout of ${formatDuration(timeoutMs)} it has ${has} and ${formatTook(Math.round(share.tellingMs))}, so it could not switch ${peer} off`,
    `timeout: ${withReserve(neededMs)}   # under fencing, at least`,
  );
  return false;
}

function checkDelay(report: Reporter, delayMs: number, slowestMs: number): void {
  if (slowestMs <= delayMs) return;
  report.warning(
    'fence-delay-short',
    `the devices need about ${formatTook(Math.round(slowestMs))} to cut the power, but the delay is ${formatDuration(delayMs)}: when all cables are cut, both nodes could switch each other off`,
    `delay: ${withReserve(slowestMs)}   # under fencing`,
  );
}
