// Posts a message as JSON. Redirects are not followed: what is secret goes where the configuration says, or nowhere.

import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { NotifyChannelConfig } from '../config/config.ts';
import { hideSecrets } from '../drivers/fence/secrets.ts';
import type { Delivery, Message } from './message.ts';

const answerCharactersMax = 300;
/** A shorter part of a path is a word. */
const tokenLengthMin = 8;
/** Worth another try: timeout, too early, too many requests. */
const temporary: readonly number[] = [408, 425, 429];

export async function post(
  message: Message,
  { name, caFile, timeoutMs }: NotifyChannelConfig,
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Delivery> {
  const { origin } = new URL(url); // The rest may be a secret: many services have their token in the path.
  const secrets = { ...headers, ...secretsOf(url) };
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const { status, said } = await exchange(url, jsonOf(message), headers, caFile, limit);
    const answer = said === '' ? '' : `: ${hideSecrets(said, secrets)}`;
    if (status >= 200 && status < 300) return { kind: 'sent', message: `${origin} took it (${status})` };
    if (status >= 500 || temporary.includes(status))
      return {
        kind: 'later',
        message: `${origin} does not take it now (${status})${answer}`,
        next: 'it is tried again by itself',
      };
    const next =
      status === 401 || status === 403
        ? `correct the headers in notify.channels.${name}.secrets, such as authorization=Bearer ...`
        : `correct notify.channels.${name}.webhook`;
    return { kind: 'refused', message: `${origin} refuses it (${status})${answer}`, next };
  } catch (error) {
    const { code, message: text } = error as NodeJS.ErrnoException;
    const why = limit.aborted ? 'no answer in time' : hideSecrets(`${code ?? ''} ${text}`.trim(), secrets);
    return {
      kind: 'later',
      message: `${origin} cannot be reached: ${why}`,
      next: `curl -v ${origin}   # the name, the network, the certificate (ca), or notify.channels.${name}.webhook`,
    };
  }
}

/** What a server may say again of the path that it was asked for: all of it, and each part that may be a token. */
function secretsOf(url: string): Readonly<Record<string, string>> {
  const { pathname, search, searchParams, username, password } = new URL(url);
  const parts = [...pathname.split('/'), ...searchParams.values()].filter(
    (part) => part.length >= tokenLengthMin,
  );
  const all = [pathname + search, ...(pathname === '/' ? [] : [pathname]), username, password, ...parts];
  return Object.fromEntries(all.map((text, index) => [`url-${index}`, text]));
}

/** `text` is what chats show of it; the rest is for programs. */
function jsonOf({ rank: _, ...message }: Message): string {
  return JSON.stringify({ version: 1, ...message });
}

function exchange(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  caFile: string | null,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly said: string }> {
  const isTls = url.startsWith('https:');
  const ca = isTls && caFile !== null ? { ca: readFileSync(caFile, 'utf8') } : {};
  return new Promise((resolve, reject) => {
    const asked = (isTls ? httpsRequest : httpRequest)(
      url,
      {
        ...{ method: 'POST', agent: false, signal },
        ...ca,
        headers: {
          'user-agent': 'battito',
          ...headers,
          'content-type': 'application/json; charset=utf-8',
          'content-length': Buffer.byteLength(body),
        },
      },
      (answer) => {
        firstWords(answer).then((said) => resolve({ status: answer.statusCode ?? 0, said }), reject);
      },
    );
    asked.once('error', reject);
    asked.end(body);
  });
}

async function firstWords(answer: IncomingMessage): Promise<string> {
  answer.setEncoding('utf8');
  let said = '';
  for await (const part of answer) {
    said += part as string;
    if (said.length > answerCharactersMax) break;
  }
  return said.slice(0, answerCharactersMax).replaceAll(/\s+/g, ' ').trim();
}
