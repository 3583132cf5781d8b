// One question to one endpoint of etcd: JSON over HTTP, by its gateway. Redirects are not followed, and nothing is asked
// again by itself.

import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Credentials } from './files.ts';

export interface Endpoint {
  readonly url: string;
  /** Rejects with what failed below HTTP, or with the reason of `signal`. */
  post(path: string, body: unknown, token: string | null, signal: AbortSignal): Promise<Reply>;
  /** What is under way goes on; what comes later is to have a connection of its own. */
  retire(): void;
  close(): void;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
}

const bytesMax = 1024 * 1024;
/** A connection that waits longer for a question is closed. */
const idleMsMax = 60_000;

/** A connection is kept for the next question; a second question meanwhile has one of its own. */
export function openEndpoint(url: string, { ca, certificate, key }: Credentials): Endpoint {
  const isTls = url.startsWith('https:');
  const kept = { keepAlive: true, maxFreeSockets: 1, timeout: idleMsMax };
  const agent = isTls
    ? new HttpsAgent({
        ...kept,
        ...(ca === null ? {} : { ca }),
        ...(certificate === null || key === null ? {} : { cert: certificate, key }),
      })
    : new HttpAgent(kept);
  const ask = isTls ? httpsRequest : httpRequest;

  return {
    url,
    post: (path, body, token, signal) =>
      new Promise((resolve, reject) => {
        const text = JSON.stringify(body);
        const headers = {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
          ...(token === null ? {} : { authorization: token }),
        };
        const asked = ask(new URL(path, url), { method: 'POST', agent, headers, signal }, (answer) => {
          readAll(answer).then((read) => resolve({ status: answer.statusCode ?? 0, text: read }), reject);
        });
        asked.once('error', reject);
        asked.end(text);
      }),
    retire() {
      for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy();
    },
    close: () => agent.destroy(),
  };
}

async function readAll(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer) {
    const bytes = chunk as Buffer;
    length += bytes.length;
    if (length > bytesMax) throw new Error(`an answer of more than ${bytesMax} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
