// The Debian package: what is in it, that it is the same twice, and its life from installation to purge.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import test from 'ava';
import { commandNames } from '../../daemon/cli/commands.ts';
import { configJsonSchema, type JsonSchema } from '../../daemon/config/schema.ts';
import manifest from '../../package.json' with { type: 'json' };
import { makeBundle } from '../../scripts/package/bundle.ts';
import { makeTemporaryDirectory } from '../support.ts';

const root = resolve(import.meta.dirname, '../..');
const runtimeOptions = ['--max-semi-space-size=1', '--v8-pool-size=0', '--no-opt --no-maglev'];
const work = makeTemporaryDirectory();
const unpacked = join(work, 'unpacked');
const { version } = manifest;
let deb = '';

/** As `npm run package` would, from another directory and for another user's habits. */
function build(output: string, umask: string, more: readonly string[] = []): string {
  const argv = [join(root, 'scripts/package/main.ts'), '--fast', '--output', output, ...more];
  const script = `umask ${umask} && cd / && exec "$@"`;
  const options = { encoding: 'utf8', env: { ...process.env, TZ: `UTC-${umask.length}` } } as const;
  return execFileSync('sh', ['-c', script, 'sh', process.execPath, ...argv], options).trim();
}

const run = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8' });
const unpackedText = (path: string) => readFileSync(join(unpacked, path), 'utf8');
const manual = (path: string) => gunzipSync(readFileSync(join(unpacked, path))).toString();

test.before(() => {
  deb = build(join(work, 'first'), '022');
  run('dpkg-deb', '--extract', deb, unpacked);
});

test.after.always(() => rmSync(work, { recursive: true, force: true }));

test('two builds of the same commit are the same, byte for byte', (t) => {
  const again = build(join(work, 'second'), '0077');
  t.deepEqual(readdirSync(join(work, 'second')), readdirSync(join(work, 'first')));
  t.true(readFileSync(again).equals(readFileSync(deb)));
});

test('everything belongs to root, is written by root alone, and nothing is a configuration that could start', (t) => {
  const rows = run('dpkg-deb', '--contents', deb).trim().split('\n');
  const programs: string[] = [];
  for (const row of rows) {
    const [mode = '', owner, , , , path = ''] = row.split(/\s+/);
    t.is(owner, 'root/root', row);
    t.true(['drwxr-xr-x', '-rw-r--r--', '-rwxr-xr-x'].includes(mode), row);
    if (mode.startsWith('-rwx')) programs.push(path);
    if (!path.endsWith('/')) t.true(path.startsWith('./usr/'), row);
  }
  t.deepEqual(programs, [
    './usr/bin/battito',
    './usr/lib/battito/host/mount',
    './usr/lib/battito/host/umount',
    './usr/lib/battito/node',
    './usr/lib/battito/standby',
    './usr/lib/battito/status',
    './usr/lib/battito/takeover',
    './usr/sbin/cl_status',
    './usr/sbin/hb_standby',
    './usr/sbin/hb_takeover',
  ]);
  for (const path of [
    './etc/battito/',
    './usr/lib/battito/battito.js',
    './usr/lib/systemd/system/battito.service',
    './usr/lib/sysctl.d/60-battito.conf',
    './usr/share/bash-completion/completions/battito',
    ...readdirSync(join(root, 'config'))
      .filter((name) => name !== 'sysctl.conf')
      .map((name) => `./usr/share/doc/battito/examples/${name}`),
    ...['fencing', 'guests', 'migration', 'monitoring', 'operation', 'troubleshooting'].map(
      (name) => `./usr/share/doc/battito/docs/${name}.md.gz`,
    ),
    './usr/share/fish/vendor_completions.d/battito.fish',
    './usr/share/man/man5/battito.yaml.5.gz',
    './usr/share/man/man8/battito.8.gz',
    './usr/share/zsh/vendor-completions/_battito',
  ]) {
    t.true(
      rows.some((row) => row.endsWith(` ${path}`)),
      path,
    );
  }
});

test('the control file says what it is and what it needs', (t) => {
  const field = (name: string) => run('dpkg-deb', '--field', deb, name).trim();
  t.is(field('Package'), 'battito');
  t.is(field('Version'), version);
  t.is(field('Architecture'), run('dpkg', '--print-architecture').trim());
  for (const needed of ['iproute2', 'iputils-arping', 'iputils-ping', 'libatomic1', 'libstdc++6']) {
    t.regex(field('Depends'), new RegExp(`\\b${needed.replaceAll('+', '\\+')}(?:,| |$)`), needed);
  }
  for (const useful of ['drbd-utils', 'qemu-system-x86']) {
    t.true(field('Recommends').includes(useful), useful);
  }
  t.false(field('Recommends').includes('libvirt'), 'no guest is run by it');
  const installedKiB = Number(field('Installed-Size'));
  const foundKiB = Number(run('du', '-sk', '--apparent-size', unpacked).split('\t')[0]);
  t.true(Math.abs(installedKiB - foundKiB) < 200, `${installedKiB} in the control file, ${foundKiB} on disk`);
  t.false(run('dpkg-deb', '--info', deb).includes('conffiles'), 'no file is a conffile');
});

