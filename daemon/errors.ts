// The exceptions this program throws on purpose. Expected failures elsewhere are values, not exceptions.

/** Process exit codes of `battito`, after sysexits(3). Shown in the README. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  degraded: 3,
  usage: 64,
  unavailable: 69,
  timedOut: 75,
  noPermission: 77,
  config: 78,
} as const;

/**
 * An error with a stable `code` (kebab-case), the exit code a command ends with, and what to do next.
 * `message` says what and where; `next` is one sentence or command for the operator.
 */
export class BattitoError extends Error {
  readonly code: string;
  readonly exitCode: number;
  readonly next: string | undefined;

  constructor(
    code: string,
    message: string,
    options: { readonly exitCode?: number; readonly next?: string; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'BattitoError';
    this.code = code;
    this.exitCode = options.exitCode ?? exitCodes.failed;
    this.next = options.next;
  }
}
