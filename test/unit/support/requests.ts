// What an operator asks for, and the words in which he is answered.

import type { RequestAnswer } from '../../../daemon/core/events.ts';

export const takeover = { kind: 'takeover', groups: [] } as const;
export const handover = { kind: 'handover', groups: [] } as const;
export const standbyOn = { kind: 'standby', on: true } as const;
export const maintenance = { kind: 'maintenance', durationMs: 90_000 } as const;
export const peerOff = { kind: 'confirm-peer-off', node: 'primary', force: false } as const;

/** The message of an answer, and the advice of a refusal after it. */
export const words = (answer: RequestAnswer): string =>
  answer.kind === 'refused' ? `${answer.message} => ${answer.next}` : answer.message;
