// `battito runbook`: writes the shell script that does by hand what the daemon does. Asks no daemon.

import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { loadConfig } from '../config/load.ts';
import { shellQuote } from '../drivers/shell.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import { renderRunbook, runbookDirectory, runbookKinds } from '../runbook/runbook.ts';
import { writeDurably } from '../runtime/records/durable-file.ts';
import { runbookOptions } from '../runtime/runbooks.ts';
import { nearestWord, usageError } from './arguments.ts';
import type { Command } from './command.ts';
import { flag, jsonOption, text } from './command.ts';
import { printJson } from './output.ts';
import { storedGuests } from './stored-guests.ts';

export const runbookCommand: Command = {
  name: 'runbook',
  summary: 'a shell script that takes over without the daemon',
  usage: runbookKinds.map((kind) => `runbook ${kind} [--output FILE]`),
  description: [
    'Makes a POSIX shell script from the configuration. It needs neither the daemon nor the runtime of Battito, and is for the night in which they cannot be had. The daemon keeps fresh ones, for its own node, in the directory runbook of the state directory, by default /var/lib/battito/runbook.',
    'takeover, which is the default: the other node is dead, everything comes up here. standby: everything goes down here in order. return: the other node is repaired, the mirrors are connected and resynced.',
    'Each script has --dry-run, which shows every command and touches nothing, and --yes, which answers its questions but for those that want a typed word. It refuses to work while the daemon runs, does nothing twice, and goes on where it stopped when it is run again.',
  ],
  options: {
    output: { type: 'string', value: 'FILE', help: 'write it there, mode 0700; default the standard output' },
    json: jsonOption,
  },
  examples: [
    { command: 'battito runbook takeover --output takeover.sh', meaning: 'to read it, or to print it' },
    {
      command: 'sh /var/lib/battito/runbook/takeover.sh --dry-run',
      meaning: 'what it would run on this node',
    },
  ],
  exitCodes: {
    0: 'the script is made',
    1: 'it could not be written',
    78: 'the configuration is wrong, or this node is not in it',
  },
  positionalsMax: 1,
  async run({ settings, output }, args) {
    const [word = 'takeover'] = args.positionals;
    const kind = runbookKinds.find((one) => one === word);
    if (kind === undefined) {
      const near = nearestWord(word, runbookKinds);
      const message = `there is no runbook "${word}"; there are: ${runbookKinds.join(', ')}`;
      throw usageError(message, runbookCommand, near && `battito runbook ${near}`);
    }
    const file = text(args, 'output');
    if (file === '') throw usageError('--output wants the name of a file', runbookCommand);
    const config = loadConfig(settings.configPath);
    const stateDir = resolve(settings.stateDir);
    const { guests, areLeftOut } = await storedGuests(config, stateDir);
    if (areLeftOut) {
      output.problem(`battito: the guests of \`all\` are not in it: ${stateDir} cannot be read`);
      output.problem(`next: run it as root on a node of the cluster, or see ${runbookDirectory(stateDir)}`);
    }
    const socketPath = resolve(settings.socketPath);
    const known = () => guests;
    const script = renderRunbook(
      kind,
      runbookOptions(config, { node: settings.node, stateDir, socketPath, known }),
    );
    if (file !== undefined) await write(file, script);
    if (flag(args, 'json')) {
      printJson(output, { kind, node: settings.node, file: file ?? null, script });
    } else if (file === undefined) {
      output.raw(script);
    } else {
      output.line(`${file}: the runbook ${kind} of ${settings.node}`);
      output.line(`next: sh ${shellQuote(file)} --dry-run`);
    }
    return exitCodes.ok;
  },
};

/** Never in the place of something that is no file, such as /dev/stdout: it is put there by a rename. */
async function write(file: string, script: string): Promise<void> {
  const path = resolve(file);
  try {
    const there = await stat(path).catch(() => undefined);
    if (there !== undefined && !there.isFile()) throw new Error('it is not a file');
    await writeDurably(path, script, 0o700);
  } catch (cause) {
    const message = `the runbook cannot be written to ${path}: ${cause instanceof Error ? cause.message : cause}`;
    throw new BattitoError('runbook-not-written', message, {
      next: `name another file, such as --output ${join('/root', 'takeover.sh')}`,
      cause,
    });
  }
}
