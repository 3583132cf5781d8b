// What a modelled host does for its daemon: each effect of the core, handed to the part of the world it concerns.

import type { Effect } from '../core/events.ts';
import { persist } from './ledger-file.ts';
import { exitDaemon, killDaemon, powerOff } from './life.ts';
import type { Host } from './model.ts';
import { sendHeartbeat } from './network.ts';
import { begin, cancel } from './operations.ts';
import {
  armWatchdog,
  cancelErrand,
  disarmWatchdog,
  fencePeer,
  petWatchdog,
  releaseLease,
  requestLease,
} from './outside.ts';
import { paceProbes } from './probes.ts';
import { answerHandler } from './storage.ts';

export function carryOut(host: Host, effect: Effect): void {
  perform(host, effect);
  if (host.crashIn > 0) {
    host.crashIn -= 1;
    if (host.crashIn === 0) killDaemon(host, false);
  }
  if (host.powerLossIn > 0) {
    host.powerLossIn -= 1;
    if (host.powerLossIn === 0) {
      host.mains = false;
      powerOff(host, 'fault');
    }
  }
}

function perform(host: Host, effect: Effect) {
  switch (effect.kind) {
    case 'send-heartbeat':
      return sendHeartbeat(host, effect);
    case 'pace-probes':
      return paceProbes(host, effect.paces);
    case 'start-operation':
      return begin(host, effect);
    case 'cancel-operation':
      if (!cancel(host, effect.operation)) cancelErrand(host, effect.operation);
      return;
    case 'fence-peer':
      return fencePeer(host, effect);
    case 'request-lease':
      return requestLease(host, effect);
    case 'release-lease':
      return releaseLease(host);
    case 'arm-watchdog':
      return armWatchdog(host, effect);
    case 'pet-watchdog':
      return petWatchdog(host);
    case 'disarm-watchdog':
      return disarmWatchdog(host);
    case 'answer-outdating':
      return answerHandler(host, effect.id, effect.answer);
    case 'persist-ledger':
      return persist(host, effect);
    case 'note':
      return writeNote(host, effect);
    case 'answer-request':
      return tellOperator(host, effect);
    case 'exit':
      return exitDaemon(host);
  }
}

function tellOperator(host: Host, effect: Extract<Effect, { readonly kind: 'answer-request' }>): void {
  const { id, answer } = effect;
  const { trace, agenda } = host.model;
  const request = host.questions.get(id);
  host.questions.delete(id);
  host.answer = { id, answer };
  if (request === undefined) return;
  trace?.({ kind: 'answered', at: agenda.now(), side: host.side, request, answer });
}

function writeNote(host: Host, { note }: Extract<Effect, { readonly kind: 'note' }>): void {
  const { trace, agenda } = host.model;
  const at = agenda.now();
  host.notes.push({ ...note, at });
  trace?.({ kind: 'note', at, side: host.side, note });
}
