// `npm run schema`: writes the schemas of config/. The one of the configuration is made from what reads it; those of
// the answers are made from the types in the daemon, with their comments, so that nothing has to be said twice.

import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createGenerator, type Schema } from 'ts-json-schema-generator';
import { configJsonSchema } from '../daemon/config/schema.ts';
import { layOut } from '../daemon/config/write-schema.ts';
import manifest from '../package.json' with { type: 'json' };
import { type ApiSchemas, describeApi } from './control-api.ts';

const root = resolve(import.meta.dirname, '..');
const draft = 'https://json-schema.org/draft/2020-12/schema';

type Definitions = NonNullable<Schema['definitions']>;

/** Where the types of the answers are. */
const sources = 'daemon/{control/api,control/guests,control/schedule,whatif/report}.ts';

/** Every exported type that the named ones need, by name. */
function definitionsOf(types: readonly string[]): Definitions {
  const generator = createGenerator({
    path: resolve(root, sources),
    tsconfig: resolve(root, 'tsconfig.json'),
    // That is `npm run types`, by another compiler.
    skipTypeCheck: true,
    additionalProperties: false,
    sortProps: false,
  });
  return Object.assign({}, ...types.map((type) => generator.createSchema(type).definitions));
}

/** The generator speaks draft 7, in which definitions have another place, and tuples another word. */
function placedIn(place: string, schema: unknown): unknown {
  const text = JSON.stringify(schema, (_key, value: unknown) => {
    const { items, additionalItems, ...rest } = (value ?? {}) as Record<string, unknown>;
    if (!Array.isArray(items)) return value;
    return { ...rest, prefixItems: items, items: additionalItems ?? false };
  });
  return JSON.parse(text.replaceAll('"#/definitions/', `"#/${place}/`));
}

function document(title: string, content: Schema, definitions: Definitions): unknown {
  return placedIn('$defs', { $schema: draft, title, ...content, $defs: definitions });
}

const apiTypes = [
  ...['Status', 'HistoryEntry', 'OperatorRequest', 'RequestAnswer', 'CommandNote', 'Plan', 'ApiError'],
  ...['GuestDefinitions', 'GuestTexts', 'GuestVersion'],
  ...['RunTaskAnswer', 'PeerChecked', 'Readiness', 'TaskName'],
];

/** By the name of the file in config/. */
export function renderSchemas(): Readonly<Record<string, string>> {
  const definitions = definitionsOf([...apiTypes, 'WhatIfReport']);
  const only = (...types: readonly string[]): Definitions =>
    Object.assign({}, ...types.map((type) => reachable(definitions, type)));
  const all = placedIn('components/schemas', only(...apiTypes)) as ApiSchemas;
  return {
    'battito.schema.json': layOut(configJsonSchema()),
    'status.schema.json': layOut(
      document('battito status --json', { $ref: '#/definitions/Status' }, only('Status')),
    ),
    'history.schema.json': layOut(
      document(
        'battito history --json',
        { type: 'array', items: { $ref: '#/definitions/HistoryEntry' } },
        only('HistoryEntry'),
      ),
    ),
    'explain.schema.json': layOut(
      document('battito explain --json', { $ref: '#/definitions/WhatIfReport' }, only('WhatIfReport')),
    ),
    'control-api.openapi.json': layOut(describeApi(manifest.version, all)),
  };
}

/** A type and what it refers to. */
function reachable(definitions: Definitions, type: string, found: Definitions = {}): Definitions {
  const definition = definitions[type];
  if (definition === undefined || found[type] !== undefined) return found;
  found[type] = definition;
  for (const [, name = ''] of JSON.stringify(definition).matchAll(/"#\/definitions\/([^"]+)"/g))
    reachable(definitions, decodeURIComponent(name), found);
  return found;
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(renderSchemas()))
    writeFileSync(resolve(root, 'config', name), text);
}
