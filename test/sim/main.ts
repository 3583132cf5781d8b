// `npm run sim`: reads what was asked for and does it; see the usage in options.ts. What loads the core is imported only
// then, since a defect must be planted before.

import { BattitoError } from '../../daemon/errors.ts';
import { type CommandLine, type CommandName, readCommandLine, usage } from './options.ts';
import { print } from './printing.ts';

async function help(): Promise<number> {
  const { variants } = await import('./schedule.ts');
  const { rules } = await import('./checkers.ts');
  const { plantedDefects } = await import('./planted.ts');
  const { sizes, worldsOf } = await import('./exhaustive/run.ts');
  print(usage);
  print(`variants: ${variants.join(', ')}`);
  print(`rules: ${Object.keys(rules).join(', ')}`);
  for (const size of sizes) print(`${size} worlds: ${worldsOf[size].map(({ name }) => name).join(', ')}`);
  print(`planted defects: ${plantedDefects.map(({ name }) => name).join(', ')}`);
  return 0;
}

const schedules = () => import('./commands.ts');

/** Each answers with the exit code. */
const commands: Readonly<Record<CommandName, (line: CommandLine) => Promise<number>>> = {
  schedules: async (line) => (await schedules()).simulate(line),
  story: async (line) => (await schedules()).tellStory(line),
  defects: async (line) => (await import('./find-defects.ts')).findDefects(line),
  shrink: async (line) => (await schedules()).shrinkSeed(line),
  accept: async (line) => (await schedules()).accept(line),
  exhaustive: async ({ texts, flags }) => {
    if (texts.defect !== undefined) (await import('./defects.ts')).plantDefect(texts.defect);
    return (await import('./exhaustive/command.ts')).searchWorlds(texts, flags.has('json'));
  },
  help,
};

// Whoever reads may have read enough: `npm run sim | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

try {
  const line = readCommandLine(process.argv.slice(2));
  process.exitCode = await commands[line.command](line);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`sim: ${message}\n`);
  if (error instanceof BattitoError && error.next !== undefined) {
    process.stderr.write(`next: ${error.next}\n`);
  }
  process.exitCode = 2;
}
