// battito.yaml(5), made from the schema by which the program reads the file.

import type { JsonSchema } from '../../daemon/config/schema.ts';
import { type Heading, item, paragraph, section, subsection, title, verbatim } from './roff.ts';

/** The parts of a JSON Schema that a manual shows. */
interface Shown extends JsonSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly required?: readonly string[];
}

export function renderConfigManual(schema: JsonSchema, example: string, heading: Heading): string {
  return [
    title('battito.yaml', 5, heading),
    section('NAME'),
    'battito.yaml \\- configuration of battito',
    section('SYNOPSIS'),
    '/etc/battito/battito.yaml',
    section('DESCRIPTION'),
    ...paragraph(
      'A YAML file, the same on both hosts. `battito check` reads it and names every problem with its line. Durations are written as 200ms, 2s, 1m or 1h, sizes as 64M or 1G. A key that is not listed here is refused.',
    ),
    section('KEYS'),
    ...renderMapping(schema, ''),
    section('EXAMPLE'),
    ...verbatim(example.trimEnd().split('\n')),
    section('SEE ALSO'),
    '.BR battito (8)',
    '',
  ].join('\n');
}

/** The keys of a mapping, then the mappings below it, each under a heading with its place. */
function renderMapping(schema: JsonSchema, place: string): string[] {
  const shown = schema as Shown;
  const keys = Object.entries(shown.properties ?? {}) as [string, Shown][];
  const heading = place === '' ? [] : [subsection(place)];
  const items = keys.flatMap(([key, value]) =>
    item(key, formOf(value), describe(value, shown.required?.includes(key) === true)),
  );
  const below = keys.flatMap(([key, value]) => mappingsBelow(value, place === '' ? key : `${place}.${key}`));
  return [...heading, ...items, ...below];
}

function mappingsBelow(schema: Shown, place: string): string[] {
  if (schema.properties !== undefined) return renderMapping(schema, place);
  if (schema.items !== undefined) return mappingsBelow(schema.items as Shown, `${place}[]`);
  if (schema.anyOf !== undefined)
    return schema.anyOf.flatMap((branch) => mappingsBelow(branch as Shown, place));
  if (typeof schema.additionalProperties === 'object') {
    return mappingsBelow(schema.additionalProperties as Shown, `${place}.NAME`);
  }
  return [];
}

/** What stands behind a key, in a word. */
function formOf(schema: Shown): string {
  if (schema.enum !== undefined) return schema.enum.join(' | ');
  if (schema.anyOf !== undefined) return schema.anyOf.map((branch) => formOf(branch as Shown)).join(' | ');
  if (schema.items !== undefined) return 'list';
  if (schema.properties !== undefined) return 'mapping';
  if (schema.additionalProperties !== undefined) return 'mapping of names';
  return { integer: 'number', boolean: 'true | false' }[schema.type ?? ''] ?? 'text';
}

function describe({ description = '', default: otherwise }: Shown, required: boolean): string {
  const plain = ['string', 'number', 'boolean'].includes(typeof otherwise);
  const rest = plain
    ? ` Default: ${String(otherwise)}.`
    : required && otherwise === undefined
      ? ' Needed.'
      : '';
  return `${description}${rest}`;
}