test('the runtime has no library that is not depended on', (t) => {
  const node = join(unpacked, 'usr/lib/battito/node');
  const libraries = [...run('readelf', '--dynamic', node).matchAll(/NEEDED.*\[(.*)\]/g)].map(
    ([, name]) => name,
  );
  const known =
    /^(libatomic\.so\.1|libstdc\+\+\.so\.6|libgcc_s\.so\.1|lib(c|m|dl|pthread)\.so\.\d|ld-linux.*)$/;
  for (const library of libraries) t.regex(library ?? '', known);
  t.notRegex(run('readelf', '--sections', '--wide', node), /\.debug_|\.symtab/, 'stripped');
});

test('the manuals name every command and every key', (t) => {
  const commands = manual('usr/share/man/man8/battito.8.gz');
  for (const name of commandNames) {
    t.regex(commands, new RegExp(`^\\.SS "${name.replaceAll('-', '\\\\-')}"$`, 'm'), name);
  }
  for (const path of ['/usr/lib/battito', '/usr/lib/sysctl.d/60\\-battito.conf'])
    t.true(commands.includes(path), path);
  t.notRegex(commands, /virsh/);
  t.regex(
    manual('usr/share/doc/battito/README.md.gz'),
    /^# Battito\n\nOn a host with this package .* \/usr\/share\/doc\/battito\/examples\.\n/,
  );
  const config = manual('usr/share/man/man5/battito.yaml.5.gz');
  for (const key of keysOf(configJsonSchema())) {
    t.regex(config, new RegExp(`^\\\\fB${key.replaceAll('-', '\\\\-')}\\\\fR`, 'm'), key);
  }
});

test('the manuals are well-formed for groff and mandoc, and have their sections', (t) => {
  for (const page of ['man8/battito.8', 'man5/battito.yaml.5']) {
    const file = join(work, page.split('/')[1] ?? '');
    writeFileSync(file, manual(`usr/share/man/${page}.gz`));
    const groff = spawnSync('man', ['--warnings', '--local-file', file], { encoding: 'utf8' });
    t.is(groff.stderr, '', page);
    const lint = spawnSync('mandoc', ['-Tlint', '-Werror', file], { encoding: 'utf8' });
    t.is(lint.status, 0, lint.error?.message ?? lint.stdout);
  }
  const commands = manual('usr/share/man/man8/battito.8.gz');
  for (const section of ['COMMANDS', 'OPTIONS', 'EXIT STATUS', 'MESSAGES', 'FILES', 'SEE ALSO'])
    t.true(commands.includes(`.SH "${section}"`), section);
});

function keysOf(schema: JsonSchema): string[] {
  const below = [...Object.values(schema.properties ?? {}), ...(schema.anyOf ?? [])];
  if (schema.items !== undefined) below.push(schema.items);
  if (typeof schema.additionalProperties === 'object') below.push(schema.additionalProperties);
  return [...Object.keys(schema.properties ?? {}), ...below.flatMap(keysOf)];
}

