// `battito notify`: tells something on the channels of the configuration, without the daemon: it needs none for that.

import { randomUUID } from 'node:crypto';
import type { Config, NotifyChannelConfig } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import { deliver } from '../notify/deliver.ts';
import { type Delivery, type Message, messageSchema, orderSchema } from '../notify/message.ts';
import { tellTest } from '../notify/story.ts';
import { nearestWord, usageError } from './arguments.ts';
import type { Arguments, Command, Context } from './command.ts';
import { flag, jsonOption } from './command.ts';
import { readInput } from './input.ts';
import { harmless, padTo, paint, printJson } from './output.ts';

const actions = ['test', 'send'] as const;
const inputCharactersMax = 1024 * 1024;

export const notifyCommand: Command = {
  name: 'notify',
  summary: 'try the ways on which people are told what went wrong',
  usage: ['notify test [CHANNEL] [--json]', 'notify send CHANNEL'],
  description: [
    'test sends a test on every channel of the configuration, or on one, and says of each whether it worked and what to mend. It needs no daemon, and waits for each channel as long as its timeout says.',
    'send takes one message as JSON from its standard input, as a webhook gets it, and tries it once. The daemon uses it for its own.',
  ],
  options: { json: jsonOption },
  examples: [
    { command: 'battito notify test', meaning: 'a test mail, a test post, a run of each hook' },
    { command: 'battito notify test admin', meaning: 'on this channel alone' },
  ],
  exitCodes: {
    0: 'every channel took it',
    1: 'at least one did not; it is said why and what to mend',
    78: 'the configuration is wrong, or names no such channel',
  },
  positionalsMax: 2,
  async run(context, args) {
    const [action, name] = args.positionals;
    if (action === 'test') return test(context, args, name);
    if (action === 'send') return send(context, args, name);
    const all = 'test or send';
    if (action === undefined) throw usageError(`say ${all}`, notifyCommand);
    const near = nearestWord(action, actions);
    const message = `there is no "notify ${action}"; expected ${all}`;
    throw usageError(message, notifyCommand, near === undefined ? near : `battito notify ${near}`);
  },
};

async function test({ settings, output, interruptible }: Context, args: Arguments, name: string | undefined) {
  const config = loadConfig(settings.configPath);
  const channels = name === undefined ? channelsOf(config) : [channelOf(config, name)];
  const { cluster } = config;
  const message = tellTest({ cluster, node: settings.node }, randomUUID(), Date.now());
  // Beside each other: one that hangs does not keep the person from the others.
  const results = await interruptible((signal) =>
    Promise.all(
      channels.map(async (channel) => ({ channel, delivery: await deliver(message, channel, signal) })),
    ),
  );
  if (flag(args, 'json')) {
    const channelsTold = results.map(({ channel, delivery }) => ({ channel: channel.name, ...delivery }));
    printJson(output, { channels: channelsTold });
  } else {
    const columns = Math.max(...channels.map((channel) => channel.name.length));
    for (const { channel, delivery } of results) {
      const [word, colour] =
        delivery.kind === 'sent' ? (['ok', 'green'] as const) : (['FAILED', 'red'] as const);
      const told = paint(output.look(), colour, `${padTo(word, 6)}  ${harmless(delivery.message)}`);
      output.line(`${padTo(channel.name, columns)}  ${told}`);
      if (delivery.kind !== 'sent')
        output.line(`${' '.repeat(columns)}          mend: ${harmless(delivery.next)}`);
    }
  }
  return exitCodeOf(results.map(({ delivery }) => delivery));
}

async function send({ settings, output, interruptible }: Context, args: Arguments, name: string | undefined) {
  if (name === undefined) throw usageError('notify send needs the name of a channel', notifyCommand);
  const { message, channel = channelOf(loadConfig(settings.configPath), name) } = await readOrder(
    process.stdin,
  );
  const delivery = await interruptible((signal) => deliver(message, channel, signal));
  if (flag(args, 'json')) printJson(output, delivery);
  else if (delivery.kind === 'sent') output.line(`${name}: ${harmless(delivery.message)}`);
  else throw new BattitoError('notify-failed', `${name}: ${delivery.message}`, { next: delivery.next });
  return exitCodeOf([delivery]);
}

interface Order {
  readonly message: Message;
  readonly channel?: NotifyChannelConfig;
}

const exitCodeOf = (deliveries: readonly Delivery[]) =>
  deliveries.every(({ kind }) => kind === 'sent') ? exitCodes.ok : exitCodes.failed;

/** A message; of the daemon with its channel, since the file may be half edited when something goes wrong. */
async function readOrder(input: AsyncIterable<Buffer | string>): Promise<Order> {
  const text = await readInput(input, inputCharactersMax);
  try {
    const read: unknown = JSON.parse(text);
    const order = orderSchema.safeParse(read);
    return order.success ? order.data : { message: messageSchema.parse(read) };
  } catch (cause) {
    throw new BattitoError('notify-input', 'the standard input is no message', {
      exitCode: exitCodes.usage,
      next: 'battito help notify',
      cause,
    });
  }
}

function channelsOf({ notify }: Config): readonly NotifyChannelConfig[] {
  if (notify !== null) return notify.channels;
  throw new BattitoError(
    'notify-none',
    'the configuration has no section `notify`: nobody is told anything',
    {
      exitCode: exitCodes.config,
      next: 'add notify.channels to the configuration: man battito.yaml',
    },
  );
}

function channelOf(config: Config, name: string): NotifyChannelConfig {
  const channels = channelsOf(config);
  const found = channels.find((channel) => channel.name === name);
  if (found !== undefined) return found;
  const names = channels.map((channel) => channel.name);
  const near = nearestWord(name, names);
  throw new BattitoError('notify-unknown', `there is no channel ${name}; there are ${names.join(', ')}`, {
    exitCode: exitCodes.config,
    ...(near === undefined ? {} : { next: `battito notify test ${near}` }),
  });
}
