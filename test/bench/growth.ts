// What a node costs with more groups, addresses and guests: the steps of its core in the modelled world, and a real daemon
// with real addresses and real guests at rest. Each cost is held against a power of their number; linear is 1.

import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { groupsMax } from '../../daemon/config/values.ts';
import { Office } from '../netns/support/office.ts';
import { makeTemporaryDirectory, monotonicMs, waitFor } from '../support.ts';
import { recordWork, steadySeconds, timeSteps } from './core-cost.ts';
import type { Progress } from './failover.ts';
import { type Figure, figure, type Section } from './figures.ts';
import { exponentOf, type Point } from './line.ts';
import { renderPlot } from './plot.ts';
import { useOf } from './proc.ts';
import { allCpuMs } from './steady.ts';

const kinds = ['groups', 'addresses', 'guests'] as const;
type Kind = (typeof kinds)[number];

/** Of groups a configuration takes no more. */
const sizesDefault: Readonly<Record<Kind, readonly number[]>> = {
  groups: [1, 4, groupsMax],
  addresses: [1, 10, 100],
  guests: [1, 10, 100],
};

interface Case {
  readonly kind: Kind;
  readonly count: number;
}

const costs = {
  steady: 'core at rest, µs of a second',
  takeover: 'core in a takeover, ms',
  cpu: 'daemon at rest, % of a core',
  pss: 'daemon at rest, PSS in MB',
} as const;
type CostName = keyof typeof costs;
const costNames = Object.keys(costs) as CostName[];

/** null: it could not be measured. */
type CaseCost = Case & Readonly<Record<CostName, number | null>>;

/** A tenth of a power is what the measuring itself may be off. */
const exponentMax = 1.1;
/** What the start left behind is over by then, as in the steady state. */
const settleMs = 10_000;
const patience = { timeoutMs: 600_000, intervalMs: 500 };
/** They are from .101 on, below the gateway. */
const addressesMax = 150;

/** `sizes`: null: as many as there are to be. */
export async function measureGrowth(
  sizes: readonly number[] | null,
  seconds: number,
  progress: Progress,
): Promise<Section> {
  const cases = kinds.flatMap((kind) => sizesOf(kind, sizes).map((count) => ({ kind, count })));
  progress('the core, in the modelled world');
  const works = cases.map((each) => recordWork(modelText(each)));
  const steadyMs = timeSteps(works.map(({ steady }) => steady));
  const takeoverMs = timeSteps(works.map(({ takeover }) => takeover));
  const measured: CaseCost[] = [];
  for (const [index, each] of cases.entries()) {
    progress(`a daemon, ${each.kind}: ${each.count}`);
    const steady = ((steadyMs[index] ?? 0) * 1000) / steadySeconds;
    const daemon = await costOf(each, seconds).catch((error: Error) => {
      progress(`could not be measured: ${error.message}`);
      return { cpu: null, pss: null };
    });
    measured.push({ ...each, steady, takeover: takeoverMs[index] ?? 0, ...daemon });
  }
  return growthSection(measured);
}

function sizesOf(kind: Kind, sizes: readonly number[] | null): readonly number[] {
  const most = { groups: groupsMax, addresses: addressesMax, guests: Infinity }[kind];
  return [...new Set((sizes ?? sizesDefault[kind]).map((size) => Math.min(size, most)))];
}

function growthSection(measured: readonly CaseCost[]): Section {
  /** 0: not measured, or too little for the clock. */
  const pointsOf = (kind: Kind, name: CostName): Point[] =>
    measured.filter((each) => each.kind === kind).map((each) => ({ x: each.count, y: each[name] ?? 0 }));
  return {
    id: 'growth',
    title: 'Growth: as which power of their number costs rise (1: linear)',
    figures: kinds.flatMap((kind) =>
      costNames.map((name) => exponentFigure(kind, name, pointsOf(kind, name))),
    ),
    table: {
      heads: ['of', 'number', ...costNames.map((name) => costs[name])],
      rows: measured.map((each) => [each.kind, each.count, ...costNames.map((name) => shown(each[name]))]),
    },
    plot: renderPlot(
      costNames.map((name) => ({
        title: costs[name],
        lines: kinds.map((kind) => ({ label: kind, points: pointsOf(kind, name).filter(({ y }) => y > 0) })),
      })),
    ),
  };
}

