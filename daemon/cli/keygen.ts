// `battito keygen`: makes the shared key, or changes it without a gap, and says the exact command that comes next.
// It never prints a key, and never overwrites one.

import type { Config } from '../config/config.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import { usageError } from './arguments.ts';
import type { Arguments, Command, Settings } from './command.ts';
import { flag, jsonOption, text } from './command.ts';
import { printJson } from './output.ts';

type Step = 'create' | 'stage' | 'activate' | 'retire';

export const keygenCommand: Command = {
  name: 'keygen',
  summary: 'make the shared key, or change it without a gap',
  usage: ['keygen [--key-file FILE]', 'keygen --stage | --activate | --retire [--key-file FILE]'],
  description: [
    'Makes the key file that the configuration names, mode 0600. Both nodes need the same file; the command to copy it is printed.',
    'To change keys while both nodes run: --stage adds a second key that is accepted, --activate makes it sign, --retire drops the old one. After each step copy the file and reload both daemons.',
  ],
  options: {
    stage: { type: 'boolean', help: 'add a new key; both nodes will accept it' },
    activate: { type: 'boolean', help: 'let the new key sign' },
    retire: { type: 'boolean', help: 'drop the old key' },
    'key-file': { type: 'string', value: 'FILE', help: 'the file; default the one in the configuration' },
    json: jsonOption,
  },
  examples: [
    { command: 'battito keygen', meaning: 'once, on one node' },
    { command: 'battito keygen --stage', meaning: 'the first of three steps to a new key' },
  ],
  exitCodes: {
    0: 'the file is written and on disk',
    1: 'there is a key already, or the step does not fit; nothing was changed',
    78: 'the configuration or the key file is wrong; nothing was touched',
  },
  positionalsMax: 0,
  async run({ settings, output }, args) {
    const step = stepFrom(args);
    const { keyFile, peerAddress } = await findKeyFile(settings, args);
    const keys = await import('../config/key-file.ts');
    const change = {
      create: keys.generateKeyFile,
      stage: keys.stageKey,
      activate: keys.activateKey,
      retire: keys.retireKey,
    }[step];
    try {
      change(keyFile);
    } catch (error) {
      throw withCommand(error, text(args, 'key-file'));
    }
    const next = nextSteps(step, keyFile, peerAddress);
    if (flag(args, 'json')) {
      printJson(output, { step, keyFile, next: next.map(({ command }) => command) });
      return exitCodes.ok;
    }
    output.line(`${keyFile}: ${done[step]}`);
    next.forEach(({ why, command }, index) => {
      output.line(`${index + 1}. ${why}:\n     ${command}`);
    });
    return exitCodes.ok;
  },
};

const done: Readonly<Record<Step, string>> = {
  create: 'a new key, mode 0600',
  stage: 'a second key is accepted; the old one still signs',
  activate: 'the new key signs; the old one is still accepted',
  retire: 'only the new key is left',
};

function stepFrom(args: Arguments): Step {
  const steps = (['stage', 'activate', 'retire'] as const).filter((step) => flag(args, step));
  if (steps.length > 1)
    throw usageError('one step at a time: --stage, --activate or --retire', keygenCommand);
  return steps[0] ?? 'create';
}

/** What the key file refuses to have done, with the command that goes on from what there is. */
function withCommand(error: unknown, given: string | undefined): unknown {
  if (!(error instanceof BattitoError)) return error;
  const more = given === undefined ? '' : ` --key-file ${shellWord(given)}`;
  const next = new Map<string, string>(
    Object.entries({
      'key-file-exists': `to change it while both nodes run: battito keygen --stage${more}; or copy it to the other node, if it is not there yet`,
      'key-not-staged': `battito keygen --stage${more}, then copy the file to the other node and reload both daemons`,
      'key-already-staged': `go on with that change: battito keygen --activate${more}; or, where that is done: battito keygen --retire${more}`,
    }),
  ).get(error.code);
  if (next === undefined) return error;
  return new BattitoError(error.code, error.message, { exitCode: error.exitCode, next, cause: error });
}

const shellWord = (word: string) =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** The configuration is only needed for what the command line does not say. */
async function findKeyFile(
  settings: Settings,
  args: Arguments,
): Promise<{ readonly keyFile: string; readonly peerAddress: string | null }> {
  const { loadConfig } = await import('../config/load.ts');
  const given = text(args, 'key-file');
  if (given === undefined) {
    const config = loadConfig(settings.configPath);
    return { keyFile: config.heartbeat.keyFile, peerAddress: peerAddressIn(config, settings.node) };
  }
  try {
    return { keyFile: given, peerAddress: peerAddressIn(loadConfig(settings.configPath), settings.node) };
  } catch {
    return { keyFile: given, peerAddress: null }; // No configuration yet: the key may well come first.
  }
}

function peerAddressIn({ nodes }: Config, node: string): string | null {
  const isMember = nodes.some(({ name }) => name === node);
  return isMember ? (nodes.find(({ name }) => name !== node)?.address ?? null) : null;
}

function nextSteps(step: Step, keyFile: string, peerAddress: string | null) {
  const peer = `root@${peerAddress ?? 'OTHER-NODE'}`;
  const quoted = shellWord(keyFile);
  const copy = {
    why: 'copy it to the other node, where it must be of mode 0600, too',
    command: `scp -p ${quoted} ${peer}:${quoted}`,
  };
  if (step === 'create') {
    return [copy, { why: 'then, on both nodes', command: 'battito check && systemctl enable --now battito' }];
  }
  const reload = {
    why: 'let both daemons read it',
    command: `systemctl reload battito; ssh ${peer} systemctl reload battito`,
  };
  const after = {
    stage: [{ why: 'once both nodes have it', command: 'battito keygen --activate' }],
    activate: [{ why: 'once both nodes have it', command: 'battito keygen --retire' }],
    retire: [],
  }[step];
  return [copy, reload, ...after];
}
