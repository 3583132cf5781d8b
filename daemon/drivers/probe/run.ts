// What the two ways of asking share: the result, a run of requests at one pace, and what can stand in the way.

import { networkInterfaces } from 'node:os';

/** `answered` may follow `unanswered` for the same request when the answer was late. */
export type ProbeResult =
  | { readonly kind: 'answered'; readonly mac?: string }
  | { readonly kind: 'unanswered' }
  | { readonly kind: 'failed'; readonly message: string };

/** Requests at one pace. `stop()` ends all reports at once and resolves when no child is left. */
export interface ProbeRun {
  stop(): Promise<void>;
}

export type ReportResult = (result: ProbeResult) => void;

/** How long a request has before it counts as unanswered, however long the interval. */
export const patienceMsMax = 300;

/** After a stall of our own, timers run before what waits in the pipes is read; this lets the reading go first. */
export function afterReading(act: () => void): () => void {
  return () => void setImmediate(act);
}

/** getifaddrs(3) as libuv filters it: only interfaces that are up, running (carrier) and have an address. */
export function interfaceObstacle(name: string): string | undefined {
  if (networkInterfaces()[name] !== undefined) return undefined;
  return `interface ${name} is missing, down, without carrier or without an address`;
}
