// `battito web login`: one look at a name and a password, in a process of its own, since the hash is much work.

import { loadConfig } from '../config/load.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import { checkPassword } from '../web/login/check-password.ts';
import { nearestWord, usageError } from './arguments.ts';
import { type Command, flag, jsonOption, text } from './command.ts';
import { readInput } from './input.ts';
import { harmless, printJson } from './output.ts';

const inputCharactersMax = 4096;

export const webCommand: Command = {
  name: 'web',
  summary: 'would the web page take this name and this password?',
  usage: ['web login [--file FILE] [--json]'],
  description: [
    'login reads two lines from its standard input, a name and a password, and says whether the web page lets them in, by the file `web.htpasswd` of the configuration. It needs no daemon. The daemon uses it for the logins on its page: what the hash costs is not paid by the loop that sends heartbeats.',
  ],
  options: {
    file: { type: 'string', value: 'FILE', help: 'this password file, whatever the configuration says' },
    json: jsonOption,
  },
  examples: [
    {
      command: 'battito web login',
      meaning: 'then type the name, Enter, the password, Enter and Ctrl-D; it is seen',
    },
  ],
  exitCodes: {
    0: 'they are let in',
    1: 'they are not',
    64: 'the standard input is not two lines',
    78: 'the configuration is wrong or has no web.htpasswd, or nobody can log in by that file',
  },
  positionalsMax: 1,
  async run({ settings, output }, args) {
    const [action] = args.positionals;
    if (action === undefined) throw usageError('say login', webCommand);
    if (action !== 'login') {
      const near = nearestWord(action, ['login']);
      const meant = near === undefined ? near : 'battito web login';
      throw usageError(`there is no "web ${action}"; expected login`, webCommand, meant);
    }
    const file = text(args, 'file') ?? fileOf(settings.configPath);
    const [, name, password] =
      /^([^\n]+)\n([^\n]+)\n?$/.exec(await readInput(process.stdin, inputCharactersMax)) ?? [];
    if (name === undefined || password === undefined) {
      const message = 'the standard input is not a line with a name and a line with a password';
      throw new BattitoError('web-login-input', message, {
        ...{ exitCode: exitCodes.usage, next: 'battito help web' },
      });
    }
    const checked = checkPassword(file, name, password);
    if (checked.kind === 'unusable') {
      const { code, message, mend } = checked.trouble;
      throw new BattitoError(code, message, { exitCode: exitCodes.config, next: mend });
    }
    if (checked.kind === 'wrong') {
      const message = `this is not the name and the password of anybody in ${file}`;
      throw new BattitoError('web-login-wrong', message, { next: `htpasswd -B -C 10 ${file} NAME` });
    }
    if (flag(args, 'json')) printJson(output, { name, proof: checked.proof });
    else output.line(`${harmless(name)} is let in`);
    return exitCodes.ok;
  },
};

/** @throws BattitoError */
function fileOf(configPath: string): string {
  const file = loadConfig(configPath).web?.htpasswdFile ?? null;
  if (file !== null) return file;
  throw new BattitoError(
    'web-htpasswd-none',
    'the configuration has no web.htpasswd: nobody has a password',
    {
      exitCode: exitCodes.config,
      next: 'add htpasswd to the section `web`: man battito.yaml',
    },
  );
}
