// Where things are mounted and where guests have their files: paths are compared as paths, and what lies in the file
// system of another group is refused.

import test from 'ava';
import fc from 'fast-check';
import { formatProblem, parseConfig } from '../../daemon/config/load.ts';
import { isWithin, normalPath } from '../../daemon/config/paths.ts';
import { buildPolicy } from '../../daemon/runtime/policy.ts';

interface GroupText {
  readonly mounts?: readonly string[];
  readonly guests?: readonly string[];
}

let minor = 0;

/** Two groups, each with file systems at `mounts`, and guests as `name: ..., disk: ...`. */
function parsed(office: GroupText, files: GroupText = {}) {
  const group = ({ mounts = [], guests = [] }: GroupText) => {
    const filesystems = mounts.map((mount) => `{ device: /dev/drbd${minor++}, mount: ${mount} }`).join(', ');
    const machines = guests.map((guest) => `{ driver: qemu, memory: 64M, ${guest} }`).join(', ');
    return `{ preferred: primary, filesystems: [${filesystems}], guests: [${machines}] }`;
  };
  return parseConfig(
    `cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat: { links: [{ interface: eth1 }] }
groups:
  office: ${group(office)}
  files: ${group(files)}
`,
    'battito.yaml',
  );
}

function problems(...groups: Parameters<typeof parsed>): readonly string[] {
  const result = parsed(...groups);
  return result.ok ? [] : result.problems.map((problem) => formatProblem(problem).replace(/^[^ ]+ /, ''));
}

test('a path is what is left of it without what changes nothing', (t) => {
  for (const path of [
    '/srv/r1',
    '/srv//r1',
    '//srv/r1/',
    '/srv/./r1',
    '/srv/r1/.',
    '/srv/x/../r1',
    '/srv/r1//',
  ]) {
    t.is(normalPath(path), '/srv/r1', path);
  }
  t.is(normalPath('/'), '/');
});

test('being within a directory goes by components, not by letters', (t) => {
  for (const path of ['/srv/r/1', '/srv//r/1/', '/srv/r/./1/2', '/srv/q/../r/1'])
    t.true(isWithin(path, '/srv/r'), path);
  for (const path of ['/srv/r1', '/srv/r', '/srv//r/', '/srv', '/srv/r/../r1', '/srv/r/..']) {
    t.false(isWithin(path, '/srv/r'), path);
  }
  t.true(isWithin('/srv', '/'));
  t.false(isWithin('/', '/'));
});

test('of two different places at most one is within the other, however they are written', (t) => {
  const name = fc.constantFrom('a', 'b', 'ab', '.');
  const place = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join('/')}`);
  const slashes = fc.constantFrom('', '/', '//', '/./');
  const check = () =>
    fc.assert(
      fc.property(place, place, slashes, (one, other, end) => {
        const [inner, outer] = [isWithin(one, other), isWithin(other, one)];
        if (inner && outer) throw new Error('both');
        if (normalPath(one) === normalPath(other) && (inner || outer)) throw new Error('within itself');
        if (isWithin(one + end, other + end) !== inner) throw new Error('a slash at the end counts');
      }),
    );
  t.notThrows(check);
});

const twice =
  'groups.files.filesystems[0].mount: the same as groups.office.filesystems[0].mount; expected each file system to have its own mount point';
for (const again of ['/srv/r1', '/srv//r1', '/srv/./r1', '/srv/r1/.']) {
  test(`/srv/r1 is not mounted at again as ${again}`, (t) => {
    t.deepEqual(problems({ mounts: ['/srv/r1'] }, { mounts: [again] }), [twice]);
    t.deepEqual(problems({ mounts: ['/srv/r1', again] }), [
      twice.replace('files.filesystems[0]', 'office.filesystems[1]'),
    ]);
  });
}

test('a mount is under another one however they are written, and beside one that begins alike', (t) => {
  const expected = 'expected a file system under another one to come after it, in the same group';
  t.deepEqual(problems({ mounts: ['/srv//r/mail'] }, { mounts: ['/srv/./r'] }), [
    `groups.office.filesystems[0].mount: /srv/r/mail is under /srv/r, which is groups.files.filesystems[0].mount; ${expected}`,
  ]);
  t.deepEqual(problems({ mounts: ['/srv/r1', '/srv/r', '/srv//r/mail'] }, { mounts: ['/srv/r2'] }), []);
});

test('a mount point is held in the form in which the kernel shows it', (t) => {
  const result = parsed({ mounts: ['/srv//r1', '/srv/./r1/mail'] });
  t.deepEqual(result.ok && result.config.groups[0]?.filesystems.map(({ mount }) => mount), [
    '/srv/r1',
    '/srv/r1/mail',
  ]);
});

test('what lies under another mount is mounted after it and unmounted before it; what lies beside it need not wait', (t) => {
  const result = parsed({ mounts: ['/srv/r1', '/srv/r', '/srv//r/mail', '/srv/r/mail/new'] });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const [office] = buildPolicy(result.config, 'primary', '1').groups;
  t.deepEqual(
    office?.resources.map(({ id, needs }) => [id, ...needs].map((each) => each.replace('filesystem:', ''))),
    [['/srv/r1'], ['/srv/r'], ['/srv/r/mail', '/srv/r'], ['/srv/r/mail/new', '/srv/r', '/srv/r/mail']],
  );
});

for (const [title, guest, path, said] of [
  ['an image', 'name: mail, disk: /srv/r/mail.qcow2', 'disk', '/srv/r/mail.qcow2, the disk'],
  [
    'an image that is written in the long form',
    'name: mail, disk: { file: /srv//r/../r/mail.raw }',
    'disk.file',
    '/srv/r/mail.raw, the disk',
  ],
  [
    'a serial file',
    'name: mail, disk: /var/mail.raw, serial: /srv/r/log/mail',
    'serial',
    '/srv/r/log/mail, the serial file',
  ],
] as const) {
  test(`${title} in the file system of another group is refused`, (t) => {
    const what = said.replace(/^.*, the /, '');
    const expected = `a ${what} on storage of group office: move it there, or guest mail to group files`;
    t.deepEqual(problems({ guests: [guest] }, { mounts: ['/srv/r'] }), [
      `groups.office.guests[0].${path}: ${said} of guest mail, is in /srv/r, which is mounted only where group files runs; expected ${expected}`,
    ]);
  });
}

test('an image in a file system of its own group, or in none, or beside that of another one, is sound', (t) => {
  const guests = [
    'name: mail, disk: /srv/r/mail.raw',
    'name: web, disk: /srv/r1x/web.raw',
    'name: dns, disk: /srv/dns.raw',
  ];
  t.deepEqual(problems({ mounts: ['/srv/r'], guests }, { mounts: ['/srv/r1'] }), []);
});

test('of mounts that are nested the innermost has the image; one fault is told once', (t) => {
  const image = ['name: mail, disk: /srv/r/mail/mail.raw'];
  const found = problems({ mounts: ['/srv/r/mail'], guests: image }, { mounts: ['/srv/r'] });
  t.is(found.length, 1);
  t.regex(found[0] ?? '', /filesystems\[0\]\.mount: \/srv\/r\/mail is under \/srv\/r/);
});
