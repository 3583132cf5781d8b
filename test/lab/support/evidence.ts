// What is kept of nodes when something went wrong: consoles, and what they say themselves while they still answer.

import { existsSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Lab } from './lab.ts';
import { consoleFiles } from './machine.ts';
import type { LabPlaces } from './places.ts';
import { nodeNames } from './plan.ts';

const askTimeoutMs = 30_000;

/** Shell lines, and the file that each one's output goes to. */
const questions = {
  'journal.txt': 'journalctl --no-pager --quiet -o short-precise',
  'state.txt': [
    'ip -br link; ip -br addr; ip neigh; ip route',
    'cat /proc/drbd /proc/mounts; drbdadm status; cat /etc/drbd.d/*.res',
    'timeout 15 virsh list --all; systemctl --failed; ps -ef',
  ].join('; '),
} as const;

/** Copies the consoles of all boots into a folder; returns where they are now. Never throws. */
export async function keepConsoles(places: LabPlaces, folder: string): Promise<readonly string[]> {
  if (!existsSync(places.folder)) return [];
  const kept: string[] = [];
  try {
    await mkdir(folder, { recursive: true });
    for (const node of nodeNames) {
      for (const file of consoleFiles(places, node)) {
        const to = join(folder, basename(file));
        await copyFile(file, to);
        kept.push(to);
      }
    }
  } catch {
    // The failure that it is evidence of matters more.
  }
  return kept;
}

/** Consoles, journals and states of both nodes. Never throws: a node that does not answer has its console. */
export async function keepEvidence(lab: Lab, folder: string): Promise<readonly string[]> {
  const kept = [...(await keepConsoles(lab.places, folder))];
  await lab.both(async (node) => {
    if (node.power() !== 'on') return;
    for (const [name, question] of Object.entries(questions)) {
      try {
        const { stdout, stderr } = await node.tryRun(`{ ${question}; } 2>&1`, { timeoutMs: askTimeoutMs });
        const file = join(folder, `${node.name}.${name}`);
        await writeFile(file, stdout + stderr);
        kept.push(file);
      } catch {
        return;
      }
    }
  });
  return kept;
}
