// config/battito.schema.json as text, from which editors complete and explain battito.yaml. `npm run schema` writes it.

import { configJsonSchema } from './schema.ts';

/** The file that is kept in the repository. */
export const schemaFile = new URL('../../config/battito.schema.json', import.meta.url);

const lineWidth = 110;

export const renderSchema = (): string => layOut(configJsonSchema());

/** JSON laid out as the formatter does it: a list of plain values stays on one line if it fits. */
export function layOut(value: unknown): string {
  const pretty = JSON.stringify(value, null, 2);
  const compact = pretty.replace(
    /^(.*)\[\n([^[\]{}]*?)\n *\]/gm,
    (expanded, before: string, items: string) => {
      const joined = `${before}[${items.trim().replace(/,\n\s*/g, ', ')}]`;
      return joined.length < lineWidth ? joined : expanded;
    },
  );
  return `${compact}\n`;
}
