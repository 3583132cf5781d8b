// How the control API answers: JSON, an ApiError for what failed, and bodies that are read up to a bound.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type * as z from 'zod';
import type { ErrorCode } from '../errors.ts';
import { restartInPlace } from './attention-item.ts';

const bodyBytesMax = 64 * 1024;
export const messageLengthMax = 4000;
const newerCommand = `the command may be newer than the daemon: ${restartInPlace}`;

/** The body as the schema has it; null: it is not, and the question is answered. */
export async function readBody<T>(
  request: IncomingMessage,
  response: ServerResponse,
  schema: z.ZodType<T>,
): Promise<T | null> {
  const refuse = (status: number, code: ErrorCode, message: string, next: string | null = null) => {
    fail(response, status, code, message, next);
    return null;
  };
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > bodyBytesMax) return refuse(413, 'too-large', 'the request is too large');
    parts.push(part);
  }
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    return refuse(400, 'not-json', 'the request is not JSON');
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const message = parsed.error.issues.map(({ path, message: why }) => `${path.join('.')}: ${why}`).join('; ');
  return refuse(400, 'not-understood', message, newerCommand);
}

export function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

export function fail(
  response: ServerResponse,
  status: number,
  code: ErrorCode,
  message: string,
  next: string | null,
): void {
  if (!response.headersSent) send(response, status, { error: { code, message, next } });
}
