// `battito cl-status`: the questions of Heartbeat's cl_status with its words and exit codes, for scripts and monitoring
// that were written for it. What it answers, its exit codes and what they mean: tools/cl_status.c of Heartbeat 3.0.

import type { Status } from '../../control/api.ts';
import { BattitoError } from '../../errors.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag } from '../command.ts';

/** Those of cl_status. */
const codes = { ok: 0, fail: 1, parameter: 11, timeout: 12 } as const;

interface Answer {
  readonly exitCode: number;
  readonly lines: readonly string[];
}

type Question = (status: Status, names: readonly string[], args: Arguments) => Answer;

const questions: Readonly<Record<string, Question>> = {
  listnodes: (status, _, args) => ({ exitCode: codes.ok, lines: listNodes(status, args) }),
  nodestatus: (status, [node], args) =>
    about(status, node, (name) => {
      const said = nodeStatus(status, name);
      const isUp = said === 'active' || said === 'ping';
      const line = flag(args, 'sentence') ? `The cluster node ${name} is ${said}` : said;
      return { exitCode: isUp ? codes.ok : codes.fail, lines: [line] };
    }),
  nodetype: (status, [node], args) =>
    about(status, node, (name) => {
      const type = isPing(status, name) ? 'ping' : 'normal';
      return {
        exitCode: codes.ok,
        lines: [flag(args, 'sentence') ? `The node ${name}'s type: ${type}` : type],
      };
    }),
  listhblinks: (status, [node]) =>
    about(status, node, () => ({
      exitCode: codes.ok,
      lines: linkNames(status).map((name) => `\t${name}`),
    })),
  hblinkstatus: (status, [node, link], args) =>
    about(status, node, (name) => {
      if (link === undefined) return wrong('a node and a link are wanted');
      if (!linkNames(status).includes(link)) {
        return wrong(`there is no link ${link}; the links are: ${linkNames(status).join(', ')}`);
      }
      const isUp = status.links.some((one) => interfaceOf(one.name) === link && one.fresh);
      const said = isUp ? 'up' : 'dead';
      const line = flag(args, 'sentence') ? `The node ${name}'s heartbeat link ${link} is ${said}` : said;
      return { exitCode: isUp ? codes.ok : codes.fail, lines: [line] };
    }),
  rscstatus: (status, _, args) => {
    const held = resourceStatus(status);
    return {
      exitCode: codes.ok,
      lines: [flag(args, 'sentence') ? `This node is holding ${held} resources.` : held],
    };
  },
};

/** Questions of cl_status that have no answer here, with where it is. */
const unequal: Readonly<Record<string, string>> = {
  clientstatus: 'Battito has no clients of its membership; battito status shows what watches what',
  hbparameter: 'the parameters are in /etc/battito/battito.yaml; battito status --json has the timings',
  nodeweight: 'nodes have no weight here; battito status shows the node that each group prefers',
  nodesite: 'nodes have no site here',
};

