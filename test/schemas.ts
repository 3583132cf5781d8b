// Holds what the program says to the schemas that it ships in config/.

import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

const configFile = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../config/${name}`, import.meta.url), 'utf8'));

// `strictTypes` would not have a minimum beside a type that may also be null.
const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, strictTypes: false });
formats.default(ajv);

const documents = ['status', 'history', 'explain'] as const;
for (const name of documents) ajv.addSchema(configFile(`${name}.schema.json`) as object, name);

export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}
export interface ApiOperation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, ApiContent>>;
  readonly requestBody?: ApiContent;
}
interface ApiContent {
  readonly content: Readonly<Record<string, { readonly schema: object }>>;
}
export const apiDocument = configFile('control-api.openapi.json') as ApiDocument;
// OpenAPI has words of its own; the schemas in it are found by their place.
ajv.addVocabulary(['openapi', 'info', 'servers', 'paths', 'components']);
ajv.addSchema(apiDocument, 'api');

function faultsBy(reference: string, value: unknown): readonly string[] {
  const validate = ajv.getSchema(reference);
  if (validate === undefined) throw new Error(`there is no schema ${reference}`);
  if (validate(value) === true) return [];
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    `${instancePath} ${message} ${JSON.stringify(params)}`.trim(),
  );
}

/** What is wrong with what `battito NAME --json` printed; empty: nothing. */
export const faultsIn = (name: (typeof documents)[number], value: unknown) => faultsBy(name, value);

/** What is wrong with a body of the control API; `place`: where in the document its schema is, `/`-separated. */
export function faultsInApi(place: readonly string[], value: unknown): readonly string[] {
  const pointer = place.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1'));
  return faultsBy(`api#/${pointer.map(encodeURIComponent).join('/')}`, value);
}
