// The Debian system that a host runs: a peer's root, writable for this host alone (overlayfs), with the host's own name,
// processes, /run and /dev/shm, in the host's network namespace. It goes when its processes are ended.

import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type CommandResult, describeFailure } from '../../../daemon/drivers/command.ts';
import type { TestNetwork } from '../../netns/support/cluster.ts';
import type { HostName } from '../../netns/support/hosts.ts';
import type { HostProcess } from '../../netns/support/processes.ts';
import { waitFor } from '../../support.ts';

/** It is process 1 of the host: it takes the orphans, as daemons that go to the background are. */
const initScript = `set -e
hostname "$1"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$3/upper,workdir=$3/work" "$3/root"
mount -t proc proc "$3/root/proc"
mount --bind /sys "$3/root/sys"
mount --rbind /dev "$3/root/dev"
mount -t tmpfs tmpfs "$3/root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$3/root/run"
mount -t tmpfs tmpfs "$3/root/tmp"
mkdir -m 1777 "$3/root/run/lock"
exec chroot "$3/root" /bin/sh -c 'echo ready; while :; do sleep 3600 & wait; done'`;

let systemCount = 0;

export class HostSystem {
  readonly #network: TestNetwork;
  readonly #host: HostName;
  readonly #pid: number;

  private constructor(network: TestNetwork, host: HostName, pid: number) {
    this.#network = network;
    this.#host = host;
    this.#pid = pid;
  }

  static async open(network: TestNetwork, host: HostName, lower: string): Promise<HostSystem> {
    systemCount += 1;
    const folder = join(network.root, `system-${systemCount}`);
    for (const name of ['upper', 'work', 'root']) await mkdir(join(folder, name), { recursive: true });
    const unshare = ['unshare', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child'];
    const argv = [...unshare, 'sh', '-c', initScript, 'sh', host, lower, folder];
    const init = network.spawnOn(host, argv);
    await waitFor(`the system of ${host} is up`, () => {
      if (init.child.exitCode !== null) throw new Error(init.stderrText());
      return init.stdoutText().startsWith('ready');
    });
    const children = readFileSync(`/proc/${init.pid}/task/${init.pid}/children`, 'utf8');
    return new HostSystem(network, host, Number(children.trim()));
  }

  /** A file of the system, and the folder that it is in. */
  async write(name: string, text: string, mode = 0o644): Promise<void> {
    const script = `mkdir -p "$1" && umask 077 && cat > "$2" && chmod ${mode.toString(8)} "$2"`;
    await this.command(['sh', '-c', script, 'sh', dirname(name), name], text);
  }

  #enter(argv: readonly string[]): string[] {
    const environment = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C'];
    const where = ['-t', String(this.#pid), '-m', '-u', '-i', '-p', '--root', '--wd'];
    return ['nsenter', ...where, '--', ...environment, ...argv];
  }

  /** A daemon; what it says goes to the host's log. */
  spawn(argv: readonly string[]): HostProcess {
    const logFile = join(this.#network.hosts[this.#host].logsDir, 'daemon.log');
    return this.#network.spawnOn(this.#host, this.#enter(argv), { logFile });
  }

  /** Never rejects. */
  run(argv: readonly string[], input?: string): Promise<CommandResult> {
    return this.#network.run(this.#host, this.#enter(argv), input === undefined ? {} : { input });
  }

  /** One that must succeed. */
  async command(argv: readonly string[], input?: string): Promise<string> {
    const result = await this.run(argv, input);
    if (result.exitCode !== 0) throw new Error(describeFailure(argv, result));
    return result.stdout;
  }
}
