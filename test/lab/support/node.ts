// A node as a test has it: commands, power, cables, freezing, waiting.

import { watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { BattitoError } from '../../../daemon/errors.ts';
import { monotonicMs, type WaitOptions, waitFor } from '../../support.ts';
import {
  consoleFiles,
  freezeMachine,
  isFrozen,
  killMachine,
  type Machine,
  pidOf,
  pressPowerButton,
  setCarrier,
  startMachine,
  stayOffAfterReset,
  thawMachine,
  watchEnd,
} from './machine.ts';
import { type Cable, cables, type NodeName, nodePlans } from './plan.ts';
import {
  askControl,
  commandLine,
  connect,
  copyFrom,
  copyTo,
  disconnect,
  NodeCommandError,
  type RemoteResult,
  type RunOptions,
  runRemote,
} from './remote.ts';
import { cutCables, setPort } from './wiring.ts';

/** Boots share two processors with whatever else this machine does, under emulation. */
const bootTimeoutMs = 600_000;
const consoleTailLines = 15;

/** What lab-ready.service of the image writes. */
const upText = (name: NodeName) => `lab: ${name} is up`;

/**
 * carrier: the plug is out, the node sees NO-CARRIER. silent: the link stays up and nothing passes, as with a switch
 * that has died further on.
 */
export type CutKind = 'carrier' | 'silent';

export type Power = 'on' | 'off' | 'frozen';

export class LabNode {
  readonly name: NodeName;
  readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
    this.name = machine.node;
  }

  /** Its own address on a network. */
  address(network: Cable): string {
    return nodePlans[this.name][network];
  }

  // ---- commands ----

  /** Runs a shell line or an argv as root; rejects with a NodeCommandError unless it succeeds. Returns stdout. */
  async run(command: string | readonly string[], options?: RunOptions): Promise<string> {
    const result = await this.tryRun(command, options);
    if (result.exitCode !== 0) throw new NodeCommandError(this.name, commandLine(command), result);
    return result.stdout;
  }

  /** Like {@link run}, for commands that may fail. Rejects only when the node does not answer. */
  tryRun(command: string | readonly string[], options?: RunOptions): Promise<RemoteResult> {
    return runRemote(this.machine, command, options);
  }

  /** What the daemon answers to a GET at its control API. @throws when it does not */
  ask(path: string): Promise<unknown> {
    return askControl(this.machine, path);
  }

  /** Runs a command again and again until `look` is content with it. One that fails counts as "not yet". */
  async until<T>(
    description: string,
    command: string | readonly string[],
    look: (stdout: string) => T,
    options: WaitOptions = {},
  ) {
    const wait = { timeoutMs: 120_000, intervalMs: 200, ...options };
    return await waitFor(
      `${this.name}: ${description}`,
      async () => {
        const stdout = await this.run(command);
        const seen = look(stdout);
        if (!seen) throw new Error(stdout.trim() || 'no output');
        return seen;
      },
      wait,
    );
  }

  async writeFile(path: string, text: string, mode = '0644'): Promise<void> {
    await this.run(`install -D -m ${mode} /dev/stdin ${path} && sync ${path}`, { input: text });
  }

  copyTo(from: string, to: string): Promise<void> {
    return copyTo(this.machine, from, to);
  }

  copyFrom(from: string, to: string): Promise<void> {
    return copyFrom(this.machine, from, to);
  }

  /** Copies a .deb in and installs it with apt. The node reaches no archive: what it depends on must be there. */
  async install(deb: string): Promise<void> {
    const to = `/root/${basename(deb)}`;
    await this.copyTo(deb, to);
    await this.run(
      `DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --allow-downgrades ${to}`,
      {
        timeoutMs: 600_000,
      },
    );
  }

  // ---- power ----

  power(): Power {
    if (pidOf(this.machine) === undefined) return 'off';
    return isFrozen(this.machine) ? 'frozen' : 'on';
  }

  /** The plug is pulled. Returns when the node is gone. */
  async powerOff(): Promise<void> {
    await killMachine(this.machine);
    await disconnect(this.machine);
  }

  /** Switches it on and waits until it has booted. */
  async powerOn(): Promise<void> {
    await this.beginBoot();
    await this.booted();
  }

  /** Switches it on and does not wait. */
  async beginBoot(): Promise<void> {
    await disconnect(this.machine);
    await startMachine(this.machine);
  }

  /** Waits until a node that was switched on is up as far as systemd takes it. */
  async booted(timeoutMs = bootTimeoutMs): Promise<void> {
    await this.consoleShows(upText(this.name), timeoutMs);
    await connect(this.machine);
  }

  /** Does something that makes the node boot by itself, e.g. `systemctl reboot`, and waits until it is up again. */
  async rebooting(act: () => Promise<unknown>): Promise<void> {
    const before = await this.run('cat /proc/sys/kernel/random/boot_id');
    const times = (await this.#timesShown(upText(this.name))) + 1;
    await act();
    await this.consoleShows(upText(this.name), bootTimeoutMs, times);
    await disconnect(this.machine);
    const after = await this.run('cat /proc/sys/kernel/random/boot_id');
    if (after === before)
      throw new BattitoError('lab-boot', `${this.name} says that it is up, but has not booted`);
  }

  /** Goes on from a saved state. */
  async resume(savedState: string): Promise<void> {
    await disconnect(this.machine);
    await startMachine(this.machine, savedState);
    // Its clock stands where the state was saved, and both nodes would draw the same random numbers in every test.
    const seed = `${this.name} ${process.hrtime.bigint()} ${Math.random()}`;
    await this.run(`date -s @${(Date.now() / 1000).toFixed(3)} >/dev/null; cat >/dev/urandom`, {
      input: seed,
    });
  }

  /** The power button: systemd shuts down in order. Waits until it is off. */
  shutDown(timeoutMs = bootTimeoutMs): Promise<void> {
    return this.#ending(() => pressPowerButton(this.machine), timeoutMs, 'it has not switched itself off');
  }

  /** Does something upon which the node resets itself, which here is for good. Waits until it is off. */
  async endedByReset(act: () => Promise<unknown>, timeoutMs = bootTimeoutMs): Promise<void> {
    const resets = async () => {
      await stayOffAfterReset(this.machine);
      await act();
    };
    await this.#ending(resets, timeoutMs, 'it has not reset itself');
  }

  async #ending(act: () => Promise<unknown>, timeoutMs: number, otherwise: string): Promise<void> {
    const watched = await watchEnd(this.machine);
    try {
      await act();
      await this.#race(watched.ended, timeoutMs, otherwise);
    } finally {
      watched.close();
      await disconnect(this.machine);
    }
  }

  // ---- freezing ----

  freeze(): Promise<void> {
    return freezeMachine(this.machine);
  }

  /** It goes on; its clock has gone on all the time. Cards see what happened to their cables meanwhile. */
  async thaw(): Promise<void> {
    thawMachine(this.machine);
    const cut = await cutCables(this.machine.places, this.name);
    for (const cable of cables) await setCarrier(this.machine, cable, !cut.includes(cable));
  }

  // ---- cables ----

  /** Returns when the cut is in force. */
  async cut(cable: Cable, kind: CutKind = 'carrier'): Promise<void> {
    await setPort(this.machine.places, this.name, cable, false);
    if (kind === 'carrier') await setCarrier(this.machine, cable, false);
  }

  async mend(cable: Cable): Promise<void> {
    await setPort(this.machine.places, this.name, cable, true);
    await setCarrier(this.machine, cable, true);
  }

  cutCables(): Promise<Cable[]> {
    return cutCables(this.machine.places, this.name);
  }

  // ---- console ----

  /** The serial console since the node was last switched on. */
  consoleFile(): string | undefined {
    return consoleFiles(this.machine.places, this.name).at(-1);
  }

  async #timesShown(text: string): Promise<number> {
    const file = this.consoleFile();
    return file === undefined ? 0 : (await readFile(file, 'utf8')).split(text).length - 1;
  }

  /** Waits for a text on the console; gives up early when the node dies. */
  async consoleShows(text: string, timeoutMs: number, times = 1): Promise<void> {
    const file = this.consoleFile();
    if (file === undefined) throw new BattitoError('lab-node-off', `${this.name} was never switched on`);
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = async () => {
      if ((await this.#timesShown(text)) >= times) resolve();
    };
    const watcher = watch(file, () => void look().catch(() => {}));
    const end = await watchEnd(this.machine);
    try {
      await look();
      await this.#race(
        Promise.race([
          promise,
          end.ended.then(() => {
            throw new BattitoError('lab-node-died', `${this.name} went off meanwhile`);
          }),
        ]),
        timeoutMs,
        `its console does not show ${JSON.stringify(text)}`,
      );
    } catch (error) {
      const tail = (await readFile(file, 'utf8')).trimEnd().split('\n').slice(-consoleTailLines).join('\n  ');
      const why = error instanceof Error ? error.message : String(error);
      throw new BattitoError('lab-boot', `${why}; the last lines of ${file}:\n  ${tail}`, { cause: error });
    } finally {
      watcher.close();
      end.close();
    }
  }

  async #race(event: Promise<void>, timeoutMs: number, otherwise: string): Promise<void> {
    const startedAtMs = monotonicMs();
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const waitedMs = Math.round(monotonicMs() - startedAtMs);
      reject(new BattitoError('lab-timeout', `${this.name}: after ${waitedMs} ms ${otherwise}`));
    }, timeoutMs);
    try {
      await Promise.race([event, promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}
