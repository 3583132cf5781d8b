// The bench: two real daemons between network namespaces, two real guests, one client; what they do is measured and
// printed beside its target. Nothing is asserted: a figure over its target is information, and the exit code is 1
// only when something could not be measured (64: the command line was wrong). Whatever it made is released when it
// ends, is told to end, or fails.

import { writeFile } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { hostNames } from '../netns/support/hosts.ts';
import { Office } from '../netns/support/office.ts';
import { monotonicMs } from '../support.ts';
import { runBenchCommand } from './command-line.ts';
import { measureHandovers, measureTakeovers, type Progress } from './failover.ts';
import { measureFast } from './fast.ts';
import { figureJson, isMeasured, renderSection, type Section, sectionAsMarkdown } from './figures.ts';
import { measureFlapping } from './flapping.ts';
import { measureGrowth } from './growth.ts';
import { guestsDefault, measureGuests } from './guests.ts';
import { measureUnderLoad } from './load.ts';
import { describeMachine, type Machine, machineLine } from './machine.ts';
import { measureMemory } from './memory.ts';
import { type BenchOptions, parseOptions, type SectionName, usage } from './options.ts';
import { measureStart } from './start.ts';
import { measureSteadyState } from './steady.ts';

interface Failure {
  readonly section: SectionName;
  readonly message: string;
}

type Measure = (options: BenchOptions, progress: Progress) => Promise<readonly Section[]>;

const measures: Readonly<Record<SectionName, Measure>> = {
  takeover: ({ runs }, progress) =>
    inOffice(async (office) => [await measureTakeovers(office, runs, progress)]),
  handover: ({ runs }, progress) =>
    inOffice(async (office) => [await measureHandovers(office, runs, progress)]),
  steady: ({ steadySeconds }, progress) =>
    inOffice((office) => measureSteadyState(office, steadySeconds, progress)),
  load: ({ loadSeconds }, progress) =>
    inOffice(async (office) => [await measureUnderLoad(office, loadSeconds, progress)]),
  start: ({ runs }, progress) => inOffice(async (office) => [await measureStart(office, runs, progress)]),
  guests: async ({ sizes }, progress) => [await measureGuests(sizes ?? guestsDefault, progress)],
  growth: async ({ sizes, steadySeconds }, progress) => [await measureGrowth(sizes, steadySeconds, progress)],
  flapping: ({ flappingSeconds }, progress) =>
    inOffice(async (office) => [await measureFlapping(office, flappingSeconds, progress)]),
  fast: async ({ fastSeconds }, progress) => [await measureFast(fastSeconds, progress)],
  memory: async ({ events }, progress) => [await measureMemory(events, progress)],
};

const logLinesShown = 15;

async function bench(options: BenchOptions): Promise<boolean> {
  const colour = process.stdout.isTTY && process.env['NO_COLOR'] === undefined && !options.json;
  const progress: Progress = (text) => process.stderr.write(`bench: ${text}\n`);
  const machine = describeMachine();
  if (!options.json) process.stdout.write(`${machineLine(machine)}\n`);
  const sections: Section[] = [];
  const failures: Failure[] = [];
  const startedMs = monotonicMs();
  for (const name of options.only) {
    try {
      const measured = await measures[name](options, progress);
      sections.push(...measured);
      for (const section of measured) {
        if (!options.json) process.stdout.write(`\n${renderSection(section, colour)}\n`);
      }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      failures.push({ section: name, message });
      progress(`${name} could not be measured: ${message}`);
    }
  }
  if (options.json) {
    const seconds = Math.round((monotonicMs() - startedMs) / 1000);
    process.stdout.write(`${JSON.stringify(benchJson(machine, sections, failures, seconds))}\n`);
  }
  if (options.save !== null) await save(options.save, machine, sections);
  return failures.length === 0 && sections.every(({ figures }) => figures.every(isMeasured));
}

/** Each measurement has hosts of its own, so that none inherits anything from the one before. */
async function inOffice<T>(measure: (office: Office) => Promise<T>): Promise<T> {
  const office = await Office.open();
  try {
    await office.settled('primary');
    return await measure(office);
  } catch (error) {
    for (const host of hostNames) {
      const lines = (await office.log(host)).trim().split('\n').slice(-logLinesShown);
      process.stderr.write(`daemon of ${host}:\n${lines.join('\n')}\n`);
    }
    throw error;
  } finally {
    await office.close();
  }
}

function benchJson(
  machine: Machine,
  sections: readonly Section[],
  failures: readonly Failure[],
  seconds: number,
): Record<string, unknown> {
  return {
    machine,
    seconds,
    sections: sections.map(({ id, title, figures, table }) => ({
      id,
      title,
      figures: figures.map(figureJson),
      table,
    })),
    notMeasured: failures,
  };
}

/** The results as Markdown, and their plots beside it. */
async function save(file: string, machine: Machine, sections: readonly Section[]): Promise<void> {
  const { dir, name } = parse(file);
  const plotFile = ({ id }: Section) => `${name}-${id}.svg`;
  const date = new Date().toISOString().slice(0, 10);
  const head = `# What it costs\n\nMade by \`npm run bench\`; not written by hand.\n\n${date}; ${machineLine(machine)}.`;
  const parts = [head, ...sections.map((section) => sectionAsMarkdown(section, plotFile(section)))];
  await writeFile(file, `${parts.join('\n\n')}\n`);
  for (const section of sections) {
    if (section.plot !== undefined) await writeFile(join(dir, plotFile(section)), section.plot);
  }
}

if (import.meta.main)
  process.exit(await runBenchCommand(process.argv.slice(2), { usage, parse: parseOptions, run: bench }));
