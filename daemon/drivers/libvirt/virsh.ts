// Runs virsh against one libvirt connection: every call with a deadline, every failure with a kind.
// Guarantees: never rejects; a libvirtd that hangs makes virsh hang for ever, so the deadline kills virsh. One that brings
// a guest up dies with its daemon: the next daemon is not to be met by it.

import { type CommandResult, describeFailure, runCommand } from '../command.ts';

/**
 * Why a call failed. missing: no virsh here. silent: no answer by the deadline. aborted: by the caller's signal.
 * down: nobody listens on the connection's socket, or whoever did went away. no-domain: libvirt answered that it has
 * none of this name. refused: anything else that libvirt said.
 */
export type VirshFailureCode =
  | 'libvirt-missing'
  | 'libvirt-silent'
  | 'libvirt-aborted'
  | 'libvirt-down'
  | 'libvirt-no-domain'
  | 'libvirt-refused';

export interface VirshFailure {
  readonly kind: 'failed';
  readonly code: VirshFailureCode;
  /** libvirt's own words where it said any; without `error: `. */
  readonly message: string;
}

export type VirshResult = { readonly kind: 'done'; readonly stdout: string } | VirshFailure;

export interface VirshCall {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

const bringUp: ReadonlySet<string> = new Set(['start', 'restore', 'resume']);

/**
 * PR_SET_PDEATHSIG, see setpriv(1) of util-linux; where there is none it is done without. A daemon that has died before it
 * was set is no parent any more.
 */
const withItsDaemon = [
  ...['setpriv', '--pdeathsig', 'KILL'],
  ...['sh', '-c', '[ "$PPID" = "$0" ] && exec "$@"', String(process.pid)],
];
/** The exit code of a shell that does not find its command. */
const notFound = 127;

/** In English, since it is parsed. */
const environment = { LC_ALL: 'C' };

export function virshArgv(uri: string, args: readonly string[]): readonly string[] {
  return ['virsh', '-q', '-c', uri, ...args];
}

/**
 * The option that names a domain, safe for names that begin with a dash. libvirt takes a number for an id first and
 * 36 characters of a UUID for one, so those are no names: see {@link isUsableName}.
 */
export function domainOption(name: string): string {
  return `--domain=${name}`;
}

/** Whether virsh takes this word for a domain's name and nothing else. */
export function isUsableName(name: string): boolean {
  return (
    name !== '' &&
    !/^\d+$/.test(name) &&
    !/^[\da-f]{8}(-?[\da-f]{4}){3}-?[\da-f]{12}$/i.test(name) &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these cannot be in a name.
    !/[/\u0000-\u001f]/.test(name)
  );
}

export async function runVirsh(uri: string, args: readonly string[], call: VirshCall): Promise<VirshResult> {
  const argv = virshArgv(uri, args);
  if (wasAborted(call)) return aborted(args);
  // Of zero and of fractions Node makes no deadline.
  const timeoutMs = Math.max(1, Math.ceil(call.timeoutMs));
  const run = (words: readonly string[]) => runCommand(words, { ...call, timeoutMs, env: environment });
  const isMortal = bringUp.has(args[0] ?? '');
  let result = await run(isMortal ? [...withItsDaemon, ...argv] : argv);
  // Then virsh has not been run: setpriv or virsh itself is missing.
  if (isMortal && (result.startError === 'ENOENT' || result.exitCode === notFound)) result = await run(argv);
  if (result.exitCode === 0) return { kind: 'done', stdout: result.stdout };
  if (result.exitCode === null && wasAborted(call)) return aborted(args);
  return classify(argv, args, result);
}

const wasAborted = (call: VirshCall) => call.signal?.aborted === true;

function aborted(args: readonly string[]): VirshFailure {
  return { kind: 'failed', code: 'libvirt-aborted', message: `virsh ${args[0]}: aborted` };
}

function classify(argv: readonly string[], args: readonly string[], result: CommandResult): VirshFailure {
  const failed = (code: VirshFailureCode, message: string): VirshFailure => ({
    kind: 'failed',
    code,
    message,
  });
  if (result.startError === 'ENOENT') {
    return failed('libvirt-missing', 'virsh is not installed (Debian: apt install libvirt-clients)');
  }
  if (result.timedOut) return failed('libvirt-silent', `libvirtd does not answer (virsh ${args[0]})`);
  const said = wordsOf(result.stderr);
  if (said === '') return failed('libvirt-refused', describeFailure(argv, result));
  if (isUnreachable(said)) return failed('libvirt-down', said);
  if (isNoDomain(said)) return failed('libvirt-no-domain', said);
  return failed('libvirt-refused', said);
}

/** virsh says first what it wanted and then what libvirt said, a line each; warnings are not the reason. */
export function wordsOf(stderr: string): string {
  return stderr
    .split('\n')
    .map((line) => line.trim().replace(/^error: /, ''))
    .filter((line) => line !== '' && line !== '(null)' && !/^\^+$/.test(line) && !/^warning: /.test(line))
    .slice(0, 4)
    .join('; ');
}

/** No daemon behind the socket, or one that died while it was asked. Not: one that does not let us in. */
function isUnreachable(said: string): boolean {
  const refusedEntry = /authenti|permission denied|access denied|polkit|host key/i.test(said);
  if (refusedEntry) return false;
  return (
    /Failed to connect socket to|connect to .*: (Connection refused|No such file)/i.test(said) ||
    /End of file while reading data|client socket is closed|Connection reset by peer|Broken pipe/i.test(
      said,
    ) ||
    /Disconnected from .* due to (end of file|I\/O error)/i.test(said)
  );
}

function isNoDomain(said: string): boolean {
  return /failed to get domain '|Domain not found/i.test(said);
}
