// The part `fencing` of the configuration: which devices cut a node's power, and in what order they are asked.
// Every `error` here says what is EXPECTED. Rules between keys live in fencing-rules.ts.

import * as z from 'zod';
import { absolutePath, duration, mapping, named, nameText, text } from './schema-parts.ts';
import { namePattern, nodeNamePattern } from './values.ts';

export const expectedDeviceName =
  'the name of a fencing device: letters, digits, dots, dashes and underscores (at most 31)';

/** An agent reads its options as lines, so a value is one line. */
const optionValue = z.union([z.string().regex(/^[^\p{Cc}]*$/u), z.boolean(), z.number()]).transform(String);
const expectedOptions = 'a mapping of options, each with a text, a number, true or false';

const device = mapping({
  agent: text('the name of a fence agent such as fence_ipmilan', /^fence_[a-z0-9_]{1,40}$/)
    .optional()
    .describe('Fence agent of the distribution, such as fence_ipmilan; this or script.'),
  script: absolutePath
    .optional()
    .describe('Program of your own that speaks as a fence agent does: options on stdin; this or agent.'),
  options: z
    .record(z.string(), optionValue, { error: expectedOptions })
    .meta({ propertyNames: { type: 'string', pattern: '^[a-z][a-z0-9_-]*$' } })
    .default({})
    .describe('Options of the agent, as `man fence_ipmilan` calls them on stdin; nothing secret.'),
  plugs: named('a mapping of each node to its outlet', nodeNamePattern, optionValue)
    .optional()
    .describe('Outlet of each node, for a device that has those of both; several of one node as "1,2".'),
  secrets: absolutePath
    .optional()
    .describe('File with further options such as password=..., one a line; mode 0600.'),
});

const level = z
  .array(nameText(expectedDeviceName, namePattern), { error: 'a list of devices that are all switched off' })
  .min(1, { error: 'a list of at least one device' });

const levels = z
  .array(level, { error: 'a list of levels, each a list of devices, such as [[bmc], [pdu-a, pdu-b]]' })
  .min(1, { error: 'at least one level' });

export const defaultFencingDelay = '5s';
export const defaultFencingTimeout = '60s';

export const fencing = mapping({
  delay: duration()
    .prefault(defaultFencingDelay)
    .describe('How long the node that holds nothing lets the other one shoot first; 0s: not at all.'),
  timeout: duration(5000)
    .prefault(defaultFencingTimeout)
    .describe('How long one attempt may take, for all levels together; at least 5s.'),
  devices: named('a mapping of devices by name', namePattern, device)
    .meta({ minProperties: 1, propertyNames: { type: 'string', pattern: namePattern.source } })
    .describe('What can switch a node off.'),
  nodes: named('a mapping of both nodes to levels of devices', nodeNamePattern, levels)
    .meta({
      minProperties: 2,
      maxProperties: 2,
      propertyNames: { type: 'string', pattern: nodeNamePattern.source },
    })
    .describe(
      'By node: levels of devices. All of a level are switched off; the next one is for when it fails.',
    ),
});

export type FencingFile = z.output<typeof fencing>;
