// What a guest's definition says, without how it is written down: two texts of the same content are the same
// definition. Pure. Left out: white space, comments, the order of attributes, and what libvirt makes up itself each time
// (https://libvirt.org/formatdomain.html): the running domain's id, aliases of devices but those that begin with `ua-`,
// the label of a dynamic seclabel, the host's end of a network card. The order of elements stays: it has a meaning.

import { createHash } from 'node:crypto';
import { child, type Element, parseXml, textOf } from '../../drivers/xml.ts';

export type DefinitionIdentity =
  | { readonly name: string; readonly uuid: string }
  | { readonly error: string };

/** Any that libvirt takes, not only those of RFC 9562. */
export const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
// A slash is in no name of libvirt's; of control characters no terminal has to be protected later.
// biome-ignore lint/suspicious/noControlCharactersInRegex: keeping them out is the purpose
export const guestNamePattern = /^[^/\u0000-\u001f\u007f]{1,255}$/;

/** Whose definition it is; what is no definition of a domain is told why. */
export function identityOf(xml: string): DefinitionIdentity {
  const root = rootOf(xml);
  if ('error' in root) return root;
  if (root.name !== 'domain') return { error: 'its root is not <domain>' };
  const [name, uuid] = [textOf(child(root, 'name')), textOf(child(root, 'uuid'))?.toLowerCase()];
  if (name === undefined || !guestNamePattern.test(name))
    return { error: 'it has no <name> that can be one' };
  if (uuid === undefined || !uuidPattern.test(uuid)) return { error: 'it has no <uuid> that can be one' };
  return { name, uuid };
}

/** Hex SHA-256 of what it says. Of a text that is no XML: of the text. */
export function contentDigest(xml: string): string {
  const root = rootOf(xml);
  return textDigest('error' in root ? xml : JSON.stringify(canonical(root)));
}

/** Hex SHA-256. */
export function textDigest(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

function rootOf(xml: string): Element | { readonly error: string } {
  try {
    return parseXml(xml, 'the definition');
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** [tag, attributes by name, text, children]. */
function canonical({ name: tag, attributes: all, text, children }: Element, isRoot = true): unknown {
  const given = Object.entries(all).filter(([name, value]) => {
    if (isRoot && name === 'id') return false;
    return !(tag === 'target' && name === 'dev' && /^(vnet|macvtap|macvlan)\d+$/.test(value));
  });
  const attributes = given.sort(([a], [b]) => (a < b ? -1 : 1));
  const made = madeUpIn(tag, Object.fromEntries(given));
  const kept = children.filter((one) => !made(one.name, one.attributes));
  return [tag, attributes, text, kept.map((one) => canonical(one, false))];
}

function madeUpIn(tag: string, attributes: Readonly<Record<string, string>>) {
  const isDynamic = tag === 'seclabel' && attributes['type'] === 'dynamic';
  return (child: string, { name = '' }: Readonly<Record<string, string>>) =>
    (child === 'alias' && !name.startsWith('ua-')) ||
    (isDynamic && (child === 'label' || child === 'imagelabel'));
}
