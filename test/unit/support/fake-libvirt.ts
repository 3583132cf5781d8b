// A libvirt that hangs, lies and dies as a test wants it to, and guests that are processes which only look like QEMU.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { LibvirtGuestConfig } from '../../../daemon/config/config.ts';
import type { BasicAction, ResourceStatus } from '../../../daemon/drivers/driver.ts';
import { createLibvirt } from '../../../daemon/drivers/libvirt/connection.ts';
import { createLibvirtDriver, type LibvirtDriverOptions } from '../../../daemon/drivers/libvirt/libvirt.ts';
import { plainDomain } from '../../guest/configs.ts';
import { temporaryDirectory } from '../../support.ts';

export const patienceMs = 60_000;

/** Must be called before anything runs virsh: from here on it is the scripted one. */
export function useFakeVirsh(): void {
  const bin = path.join(import.meta.dirname, 'libvirt-bin');
  process.env['PATH'] = `${bin}:${process.env['PATH']}`;
}

export async function createFake(t: ExecutionContext, state?: string) {
  const directory = temporaryDirectory(t);
  const closers: (() => Promise<unknown>)[] = [];
  t.teardown(async () => {
    for (const close of closers) await close();
  });
  const file = (name: string) => path.join(directory, name);
  const write = (name: string, text: string) => writeFile(file(name), text);
  const uuid = randomUUID();
  await write('uuid', uuid);
  await write('events', '');
  await write('xml', "<domain type='kvm'><name>mail</name><uuid>u</uuid><memory>1</memory></domain>");
  if (state !== undefined) await write('state', `${state}\n\n`);
  const name = `mail-${path.basename(directory).slice(-6)}`;

  function createDaemon(
    changes: Partial<LibvirtGuestConfig> = {},
    options: Partial<LibvirtDriverOptions> = {},
  ) {
    const statuses: ResourceStatus[] = [];
    const logger = pino({ level: 'silent' });
    const libvirt = options.libvirt ?? createLibvirt({ uri: `fake://${directory}`, logger });
    const config: LibvirtGuestConfig = {
      ...plainDomain,
      name,
      agentTimeoutMs: 500,
      shutdownTimeoutMs: 20_000,
      startTimeoutMs: 20_000,
      ...changes,
    };
    const driver = createLibvirtDriver(config, {
      group: 'office',
      runDir: file('run'),
      saveDirectory: file('saved'),
      pidDirectory: file('pids'),
      logger,
      onStatus: (status) => statuses.push(status),
      reconcileMs: 3_600_000,
      ...options,
      libvirt,
    });
    closers.push(async () => {
      await driver.close();
      await libvirt.close();
    });
    const perform = (action: BasicAction) => driver.perform(action, AbortSignal.timeout(patienceMs));
    const observe = () => driver.observe(AbortSignal.timeout(patienceMs));
    return { ...driver, performUntil: driver.perform, perform, observe, libvirt, statuses };
  }

  /** A process whose command line is that of libvirt's QEMU. */
  async function startProcess(ofUuid = uuid): Promise<number> {
    const argv = ['-c', 'sleep 1000; :', 'qemu', '-name', `guest=${name},debug-threads=on`, '-uuid', ofUuid];
    const child = spawn('sh', argv, {
      argv0: '/usr/bin/qemu-system-x86_64',
      stdio: 'ignore',
      detached: true,
    });
    await once(child, 'spawn');
    closers.push(async () => {
      try {
        process.kill(-(child.pid ?? 0), 'SIGKILL');
      } catch {
        // It is gone, and its child with it.
      }
    });
    return child.pid ?? 0;
  }

  const calls = async () => (await readFile(file('calls'), 'utf8').catch(() => '')).trim().split('\n');
  /** The commands that do something, without the name. */
  const deeds = async () =>
    (await calls())
      .map((line) => line.replace(` --domain=${name}`, ''))
      .filter((line) => !/^(domstate|domuuid|dumpxml|uri|list)/.test(line));
  const tell = (line: string) => appendFile(file('events'), `${line}\n`);
  return { name, directory, file, write, createDaemon, startProcess, calls, deeds, tell };
}

export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not seen within ${patienceMs} ms: ${what}`);
    await sleep(20);
  }
}
