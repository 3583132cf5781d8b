// A unix socket that only one living process listens on. What a dead one left is replaced; what is no socket is not.

import { lstat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';

/** Resolves to false when another process answers at `path`. Rejects when the path cannot be used. */
export async function listenAlone(server: Server, path: string): Promise<boolean> {
  if (await answers(path)) return false;
  const there = await lstat(path).catch(() => undefined);
  if (there?.isSocket() === false) throw new Error('what is there is not a socket');
  if (there !== undefined) await unlink(path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return true;
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