const shown = (value: number | null): number | string =>
  value === null ? '–' : Number(value.toPrecision(3));

function exponentFigure(kind: Kind, name: CostName, points: readonly Point[]): Figure {
  const canFit = points.length > 1 && points.every(({ y }) => y > 0);
  const ends = points.slice(-2).map(({ x }) => x);
  return figure(
    `${kind}-${name}-exponent`,
    `${kind}: ${costs[name]}`,
    '',
    [canFit ? exponentOf(points) : null],
    {
      target: { max: exponentMax },
      ...(canFit && { remark: `from ${ends.join(' to ')}: ${exponentOf(points.slice(-2)).toFixed(2)}` }),
    },
  );
}

/** Of the active node, at rest. */
async function costOf(each: Case, seconds: number): Promise<{ readonly cpu: number; readonly pss: number }> {
  const disks = makeTemporaryDirectory();
  const office = await Office.open({ idle: true, groups: groupsText(each, disks) });
  try {
    if (each.kind === 'guests')
      await Promise.all(numbers(each.count).map((index) => writeFile(diskOf(disks, index), emptyDisk)));
    await office.startDaemons();
    await waitFor('everything is up', () => isUp(office), patience);
    await sleep(settleMs);
    const { pid } = office.daemon('primary');
    const [fromMs, before] = [monotonicMs(), useOf(pid)];
    await sleep(seconds * 1000);
    const after = useOf(pid);
    const { daemon, children } = after;
    return {
      cpu: ((allCpuMs(after) - allCpuMs(before)) / (monotonicMs() - fromMs)) * 100,
      pss: children.reduce((sum, { pssMb }) => sum + pssMb, daemon.alonePssMb),
    };
  } finally {
    await office.close();
    await rm(disks, { recursive: true, force: true });
  }
}

async function isUp(office: Office): Promise<boolean> {
  const { groups, verdict } = await office.status('primary');
  const waiting = groups.flatMap(({ resources }) => resources.filter(({ status }) => status !== 'up'));
  if (waiting.length > 0) throw new Error(waiting.map(({ id, status }) => `${id} ${status}`).join(', '));
  return verdict.kind === 'alive' && groups.every(({ phase }) => phase === 'active');
}

const emptyDisk = Buffer.alloc(65_536);
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
const addressText = (index: number) => `192.168.1.${101 + index}/24 dev eth0`;
const guestName = (index: number) => `guest${String(index + 1).padStart(3, '0')}`;
const diskOf = (disks: string, index: number) => join(disks, `${guestName(index)}.raw`);

function groupsText({ kind, count }: Case, disks: string): string {
  const group = (name: string, addresses: number, more = '') =>
    `  ${name}:\n    preferred: primary\n    addresses: [${numbers(addresses).map(addressText).join(', ')}]\n${more}`;
  switch (kind) {
    case 'groups':
      return numbers(count)
        .map((index) => `  group${index + 1}: { preferred: primary, addresses: [${addressText(index)}] }\n`)
        .join('');
    case 'addresses':
      return group('office', count);
    case 'guests': {
      const guest = (index: number) =>
        `      - { name: ${guestName(index)}, driver: qemu, memory: 16M, accel: tcg, start-timeout: 10m, disk: ${diskOf(disks, index)} }\n`;
      return group('office', 1, `    guests:\n${numbers(count).map(guest).join('')}`);
    }
  }
}

/** The hosts of the network, as the model has them. */
const modelText = (each: Case) => `cluster: office
nodes:
  primary: { address: 192.168.1.2 }
  secondary: { address: 192.168.1.3 }
heartbeat:
  key-file: /etc/battito/key
  links:
    - { interface: eth1 }
    - { interface: eth0, mode: unicast }
connectivity:
  ping: [192.168.1.254]
groups:
${groupsText(each, '/srv')}`;
