// XML as a tree of elements: no more of it than libvirt's definitions need. Pure.
// Must not: expand entities that a document declares itself, or fetch anything.

import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { BattitoError, exitCodes } from '../errors.ts';

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  /** The text directly in it, trimmed. */
  readonly text: string;
}

const attributesKey = ':@';
const textKey = '#text';

/** The five that XML has by itself, and characters by number; any other is left as it stands. */
const namedCharacters: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
};

function decodeReferences(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w+));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return namedCharacters[name as string] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

const parser = new XMLParser({
  entityDecoder: {
    decode: decodeReferences,
    setExternalEntities() {},
    addInputEntities() {},
    reset() {},
    setXmlVersion() {},
  },
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
});

/** `what` names the document in an error. Throws BattitoError `xml-malformed` with line and column. */
export function parseXml(text: string, what: string): Element {
  const verdict = XMLValidator.validate(text);
  if (verdict !== true) {
    const { line, col, msg } = verdict.err;
    throw malformed(`${what}: line ${line}, column ${col}: ${msg}`);
  }
  // libvirt writes none, and what one declares could grow without end.
  if (/<!DOCTYPE/i.test(text)) throw malformed(`${what}: a document type declaration is not accepted`);
  let roots: readonly Element[];
  try {
    roots = elementsOf(parser.parse(text) as readonly RawNode[]);
  } catch (error) {
    throw malformed(`${what}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  const [root, ...more] = roots;
  if (root === undefined) throw malformed(`${what}: there is no element in it`);
  if (more.length > 0)
    throw malformed(`${what}: more than one element at the top: ${root.name}, ${more[0]?.name}`);
  return root;
}

type RawNode = Readonly<Record<string, unknown>>;

function elementsOf(nodes: readonly RawNode[]): readonly Element[] {
  return nodes.flatMap((node) => {
    const name = Object.keys(node).find((key) => key !== attributesKey);
    if (name === undefined || name === textKey) return [];
    const inside = node[name] as readonly RawNode[];
    const attributes = (node[attributesKey] ?? {}) as Readonly<Record<string, string>>;
    const text = inside.map((one) => one[textKey]).filter((one) => typeof one === 'string');
    return [{ name, attributes, children: elementsOf(inside), text: text.join('').trim() }];
  });
}

function malformed(message: string, cause?: unknown): BattitoError {
  return new BattitoError('xml-malformed', message, {
    exitCode: exitCodes.config,
    next: 'compare it with what `virsh dumpxml --inactive NAME` prints; virt-xml-validate names what libvirt refuses',
    cause,
  });
}

/** The first child of this name. */
export function child(element: Element | undefined, name: string): Element | undefined {
  return element?.children.find((one) => one.name === name);
}

export function childrenOf(element: Element | undefined, name: string): readonly Element[] {
  return element?.children.filter((one) => one.name === name) ?? [];
}

/** Down a path of names, e.g. `descend(domain, 'os', 'type')`. */
export function descend(element: Element | undefined, ...names: readonly string[]): Element | undefined {
  return names.reduce<Element | undefined>((at, name) => child(at, name), element);
}

/** Undefined when it is absent or empty. */
export function textOf(element: Element | undefined): string | undefined {
  return element === undefined || element.text === '' ? undefined : element.text;
}

export function attribute(element: Element | undefined, name: string): string | undefined {
  return element?.attributes[name];
}