test('bash completes every command, its options and its words', (t) => {
  const completions = join(unpacked, 'usr/share/bash-completion/completions/battito');
  const complete = (...words: string[]) => {
    const script = `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _battito; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return run('bash', '-c', script, 'bash', completions, 'battito', ...words).split('\n');
  };
  for (const name of commandNames) t.true(complete('').includes(name), name);
  t.deepEqual(complete('maint'), ['maintenance', '']);
  t.true(complete('maintenance', '').includes('on'));
  t.deepEqual(
    complete('--node', 'takeover', 'hand'),
    ['handover', ''],
    'the value of an option is no command',
  );
  t.deepEqual(complete('takeover', '--dry'), ['--dry-run', '']);
  t.is(complete('--config', '').join(''), '', 'left to bash, which knows files');
});

test('what runs is the same as in a checkout', async (t) => {
  const script = readFileSync(join(root, 'scripts/battito'), 'utf8');
  for (const option of runtimeOptions) {
    t.true(script.includes(option), option);
    t.true(unpackedText('usr/bin/battito').includes(option), option);
  }
  const { files } = await makeBundle(root);
  t.is(files[0]?.path, 'battito.js');
  for (const { path, code } of files) t.true(unpackedText(`usr/lib/battito/${path}`) === code, path);
});

test('a daemon that has started reads nothing more of its program, and is small in memory', async (t) => {
  const { files } = await makeBundle(root);
  const codeOf = (name: string) => files.find(({ path }) => path.endsWith(`/${name}`))?.code ?? '';
  const loaded = new Set(
    files.filter(({ code }) => code.includes('function runDaemon(')).map(({ path }) => basename(path)),
  );
  t.is(loaded.size, 1);
  for (const name of loaded) {
    for (const [, part = ''] of codeOf(name).matchAll(/\bfrom *"[^"]*\/([^"/]+\.js)"/g)) loaded.add(part);
    t.deepEqual(codeOf(name).match(/\bimport\("\.[^"]*"\)/g), null, name);
    // The runtime keeps other text in twice the memory, and of what is imported from itself it reads every export.
    t.deepEqual(codeOf(name).match(/[\u0080-\uffff].{0,20}/g), null, name);
    t.deepEqual(codeOf(name).match(/\bimport *[\w$*{},\s]*"node:[a-z/]*"/g), null, name);
    t.deepEqual(codeOf(name).match(/\bIntl\b.{0,20}/g), null, `${name}: the tables of calendars`);
  }
  t.true(loaded.size > 10);
});

test('lintian and shellcheck find nothing', (t) => {
  const lintian = spawnSync('lintian', ['--fail-on', 'error,warning', '--allow-root', deb], {
    encoding: 'utf8',
  });
  t.is(lintian.status, 0, lintian.error?.message ?? lintian.stdout);
  t.is(lintian.stdout, '');
  const scripts = ['battito', 'host-mount', 'postinst', 'postrm', 'prerm'];
  run('shellcheck', ...scripts.map((name) => join(root, 'scripts/package/debian', name)));
  run('shellcheck', '--shell=bash', join(unpacked, 'usr/share/bash-completion/completions/battito'));
  run('shellcheck', join(import.meta.dirname, 'support/package-life.sh'));
  t.pass();
});

/** Run where the package is installed. */
const lookAround = `
battito --version
battito check --help | head -n 1
battito check || echo "check: $?"
ldd /usr/lib/battito/node | grep 'not found' || true
systemd-analyze verify --man=yes battito.service
systemd-analyze security --offline=true --threshold=40 --no-pager /usr/lib/systemd/system/battito.service | tail -n 1
for page in 8/battito.8 5/battito.yaml.5; do man --warnings --local-file "/usr/share/man/man$page.gz" >/dev/null; done
`;

test('it is installed, upgraded, removed and purged, and nothing is left', (t) => {
  if (process.geteuid?.() !== 0) {
    t.log('NOT RUN: a copy of the root that is thrown away needs root');
    t.is(process.env['CI'] ?? '', '', 'in CI it has to run');
    return;
  }
  const newer = build(join(work, 'newer'), '022', ['--suffix', '+test1']);
  const commands = join(work, 'commands');
  writeFileSync(commands, lookAround);
  chmodSync(commands, 0o644);
  const script = join(import.meta.dirname, 'support/package-life.sh');
  const { stdout, stderr, status } = spawnSync('unshare', ['--mount', 'sh', script, deb, newer, commands], {
    encoding: 'utf8',
  });
  t.is(status, 0, `${stdout}\n${stderr}`);
  const [, install = '', upgrade = '', refuse = '', attention = '', remove = '', purge = '', left = ''] =
    stdout.split(/^== [a-z]+\n/m);
  t.regex(install, /nothing was enabled or started\. Next:[\s\S]*battito init[\s\S]*systemctl enable --now/);
  t.regex(install, new RegExp(`^battito ${version.replaceAll('.', '\\.')}$`, 'm'));
  t.regex(install, /^battito check: /m);
  t.regex(install, /^check: 78$/m, 'without a configuration nothing is ready');
  t.regex(install, /Overall exposure level for battito\.service: [0-3]\.\d/);
  t.notRegex(upgrade, /Next:/, 'what is next is said once');
  t.regex(upgrade, /over \(0\.\d+/);
  t.regex(
    refuse,
    /not removed: what runs on this node could not be handed over[\s\S]*systemctl stop battito/,
  );
  t.regex(refuse, /^battito \d/m, 'it is still there');
  t.regex(attention, /^prerm: 0$/m, 'what was handed over is gone, though it needs attention there');
  t.regex(
    remove,
    /DRBD still asks by the handler fence-peer in\n\/etc\/drbd\.d\/lab\.res\n.*freezes at the next loss of the peer/,
  );
  t.regex(install, /cp \/usr\/share\/doc\/battito\/examples\/drbd-r0\.res \/etc\/drbd\.d\/r0\.res/);
  t.regex(remove, /^battito\.yaml\nkey$/m, 'a removal keeps the configuration');
  t.notRegex(purge, /not empty|warning/);
  t.is(left, '');
  t.is(stderr, '', 'neither verify nor man nor a maintainer script complains');
});
