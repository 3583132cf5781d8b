// One attempt on one channel, in the process that calls it: see sender.ts for why the daemon does not.
// Never rejects, and takes no longer than the channel's time. Secrets are read anew each time.

import { accessSync, constants } from 'node:fs';
import type { NotifyChannelConfig } from '../config/config.ts';
import { runAgentProcess } from '../drivers/fence/agent-process.ts';
import { readSecrets } from '../drivers/fence/secrets.ts';
import type { Delivery, Message } from './message.ts';

/** A hook that ends with it is run again later, as sysexits(3) has it: EX_TEMPFAIL. */
const tryAgainExitCode = 75;

export async function deliver(
  message: Message,
  channel: NotifyChannelConfig,
  signal: AbortSignal,
): Promise<Delivery> {
  const { way, caFile } = channel;
  const secrets = readSecrets(channel.secrets);
  if (secrets.kind === 'unusable') return { kind: 'refused', message: secrets.message, next: secrets.mend };
  if (caFile !== null && !isReadable(caFile))
    return {
      kind: 'refused',
      message: `${caFile} cannot be read`,
      next: `correct notify.channels.${channel.name}.ca`,
    };
  try {
    switch (way.kind) {
      case 'smtp':
        return await inTime(channel, async () =>
          (await import('./mail.ts')).sendBySmtp(message, channel, way, secrets.options),
        );
      case 'sendmail':
        return await (await import('./mail.ts')).sendBySendmail(message, channel, way, signal);
      case 'webhook':
        return await (await import('./webhook.ts')).post(message, channel, way.url, secrets.options, signal);
      case 'hook':
        return await runHook(message, channel, way.program, signal);
      default:
        throw new Error(`unknown way ${JSON.stringify(way satisfies never)}`);
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { kind: 'later', message: why, next: `battito notify test ${channel.name}` };
  }
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** A mail server may answer each of many steps just in time. */
async function inTime(
  { timeoutMs, name }: NotifyChannelConfig,
  attempt: () => Promise<Delivery>,
): Promise<Delivery> {
  const late = Promise.withResolvers<Delivery>();
  const timer = setTimeout(
    () =>
      late.resolve({
        kind: 'later',
        message: `not done within ${timeoutMs / 1000} s`,
        next: `see what is slow, or give notify.channels.${name}.timeout`,
      }),
    timeoutMs,
  );
  try {
    return await Promise.race([attempt(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function runHook(
  message: Message,
  { name, timeoutMs }: NotifyChannelConfig,
  program: string,
  signal: AbortSignal,
): Promise<Delivery> {
  const { rank: _, ...told } = message;
  const end = await runAgentProcess({
    program,
    input: `${JSON.stringify({ version: 1, ...told })}\n`,
    env: {
      BATTITO_KIND: message.kind,
      BATTITO_SEVERITY: message.severity,
      BATTITO_CLUSTER: message.cluster,
      BATTITO_NODE: message.node,
      BATTITO_GROUPS: message.groups.join(' '),
      BATTITO_SUBJECT: message.subject,
      BATTITO_ID: message.id,
    },
    timeoutMs,
    signal,
  });
  const next = `run it by hand: battito notify test ${name}`;
  if (end.startError !== null) {
    const message =
      end.startError === 'ENOENT' ? `there is no ${program}` : `${program} cannot be run (${end.startError})`;
    return { kind: 'refused', message, next: `write it and make it a program: chmod 0755 ${program}` };
  }
  // What it had done by then is not known, so it is not run again.
  if (end.cutOff !== null)
    return {
      kind: 'failed',
      message: `${program} was killed after ${timeoutMs / 1000} s, with all that it had started`,
      next: `see what it waits for, or give notify.channels.${name}.timeout`,
    };
  if (end.exitCode === 0) return { kind: 'sent', message: `${program} ran` };
  const said = (end.stderr.trim() || end.stdout.trim()).split('\n').slice(-3).join('; ');
  const how = end.exitCode === null ? 'was killed' : `ended with exit code ${end.exitCode}`;
  const what = `${program} ${how}${said === '' ? '' : `: ${said}`}`;
  return { kind: end.exitCode === tryAgainExitCode ? 'later' : 'failed', message: what, next };
}
