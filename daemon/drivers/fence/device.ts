// One fencing device: what is told to its agent, and what its answers mean. The API is that of the fence agents: lines
// `name=value` on stdin; `status` ends with 0 for on and 2 for off. An exit code alone is not believed, since a shell
// ends with 2 for a slip in a script, too: the word has to be there.
// Sources: fence-agents, doc/FenceAgentAPI.md and lib/fencing.py.py.

import type { FenceDeviceConfig } from '../../config/config.ts';
import { outletsOf } from '../../config/fencing.ts';
import { type AgentEnd, runAgentProcess } from './agent-process.ts';
import { type Told, withoutSecretsInArgv } from './ipmitool.ts';
import { scriptTrouble } from './script.ts';
import { hideSecrets, readDeviceSecrets } from './secrets.ts';

export type PowerState =
  | { readonly kind: 'on' }
  | { readonly kind: 'off' }
  | { readonly kind: 'unknown'; readonly message: string };

export interface Patience {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface FenceDevice {
  readonly name: string;
  /** It is told, and read, once for each outlet; the first one that is on ends a reading. */
  readonly outlets: number;
  /** Never rejects. */
  status(patience: Patience): Promise<PowerState>;
  /** Null: it says that it has done so. Else why not. Never rejects. */
  turn(to: 'on' | 'off', patience: Patience): Promise<string | null>;
}

export function createFenceDevice(config: FenceDeviceConfig, node: string): FenceDevice {
  /** Each outlet by itself. `judge`: null goes on with the next one. */
  const askEach = async <T>(
    action: string,
    { timeoutMs, signal }: Patience,
    judge: (end: AgentEnd | string, outlet: string) => T | null,
  ): Promise<T | null> => {
    const endsAtMs = performance.now() + timeoutMs;
    const secrets = readDeviceSecrets(config);
    if (secrets.kind === 'unusable') return judge(secrets.message, '');
    const trouble = config.kind === 'script' ? scriptTrouble(config.program) : null;
    if (trouble !== null) return judge(trouble.message, '');
    const each = toldForEach(config, node, secrets.options);
    const hide = (text: string) => hideSecrets(text, secrets.options);
    for (const [index, options] of each.entries()) {
      const { options: told, env } = toldTo(config, node, action, options);
      const leftMs = Math.max(0, endsAtMs - performance.now()) / (each.length - index);
      const patience = { timeoutMs: leftMs, signal };
      const end = await runAgentProcess({ program: config.program, input: linesOf(told), env, ...patience });
      const outlet = each.length > 1 ? `outlet ${options['plug'] ?? options['port']}: ` : '';
      const judged = judge({ ...end, stdout: hide(end.stdout), stderr: hide(end.stderr) }, outlet);
      if (judged !== null) return judged;
    }
    return null;
  };
  return {
    name: config.name,
    outlets: toldForEach(config, node, {}).length,
    async status(patience) {
      const state = await askEach('status', patience, (end, outlet): PowerState | null => {
        if (typeof end === 'string') return { kind: 'unknown', message: end };
        const power = powerOf(config, end);
        if (power.kind === 'unknown') return { ...power, message: `${outlet}${power.message}` };
        return power.kind === 'off' ? null : power;
      });
      return state ?? { kind: 'off' };
    },
    async turn(to, patience) {
      const failures: string[] = [];
      await askEach(to, patience, (end, outlet) => {
        if (typeof end === 'string') failures.push(end);
        else if (end.exitCode !== 0) failures.push(`${outlet}${whatWentWrong(config, end)}`);
        return null;
      });
      return failures.length === 0 ? null : failures.join('; ');
    },
  };
}

type Options = Readonly<Record<string, string>>;

/**
 * What an agent is told, once for each outlet of the node. Not all at once: of several, some agents of the distribution
 * (fence_apc_snmp and its kin) switch and read the first one over and over, and say that all are off.
 */
function toldForEach(
  { options: given, plugs, kind }: FenceDeviceConfig,
  node: string,
  secrets: Options,
): readonly Options[] {
  const options: Options = {
    ...given,
    ...secrets,
    ...(plugs[node] === undefined ? {} : { plug: plugs[node] }),
  };
  const key = options['plug'] === undefined ? 'port' : 'plug';
  const { [key]: plug } = options;
  if (plug === undefined || kind === 'script') return [options];
  const outlets = outletsOf(plug, options);
  // Nothing asked would be nothing that is on.
  return outlets.length === 0 ? [options] : outlets.map((outlet) => ({ ...options, [key]: outlet }));
}

function toldTo({ kind, program }: FenceDeviceConfig, node: string, action: string, options: Options): Told {
  const told = withoutSecretsInArgv(program, options);
  const ours = { ...(kind === 'script' ? { nodename: node } : {}), action };
  return { ...told, options: { ...told.options, ...ours } };
}

const linesOf = (options: Readonly<Record<string, string>>) =>
  Object.entries(options)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');

const offExitCode = 2;

function powerOf(config: FenceDeviceConfig, end: AgentEnd): PowerState {
  const says = (word: string) => new RegExp(`\\b${word}\\b`, 'i').test(end.stdout);
  const [on, off] = [says('on'), says('off')];
  if (end.exitCode === 0 && on && !off) return { kind: 'on' };
  if (end.exitCode === offExitCode && off && !on) return { kind: 'off' };
  if (end.exitCode === 0 || end.exitCode === offExitCode) {
    const word = end.exitCode === 0 ? 'on' : 'off';
    const said = wordsOf(end);
    const words = said === '' ? 'nothing' : said;
    const message = `its status ends with exit code ${end.exitCode}, which means ${word}, but says: ${words}; expected \`Status: ${word.toUpperCase()}\``;
    return { kind: 'unknown', message };
  }
  return { kind: 'unknown', message: whatWentWrong(config, end) };
}

/** Of the agents' own words: the time is ours already, and Python's own remarks say nothing of the device. */
const stamp = /^(\d{4}-\d\d-\d\d [\d:,]+ )?(ERROR|WARNING|INFO|DEBUG)(:root)?: ?/;
const linesMax = 3;
const lineLengthMax = 200;
/** What it says of a wrong address, a wrong password, and a device that does not answer alike. */
const vague =
  /unable to obtain correct plug status|unable to connect\/login|connection timed out|login timeout/i;

/** The package that has an agent; `battito check` says it, too. */
export const agentsPackage = 'fence-agents';

export function whatWentWrong({ program, kind }: FenceDeviceConfig, end: AgentEnd): string {
  if (end.startError === 'ENOENT') {
    return kind === 'agent'
      ? `${program} is not installed (Debian package ${agentsPackage})`
      : `there is no ${program}, or it has no interpreter`;
  }
  if (end.startError === 'EACCES') return `${program} is not executable`;
  if (end.startError !== null) return `${program} could not be started (${end.startError})`;
  if (end.cutOff === 'deadline') return `${program} did not end in time`;
  if (end.cutOff === 'signal') return `${program} was broken off`;
  const said = wordsOf(end);
  const how = end.exitCode === null ? 'was killed' : `ended with exit code ${end.exitCode}`;
  const hint = vague.test(said) ? ' (wrong address, user or password, or it does not answer)' : '';
  return said === '' ? `${program} ${how}` : `${said}${hint}`;
}

function wordsOf(end: AgentEnd): string {
  const lines = [...end.stderr.split('\n'), ...end.stdout.split('\n')]
    .map((line) => line.trim().replace(stamp, ''))
    .filter((line) => line !== '' && !/^usage:/i.test(line))
    .map((line) => (line.length > lineLengthMax ? `${line.slice(0, lineLengthMax)}…` : line));
  return [...new Set(lines)].slice(0, linesMax).join('; ');
}
