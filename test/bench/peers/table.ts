// The tables of a bench of peers, as Markdown that is also aligned for a terminal: median [min..max], and ours held
// against each peer with the same window. Generated only; nobody writes a figure by hand.

import { summarise } from '../figures.ts';
import { machineLine } from '../machine.ts';
import { markdownTable } from '../markdown.ts';
import type { FaultName, FaultOutcome } from './faults.ts';
import { type ConfigurationResult, type Results, ratio, type Samples, samplesOf } from './results.ts';

const nothing = '–';

/** Whole milliseconds from ten on, else one decimal. */
const number = (value: number): string => (value >= 10 ? value.toFixed(0) : String(Number(value.toFixed(1))));

/** `40 [35..45]`, or one figure alone. */
export function spread(samples: Samples): string {
  const summary = summarise(samples);
  if (summary === null) return nothing;
  const { median, min, max } = summary;
  return samples.length === 1 ? number(median) : `${number(median)} [${number(min)}..${number(max)}]`;
}

export const ratioText = (value: number | null): string =>
  value === null ? nothing : `${value.toFixed(2)}×`;

const gap = ({ gapMs }: FaultOutcome) => gapMs;

/** Of ours with the same window; undefined: not measured, or it is ours. */
function counterpart({ results }: Results, { configuration }: ConfigurationResult) {
  if (configuration.peer === 'battito') return undefined;
  return results.find((each) => {
    const { peer, windowMs } = each.configuration;
    return peer === 'battito' && windowMs === configuration.windowMs;
  });
}

function ratioCell(all: Results, result: ConfigurationResult, fault: FaultName): string {
  const own = counterpart(all, result);
  if (own === undefined) return '';
  return ratioText(ratio(samplesOf(own, fault, gap), samplesOf(result, fault, gap)));
}

export function gapTable(all: Results): string {
  return markdownTable([
    ['configuration', 'window', 'power loss', 'ours/it', 'handover', 'ours/it', 'segment cut', 'taken'],
    ...all.results.map((result) => [
      result.configuration.label,
      String(result.configuration.windowMs),
      spread(samplesOf(result, 'power-loss', gap)),
      ratioCell(all, result, 'power-loss'),
      spread(samplesOf(result, 'handover', gap)),
      ratioCell(all, result, 'handover'),
      spread(samplesOf(result, 'segment-cut', gap)),
      spread(samplesOf(result, 'segment-cut', ({ takings }) => takings)),
    ]),
  ]);
}

/** Both hosts had it until the watching ended: nobody can say for how much longer. */
function bothCell(outcomes: readonly FaultOutcome[]): string {
  const text = spread(outcomes.map(({ bothMs }) => bothMs));
  const lasts = outcomes.some(({ bothMs, watchedMs }) => bothMs > watchedMs / 4);
  return lasts ? `${text}, and on` : text;
}

export function doubtTable(all: Results): string {
  return markdownTable([
    ['configuration', 'killed: on both', 'gap', 'frozen: on both', 'gap'],
    ...all.results.map((result) => [
      result.configuration.label,
      bothCell(result.outcomes.killed),
      spread(samplesOf(result, 'killed', gap)),
      bothCell(result.outcomes.frozen),
      spread(samplesOf(result, 'frozen', gap)),
    ]),
  ]);
}

export function costTable({ results, loadSeconds }: Results): string {
  return markdownTable([
    ['configuration', 'PSS MB', 'CPU %', 'packets/s', 'bytes/s', `taken in ${loadSeconds} s of load`, 'gap'],
    ...results.map(({ configuration, cost, underLoad }) => [
      configuration.label,
      ...(cost === null
        ? [nothing, nothing, nothing, nothing]
        : [
            cost.pssMb.toFixed(1),
            cost.cpuPercent.toFixed(2),
            number(cost.packetsPerSecond),
            number(cost.bytesPerSecond),
          ]),
      ...(underLoad === null
        ? [nothing, nothing]
        : [String(underLoad.takeovers), number(underLoad.longestGapMs)]),
    ]),
  ]);
}

/** The client's own lateness, over all faults: what a gap may owe to it. */
function latenessLine({ results, faults }: Results): string {
  const late = results.flatMap((result) =>
    faults.flatMap((fault) => samplesOf(result, fault, ({ clientLateMs }) => clientLateMs)),
  );
  return `The client sends every 5 ms, and was itself late by ${spread(late)} ms at the most in a fault.`;
}

export function failureLines({ results }: Results): readonly string[] {
  return results.flatMap(({ configuration, failures }) =>
    failures.map((failure) => `not measured: ${configuration.id}: ${failure.split('\n')[0]}`),
  );
}

/** Before the bench began: with it, nobody can tell whose load it was. */
function companyLine({ machine }: Results): readonly string[] {
  if (machine.loadBefore < machine.cores / 4) return [];
  return [
    `Other work kept this machine busy (load ${machine.loadBefore.toFixed(1)} on ${machine.cores} cores before it began): compare within`,
    'these tables only.',
  ];
}

export function renderResults(all: Results): string {
  const { date, machine, runs, loadAfter, results } = all;
  const versions = new Map(results.map(({ configuration, version }) => [configuration.peer, version]));
  const failures = failureLines(all);
  return [
    `${date}; ${machineLine(machine)}, after it ${loadAfter.toFixed(2)}. ${runs} runs each, taken in turn:`,
    'median [min..max] in milliseconds. `ours/it`: the medians of ours and of the peer with the same window.',
    `Versions: ${[...versions].map(([name, version]) => `${name} ${version}`).join(', ')}.`,
    latenessLine(all),
    ...companyLine(all),
    '',
    'The longest time without an answer from the address (`window`: from the last sign of a node until the other one acts',
    'on it, as configured). Power loss: both links of the active host go down. Segment cut: the dedicated one, and mended',
    'later; `taken`: how often the address moved for that. A window of 30 ms is refused by the check of our configuration.',
    '',
    gapTable(all),
    '',
    'The daemon of the active host is killed (SIGKILL) or frozen (SIGSTOP), its host is well: for how long both hosts',
    'had the address. `and on`: they still had it when the watching ended.',
    '',
    doubtTable(all),
    '',
    'Cost on the active host (PSS as if nobody else ran the same program), and four busy loops: how often the address',
    'was taken with nothing wrong.',
    '',
    costTable(all),
    ...(failures.length === 0 ? [] : ['', ...failures]),
  ].join('\n');
}
