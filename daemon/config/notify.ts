// Notifications as the rest of the program sees them. Pure.

import type { NotifyChannelConfig, NotifyConfig, NotifyWay } from './config.ts';
import type { NotifyFile } from './schema-notify.ts';

const usualPorts = { starttls: 587, implicit: 465, none: 25 } as const;
const usualSendmail = '/usr/sbin/sendmail';

export function toNotify(file: NotifyFile | undefined): NotifyConfig | null {
  if (file === undefined) return null;
  return {
    repeatAfterMs: file['repeat-after'],
    collectMs: file.collect,
    channels: Object.entries(file.channels).map(
      ([name, channel]): NotifyChannelConfig => ({
        name,
        severity: channel.severity,
        timeoutMs: channel.timeout,
        secrets: channel.secrets ?? null,
        caFile: channel.ca ?? null,
        way: wayOf(channel),
      }),
    ),
  };
}

function wayOf({ mail, from, smtp, sendmail, webhook, hook }: NotifyFile['channels'][string]): NotifyWay {
  if (webhook !== undefined) return { kind: 'webhook', url: webhook };
  if (hook !== undefined) return { kind: 'hook', program: hook };
  if (mail === undefined) throw new Error('broken invariant: a validated channel has a way');
  const envelope = { to: mail, from: from ?? null };
  if (smtp === undefined) return { kind: 'sendmail', ...envelope, program: sendmail ?? usualSendmail };
  const { host, tls, port } = smtp;
  return { kind: 'smtp', ...envelope, host, tls, port: port ?? usualPorts[tls] };
}