export const clStatusCommand: Command = {
  name: 'cl-status',
  summary: "answer as Heartbeat's cl_status did",
  usage: [
    'cl-status hbstatus',
    'cl-status listnodes [--normal | --ping]',
    'cl-status nodestatus|nodetype|listhblinks NODE',
    'cl-status hblinkstatus NODE LINK',
    'cl-status rscstatus',
  ],
  description: [
    'For scripts and monitoring that were written for Heartbeat: the same questions, words and exit codes as its cl_status; the package installs it under that name, too. To look at the cluster yourself, battito status says more.',
    'A node is active or dead; a ping node, an address of connectivity.ping, is ping or dead. A link has the name of its interface. rscstatus says what this node holds: the groups that prefer it are local, the others foreign; all, or none.',
  ],
  options: {
    sentence: { type: 'boolean', help: 'in a sentence; -m of cl_status' },
    normal: { type: 'boolean', help: 'of listnodes: only the two nodes; -n of cl_status' },
    ping: { type: 'boolean', help: 'of listnodes: only the ping nodes; -p of cl_status' },
  },
  examples: [
    { command: 'battito cl-status hbstatus', meaning: 'ends with 0 while the daemon answers' },
    { command: 'battito cl-status rscstatus', meaning: 'local, foreign, all or none' },
  ],
  exitCodes: {
    0: 'yes: it runs, it is up, or the answer is above',
    1: 'no: the daemon does not run, the node is dead, the link is dead',
    11: 'the question was not understood, or there is no such node or link',
    12: 'the daemon did not answer in time',
  },
  positionalsMax: 4,
  async run(context, args) {
    const [question, ...names] = args.positionals;
    const { output } = context;
    if (question === undefined) {
      for (const line of clStatusCommand.usage) output.line(line.replace('cl-status', 'cl_status'));
      return codes.ok;
    }
    const ask = Object.hasOwn(questions, question) ? questions[question] : undefined;
    if (question !== 'hbstatus' && ask === undefined) {
      const known = ['hbstatus', ...Object.keys(questions)].join(', ');
      const why = Object.hasOwn(unequal, question)
        ? unequal[question]
        : `not a question; the questions are: ${known}`;
      return refuse(context, `cl_status ${question}: ${why}`);
    }
    let status: Status;
    try {
      status = await context.client.status();
    } catch (error) {
      return unanswered(context, question, error);
    }
    if (ask === undefined) {
      output.line('Heartbeat is running on this machine.');
      return codes.ok;
    }
    const { exitCode, lines } = ask(status, names, args);
    if (exitCode === codes.parameter) return refuse(context, `cl_status ${question}: ${lines.join(' ')}`);
    for (const line of lines) output.line(line);
    return exitCode;
  },
};

function refuse({ output }: Context, message: string): number {
  output.problem(message);
  return codes.parameter;
}

/** No daemon is an answer; one that may not be asked, or is slow, is not. */
function unanswered({ output }: Context, question: string, error: unknown): number {
  if (!(error instanceof BattitoError)) throw error;
  if (error.code === 'daemon-slow') {
    output.problem(`cl_status: ${error.message}`);
    return codes.timeout;
  }
  if (question === 'hbstatus' && error.code === 'daemon-not-running') {
    output.line('Heartbeat is stopped on this machine.');
    return codes.fail;
  }
  output.problem(`cl_status: ${error.message}`);
  if (error.next !== undefined) output.problem(`next: ${error.next}`);
  return codes.fail;
}

const wrong = (line: string): Answer => ({ exitCode: codes.parameter, lines: [line] });

function about(status: Status, name: string | undefined, answer: (name: string) => Answer): Answer {
  const all = [...nodeNames(status), ...pingNames(status)];
  if (name === undefined) return wrong('the name of a node is wanted');
  return all.includes(name)
    ? answer(name)
    : wrong(`there is no node ${name}; the nodes are: ${all.join(', ')}`);
}

const nodeNames = ({ self, peer }: Status) => [self.name, peer.name].sort();

/** `gateway 192.168.1.254`. */
const pingNames = ({ probes }: Status) =>
  probes.filter(({ kind }) => kind === 'gateway').map(({ target }) => target.split(' ').at(-1) ?? target);

const isPing = (status: Status, name: string) => !nodeNames(status).includes(name);

function listNodes(status: Status, args: Arguments): readonly string[] {
  const [normal, ping] = [flag(args, 'normal'), flag(args, 'ping')];
  const both = normal === ping;
  return [...(both || normal ? nodeNames(status) : []), ...(both || ping ? pingNames(status) : [])];
}

function nodeStatus(status: Status, name: string): string {
  const { self, verdict, probes } = status;
  if (name === self.name) return 'active';
  if (!isPing(status, name)) return ['alive', 'late'].includes(verdict.kind) ? 'active' : 'dead';
  const probe = probes.find(({ target }) => target.split(' ').at(-1) === name);
  return probe?.last === 'answered' ? 'ping' : 'dead';
}

/** `eth1 broadcast`. */
const interfaceOf = (link: string) => link.split(' ')[0] ?? link;

const linkNames = ({ links }: Status) => [...new Set(links.map(({ name }) => interfaceOf(name)))];

function resourceStatus({ groups, self }: Status): string {
  const held = groups.filter(({ phase }) => phase === 'active' || phase === 'starting');
  const isOwn = ({ preferred }: { readonly preferred: string }) => preferred === self.name;
  if (held.length === 0) return 'none';
  if (held.length === groups.length) return 'all';
  if (held.every(isOwn)) return 'local';
  return held.some(isOwn) ? 'all' : 'foreign';
}
