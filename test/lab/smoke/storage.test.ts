// DRBD of the kernel between the two nodes, as an administrator uses it.

import { createMirror, mirrorDevice, mirrorIs, readMirror } from '../support/mirror.ts';
import { labTest } from '../support/use-lab.ts';

labTest('a mirror is in step; what one node wrote, the other one reads', async (t, lab) => {
  const { primary, secondary } = lab;
  await createMirror(lab);
  t.regex(await primary.run('cat /proc/drbd'), /^version: 8\.4/);
  t.deepEqual(await readMirror(primary), {
    connection: 'Connected',
    roles: 'Secondary/Secondary',
    disks: 'UpToDate/UpToDate',
  });
  await primary.run(
    `drbdadm primary r0 && mkfs.ext4 -q ${mirrorDevice} && mount ${mirrorDevice} /mnt && echo written >/mnt/file && umount /mnt && drbdadm secondary r0`,
  );
  await mirrorIs(secondary, { roles: 'Secondary/Secondary' });
  await secondary.run(`drbdadm primary r0 && mount ${mirrorDevice} /mnt`);
  t.is(await secondary.run('cat /mnt/file'), 'written\n');
  await mirrorIs(primary, { roles: 'Secondary/Primary' });
});

labTest('a crashed primary comes back to what its peer wrote meanwhile', async (t, lab) => {
  const { primary, secondary } = lab;
  await createMirror(lab);
  await primary.run(`drbdadm primary r0 && mkfs.ext4 -q ${mirrorDevice} && mount ${mirrorDevice} /mnt`);
  await primary.run('echo first >/mnt/file && sync');
  await primary.powerOff();
  await mirrorIs(secondary, { connection: 'WFConnection' });
  await secondary.run(`drbdadm primary r0 && mount ${mirrorDevice} /mnt && echo second >>/mnt/file && sync`);
  await primary.powerOn();
  await primary.run('modprobe drbd && drbdadm up r0');
  await mirrorIs(primary, {
    connection: 'Connected',
    disks: 'UpToDate/UpToDate',
    roles: 'Secondary/Primary',
  });
  t.is(await secondary.run('cat /mnt/file'), 'first\nsecond\n');
});
