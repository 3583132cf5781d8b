// Writes config/battito.schema.json, from which editors complete and explain battito.yaml. Run by `npm run schema`.

import { writeFileSync } from 'node:fs';
import { configJsonSchema } from './schema.ts';

/** The file that is kept in the repository. */
export const schemaFile = new URL('../../config/battito.schema.json', import.meta.url);

const lineWidth = 110;

/** The schema as text, laid out as the formatter does it: a list of plain values stays on one line if it fits. */
export function renderSchema(): string {
  const pretty = JSON.stringify(configJsonSchema(), null, 2);
  const compact = pretty.replace(
    /^(.*)\[\n([^[\]{}]*?)\n *\]/gm,
    (expanded, before: string, items: string) => {
      const joined = `${before}[${items.trim().replace(/,\n\s*/g, ', ')}]`;
      return joined.length < lineWidth ? joined : expanded;
    },
  );
  return `${compact}\n`;
}

if (import.meta.main) {
  writeFileSync(schemaFile, renderSchema());
}
