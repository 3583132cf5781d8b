// `battito import`: a configuration made of what another program was told, which is only read. It asks no daemon, and
// writes one new file at most; what it writes has been read by our own loader before.

import { lookup } from 'node:dns/promises';
import { writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { Draft, Given, Surroundings } from '../../config/import/draft.ts';
import { interfacePattern, isHostIPv4 } from '../../config/values.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import { nearestWord, usageError } from '../arguments.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag, jsonOption, text, texts } from '../command.ts';
import { printJson } from '../output.ts';
import { renderImportReport, stepsOf } from './view.ts';
import { renderDraft } from './yaml.ts';

const sources = { heartbeat, keepalived } as const;
type Source = keyof typeof sources;

export const importCommand: Command = {
  name: 'import',
  summary: 'make a configuration of that of Heartbeat or keepalived',
  usage: [
    'import heartbeat DIRECTORY [OPTIONS]',
    'import keepalived FILE [FILE] --address A=IP --address B=IP',
  ],
  description: [
    'Reads the files of another program and writes a configuration that does the same, with a comment for every line that has no equal. It is printed, or written to --output, never over another file. What is safer now, and what to look at, is told beside it.',
    'heartbeat reads ha.cf, haresources and authkeys in the directory, and looks into the scripts of resource.d for the guests that they start. The addresses of the nodes are taken from their names, or given with --address. Its key is never taken over: battito keygen makes a new one.',
    "keepalived reads every vrrp_instance of the file. The file is that of one node, so both have to be named: first the node whose file it is. With the other node's file behind it, the priorities of both decide which node is preferred.",
    'Nothing that the other program uses is changed. Never let both run at the same time.',
  ],
  options: {
    address: {
      type: 'string',
      value: 'NODE=ADDRESS',
      multiple: true,
      help: "a node's own IPv4 address on the LAN; once for each",
    },
    interface: { type: 'string', value: 'NAME', help: 'for floating addresses that name no interface' },
    prefix: { type: 'string', value: 'N', help: 'for floating addresses that name no prefix length' },
    output: { type: 'string', value: 'FILE', help: 'write it there; default standard output' },
    json: jsonOption,
  },
  examples: [
    {
      command: 'battito import heartbeat /etc/ha.d --output /etc/battito/battito.yaml',
      meaning: 'on a node that runs Heartbeat',
    },
    {
      command: 'battito import heartbeat ./ha.d --address a=10.0.0.2 --address b=10.0.0.3',
      meaning: 'elsewhere, from a copy; the nodes are called a and b',
    },
    {
      command: 'battito import keepalived k.conf --address a=10.0.0.2 --address b=10.0.0.3',
      meaning: 'k.conf is the keepalived.conf of node a',
    },
  ],
  exitCodes: {
    0: 'the configuration is written',
    1: 'there is such a file already, or it cannot be written; nothing was changed',
    77: 'not allowed: run it as root',
    78: 'the files cannot be understood; every problem is told, nothing was written',
  },
  positionalsMax: 3,
  async run(context, args) {
    const [word, ...files] = args.positionals;
    if (word === undefined || !Object.hasOwn(sources, word)) throw unknownSource(word);
    const source = word as Source;
    const draft = await sources[source](context, args, files);
    return finish(context, args, draft, files.join(' '));
  },
};

function unknownSource(word: string | undefined): BattitoError {
  if (word === undefined) {
    const message = 'say what to import: heartbeat DIRECTORY or keepalived FILE';
    return usageError(message, importCommand, 'battito import heartbeat /etc/ha.d');
  }
  const near = nearestWord(word, Object.keys(sources));
  const message = `import knows heartbeat and keepalived, not "${word}"`;
  return usageError(message, importCommand, near === undefined ? near : `battito import ${near}`);
}

async function heartbeat({ settings }: Context, args: Arguments, [directory, ...more]: readonly string[]) {
  if (directory === undefined) {
    throw usageError('say which directory has ha.cf', importCommand, 'battito import heartbeat /etc/ha.d');
  }
  if (more.length > 0) {
    throw usageError(`import heartbeat does not know what to do with "${more[0]}"`, importCommand);
  }
  const { readHeartbeat } = await import('../../config/import/read-heartbeat.ts');
  return readHeartbeat(directory, givenBy(args), thisMachine(settings.node));
}

async function keepalived(_context: Context, args: Arguments, [file, peerFile]: readonly string[]) {
  if (file === undefined) {
    const example = 'battito import keepalived /etc/keepalived/keepalived.conf';
    throw usageError('say which file', importCommand, example);
  }
  const { readKeepalived } = await import('../../config/import/read-keepalived.ts');
  return readKeepalived(file, peerFile ?? null, givenBy(args));
}

