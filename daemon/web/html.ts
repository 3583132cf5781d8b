// HTML that is put together safely: whatever is not made by `html` is text and is escaped. Pure.

import { harmless } from '../incident/words.ts';

/** Markup; only `html` and `trusted` make it. */
export interface Html {
  readonly markup: string;
}

export type HtmlValue = Html | string | number | boolean | null | undefined | readonly HtmlValue[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Texts come from the other host and from outside programs. */
export const escapeHtml = (text: string) =>
  harmless(text).replaceAll(/[&<>"']/g, (character) => entities[character] ?? character);

/** Only for texts of this program. */
export const trusted = (markup: string): Html => ({ markup });

export function html(texts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return { markup: texts.map((text, index) => text + markupOf(values[index])).join('') };
}

function markupOf(value: HtmlValue): string {
  if (value === null || value === undefined || typeof value === 'boolean') return '';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return escapeHtml(value);
  if ('markup' in value) return value.markup;
  return value.map(markupOf).join('');
}
