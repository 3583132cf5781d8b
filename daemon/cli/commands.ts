// The table of commands. Each is loaded only when it is wanted, so that `battito daemon` carries no other command
// and a command starts without the daemon.

import type { Command } from './command.ts';

const loaders: Readonly<Record<string, () => Promise<Command>>> = {
  status: async () => (await import('./status/status.ts')).statusCommand,
  takeover: async () => (await import('./takeover.ts')).takeoverCommand,
  handover: async () => (await import('./handover.ts')).handoverCommand,
  standby: async () => (await import('./standby.ts')).standbyCommand,
  maintenance: async () => (await import('./maintenance.ts')).maintenanceCommand,
  retry: async () => (await import('./retry.ts')).retryCommand,
  why: async () => (await import('./why.ts')).whyCommand,
  history: async () => (await import('./history.ts')).historyCommand,
  explain: async () => (await import('./what-if/explain.ts')).explainCommand,
  simulate: async () => (await import('./what-if/simulate.ts')).simulateCommand,
  incident: async () => (await import('./incident/incident.ts')).incidentCommand,
  check: async () => (await import('./check/check.ts')).checkCommand,
  guests: async () => (await import('./guests/guests.ts')).guestsCommand,
  drbd: async () => (await import('./drbd/drbd.ts')).drbdCommand,
  fence: async () => (await import('./fence/fence.ts')).fenceCommand,
  drill: async () => (await import('./drill/drill.ts')).drillCommand,
  schedule: async () => (await import('./schedule/schedule.ts')).scheduleCommand,
  init: async () => (await import('./init/init.ts')).initCommand,
  import: async () => (await import('./import/import.ts')).importCommand,
  runbook: async () => (await import('./runbook.ts')).runbookCommand,
  'cl-status': async () => (await import('./status/cl-status.ts')).clStatusCommand,
  notify: async () => (await import('./notify.ts')).notifyCommand,
  metrics: async () => (await import('./metrics.ts')).metricsCommand,
  web: async () => (await import('./web.ts')).webCommand,
  keygen: async () => (await import('./keygen.ts')).keygenCommand,
  completion: async () => (await import('./completion/completion.ts')).completionCommand,
  daemon: async () => (await import('./daemon.ts')).daemonCommand,
  help: async () => (await import('./help.ts')).helpCommand,
};

/** In the order of the help. */
export const commandNames: readonly string[] = Object.keys(loaders);

export async function loadCommand(name: string): Promise<Command | undefined> {
  return Object.hasOwn(loaders, name) ? loaders[name]?.() : undefined;
}

export function allCommands(): Promise<readonly Command[]> {
  return Promise.all(Object.values(loaders).map((load) => load()));
}