function givenBy(args: Arguments): Given {
  const addresses = new Map<string, string>();
  for (const word of texts(args, 'address')) {
    const [, node, address] = /^([^=]+)=(\S+)$/.exec(word) ?? [];
    if (node === undefined || address === undefined) {
      throw usageError(`--address takes NODE=ADDRESS, not "${word}"`, importCommand);
    }
    if (!isHostIPv4(address)) {
      throw usageError(`--address ${node}=... takes an IPv4 address, not "${address}"`, importCommand);
    }
    if (addresses.has(node)) throw usageError(`--address ${node}=... is given twice`, importCommand);
    addresses.set(node, address);
  }
  const prefix = text(args, 'prefix');
  if (prefix !== undefined && !/^([1-9]|[1-9][0-9]|1[01][0-9]|12[0-8])$/.test(prefix)) {
    throw usageError(`--prefix takes a number such as 24, not "${prefix}"`, importCommand);
  }
  const name = text(args, 'interface');
  if (name !== undefined && !interfacePattern.test(name)) {
    throw usageError(`--interface takes the name of an interface such as eth0, not "${name}"`, importCommand);
  }
  return {
    addresses,
    interface: name ?? null,
    prefix: prefix === undefined ? null : Number(prefix),
  };
}

function thisMachine(node: string): Surroundings {
  return {
    node,
    interfaces: Object.entries(networkInterfaces()).flatMap(([name, views]) =>
      (views ?? [])
        .filter(({ internal, cidr }) => !internal && cidr !== null)
        .map(({ address, cidr }) => ({
          interface: name,
          address,
          prefix: Number(cidr?.split('/')[1]),
        })),
    ),
    resolve: async (name) => {
      const found = await lookup(name, { family: 4, all: true }).catch(() => []);
      return found.map(({ address }) => address);
    },
  };
}

async function finish({ output }: Context, args: Arguments, draft: Draft, source: string): Promise<number> {
  const file = text(args, 'output') ?? null;
  const yaml = renderDraft(draft, source);
  await holdToLoader(yaml, file ?? 'the configuration that came out');
  if (file !== null) writeNew(file, yaml);
  if (flag(args, 'json')) {
    const withoutEqual = [draft.remarks, ...draft.groups.map(({ remarks }) => remarks)]
      .flat()
      .map(({ place, text: line, why }) => ({ ...place, text: line, why }));
    const { safer, check } = draft;
    const steps = stepsOf(draft, file);
    printJson(output, { file, configuration: yaml, withoutEqual, safer, check, next: steps });
    return exitCodes.ok;
  }
  const report = renderImportReport(draft, file, output.look());
  // What is printed may be sent into a file, so that the rest goes beside it.
  if (file === null) {
    output.raw(yaml);
    output.problem(report);
  } else output.line(report);
  return exitCodes.ok;
}

/** What our own daemon would refuse is not written. */
async function holdToLoader(yaml: string, file: string): Promise<void> {
  const { formatProblem, parseConfig } = await import('../../config/load.ts');
  const parsed = parseConfig(yaml, file);
  if (parsed.ok) return;
  const found = parsed.problems.map(({ line, ...problem }) => {
    const written = yaml.split('\n')[line - 1]?.trim() ?? '';
    return `${formatProblem({ line, ...problem })}\n    ${written}`;
  });
  const count = `${found.length} ${found.length === 1 ? 'problem' : 'problems'}`;
  throw new BattitoError('import-invalid', [...found, `${count}; nothing was written`].join('\n'), {
    exitCode: exitCodes.config,
    next: 'mend the lines that these came from, and run the command again',
  });
}

/** @throws BattitoError `import-exists` or `import-unwritable` */
function writeNew(file: string, content: string): void {
  try {
    writeFileSync(file, content, { flag: 'wx', mode: 0o644, flush: true });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    if (code === 'EEXIST') {
      throw new BattitoError('import-exists', `${file} is there already; it was not touched`, {
        next: 'name another file with --output, and compare the two with diff',
        cause,
      });
    }
    const denied = code === 'EACCES' || code === 'EPERM';
    const reason = code === 'ENOENT' ? 'there is no such directory' : denied ? 'permission denied' : code;
    throw new BattitoError('import-unwritable', `${file}: cannot be written: ${reason}`, {
      exitCode: denied ? exitCodes.noPermission : exitCodes.failed,
      next: denied ? 'run it as root' : 'name another file with --output',
      cause,
    });
  }
}
