// Is a modelled guest ready: it answers a while after it came up, or never. Asked by the daemon's watch whenever that
// sees it up, until it answers.

import { post } from './daemon.ts';
import { type Host, standsStill, type Thing } from './model.ts';

const soonestMs = 50;
const latestMs = 400;

const isAwaited = ({ policy: { guest } }: Thing) => guest !== undefined && guest.readyMs !== null;

/** It has come up. */
export function boot(thing: Thing): void {
  if (!isAwaited(thing)) return;
  const { chance, model } = thing.host;
  const takesMs = soonestMs + (latestMs - soonestMs) * chance();
  const isNever = chance() < (model.options.guests?.neverReady ?? 0);
  thing.answersAt = isNever ? Infinity : model.agenda.now() + takesMs;
}

/** The daemon sees that it is up. */
export function askGuest(thing: Thing): void {
  const { host, asking, answersAt } = thing;
  if (!isAwaited(thing) || asking || answersAt === Infinity) return;
  const { agenda } = host.model;
  thing.asking = true;
  const soonest = agenda.now() + 1 + host.chance() * 4;
  agenda.at(Math.max(soonest, answersAt), answer, { thing, run: host.run });
}

function answer(asked: { readonly thing: Thing; readonly run: number }): void {
  const { thing, run } = asked;
  const { host, running, answersAt, group, policy } = thing;
  if (host.run !== run || standsStill(host, answer, asked)) return;
  thing.asking = false;
  if (!mayAnswer(host) || running !== 'up' || answersAt > host.model.agenda.now()) return;
  post(host, { kind: 'guest-answered', at: 0, group, resource: policy.id });
}

const mayAnswer = ({ up, drivers }: Host) => up && drivers !== 'silent';
