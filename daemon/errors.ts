// The exceptions this program throws on purpose. Expected failures elsewhere are values, not exceptions.

import type { Code } from './why/explanations.ts';

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

/** The scripts of the test lab have errors of their own. */
export type ErrorCode = Code | `lab-${string}`;

/**
 * An error with a stable `code` (`battito why CODE` explains it), the exit code a command ends with, and what to do next.
 * `message` says what and where; `next` is one sentence or command for the operator.
 */
export class BattitoError extends Error {
  readonly code: ErrorCode;
  readonly exitCode: number;
  readonly next: string | undefined;

  constructor(
    code: ErrorCode,
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
