// What `battito import` says beside the configuration. Pure.

import type { Draft } from '../../config/import/draft.ts';
import { harmless, type Look, paint } from '../output.ts';
import { hanging } from '../status/picture.ts';

const columnsMax = 100;

export interface Step {
  readonly why: string;
  readonly command: string;
}

/** From the file to two nodes that run. */
export function stepsOf({ nodes, service }: Draft, file: string | null): readonly Step[] {
  const [first, second] = nodes.map(({ value }) => value);
  const config = '/etc/battito/battito.yaml';
  const place: Step[] =
    file === config ? [] : [{ why: 'once it is right', command: `cp ${file ?? 'FILE'} ${config}` }];
  return [
    ...place,
    { why: `on ${first?.name}, a new key`, command: 'battito keygen' },
    {
      why: 'both files to the other node',
      command: `scp -p ${config} /etc/battito/key root@${second?.address}:/etc/battito/`,
    },
    { why: 'on both: what is still missing', command: 'battito check' },
    {
      why: `on both, ${second?.name} first: the guests and addresses stop here`,
      command: `systemctl disable --now ${service}`,
    },
    { why: 'on both, when that has ended on both', command: 'systemctl enable --now battito' },
  ];
}

export function renderImportReport(draft: Draft, file: string | null, look: Look): string {
  const columns = Math.min(columnsMax, look.columns);
  const { groups, remarks, safer, check } = draft;
  const open = [remarks, ...groups.map((group) => group.remarks)].flat();
  const counts = [
    `${groups.length} ${groups.length === 1 ? 'group' : 'groups'}`,
    `${open.length} ${open.length === 1 ? 'line' : 'lines'} without an equal`,
  ].join(', ');
  const listed = (heading: string, items: readonly string[]) =>
    items.length === 0
      ? []
      : [
          '',
          paint(look, 'bold', heading),
          ...items.flatMap((item) => hanging('  - ', harmless(item), columns)),
        ];
  return [
    `${file === null ? 'The configuration above' : `${harmless(file)} is written`}: ${counts}.`,
    ...listed('Safer now', safer),
    ...listed('To look at', check),
    '',
    paint(look, 'bold', 'Next'),
    ...stepsOf(draft, file).flatMap(({ why, command }, index) => [
      `  ${index + 1}. ${why}:`,
      `       ${harmless(command)}`,
    ]),
  ].join('\n');
}
