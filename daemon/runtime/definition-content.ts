// What a guest's definition says, without how it is written down: two texts of the same content are the same
// definition. Pure. Left out: white space, comments, the order of attributes, and what libvirt makes up itself each time
// (https://libvirt.org/formatdomain.html): the running domain's id, aliases of devices but those that begin with `ua-`,
// the label of a dynamic seclabel, the host's end of a network card. The order of elements stays: it has a meaning.

import { createHash } from 'node:crypto';
import { XMLParser, XMLValidator } from 'fast-xml-parser';

export type DefinitionIdentity =
  | { readonly name: string; readonly uuid: string }
  | { readonly error: string };

/** As the parser gives it: one key with the children, `:@` with the attributes; or `#text`. */
type Node = Readonly<Record<string, unknown>>;

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: true,
  ignoreDeclaration: true,
});

/** Any that libvirt takes, not only those of RFC 9562. */
export const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
// A slash is in no name of libvirt's; of control characters no terminal has to be protected later.
// biome-ignore lint/suspicious/noControlCharactersInRegex: keeping them out is the purpose
export const guestNamePattern = /^[^/\u0000-\u001f\u007f]{1,255}$/;

/** Whose definition it is; what is no definition of a domain is told why. */
export function identityOf(xml: string): DefinitionIdentity {
  if (xml.includes('<!DOCTYPE')) return { error: 'it has a DOCTYPE, which no definition of libvirt has' };
  const valid = XMLValidator.validate(xml);
  if (valid !== true) return { error: `line ${valid.err.line}: ${valid.err.msg}` };
  const root = rootOf(xml);
  if (root === undefined || tagOf(root) !== 'domain') return { error: 'its root is not <domain>' };
  const [name, uuid] = [childText(root, 'name'), childText(root, 'uuid')?.toLowerCase()];
  if (name === undefined || !guestNamePattern.test(name))
    return { error: 'it has no <name> that can be one' };
  if (uuid === undefined || !uuidPattern.test(uuid)) return { error: 'it has no <uuid> that can be one' };
  return { name, uuid };
}

/** Hex SHA-256 of what it says. Of a text that is no XML: of the text. */
export function contentDigest(xml: string): string {
  const root = XMLValidator.validate(xml) === true ? rootOf(xml) : undefined;
  return textDigest(root === undefined ? xml : JSON.stringify(canonical(root)));
}

/** Hex SHA-256. */
export function textDigest(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

function rootOf(xml: string): Node | undefined {
  const nodes = parser.parse(xml) as readonly Node[];
  return nodes.find((node) => !(tagOf(node) ?? '#').startsWith('#'));
}

const tagOf = (node: Node) => Object.keys(node).find((key) => key !== ':@');

const childrenOf = (node: Node): readonly Node[] => {
  const children = node[tagOf(node) ?? ''];
  return Array.isArray(children) ? children : [];
};

const attributesOf = (node: Node) => (node[':@'] ?? {}) as Readonly<Record<string, string>>;

function childText(node: Node, tag: string): string | undefined {
  const child = childrenOf(node).find((one) => tagOf(one) === tag);
  const text = child === undefined ? undefined : childrenOf(child)[0]?.['#text'];
  return text === undefined ? undefined : String(text);
}

/** [tag, attributes by name, children], or a text. */
function canonical(node: Node, isRoot = true): unknown {
  const tag = tagOf(node) ?? '';
  const given = Object.entries(attributesOf(node)).filter(([name, value]) => {
    if (isRoot && name === 'id') return false;
    return !(tag === 'target' && name === 'dev' && /^(vnet|macvtap|macvlan)\d+$/.test(value));
  });
  const attributes = given.sort(([a], [b]) => (a < b ? -1 : 1));
  const made = madeUpIn(tag, Object.fromEntries(given));
  const children = childrenOf(node).flatMap((child) => {
    const childTag = tagOf(child) ?? '';
    if (childTag === '#text') {
      const text = String(child['#text']).trim();
      return text === '' ? [] : [text];
    }
    return made(childTag, attributesOf(child)) ? [] : [canonical(child, false)];
  });
  return [tag, attributes, children];
}

function madeUpIn(tag: string, attributes: Readonly<Record<string, string>>) {
  const isDynamic = tag === 'seclabel' && attributes['type'] === 'dynamic';
  return (child: string, { name = '' }: Readonly<Record<string, string>>) =>
    (child === 'alias' && !name.startsWith('ua-')) ||
    (isDynamic && (child === 'label' || child === 'imagelabel'));
}
