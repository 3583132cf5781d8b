// Runs inside a network namespace: starts the guest given as JSON, and prints what was on the bridge meanwhile.

import { pino } from 'pino';
import { runCommand } from '../../../daemon/drivers/command.ts';
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

try {
  const start = await driver.perform('start', signal);
  const during = await bridgePorts();
  const destroy = await driver.perform('destroy', signal);
  process.stdout.write(JSON.stringify({ start, during, destroy, after: await bridgePorts() }));
} finally {
  await driver.perform('destroy', AbortSignal.timeout(20_000));
  await driver.close();
}
