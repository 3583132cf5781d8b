// A libvirt that is dead is started by its systemd unit, once and only then.

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { chooseUnit, ensureLibvirt, parseUnits, servingDaemons } from '../../daemon/drivers/libvirt/units.ts';
import type { VirshFailure, VirshResult } from '../../daemon/drivers/libvirt/virsh.ts';
import { temporaryDirectory } from '../support.ts';
import { useFakeVirsh } from './support/fake-libvirt.ts';

useFakeVirsh();

const unit = (name: string, active: string, file = 'disabled', load = 'loaded') =>
  `Id=${name}\nLoadState=${load}\nActiveState=${active}\nUnitFileState=${file}\n`;
const answer: VirshResult = { kind: 'done', stdout: 'qemu:///system' };
const failure = (code: VirshFailure['code'], message: string = code): VirshFailure => ({
  kind: 'failed',
  code,
  message,
});

/** Runs `ensureLibvirt` with what libvirt answers, one after the other, and what systemd knows. */
async function ensure(
  t: ExecutionContext,
  answers: readonly VirshResult[],
  units: string,
  uri = 'qemu:///system',
) {
  const directory = temporaryDirectory(t);
  process.env['FAKE_SYSTEMD'] = directory;
  await writeFile(path.join(directory, 'units'), units);
  const left = [...answers];
  const ask = async () => left.shift() ?? failure('libvirt-refused', 'asked too often');
  const logger = pino({ level: 'silent' });
  const health = await ensureLibvirt(uri, { ask, logger, systemdDirectory: directory });
  const calls = await readFile(path.join(directory, 'calls'), 'utf8').catch(() => '');
  return { health, started: calls.split('\n').filter((line) => line.startsWith('start')) };
}

test.serial('one that answers is left alone, and so is one that is silent', async (t) => {
  t.deepEqual(await ensure(t, [answer], ''), { health: { kind: 'answers' }, started: [] });
  const silent = await ensure(t, [failure('libvirt-silent')], unit('libvirtd.service', 'active'));
  t.deepEqual(silent.started, []);
  t.is(silent.health.kind, 'silent');
  if (silent.health.kind !== 'answers')
    t.regex(silent.health.message, /not restarted.*systemctl status libvirtd/);
});

test.serial('one that is dead is started by the unit that serves it', async (t) => {
  const down = failure('libvirt-down', 'Connection refused');
  const monolithic = unit('libvirtd.service', 'failed', 'enabled');
  t.deepEqual(await ensure(t, [down, answer], monolithic), {
    health: { kind: 'answers' },
    started: ['start libvirtd.service'],
  });
  const modular = `${unit('virtqemud.service', 'inactive', 'enabled')}\n${unit('libvirtd.service', 'inactive')}`;
  t.deepEqual((await ensure(t, [down, answer], modular)).started, ['start virtqemud.service']);
  const still = await ensure(t, [down, down], monolithic);
  t.like(still.health, {
    kind: 'down',
    message: 'nobody answers for libvirt (Connection refused); start libvirtd.service',
  });
});

test.serial('one that is masked, unknown or not of this host is not started', async (t) => {
  const down = failure('libvirt-down', 'Connection refused');
  const masked = await ensure(t, [down], unit('libvirtd.service', 'inactive', 'masked', 'masked'));
  t.deepEqual(masked.started, []);
  if (masked.health.kind !== 'answers')
    t.regex(masked.health.message, /systemctl unmask --now libvirtd\.service/);
  t.deepEqual((await ensure(t, [down], unit('libvirtd.service', 'inactive', '', 'not-found'))).started, []);
  const own = await ensure(t, [down], unit('libvirtd.service', 'failed'), 'qemu+unix:///system?socket=/x');
  t.deepEqual(own.started, []);
  t.is(own.health.kind, 'down');
});

test('the systemd unit is that of the daemon which is in use', (t) => {
  const choose = (...units: readonly string[]) =>
    chooseUnit(servingDaemons('qemu:///system'), parseUnits(units.join('\n')));
  t.is(choose(unit('libvirtd.service', 'inactive'), unit('libvirtd.socket', 'active')), 'libvirtd.service');
  t.is(
    choose(unit('virtqemud.service', 'inactive', 'enabled'), unit('libvirtd.service', 'active')),
    'libvirtd.service',
  );
  t.is(
    choose(unit('virtqemud.socket', 'inactive', 'enabled'), unit('libvirtd.service', 'failed')),
    'virtqemud.service',
  );
  t.is(choose(unit('libvirtd.service', 'inactive', '', 'not-found')), undefined);
  t.is(choose(unit('libvirtd.service', 'inactive', 'masked', 'masked')), undefined);
  t.deepEqual(servingDaemons('qemu+unix:///system?socket=/tmp/x'), []);
  t.deepEqual(servingDaemons('qemu+ssh://peer/system'), []);
  t.deepEqual(servingDaemons('test:///default'), []);
});
