// `battito completion`: the completion of a shell, and the names that it asks for while somebody types.

import { exitCodes } from '../../errors.ts';
import { nearestWord, usageError } from '../arguments.ts';
import type { Command, Context } from '../command.ts';
import { modelOf, type NameKind, nameKinds } from './model.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

export const completionCommand: Command = {
  name: 'completion',
  summary: 'what bash, zsh or fish completes',
  usage: ['completion bash|zsh|fish', 'completion names groups|nodes|guests|disks|codes'],
  description: [
    'Prints the completion for a shell; the package installs all three where they are found by themselves. It is made from the same table as this help.',
    '`completion names` is what the completion asks for while somebody types: the names of now from the daemon, or, where none answers, from the configuration. It never fails.',
  ],
  options: {},
  examples: [
    {
      command: 'battito completion bash > /etc/bash_completion.d/battito',
      meaning: 'from a checkout, for bash',
    },
    { command: 'battito completion zsh > /usr/local/share/zsh/site-functions/_battito', meaning: 'for zsh' },
    { command: 'battito completion fish > ~/.config/fish/completions/battito.fish', meaning: 'for fish' },
  ],
  exitCodes: {},
  positionalsMax: 2,
  async run(context, { positionals: [word, kind, ...more] }) {
    const { output } = context;
    if (word === 'names') {
      const known = nameKinds.find((one) => one === kind);
      if (known === undefined) {
        const message = `names of what? ${nameKinds.join(', ')}`;
        throw usageError(message, completionCommand, suggestion('names ', kind, nameKinds));
      }
      for (const name of await namesOf(context, known)) output.line(name);
      return exitCodes.ok;
    }
    const shell = shells.find((one) => one === word);
    if (shell === undefined || kind !== undefined || more.length > 0) {
      const found =
        word === undefined ? 'say' : shell === undefined ? `there is no "${word}":` : `${shell} alone, or`;
      throw usageError(`${found} bash, zsh or fish`, completionCommand, suggestion('', word, shells));
    }
    output.raw(await renderFor(shell));
    return exitCodes.ok;
  },
};

function suggestion(before: string, word: string | undefined, words: readonly string[]): string | undefined {
  const near = word === undefined ? undefined : nearestWord(word, words);
  return near === undefined ? undefined : `battito completion ${before}${near}`;
}

async function renderFor(shell: Shell): Promise<string> {
  const [{ allCommands }, { globalOptions }] = await Promise.all([
    import('../commands.ts'),
    import('../arguments.ts'),
  ]);
  const model = modelOf(await allCommands(), globalOptions);
  switch (shell) {
    case 'bash':
      return (await import('./bash.ts')).renderBash(model);
    case 'zsh':
      return (await import('./zsh.ts')).renderZsh(model);
    case 'fish':
      return (await import('./fish.ts')).renderFish(model);
  }
}

/** None where nothing is known. */
async function namesOf({ client, settings }: Context, kind: NameKind): Promise<readonly string[]> {
  if (kind === 'codes') return Object.keys((await import('../../why/explanations.ts')).explanations);
  try {
    const { self, peer, groups } = await client.status();
    const resources = groups.flatMap((group) => group.resources);
    const withPrefix = (prefix: string) =>
      resources.flatMap(({ id }) => (id.startsWith(prefix) ? [id.slice(prefix.length)] : []));
    if (kind === 'groups') return groups.map(({ name }) => name);
    if (kind === 'nodes') return [self.name, peer.name];
    return withPrefix(kind === 'guests' ? 'guest:' : 'drbd:');
  } catch {
    return namesInFile(settings.configPath, kind);
  }
}

async function namesInFile(path: string, kind: Exclude<NameKind, 'codes'>): Promise<readonly string[]> {
  try {
    const { loadConfig } = await import('../../config/load.ts');
    const { nodes, groups } = loadConfig(path);
    if (kind === 'groups') return groups.map(({ name }) => name);
    if (kind === 'nodes') return nodes.map(({ name }) => name);
    if (kind === 'disks') return groups.flatMap(({ drbd }) => drbd);
    return groups.flatMap(({ guests }) => guests.map(({ name }) => name));
  } catch {
    return []; // Whoever types sees nothing; what is wrong says the command that is typed.
  }
}
