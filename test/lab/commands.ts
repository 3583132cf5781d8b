// One function a command of scripts/lab.

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { BattitoError, exitCodes } from '../../daemon/errors.ts';
import { monotonicMs } from '../support.ts';
import type { Lab } from './support/lab.ts';
import { bringUp, findLab, labNames, takeDown } from './support/lifecycle.ts';
import { createMirror } from './support/mirror.ts';
import type { LabNode } from './support/node.ts';
import { type Cable, cables, interfaceOf, nodeNames } from './support/plan.ts';
import { runInteractive } from './support/remote.ts';
import { runTests } from './test-run.ts';

export interface Call {
  /** The lab that is meant. */
  readonly name: string;
  readonly args: readonly string[];
  readonly tell: (line: string) => void;
  readonly signal: AbortSignal;
  readonly unfinished: Set<string>;
}

type Command = (call: Call) => Promise<number>;

const help = `Two virtual machines that are real hosts: Debian with systemd, libvirt and DRBD, on a LAN with a gateway and
a client, and on a segment of their own. Root logs in to both; the way in is never cut.

Usage: sudo ./scripts/lab [--lab NAME] COMMAND

  up                              makes the image (minutes, once), boots the nodes (once), goes on from there (seconds)
  down                            takes it down; nothing but the cached image is left
  status [--json]                 what is on, and which cables are cut
  ssh NODE                        a shell on primary or secondary
  run NODE COMMAND...             runs a command there; its output and exit code come back
  power off|on NODE               pulls the plug; switches it on and waits until it has booted
  cut|mend NODE lan|heartbeat     the node sees NO-CARRIER on eth0 (lan) or eth1 (heartbeat)
  freeze|thaw NODE                nothing runs on the node, while its clock goes on
  reset                           both nodes as after up
  mirror                          a DRBD resource r0 on both nodes, in step
  install DEB                     installs a package on both nodes
  test [GROUP|TITLE...] [--list] [--json] [--keep]
                                  runs tests in a lab of their own; --keep leaves it up, as lab "test"

  BATTITO_LAB_CACHE   where images are kept, instead of ~/.cache/battito-lab
  BATTITO_LAB_ACCEL   kvm or tcg, instead of finding out
  BATTITO_LAB         the lab's name, as --lab; several may be up at once
`;

export function usage(message: string): BattitoError {
  return new BattitoError('usage', message, { exitCode: exitCodes.usage, next: 'See ./scripts/lab help.' });
}

function nodeNamed(lab: Lab, word: string | undefined): LabNode {
  const name = nodeNames.find((each) => each === word);
  if (name === undefined) throw usage(`${word ?? 'nothing'} is not a node: ${nodeNames.join(' or ')}`);
  return lab.node(name);
}

function cableNamed(word: string | undefined): Cable {
  const cable = cables.find((each) => each === word);
  if (cable === undefined) throw usage(`${word ?? 'nothing'} is not a cable: ${cables.join(' or ')}`);
  return cable;
}

function expectAtMost(args: readonly string[], count: number): void {
  if (args.length > count) throw usage(`not understood: ${args.slice(count).join(' ')}`);
}

/** A command that does one thing to one node. */
const onNode =
  (act: (node: LabNode) => Promise<void>): Command =>
  async ({ name, args }) => {
    expectAtMost(args, 1);
    await act(nodeNamed(findLab(name), args[0]));
    return 0;
  };

const onCable =
  (act: (node: LabNode, cable: Cable) => Promise<void>): Command =>
  async ({ name, args }) => {
    expectAtMost(args, 2);
    await act(nodeNamed(findLab(name), args[0]), cableNamed(args[1]));
    return 0;
  };

const up: Command = async ({ name, args, tell, signal, unfinished }) => {
  expectAtMost(args, 0);
  const startedAtMs = monotonicMs();
  unfinished.add(name);
  await bringUp({ name, tell, signal });
  unfinished.delete(name);
  tell(
    `${name} is up after ${((monotonicMs() - startedAtMs) / 1000).toFixed(1)} s; try: ./scripts/lab ssh primary`,
  );
  return 0;
};

const down: Command = async ({ name, args, tell }) => {
  expectAtMost(args, 0);
  await takeDown(name);
  tell(`${name} is down`);
  return 0;
};

const status: Command = async ({ name, args }) => {
  expectAtMost(args, 1);
  if (args.length === 1 && args[0] !== '--json') throw usage(`not understood: ${args[0]}`);
  const others = labNames().filter((each) => each !== name);
  const lab = findLab(name);
  const nodes = await lab.both(async (node) => ({
    name: node.name,
    power: node.power(),
    cut: await node.cutCables(),
    console: node.consoleFile(),
  }));
  const { accelerator, places } = lab;
  if (args.length === 1) {
    process.stdout.write(
      `${JSON.stringify({ lab: name, accelerator, namespace: places.namespace, nodes, others })}\n`,
    );
    return 0;
  }
  const lines = [
    `lab ${name} (${accelerator}), network namespace ${places.namespace}`,
    ...nodes.flatMap((node) => [
      `  ${node.name}: ${node.power}; ${node.cut.length === 0 ? 'no cable cut' : `cut: ${node.cut.map((cable) => `${cable} (${interfaceOf[cable]})`).join(', ')}`}`,
      `    console: ${node.console ?? 'none'}`,
    ]),
    ...(others.length === 0 ? [] : [`  other labs: ${others.join(', ')}`]),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
};

const run: Command = async ({ name, args }) => {
  const [word, ...command] = args;
  const node = nodeNamed(findLab(name), word);
  if (command.length === 0) throw usage('run what?');
  // One word is a line for the shell, as with ssh; several are an argv.
  return await runInteractive(node.machine, command.length === 1 ? command[0] : command);
};

const power: Command = async (call) => {
  const [word, ...args] = call.args;
  if (word !== 'on' && word !== 'off') throw usage('power on or off?');
  return await onNode((node) => (word === 'on' ? node.powerOn() : node.powerOff()))({ ...call, args });
};

const install: Command = async ({ name, args }) => {
  expectAtMost(args, 1);
  const deb = resolve(args[0] ?? '');
  if (!statSync(deb, { throwIfNoEntry: false })?.isFile()) throw usage(`${deb} is not a file`);
  await findLab(name).both((node) => node.install(deb));
  return 0;
};

const onLab =
  (act: (lab: Lab) => Promise<void>): Command =>
  async ({ name, args }) => {
    expectAtMost(args, 0);
    await act(findLab(name));
    return 0;
  };

export const commands: Readonly<Record<string, Command>> = {
  help: async () => {
    process.stdout.write(help);
    return 0;
  },
  up,
  down,
  status,
  run,
  ssh: async ({ name, args }) => {
    expectAtMost(args, 1);
    return await runInteractive(nodeNamed(findLab(name), args[0]).machine);
  },
  power,
  cut: onCable((node, cable) => node.cut(cable)),
  mend: onCable((node, cable) => node.mend(cable)),
  freeze: onNode((node) => node.freeze()),
  thaw: onNode((node) => node.thaw()),
  reset: onLab((lab) => lab.reset()),
  mirror: onLab((lab) => createMirror(lab)),
  install,
  test: runTests,
};
