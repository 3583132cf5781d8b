// The way into a node: ssh over the management network, one connection for all commands.
// It needs nothing of what a test cuts. A node that was switched off or went on from a saved state gets a new one.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { get } from 'node:http';
import { type CommandResult, describeFailure, runCommand } from '../../../daemon/drivers/command.ts';
import { BattitoError } from '../../../daemon/errors.ts';
import { monotonicMs } from '../../support.ts';
import type { Image } from './image.ts';
import { controlSocket, type LabPlaces, sshSocket } from './places.ts';
import { type NodeName, nodePlans } from './plan.ts';

export interface RunOptions {
  /** Two minutes unless told. */
  readonly timeoutMs?: number;
  readonly input?: string;
  readonly signal?: AbortSignal;
}

export interface RemoteResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command inside a node that failed and was expected to succeed. */
export class NodeCommandError extends BattitoError {
  readonly node: NodeName;
  readonly command: string;
  readonly result: RemoteResult;

  constructor(node: NodeName, command: string, result: RemoteResult) {
    const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(0, 6).join('\n  ');
    super(
      'lab-command',
      `on ${node}: ${command}: exit ${result.exitCode}${said === '' ? '' : `:\n  ${said}`}`,
    );
    this.name = 'NodeCommandError';
    this.node = node;
    this.command = command;
    this.result = result;
  }
}

/** Of the daemon, inside a node. */
const insideSocket = '/run/battito/control.sock';
const defaultTimeoutMs = 120_000;
const connectTimeoutMs = 60_000;
const attemptSeconds = 10;
/** ssh's own exit code when it could not do its part; a command that ends so cannot be told from that. */
const sshFailed = 255;

export interface Remote {
  readonly places: LabPlaces;
  readonly image: Image;
  readonly node: NodeName;
}

/** A word for the shell at the other end. */
export const quoted = (word: string) =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** A line for the shell is taken as it is; of an argv, each word arrives as it was. */
export const commandLine = (command: string | readonly string[]) =>
  typeof command === 'string' ? command : command.map(quoted).join(' ');

function sshOptions({ places, image, node }: Remote): readonly string[] {
  const settings = [
    'BatchMode=yes',
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'GlobalKnownHostsFile=/dev/null',
    'IdentitiesOnly=yes',
    'LogLevel=ERROR',
    `ConnectTimeout=${attemptSeconds}`,
    `ControlPath=${sshSocket(places, node)}`,
  ];
  return ['-F', 'none', '-i', image.key, ...settings.flatMap((setting) => ['-o', setting])];
}

const target = ({ node }: Remote) => `root@${nodePlans[node].mgmt}`;

/** The argv that runs `words` of ssh's in the lab's namespace. */
export function sshArgv(remote: Remote, words: readonly string[]): readonly string[] {
  return ['ip', 'netns', 'exec', remote.places.namespace, 'ssh', ...sshOptions(remote), ...words];
}

/** Connects, if that is not done yet; tries again until the deadline, as sshd may be about to start. */
export async function connect(remote: Remote, timeoutMs = connectTimeoutMs): Promise<void> {
  if (existsSync(sshSocket(remote.places, remote.node))) return;
  const deadline = monotonicMs() + timeoutMs;
  // -f: goes to the background once it is connected. Its output must not be ours, or nobody would see ours end.
  const argv = sshArgv(remote, ['-M', '-N', '-f', target(remote)]);
  for (;;) {
    const { exitCode, stderr } = await runDetached(argv, deadline - monotonicMs());
    if (exitCode === 0 || existsSync(sshSocket(remote.places, remote.node))) return;
    if (monotonicMs() >= deadline) {
      throw new BattitoError(
        'lab-unreachable',
        `${remote.node} does not let us in: ${stderr.trim() || 'no answer'}`,
        {
          next: `Is it up? ./scripts/lab status; its console: ${remote.places.folder}`,
        },
      );
    }
  }
}

