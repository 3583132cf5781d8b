// One thing that needs a person: how urgent, a stable code, what is so, and what to do next.

import type { Code } from '../why/explanations.ts';
import type { Attention, Severity } from './api.ts';

/** Lets a daemon take what a reload cannot: a new program, or a configuration that changed in more than timings. */
export const restartInPlace =
  'battito maintenance on --for 10m; systemctl restart battito; battito maintenance off';

export function item(severity: Severity, code: Code, message: string, next: string): Attention {
  return { severity, code, message, next };
}
