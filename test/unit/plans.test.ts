// The commands that a dry run shows: in the order in which they would run, and for each guest those of the way it goes.

import test from 'ava';
import type { GuestPolicy, HandoverMode } from '../../daemon/core/policy.ts';
import { plansOf } from '../../daemon/runtime/plans.ts';
import { address, disk, examplePolicy, mail, web } from '../sim/example.ts';
import { ableGuest } from './support/situations.ts';

const times = { startMs: 5000, stopMs: 5000 } as const;
const second = 'drbd:r1';
const mount = 'filesystem:/srv/guests';
const inImages: GuestPolicy = {
  ...ableGuest,
  migrateMs: null,
  cannot: { live: 'vda is no block device', save: null },
};

const { groups } = examplePolicy('primary', {
  resources: [
    { id: address, kind: 'address', needs: [], ...times },
    { id: disk, kind: 'drbd', needs: [], ...times },
    { id: second, kind: 'drbd', needs: [], ...times },
    { id: mount, kind: 'filesystem', needs: [second], ...times },
    { id: mail, kind: 'guest', needs: [disk, second, mount], ...times, guest: ableGuest },
    { id: web, kind: 'guest', needs: [second, mount], ...times, guest: inImages },
  ],
});

/** Each driver says what it was asked for. */
const driver = (_group: string, id: string) =>
  ({ commands: (action: string) => [`${action} ${id}`] }) as never;

const stop = (wished: HandoverMode | null) =>
  plansOf({ groups, peer: 'secondary', driver }, 'stop', wished).map(
    ({ resource, action, needs, remarks, commands }) => ({ resource, action, needs, remarks, commands }),
  );

const shutDown = (guest: string, remarks: readonly string[] = []) => ({
  resource: guest,
  action: 'stop',
  needs: [],
  remarks,
  commands: [`stop ${guest}`],
});

test('as configured: addresses first, then guests, then what they stand on', (t) => {
  t.deepEqual(stop(null), [
    { resource: address, action: 'stop', needs: [], remarks: [], commands: [`stop ${address}`] },
    shutDown(web),
    shutDown(mail),
    { resource: mount, action: 'stop', needs: [mail, web], remarks: [], commands: [`stop ${mount}`] },
    {
      resource: second,
      action: 'stop',
      needs: [mount, mail, web],
      remarks: [],
      commands: [`stop ${second}`],
    },
    { resource: disk, action: 'stop', needs: [mail], remarks: [], commands: [`stop ${disk}`] },
  ]);
});

test('live: DRBD allows two primaries, the guest moves, and DRBD forbids them again; who cannot is saved', (t) => {
  const steps = stop('live');
  const of = (id: string) => steps.find(({ resource }) => resource === id);
  const allow = 'drbdadm net-options --protocol=C --allow-two-primaries=yes r0';
  t.like(of(mail), {
    action: 'migrate',
    commands: [
      allow,
      `ssh secondary '${allow} && drbdadm primary r0'`,
      `migrate ${mail}`,
      "ssh secondary 'virsh resume mail'",
    ],
  });
  t.deepEqual(of(disk)?.commands, [
    `stop ${disk}`,
    'drbdadm net-options --protocol=C --allow-two-primaries=no r0',
  ]);
  t.deepEqual(of(second)?.commands, [`stop ${second}`], 'what others stand on, too, is on one node only');
  t.like(of(web), {
    action: 'save',
    remarks: ['not moved while it runs: vda is no block device'],
    commands: [`save ${web}`],
  });
});

test('save: each with its memory', (t) => {
  t.deepEqual(
    stop('save').flatMap(({ resource, action }) => (resource.startsWith('guest:') ? [action] : [])),
    ['save', 'save'],
  );
});

test('a start is in the order of what stands on what', (t) => {
  t.deepEqual(
    plansOf({ groups, peer: 'secondary', driver }, 'start', null).map(({ resource, needs }) => [
      resource,
      needs,
    ]),
    groups.flatMap(({ resources }) => resources.map(({ id, needs }) => [id, needs])),
  );
});
