// A lab as a test has it: two nodes, and whoever else is on the LAN.

import { type CommandResult, runCommand } from '../../../daemon/drivers/command.ts';
import type { Accelerator } from './accelerator.ts';
import type { Image } from './image.ts';
import { forgetConsoles } from './machine.ts';
import { LabNode } from './node.ts';
import type { Owner } from './owner.ts';
import { diskFile, type LabPlaces } from './places.ts';
import type { NodeName, Outsider } from './plan.ts';
import { makeDisks, stateFile } from './saved-state.ts';
import { mendAll, setOutsider, setParted } from './wiring.ts';

/** What is written down of a lab that is up. */
export interface LabRecord {
  readonly image: Image;
  readonly accelerator: Accelerator;
  /** Where both nodes go on from. Written down, so that a lab that is up does not mind a change of its recipe. */
  readonly savedState: string;
  /** The process that the lab is to end with; null: it stays until somebody takes it down. */
  readonly owner: Owner | null;
}

export class Lab {
  readonly places: LabPlaces;
  readonly image: Image;
  readonly accelerator: Accelerator;
  readonly savedState: string;
  readonly nodes: Readonly<Record<NodeName, LabNode>>;

  constructor(places: LabPlaces, { image, accelerator, savedState }: LabRecord) {
    this.places = places;
    this.savedState = savedState;
    this.image = image;
    this.accelerator = accelerator;
    const node = (name: NodeName) => new LabNode({ places, image, accelerator, node: name });
    this.nodes = { primary: node('primary'), secondary: node('secondary') };
  }

  node(name: NodeName): LabNode {
    return this.nodes[name];
  }

  get primary(): LabNode {
    return this.nodes.primary;
  }

  get secondary(): LabNode {
    return this.nodes.secondary;
  }

  /** The same on both nodes at once. */
  async both<T>(body: (node: LabNode) => Promise<T>): Promise<readonly [T, T]> {
    return await Promise.all([body(this.primary), body(this.secondary)]);
  }

  /** Runs a command as somebody else on the LAN. */
  outside(who: Outsider, argv: readonly string[], timeoutMs = 60_000): Promise<CommandResult> {
    return runCommand(['ip', 'netns', 'exec', this.places.namespaceOf[who], ...argv], { timeoutMs });
  }

  cutOutsider(who: Outsider): Promise<void> {
    return setOutsider(this.places, who, false);
  }

  mendOutsider(who: Outsider): Promise<void> {
    return setOutsider(this.places, who, true);
  }

  /** Every way between the nodes is cut, while both go on reaching everybody else. */
  async part(): Promise<void> {
    await this.primary.cut('heartbeat', 'silent');
    await setParted(this.places, true);
  }

  async unite(): Promise<void> {
    await this.primary.mend('heartbeat');
    await setParted(this.places, false);
  }

  /**
   * Both nodes as after a fresh boot, with fresh disks; every cable mended. Nothing of a test is left.
   * `state`: another state that was kept, in which more is installed.
   */
  async reset(state = this.savedState): Promise<void> {
    await this.both((node) => node.powerOff());
    await mendAll(this.places);
    await forgetConsoles(this.places);
    await this.both(async (node) => {
      await makeDisks(this, node.name, (disk) => [diskFile(state, node.name, disk), 'qcow2']);
      await node.resume(stateFile(state, node.name));
    });
  }
}