/** Like runCommand, but does not wait for who inherited stderr. */
function runDetached(argv: readonly string[], timeoutMs: number) {
  const [file = '', ...args] = argv;
  return new Promise<{ exitCode: number | null; stderr: string }>((resolve, reject) => {
    let stderr = '';
    const child = spawn(file, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: Math.max(1, Math.ceil(timeoutMs)),
      killSignal: 'SIGKILL',
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    child.once('error', reject).once('exit', (exitCode) => {
      setImmediate(() => {
        child.stderr.destroy();
        resolve({ exitCode, stderr });
      });
    });
  });
}

/** Forgets the connection: the node at its other end is gone. Never throws. */
export async function disconnect(remote: Remote): Promise<void> {
  const socket = sshSocket(remote.places, remote.node);
  await rm(controlSocket(remote.places, remote.node), { force: true });
  if (!existsSync(socket)) return;
  await runCommand(sshArgv(remote, ['-O', 'exit', target(remote)]), { timeoutMs: 5000 });
  await rm(socket, { force: true });
}

/**
 * What the daemon of the node answers at its control socket, which is led here: to ask by a command would cost an
 * emulated node seconds of its processor. @throws when there is no answer
 */
export async function askControl(remote: Remote, path: string): Promise<unknown> {
  await connect(remote);
  const socketPath = controlSocket(remote.places, remote.node);
  if (!existsSync(socketPath)) {
    const argv = sshArgv(remote, ['-O', 'forward', '-L', `${socketPath}:${insideSocket}`, target(remote)]);
    const result = await runCommand(argv, { timeoutMs: connectTimeoutMs });
    if (result.exitCode !== 0) {
      const why = describeFailure(['ssh -O forward'], result);
      throw new BattitoError('lab-unreachable', `on ${remote.node}: ${why}`);
    }
  }
  try {
    return await getJson(socketPath, path);
  } catch (error) {
    // The connection that it was led through may be gone.
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') await rm(socketPath, { force: true });
    throw error;
  }
}

function getJson(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asked = get({ socketPath, path, agent: false, timeout: connectTimeoutMs }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('error', reject).once('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`GET ${path}: ${response.statusCode} ${text}`));
      });
    });
    asked.once('error', reject).once('timeout', () => asked.destroy(new Error(`GET ${path}: no answer`)));
  });
}

/** Runs a command; its exit code, stdout and stderr come back. @throws BattitoError when there is no answer in time. */
export async function runRemote(
  remote: Remote,
  command: string | readonly string[],
  options: RunOptions = {},
): Promise<RemoteResult> {
  await connect(remote);
  const { timeoutMs = defaultTimeoutMs, ...rest } = options;
  const line = commandLine(command);
  const result = await runCommand(sshArgv(remote, [target(remote), line]), {
    ...rest,
    timeoutMs,
    input: options.input ?? '',
  });
  return settled(remote.node, line, timeoutMs, result);
}

function settled(node: NodeName, line: string, timeoutMs: number, result: CommandResult): RemoteResult {
  const { exitCode, stdout, stderr } = result;
  if (result.timedOut) {
    throw new BattitoError(
      'lab-timeout',
      `on ${node}: ${line}: no end within ${timeoutMs} ms; so far: ${stdout}${stderr}`,
    );
  }
  if (exitCode === null || exitCode === sshFailed) {
    throw new BattitoError('lab-unreachable', `on ${node}: ${line}: ${describeFailure(['ssh'], result)}`);
  }
  return { exitCode, stdout, stderr };
}

/** With our own terminal: for people. Returns the exit code. */
export async function runInteractive(remote: Remote, command?: string | readonly string[]): Promise<number> {
  await connect(remote);
  const words = command === undefined ? ['-t', target(remote)] : [target(remote), commandLine(command)];
  const [file = '', ...args] = sshArgv(remote, words);
  const child = spawn(file, args, { stdio: 'inherit' });
  return await new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', (exitCode) => resolve(exitCode ?? sshFailed));
  });
}

/** Copies a file or a folder of this machine into the node. */
export async function copyTo(remote: Remote, from: string, to: string): Promise<void> {
  await copy(remote, from, `${target(remote)}:${to}`);
}

export async function copyFrom(remote: Remote, from: string, to: string): Promise<void> {
  await copy(remote, `${target(remote)}:${from}`, to);
}

async function copy(remote: Remote, from: string, to: string): Promise<void> {
  await connect(remote);
  const argv = [
    'ip',
    'netns',
    'exec',
    remote.places.namespace,
    'scp',
    '-q',
    '-r',
    '-p',
    ...sshOptions(remote),
    from,
    to,
  ];
  const result = await runCommand(argv, { timeoutMs: 300_000 });
  if (result.exitCode !== 0) {
    throw new BattitoError(
      'lab-copy',
      `${from} could not be copied to ${to}: ${describeFailure(['scp'], result)}`,
    );
  }
}
