// Carries out what the core asks for, each effect by the part of the daemon that can, and passes answers back to whoever
// asked. What completes later comes back as an event.

import type { Logger } from 'pino';
import type { Note, OperatorRequest, RequestAnswer } from '../control/api.ts';
import { type OwnSights, ownRemarks } from '../control/remarks.ts';
import type { Effect } from '../core/events.ts';
import type { State } from '../core/state.ts';
import type { Link } from '../drivers/link/link.ts';
import { exitCodes } from '../errors.ts';
import { monotonicMs } from './clock.ts';
import type { createHeartbeatEncoder } from './heartbeat/heartbeat-codec.ts';
import type { createProbes } from './heartbeat/probes.ts';
import type { Loop } from './loop.ts';
import type { Notifications } from './notifications.ts';
import type { History } from './records/history.ts';
import type { StateFile } from './records/state-file.ts';
import type { createResources } from './resources.ts';
import type { Safeguards } from './safeguards/safeguards.ts';
import type { createOutdatings } from './storage/outdatings.ts';

export interface EffectsOptions {
  readonly state: () => State;
  readonly sights: () => OwnSights;
  readonly post: Loop['post'];
  readonly tell: (note: Note) => void;
  readonly requests: Pick<Requests, 'answer'>;
  readonly links: readonly Link[];
  readonly encoder: ReturnType<typeof createHeartbeatEncoder>;
  readonly stateFile: StateFile;
  readonly probes: Pick<ReturnType<typeof createProbes>, 'pace'>;
  readonly resources: Pick<ReturnType<typeof createResources>, 'begin' | 'cancel'>;
  readonly outdatings: Pick<ReturnType<typeof createOutdatings>, 'answer'>;
  readonly safeguards: Pick<Safeguards, 'carryOut'>;
  readonly finish: (exitCode: number) => void;
}

/** Wishes of operators on their way through the core. */
export interface Requests {
  ask(wish: OperatorRequest): Promise<RequestAnswer>;
  answer(id: number, answer: RequestAnswer): void;
}

export function createRequests(post: Loop['post']): Requests {
  const pending = new Map<number, (answer: RequestAnswer) => void>();
  let next = 1;
  return {
    ask: (request) =>
      new Promise((resolve) => {
        const id = next++;
        pending.set(id, resolve);
        post({ kind: 'operator-requested', id, request });
      }),
    answer(id, answer) {
      pending.get(id)?.(answer);
      pending.delete(id);
    },
  };
}

/** To the log, to the history, and to whoever is to be notified. */
export function createTell(
  logger: Logger,
  history: Pick<History, 'add'>,
  notifications: Pick<Notifications, 'note'>,
): (note: Note) => void {
  return (note) => {
    const { severity, message, ...rest } = note;
    const level = severity === 'alarm' ? 'error' : severity === 'warning' ? 'warn' : 'info';
    logger[level](rest, message);
    history.add(note, monotonicMs());
    notifications.note(note);
  };
}

export function createEffects(options: EffectsOptions): (effect: Effect) => void {
  const { state, sights, post, tell, requests, links, encoder, stateFile } = options;
  const { probes, resources, outdatings, safeguards, finish } = options;

  const persist = async ({ revision, ledger }: Extract<Effect, { kind: 'persist-ledger' }>) => {
    try {
      await stateFile.save(ledger);
      post({ kind: 'ledger-persisted', revision });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      post({ kind: 'ledger-not-persisted', revision, message });
    }
  };

  return (effect) => {
    switch (effect.kind) {
      case 'send-heartbeat': {
        const payload = encoder.encode(effect.echo, effect.content, ownRemarks(state(), sights));
        const { incarnation } = stateFile;
        for (const link of links) link.send({ incarnation, sequence: effect.sequence, payload });
        return;
      }
      case 'pace-probes':
        return probes.pace(effect.paces);
      case 'start-operation':
        return resources.begin(effect);
      case 'cancel-operation':
        return resources.cancel(effect.operation);
      case 'persist-ledger':
        void persist(effect);
        return;
      case 'note':
        return tell(effect.note);
      case 'answer-request':
        return requests.answer(effect.id, effect.answer);
      case 'answer-outdating':
        return outdatings.answer(effect.id, effect.answer);
      case 'exit':
        return finish(exitCodes.ok);
      case 'fence-peer':
      case 'request-lease':
      case 'release-lease':
      case 'arm-watchdog':
      case 'pet-watchdog':
      case 'disarm-watchdog':
        return safeguards.carryOut(effect);
      default:
        throw new Error(`unknown effect ${JSON.stringify(effect satisfies never)}`);
    }
  };
}
