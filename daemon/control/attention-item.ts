// One thing that needs a person: how urgent, a stable code, what is so, and what to do next.

import type { Attention, Severity } from './api.ts';

export function item(severity: Severity, code: string, message: string, next: string): Attention {
  return { severity, code, message, next };
}
