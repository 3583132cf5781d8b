// `battito daemon`: hands over to the runtime, which is loaded only here.

import { dirname, resolve } from 'node:path';
import type { Command } from './command.ts';

/** Options of the runtime that are for what lives for years, not for what computes for a moment. */
const daemonOnly = ['--no-opt', '--no-maglev'];

export const daemonCommand: Command = {
  name: 'daemon',
  summary: 'run the daemon of this node in the foreground, as systemd does',
  usage: ['daemon'],
  description: [
    "Watches the other node and looks after this node's groups until it is told to stop. SIGTERM hands over and ends; SIGHUP reads the configuration again.",
  ],
  options: {},
  examples: [
    { command: 'systemctl start battito', meaning: 'the usual way to start it' },
    {
      command: 'battito daemon --config ./battito.yaml --node primary',
      meaning: 'by hand, to watch its log',
    },
  ],
  exitCodes: {
    0: 'stopped as it was told to',
    69: 'another daemon runs with the same socket or state directory',
    77: 'not allowed: run it as root',
    78: 'the configuration or the key file is wrong; nothing was touched',
  },
  positionalsMax: 0,
  async run({ settings }) {
    const { runDaemon } = await import('../runtime/daemon.ts');
    const configPath = resolve(settings.configPath);
    const stateDir = resolve(settings.stateDir);
    const socketPath = resolve(settings.socketPath);
    const { node } = settings;
    const ordinary = process.execArgv.filter((option) => !daemonOnly.includes(option));
    const program = [process.execPath, ...ordinary, resolve(process.argv[1] ?? '')];
    const named = ['--config', configPath, '--node', node, '--state-dir', stateDir, '--socket', socketPath];
    const command = [...program, ...named];
    return runDaemon({
      ...{ configPath, node, stateDir, socketPath, runDir: dirname(socketPath), command },
      loadWebPage: async () => (await import('../web/page.ts')).openWebPage,
    });
  },
};
