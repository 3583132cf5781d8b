// `battito explain`: what would happen now if something failed. Asks the daemon for its state and plays it through with
// the daemon's own decisions; touches nothing.

import { setTimeout as sleep } from 'node:timers/promises';
import { attentionOf } from '../../control/attention.ts';
import type { State } from '../../core/state.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import { durationsFrom } from '../../whatif/durations.ts';
import { explore } from '../../whatif/explore.ts';
import { isForming, liveSituation } from '../../whatif/live.ts';
import type { Command, Context } from '../command.ts';
import { jsonOption } from '../command.ts';
import { meantScenarios, seedsFrom, showReport } from './what-if.ts';

const historyMax = 1000;
/** Looks at a daemon that is just forming its verdict: a few seconds. */
const patiencePolls = 50;

export const explainCommand: Command = {
  name: 'explain',
  summary: 'what would happen now if something failed',
  usage: ['explain', 'explain FAULT...'],
  description: [
    'Says, from the state of now, who would take over or why nobody would, which guests would start, in what order and in about how long: if this node or its peer lost power, a heartbeat link or a LAN cable failed, the daemon died, the gateway failed, or both hosts lost power. Nothing is touched: the state is read, and the same decisions that the daemon makes are made in a simulation, several times with different chances. It takes about a second.',
    'With a FAULT only that one is explained, moment by moment: self-power, peer-power, both-power, link eth1, daemon, gateway. The names of the nodes will do as well.',
    'While the peer is silent, what is explained is the present: what would happen if it came back, or if you power it off and say so.',
  ],
  options: { json: jsonOption },
  examples: [
    { command: 'battito explain', meaning: 'what are we protected from at this moment?' },
    { command: 'battito explain peer-power', meaning: 'if the peer lost power, moment by moment' },
    { command: 'battito explain link eth1', meaning: 'if that cable failed' },
  ],
  exitCodes: {
    0: 'explained; that all would go well is not said by this',
    69: 'no daemon answers at the control socket',
    75: 'the daemon did not answer in time, or does not know yet what to think of its peer',
    77: 'not allowed: run it as root',
  },
  positionalsMax: Number.POSITIVE_INFINITY,
  async run(context, args) {
    const state = await settledState(context);
    const notes = await context.client.history(historyMax);
    const situation = liveSituation(state);
    const scenarios = meantScenarios(situation, args.positionals);
    const report = explore({
      situation,
      durations: durationsFrom(state.policy, notes),
      seeds: seedsFrom(1),
      scenarios,
      notices: attentionOf(state).map((item) => ({ node: state.policy.self, ...item })),
    });
    return showReport(context, args, report, args.positionals.length > 0);
  },
};

/** A peer that is late is alive or not in a moment. */
async function settledState({ client, pollMs }: Context): Promise<State> {
  for (let look = 0; look < patiencePolls; look += 1) {
    const state = await client.state();
    if (!isForming(state)) return state;
    await sleep(pollMs);
  }
  const message = 'the daemon does not know yet what to think of its peer';
  throw new BattitoError('too-early', message, {
    exitCode: exitCodes.timedOut,
    next: 'ask again once `battito status` shows a verdict',
  });
}
