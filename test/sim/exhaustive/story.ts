// A way through the small world, told move by move: what happened, and what either node made of it.

import { detailOf, endings, hostOf, kindOf, type Move } from './codes.ts';
import type { Listen, Stepped } from './effects.ts';
import { beginning } from './lead-in.ts';
import { cutKinds, names, otherHost, type Setup, type World } from './model.ts';
import { apply } from './moves.ts';

export function tellWay(setup: Setup, way: readonly Move[], ending: string): readonly string[] {
  const lines: string[] = [];
  const add = (at: number, who: string, text: string) => {
    lines.push(`${(at / 1000).toFixed(1).padStart(6)}  ${who.padEnd(9)}  ${text}`);
  };
  let world = beginning(setup);
  const from = world.now;
  const listen: Listen = (stepped) => {
    for (const text of madeOf(stepped)) add(stepped.at - from, names[stepped.host], text);
  };
  for (const move of way) {
    const text = textOf(setup, world, move);
    if (text !== null) add(world.now - from, 'world', text);
    try {
      world = apply({ setup, listen }, world, move);
    } catch {
      break; // It is the ending that is told.
    }
  }
  add(world.now - from, 'world', `BROKEN ${ending}`);
  return lines;
}

/** Null: it goes without saying. */
function textOf(setup: Setup, world: World, move: Move): string | null {
  const index = hostOf(move);
  const detail = detailOf(move);
  const name = names[index];
  const host = world.hosts[index];
  switch (kindOf(move)) {
    case 'advance':
    case 'run':
    case 'observe':
      return null;
    case 'deliver': {
      const message = world.inFlight[index][detail];
      return `packet ${message?.incarnation}/${message?.sequence} reaches ${name}`;
    }
    case 'lose':
      return `a packet to ${name} is lost`;
    case 'finish': {
      const operation = host.operations.find(({ resource }) => resource === detail >> 2);
      const id = host.state?.groups[0]?.resources[detail >> 2]?.id;
      return `${operation?.action} ${id} on ${name}: ${endings[detail & 3]}`;
    }
    case 'persist':
      return `the state file of ${name} is written: ${generationIn(world, index)}`;
    case 'boot':
      return `${host.powered ? '' : `${name} has power again; `}the daemon of ${name} starts`;
    case 'skip':
      return `the daemon of ${name} runs late`;
    case 'kill':
      return `the daemon of ${name} is killed${detail === 1 ? '; what it had begun is carried through' : ''}`;
    case 'power-loss':
      return `${name} loses its power`;
    case 'cut':
      return cutTexts[cutKinds[detail] ?? 'none'](name);
    case 'mend':
      return 'the cut is mended';
    case 'gateway':
      return world.gatewayUp ? 'the gateway falls silent' : 'the gateway answers again';
    case 'fence':
      return fenceTexts(names[otherHost(index)])[detail] ?? null;
    case 'arm':
      return `the watchdog of ${name} ${detail === 0 ? 'is armed' : 'cannot be armed'}`;
    case 'witness':
      return `the witness is asked by ${name}`;
    case 'lease':
      return `${name} ${detail === 1 ? 'gets no answer from' : `is answered by`} the witness`;
    case 'request':
      return `on ${name} somebody asks for: ${setup.requests[detail]}`;
  }
}

function generationIn(world: World, index: 0 | 1): string {
  const group = world.hosts[index].writes[0]?.ledger.groups[0];
  return `generation ${group?.generation ?? 0} of ${group?.owner ?? 'nobody'}`;
}

const cutTexts = {
  none: () => '',
  whole: (name: string) => `${name} is cut off from everything`,
  out: (name: string) => `${name} can receive and not send`,
  in: (name: string) => `${name} can send and not receive`,
  between: () => 'the hosts are cut off from each other, and both have the outside',
  heartbeats: () => 'all heartbeats are lost, and nothing else',
} as const;

const fenceTexts = (victim: string) => [
  `${victim} is powered off`,
  'the fencing device does not answer',
  `${victim} is powered off, and the device does not say so`,
  'the two hosts power each other off',
];

/** Changes of phase, what is asked for, and the verdict. */
function madeOf({ before, after, effects }: Stepped): readonly string[] {
  const lines: string[] = [];
  const verdict = after.verdict.kind;
  if (verdict !== before.verdict.kind) lines.push(`the other node is ${verdict}`);
  const was = before.groups[0];
  const is = after.groups[0];
  if (was !== undefined && is !== undefined && was.phase.kind !== is.phase.kind) {
    const generation = 'generation' in is.phase ? `, generation ${is.phase.generation}` : '';
    lines.push(`${was.phase.kind} -> ${is.phase.kind} (${is.rule}${generation})`);
  }
  if (is !== undefined && is.grant !== null && was?.grant !== is.grant) lines.push('grants the claim');
  for (const effect of effects) {
    if (effect.kind === 'start-operation') lines.push(`asks for: ${effect.action} ${effect.resource}`);
    else if (effect.kind === 'fence-peer') lines.push('asks the device to power the other one off');
  }
  return lines;
}
