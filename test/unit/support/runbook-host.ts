// A host for runbooks that is a directory, with tools that are stubs over it.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Config } from '../../../daemon/config/config.ts';
import { parseConfig } from '../../../daemon/config/load.ts';
import { type RunbookKind, renderRunbook } from '../../../daemon/runbook/runbook.ts';
import { temporaryDirectory } from '../../support.ts';

const tools = [
  ...['arping', 'awk', 'drbdadm', 'drbdsetup', 'findmnt', 'flock', 'fuser', 'id', 'ip', 'logger', 'modprobe'],
  ...['mount', 'ndptool', 'pgrep', 'ping', 'qemu-system-x86_64', 'sleep', 'socat', 'sysctl', 'systemctl'],
  ...['systemd-run', 'timeout', 'umount', 'virsh'],
];

export function configOf(text: string): Config {
  const head = `cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat: { links: [{ interface: eth1 }, { interface: br0, mode: unicast }] }
`;
  const parsed = parseConfig(head + text, 'battito.yaml');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

export function runbookOf(kind: RunbookKind, config: Config, directory = '/var/lib/battito'): string {
  const [peer, self] = config.nodes;
  const socketPath = directory === '/var/lib/battito' ? '/run/battito/control.sock' : `${directory}/run/c`;
  return renderRunbook(kind, {
    ...{ config, self, peer, guests: new Map(), stateDir: directory, socketPath, units: false },
  });
}

export interface Run {
  readonly exitCode: number | null;
  readonly said: string;
}

/** A host that stands by: its peer is silent, DRBD looks for it. */
export function createRunbookHost(t: ExecutionContext, config: Config) {
  const directory = temporaryDirectory(t);
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  copyFileSync(join(import.meta.dirname, 'runbook-tools.sh'), join(bin, 'stub'));
  chmodSync(join(bin, 'stub'), 0o755);
  for (const tool of tools) symlinkSync('stub', join(bin, tool));
  const usualPath = `${bin}:/usr/bin:/bin`;
  let path = usualPath;
  const set = (name: string, content = '') => writeFileSync(join(directory, name), content);
  const read = (name: string) =>
    existsSync(join(directory, name)) ? readFileSync(join(directory, name), 'utf8') : '';
  set('addresses', '2: br0    inet 192.168.1.3/24 brd 192.168.1.255 scope global br0\n');
  set('mounts');
  set('role', 'Secondary/Unknown\n');
  set('dstate', 'UpToDate/DUnknown\n');
  set('cstate', 'WFConnection\n');
  set('libvirt');
  return {
    directory,
    set,
    read,
    unset: (name: string) => rmSync(join(directory, name), { force: true }),
    /** Each call that changed something: its words. */
    ran: () =>
      read('ran')
        .split('\n\n')
        .filter((call) => call !== '')
        .map((call) => call.split('\n')),
    /** The host has no such program. */
    remove(tool: string) {
      rmSync(join(bin, tool));
      const others = join(directory, 'others');
      mkdirSync(others);
      for (const name of readdirSync('/usr/bin'))
        if (name !== tool) symlinkSync(join('/usr/bin', name), join(others, name));
      path = `${bin}:${others}`;
    },
    run(kind: RunbookKind, words: readonly string[] = [], input = '', shell = 'dash'): Run {
      const file = join(directory, `${kind}.sh`);
      const whole = runbookOf(kind, config, directory);
      const text = path === usualPath ? whole : whole.replace(/^PATH=.*$/m, '');
      const patience = read('patience');
      writeFileSync(
        file,
        patience === '' ? text : text.replace('\npatience=120\n', `\npatience=${patience}\n`),
      );
      const { status, stdout, stderr } = spawnSync(
        'sh',
        ['-c', `exec ${shell} "$@" 2>&1`, 'sh', file, ...words],
        {
          input,
          encoding: 'utf8',
          env: { PATH: path, HOST: directory },
          timeout: 120_000,
        },
      );
      return { exitCode: status, said: stdout + stderr };
    },
  };
}
