// `battito simulate`: what a configuration would do, before it is deployed. Needs no daemon and touches nothing.

import manifest from '../../../package.json' with { type: 'json' };
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import type { Policy } from '../../core/policy.ts';
import { buildPolicy, unseen } from '../../runtime/policy.ts';
import { durationsFrom, readDurations } from '../../whatif/durations.ts';
import { explore } from '../../whatif/explore.ts';
import { readFaults } from '../../whatif/fault-text.ts';
import { healthySituation } from '../../whatif/situation.ts';
import { usageError } from '../arguments.ts';
import type { Arguments, Command } from '../command.ts';
import { jsonOption, text, texts } from '../command.ts';
import { type StoredGuests, storedGuests } from '../stored-guests.ts';
import { meantScenarios, seedsFrom, showReport } from './what-if.ts';

export const simulateCommand: Command = {
  name: 'simulate',
  summary: 'what a configuration would do when something fails',
  usage: ['simulate [FAULT...]', 'simulate --fault "TEXT"... [--durations LIST] [--seed N]'],
  description: [
    'Reads the configuration (--config), lets two modelled hosts run it with the same decisions as the daemon, and says what they do when something fails: who takes over or why nobody does, which guests start, in what order and in about how long. It begins with both nodes well and each group where it is preferred. No daemon is asked and nothing is touched. The guests of `guests: all` are those that the daemon has on record on this node; elsewhere they are left out, which is said.',
    'Without --fault it goes through the faults that `battito explain` knows; with words, through those that have them in their names.',
    'A --fault is what happens and when, e.g. "power-loss primary @10s", "cut primary eth1 @5s", "kill-daemon secondary stays-down @3s", "gateway off @3s", "partition @8s", "operator primary handover @2s". Hosts and interfaces have the names of the configuration. Several make one story.',
  ],
  options: {
    fault: { type: 'string', value: 'TEXT', multiple: true, help: 'what happens, and when; may be repeated' },
    durations: {
      type: 'string',
      value: 'LIST',
      help: 'how long starts take: guest:mail=40s,guest=10s; otherwise 5s a guest',
    },
    seed: { type: 'string', value: 'N', help: 'the first of five seeds; the same one gives the same answer' },
    json: jsonOption,
  },
  examples: [
    { command: 'battito simulate --config ./new.yaml', meaning: 'the usual faults, a paragraph each' },
    {
      command: 'battito simulate --fault "power-loss primary @10s"',
      meaning: 'one fault, moment by moment',
    },
    {
      command: 'battito simulate --fault "gateway off @2s" --fault "power-loss primary @60s"',
      meaning: 'two faults, one after the other',
    },
  ],
  exitCodes: {
    0: 'simulated; that all went well is not said by this',
    64: 'a fault was not understood; the message says what is possible',
    78: 'the configuration is wrong',
  },
  positionalsMax: Number.POSITIVE_INFINITY,
  async run(context, args) {
    const config = loadConfig(context.settings.configPath);
    const [first, second] = config.nodes;
    const stored = await storedGuests(config, context.settings.stateDir);
    const sights = { ...unseen, guests: stored.guests };
    const policyOf = (node: string): Policy => buildPolicy(config, node, manifest.version, sights);
    const policies = { primary: policyOf(first.name), secondary: policyOf(second.name) };
    const situation = { ...healthySituation(policies), assumptions: assumptionsOf(config, stored) };
    const faults = texts(args, 'fault');
    const [word] = args.positionals;
    if (faults.length > 0 && word !== undefined) {
      const message = `--fault and the word "${word}" do not go together: a story, or one of the usual faults`;
      throw usageError(message, simulateCommand);
    }
    const given = text(args, 'durations');
    const report = explore({
      situation,
      durations: durationsFrom(
        policies.primary,
        [],
        given === undefined ? {} : readDurations(given, policies.primary),
      ),
      seeds: seedsFrom(seedOf(args)),
      scenarios:
        faults.length > 0 ? [readFaults(situation, faults)] : meantScenarios(situation, args.positionals),
      notices: [],
    });
    return showReport(context, args, report, faults.length > 0 || args.positionals.length > 0);
  },
};

/** Of the guests that the configuration does not name. */
function assumptionsOf({ groups }: Config, { guests, areLeftOut }: StoredGuests): readonly string[] {
  const taking = groups.filter(({ allGuests }) => allGuests !== null);
  if (taking.length === 0) return [];
  const names = taking.map(({ name }) => name).join(', ');
  if (areLeftOut) {
    return [
      `which guests libvirt has is not known here, so those of \`all\` are left out of ${names}: name them in the configuration to see them, or run this as root on a node of the cluster`,
    ];
  }
  return taking.map(({ name, guests: named }) => {
    const others = (guests.get(name) ?? []).map(({ config }) => config.name).slice(named.length);
    const list = others.length === 0 ? 'none' : others.join(', ');
    return `of the guests of libvirt those on record here belong to ${name}: ${list}`;
  });
}

function seedOf(args: Arguments): number {
  const given = text(args, 'seed') ?? '1';
  if (/^[0-9]{1,9}$/.test(given)) return Number(given);
  throw usageError(`--seed takes a whole number from 0 to 999999999, not "${given}"`, simulateCommand);
}
