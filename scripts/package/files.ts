// Everything that the package installs.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { globalOptions } from '../../daemon/cli/arguments.ts';
import { allCommands } from '../../daemon/cli/commands.ts';
import { renderBash } from '../../daemon/cli/completion/bash.ts';
import { renderFish } from '../../daemon/cli/completion/fish.ts';
import { modelOf } from '../../daemon/cli/completion/model.ts';
import { renderZsh } from '../../daemon/cli/completion/zsh.ts';
import { exitCodeMeanings } from '../../daemon/cli/help.ts';
import { configJsonSchema } from '../../daemon/config/schema.ts';
import { type Architecture, type Runtime, takeRuntime } from './architecture.ts';
import { type Bundle, makeBundle } from './bundle.ts';
import { maintainer } from './control.ts';
import { renderCommandManual } from './manual-commands.ts';
import { renderConfigManual } from './manual-config.ts';
import { directory, type PackageFile, program, text } from './tree.ts';

export interface FilesSource {
  readonly root: string;
  /** A directory for what is made on the way. */
  readonly work: string;
  readonly architecture: Architecture;
  readonly version: string;
  /** Seconds since 1970. */
  readonly epoch: number;
}

/** What old hands type, and the script that it is. */
const heartbeatNames = { hb_takeover: 'takeover', hb_standby: 'standby', cl_status: 'status' };

const documents = 'usr/share/doc/battito';

/** What an operator reads. */
const pages = ['guests', 'fencing', 'operation', 'monitoring', 'troubleshooting', 'migration'];

/** What config/ has besides what is installed elsewhere. */
const examples = [
  'battito.schema.json',
  'control-api.openapi.json',
  'drbd-r0.res',
  'explain.schema.json',
  'grafana-dashboard.json',
  'history.schema.json',
  'prometheus-rules.yml',
  'status.schema.json',
];

export async function packageFiles(source: FilesSource): Promise<PackageFile[]> {
  const { root, work, architecture, version, epoch } = source;
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  const runtime = takeRuntime(root, work, architecture);
  const bundle = await makeBundle(root);
  const commands = await allCommands();
  const completed = modelOf(commands, globalOptions);
  const heading = { version, date: new Date(epoch * 1000).toISOString().slice(0, 10) };
  const example = read('config/battito.yaml');
  const commandManual = renderCommandManual(commands, globalOptions, exitCodeMeanings, heading);
  const configManual = renderConfigManual(configJsonSchema(), example, heading);
  return [
    program('usr/bin/battito', read('scripts/package/debian/battito')),
    // In the directory of root's path: Heartbeat's package has cl_status in the other one.
    ...Object.entries(heartbeatNames).flatMap(([name, script]) => [
      program(`usr/sbin/${name}`, read(`scripts/${script}`)),
      program(`usr/lib/battito/${script}`, read(`scripts/${script}`)),
      packed(`usr/share/man/man8/${name}.8.gz`, '.so man8/battito.8\n'),
    ]),
    program('usr/lib/battito/node', { copyOf: runtime.binary }),
    // Without it the runtime would take each part for CommonJS first.
    text('usr/lib/battito/package.json', '{ "type": "module" }\n'),
    ...bundle.files.map(({ path, code }) => text(`usr/lib/battito/${path}`, code)),
    program('usr/lib/battito/host/mount', read('scripts/package/debian/host-mount')),
    program('usr/lib/battito/host/umount', read('scripts/package/debian/host-mount')),
    text('usr/lib/systemd/system/battito.service', read('systemd/battito.service')),
    text('usr/lib/sysctl.d/60-battito.conf', read('config/sysctl.conf')),
    text('usr/share/bash-completion/completions/battito', renderBash(completed)),
    text('usr/share/zsh/vendor-completions/_battito', renderZsh(completed)),
    text('usr/share/fish/vendor_completions.d/battito.fish', renderFish(completed)),
    // No battito.yaml: one with the addresses of an example must not be there to be started by accident.
    directory('etc/battito'),
    packed('usr/share/man/man8/battito.8.gz', commandManual),
    packed('usr/share/man/man5/battito.yaml.5.gz', configManual),
    text(`${documents}/copyright`, copyright(read('LICENSE'), bundle, runtime)),
    packed(`${documents}/node-LICENSE.gz`, runtime.licence),
    packed(`${documents}/changelog.gz`, changelog(version, epoch)),
    ...pages.map((name) => packed(`${documents}/docs/${name}.md.gz`, read(`docs/${name}.md`))),
    packed(`${documents}/README.md.gz`, readme(read('README.md'))),
    text(`${documents}/README.Debian`, read('scripts/package/debian/README.Debian')),
    text(`${documents}/examples/battito.yaml`, example),
    ...examples.map((name) => text(`${documents}/examples/${name}`, read(`config/${name}`))),
    text('usr/share/lintian/overrides/battito', read('scripts/package/debian/lintian-overrides')),
  ];
}

/** What the links to files of the source are on a host that has the package. */
function readme(source: string): string {
  const [title = '', ...rest] = source.split('\n');
  const there = `On a host with this package the files that are called config/ below are in /${documents}/examples.`;
  return [title, '', there, ...rest].join('\n');
}

/** gzip without name and time, as gzip -9n writes it. */
function packed(path: string, content: string): PackageFile {
  return { path, content: gzipSync(content, { level: 9 }) };
}

function changelog(version: string, epoch: number): string {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  return `battito (${version}) unstable; urgency=medium\n\n  * Version ${version}.\n\n -- ${maintainer}  ${date}\n`;
}

function copyright(own: string, { libraries }: Bundle, { version }: Runtime): string {
  const parts = [
    { title: 'Battito', licence: own },
    ...libraries.map((library) => ({
      title: `${library.name} ${library.version}, in /usr/lib/battito`,
      licence: library.licence,
    })),
    {
      title: `Node.js ${version}, /usr/lib/battito/node`,
      licence: `Its licence, and those of all that is in it, are in /${documents}/node-LICENSE.gz.`,
    },
  ];
  return parts.map((part) => `${part.title}\n${'='.repeat(72)}\n\n${part.licence.trim()}\n`).join('\n\n');
}
