// The lab's DRBD resource is the shipped one: only what an administrator has to set is another.

import { readFileSync } from 'node:fs';
import test from 'ava';
import { guestMirror, mirrorConfig } from '../lab/support/mirror.ts';

const shipped = readFileSync(new URL('../../config/drbd-r0.res', import.meta.url), 'utf8');

/** The lines in which the two differ, as `one => other`. */
function changed(one: string, other: string): readonly string[] {
  const others = other.split('\n');
  return one.split('\n').flatMap((line, index) => {
    const now = others[index];
    return now === line ? [] : [`${line.trim()} => ${now?.trim()}`];
  });
}

const setByHand = [
  'disk /dev/vg0/guests; => disk /dev/vdb;',
  'address 192.168.2.2:7789; # the dedicated segment => address 10.0.0.2:7789; # the dedicated segment',
  'disk /dev/vg0/guests; => disk /dev/vdb;',
  'address 192.168.2.3:7789; => address 10.0.0.3:7789;',
];

test('of the shipped resource only disks and addresses are changed for the lab', (t) => {
  t.deepEqual(changed(shipped, mirrorConfig({ asksBattito: true })), setByHand);
});

test('of a second one made from it, name, device and port are others, too, and nothing else', (t) => {
  const perNode = (address: string) => [
    'device /dev/drbd0; => device /dev/drbd1;',
    'disk /dev/vg0/guests; => disk /dev/vdc;',
    address,
  ];
  t.deepEqual(changed(shipped, mirrorConfig({ mirror: guestMirror, asksBattito: true })), [
    'resource r0 { => resource r1 {',
    ...perNode(
      'address 192.168.2.2:7789; # the dedicated segment => address 10.0.0.2:7790; # the dedicated segment',
    ),
    ...perNode('address 192.168.2.3:7789; => address 10.0.0.3:7790;'),
  ]);
});

test('on slow hosts an answer to a ping may take longer', (t) => {
  const [pings, ...others] = changed(shipped, mirrorConfig({ slowHosts: true, asksBattito: true }));
  t.is(pings, 'ping-timeout 5; => ping-timeout 30;');
  t.deepEqual(others, setByHand);
});

test('where Battito is not installed its fencing is the only other change', (t) => {
  const [fencing, ...others] = changed(shipped, mirrorConfig());
  t.is(fencing, 'fencing resource-and-stonith; => fencing dont-care;');
  t.deepEqual(others, setByHand);
});

test('a shipped resource in which something else stands is not guessed at', (t) => {
  const example = shipped.replace('/dev/vg0/guests', '/dev/vg0/other');
  t.throws(() => mirrorConfig({ example }), { message: /has "disk \/dev\/vg0\/guests;" 1 times, not 2/ });
});
