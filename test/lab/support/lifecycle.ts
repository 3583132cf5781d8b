// Labs come and go: brought up, found again by name, taken down whole.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BattitoError, exitCodes } from '../../../daemon/errors.ts';
import {
  deleteNamespaces,
  killAllIn,
  presentNamespaces,
  releaseNow,
} from '../../netns/support/namespaces.ts';
import { chooseAccelerator } from './accelerator.ts';
import { keepConsoles } from './evidence.ts';
import { ensureImage } from './image.ts';
import { Lab, type LabRecord } from './lab.ts';
import { isAlive, type Owner } from './owner.ts';
import { cacheFolder, placesOf } from './places.ts';
import { makeSavedState, savedStateFolder } from './saved-state.ts';
import { layCables } from './wiring.ts';

export interface BringUpOptions {
  readonly name: string;
  readonly tell: (line: string) => void;
  readonly owner?: Owner;
  readonly signal?: AbortSignal;
}

/** @throws BattitoError when it is up already, or something is missing. Leaves nothing behind when it fails. */
export async function bringUp(options: BringUpOptions): Promise<Lab> {
  const { name, tell, signal, owner = null } = options;
  const places = placesOf(name);
  if (existsSync(join(places.folder, 'lab.json')) || presentNamespaces(places.namespaces).length > 0) {
    throw new BattitoError('lab-up', `the lab ${name} is up already, or something of it is left`, {
      next: 'See ./scripts/lab status; ./scripts/lab down takes it down.',
    });
  }
  const image = await ensureImage({ tell, ...(signal && { signal }) });
  const accelerator = await chooseAccelerator(image);
  const savedState = await savedStateFolder(image, accelerator);
  const record: LabRecord = { image, accelerator, savedState, owner };
  signal?.throwIfAborted();
  const lab = new Lab(places, record);
  try {
    await mkdir(places.folder, { recursive: true, mode: 0o700 });
    await mkdir(places.runFolder, { recursive: true, mode: 0o700 });
    await writeFile(join(places.folder, 'lab.json'), JSON.stringify(record));
    await layCables(places);
    if (!existsSync(savedState)) await makeSavedState(lab, options);
    signal?.throwIfAborted();
    await lab.reset();
    signal?.throwIfAborted();
    return lab;
  } catch (error) {
    const kept = await keepConsoles(places, join(cacheFolder(), 'failed', name));
    if (!(signal?.aborted ?? false)) for (const file of kept) tell(`kept: ${file}`);
    await takeDown(name);
    signal?.throwIfAborted();
    throw error;
  }
}

/** A lab that is up. @throws BattitoError when there is none of that name. */
export function findLab(name: string): Lab {
  const places = placesOf(name);
  try {
    return new Lab(places, JSON.parse(readFileSync(join(places.folder, 'lab.json'), 'utf8')) as LabRecord);
  } catch (cause) {
    throw new BattitoError('lab-down', `there is no lab ${name} on this machine`, {
      exitCode: exitCodes.unavailable,
      next: 'Bring it up: ./scripts/lab up',
      cause,
    });
  }
}

/** The labs that are up, by name. */
export function labNames(): readonly string[] {
  const folder = join(cacheFolder(), 'labs');
  return existsSync(folder)
    ? readdirSync(folder).filter((name) => existsSync(join(folder, name, 'lab.json')))
    : [];
}

// ---- down ----

/** Kills, removes and forgets everything of a lab; what is not there does not matter. */
export async function takeDown(name: string): Promise<void> {
  const places = placesOf(name);
  const present = presentNamespaces(places.namespaces);
  await killAllIn(present);
  await deleteNamespaces(present);
  await rm(places.runFolder, { recursive: true, force: true });
  await rm(places.folder, { recursive: true, force: true });
}

/** The last resort of a process that is ending; use {@link takeDown}. */
export function takeDownNow(name: string): void {
  const { namespaces, runFolder, folder } = placesOf(name);
  releaseNow(namespaces, [runFolder, folder]);
}

/** Takes down the labs of processes that are gone. */
export async function removeOrphans(): Promise<void> {
  for (const name of labNames()) {
    const { owner } = JSON.parse(readFileSync(join(placesOf(name).folder, 'lab.json'), 'utf8')) as LabRecord;
    if (owner !== null && !isAlive(owner)) await takeDown(name);
  }
}
