// Where a lab keeps what: images in a cache, disks and consoles beside it, sockets and pid files under /run.

import { homedir } from 'node:os';
import { join } from 'node:path';
import { BattitoError, exitCodes } from '../../../daemon/errors.ts';
import { type NetworkName, type NodeName, type Outsider, outsiders } from './plan.ts';

/** The environment between the command and ava's process: the lab's name; or that tests are only to be listed. */
export const labVariable = 'BATTITO_LAB';
export const listVariable = 'BATTITO_LAB_LIST';

/** `BATTITO_LAB_CACHE`, or `battito-lab` in the user's cache directory. */
export function cacheFolder(): string {
  const { BATTITO_LAB_CACHE: own, XDG_CACHE_HOME: users } = process.env;
  if (own !== undefined && own !== '') return own;
  return join(users !== undefined && users !== '' ? users : join(homedir(), '.cache'), 'battito-lab');
}

export const imagesFolder = () => join(cacheFolder(), 'images');

export interface LabPlaces {
  readonly name: string;
  /** Its namespaces: the switches (QEMU runs there), and one for each outsider. */
  readonly namespace: string;
  readonly namespaceOf: Readonly<Record<Outsider, string>>;
  readonly namespaces: readonly string[];
  /** Disks, consoles and `lab.json`. */
  readonly folder: string;
  /** Sockets, whose paths must be short, and pid files. */
  readonly runFolder: string;
}

const labName = /^[a-z0-9][a-z0-9-]{0,23}$/;

/** @throws BattitoError for a name that is no lab's. */
export function placesOf(name: string): LabPlaces {
  if (!labName.test(name)) {
    throw new BattitoError(
      'lab-name',
      `${JSON.stringify(name)} cannot be a lab's name: lower case letters, digits and dashes, 24 at the most`,
      { exitCode: exitCodes.usage },
    );
  }
  const namespace = `battito-lab-${name}`;
  const namespaceOf = { gateway: `${namespace}-gateway`, client: `${namespace}-client` };
  return {
    name,
    namespace,
    namespaceOf,
    namespaces: [namespace, ...outsiders.map((outsider) => namespaceOf[outsider])],
    folder: join(cacheFolder(), 'labs', name),
    runFolder: join('/run/battito-lab', name),
  };
}

/** Besides its system: for the mirror with the group's file system, and for one that a guest has to itself. */
export const disks = ['root', 'data', 'guest'] as const;
export type Disk = (typeof disks)[number];

export const diskFile = (folder: string, node: NodeName, disk: Disk) => join(folder, `${node}.${disk}.qcow2`);
export const pidFile = ({ runFolder }: LabPlaces, node: NodeName) => join(runFolder, `${node}.pid`);
export const sshSocket = ({ runFolder }: LabPlaces, node: NodeName) => join(runFolder, `${node}.ssh`);
/** The daemon's control socket, led here from inside the node. */
export const controlSocket = ({ runFolder }: LabPlaces, node: NodeName) => join(runFolder, `${node}.control`);
/** Two, since QEMU talks to one client at a time on each: for commands, and for who waits for an event. */
export const qmpSocket = ({ runFolder }: LabPlaces, node: NodeName, use: 'command' | 'watch') =>
  join(runFolder, `${node}.${use}.qmp`);
export const cardId = (network: NetworkName) => `card-${network}`;
