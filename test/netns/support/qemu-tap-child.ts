// Runs inside a network namespace: starts the guest given as JSON, and prints what was on the bridge meanwhile.

import { readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import { runCommand } from '../../../daemon/drivers/command.ts';
import { parseInterfaces } from '../../../daemon/drivers/network.ts';
import { createQemuDriver } from '../../../daemon/drivers/qemu/qemu.ts';

const { config, runDir } = JSON.parse(process.argv[2] ?? '');
const signal = AbortSignal.timeout(60_000);
const logger = pino({ level: 'silent' });
const driver = createQemuDriver(config, { group: 'test', runDir, logger, onStatus: () => {} });

async function bridgePorts(): Promise<unknown> {
  const argv = ['ip', '-json', 'link', 'show', 'master', config.network.bridge];
  const { stdout } = await runCommand(argv, { timeoutMs: 10_000 });
  const ports: { readonly ifname: string; readonly flags: readonly string[] }[] = JSON.parse(stdout || '[]');
  return ports.map(({ ifname, flags }) => ({ name: ifname, up: flags.includes('UP') }));
}

async function until<T>(read: () => Promise<T>, wanted: T): Promise<T> {
  for (;;) {
    const value = await read();
    if (value === wanted || signal.aborted) return value;
    await nextTurn();
  }
}

/** As the daemon reads it. */
async function carrier(): Promise<boolean | undefined> {
  const { stdout } = await runCommand(['ip', '-j', '-d', 'addr', 'show'], { timeoutMs: 10_000 });
  const parsed = parseInterfaces(stdout);
  if (parsed.kind === 'unparseable') throw new Error(parsed.message);
  return parsed.interfaces.find(({ name }) => name === config.network.bridge)?.carrier;
}

/** The guest stays plugged in while the cable is pulled: what the daemon reads then, and what the kernel says. */
async function carriers() {
  const plugged = await until(carrier, true);
  await runCommand(['ip', 'link', 'set', 'cable', 'down'], { timeoutMs: 10_000 });
  const pulled = await until(carrier, false);
  const kernel = (await readFile(`/sys/class/net/${config.network.bridge}/carrier`, 'utf8')).trim();
  return { plugged, pulled, kernel };
}

try {
  const start = await driver.perform('start', signal);
  const during = await bridgePorts();
  const carrier = await carriers();
  const destroy = await driver.perform('destroy', signal);
  process.stdout.write(JSON.stringify({ start, during, carrier, destroy, after: await bridgePorts() }));
} finally {
  await driver.perform('destroy', AbortSignal.timeout(20_000));
  await driver.close();
}
