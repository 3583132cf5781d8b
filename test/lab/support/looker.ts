// A process on the LAN: connects to a guest's console at every NODE=ADDRESS:PORT that it is given, again and again, and
// prints a line of JSON for each count that it is shown. Run by onlooker.ts.

import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const pauseMs = 100;

function look(node: string, host: string, port: number): void {
  const socket = connect({ host, port, keepAlive: true, keepAliveInitialDelay: 1000 });
  socket.on('error', () => {}); // `close` comes as well.
  socket.once('close', () => setTimeout(() => look(node, host, port), pauseMs));
  createInterface({ input: socket })
    .on('error', () => {})
    .on('line', (line) => {
      const count = /^count (\d+)$/.exec(line.trim())?.[1];
      if (count === undefined) return;
      process.stdout.write(`${JSON.stringify({ atMs: performance.now(), node, count: Number(count) })}\n`);
    });
}

for (const word of process.argv.slice(2)) {
  const [, node = '', host = '', port] = /^(\w+)=(.+):(\d+)$/.exec(word) ?? [];
  look(node, host, Number(port));
}
