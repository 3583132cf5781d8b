// Reads the sources of the program for the messages that it prints, by their codes: from the syntax tree, so that what a
// formatter does to a line changes nothing. What a message fills in stands as `…`.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from '@babel/parser';
import type { Expression, Node, ObjectExpression } from '@babel/types';

export interface Extracted {
  /** By code, each once, in the order of the sources. */
  readonly messages: ReadonlyMap<string, readonly string[]>;
  /** Every text of the sources that stands alone or begins a code, outside of the explanations. */
  readonly literals: ReadonlySet<string>;
}

/** Where a call has the code and the message. */
const calls: Readonly<Record<string, readonly [code: number, message: number]>> = {
  BattitoError: [0, 1],
  item: [1, 2],
  note: [1, 3],
  refused: [1, 2],
  refuse: [1, 2],
  fail: [2, 3],
  'report.warning': [0, 1],
  'report.obstacle': [0, 1],
  'report.problem': [0, 1],
};

/** Of the checks of DRBD, under names that others have for something else. */
const drbdCalls: typeof calls = { add: [1, 2], problem: [0, 1] };

/** Functions that make the error of one code of their arguments. */
const makers: Readonly<Record<string, string>> = {
  usageError: 'usage',
  noDaemon: 'daemon-not-running',
  unfinished: 'not-done-in-time',
  unusable: 'witness-file',
};

export function extract(daemon: string): Extracted {
  const messages = new Map<string, string[]>();
  const literals = new Set<string>();
  const files = readdirSync(daemon, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.startsWith('why/') && name !== 'core/codes.ts')
    .sort();
  for (const name of files) {
    const text = readFileSync(join(daemon, name), 'utf8');
    const { program } = parse(text, { sourceType: 'module', plugins: ['typescript', 'importAttributes'] });
    const constants = new Map<string, Expression>();
    const add = (code: string, said: readonly string[]) => {
      messages.set(code, [...new Set([...(messages.get(code) ?? []), ...said])]);
    };
    const known = name.startsWith('drivers/drbd/') ? { ...calls, ...drbdCalls } : calls;
    walk(program, (node) => {
      if (node.type === 'StringLiteral') literals.add(node.value);
      if (node.type === 'TemplateElement') literals.add(node.value.cooked ?? '');
      if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier' && node.init)
        constants.set(node.id.name, node.init);
      if (node.type === 'ArrayExpression' && name !== 'core/requests.ts') return;
      for (const [code, said] of saidBy(node, constants, known)) if (isCode(code)) add(code, said);
    });
  }
  return { messages, literals };
}

/** `BattitoError`; of a finding of `battito check`: `report.problem`. */
function nameOf(callee: Node): string {
  if (callee.type === 'Identifier') return callee.name;
  if (callee.type !== 'MemberExpression' || callee.object.type !== 'Identifier') return '';
  return callee.property.type === 'Identifier' ? `${callee.object.name}.${callee.property.name}` : '';
}

const isCode = (text: string) => /^[a-z]+(-[a-z0-9]+)*$/.test(text);

type Said = readonly (readonly [code: string, messages: readonly string[]])[];

function saidBy(node: Node, constants: ReadonlyMap<string, Expression>, known: typeof calls): Said {
  const both = (codes: readonly string[], said: readonly string[]): Said => codes.map((code) => [code, said]);
  switch (node.type) {
    case 'CallExpression':
    case 'NewExpression': {
      const name = nameOf(node.callee);
      const own = Object.hasOwn(makers, name) ? makers[name] : undefined;
      if (own !== undefined)
        return both(
          [own],
          node.arguments.flatMap((one) => textsOf(one, constants)),
        );
      const [code, message] = Object.hasOwn(known, name) ? (known[name] ?? []) : [];
      if (code === undefined || message === undefined || node.arguments.length <= message) return [];
      return both(textsOf(node.arguments[code], constants), textsOf(node.arguments[message], constants));
    }
    case 'ArrayExpression': {
      // A refusal of the core: code, what stands in the way, what to do next.
      const [code, what, next] = node.elements;
      if (node.elements.length !== 3 || code?.type !== 'StringLiteral' || !isText(what) || !isText(next))
        return [];
      return both([code.value], textsOf(what, constants));
    }
    case 'ObjectExpression':
      return ofObject(node, constants);
    case 'SwitchCase': {
      if (node.test?.type !== 'StringLiteral') return [];
      const [returned] = node.consequent.flatMap((one) =>
        one.type === 'ReturnStatement' && one.argument?.type === 'ObjectExpression' ? [one.argument] : [],
      );
      const why = returned === undefined ? undefined : propertyOf(returned, 'why');
      return why === undefined ? [] : both([`blocked-${node.test.value}`], textsOf(why, constants));
    }
    case 'VariableDeclarator': {
      const object = node.init?.type === 'TSAsExpression' ? node.init.expression : node.init;
      if (node.id.type !== 'Identifier' || node.id.name !== 'verdictTexts') return [];
      if (object?.type !== 'ObjectExpression') return [];
      return object.properties.flatMap((property) =>
        property.type === 'ObjectProperty' && property.key.type === 'Identifier'
          ? both(
              [`peer-${property.key.name}`],
              textsOf(property.value, constants).map((text) => `… ${text}`),
            )
          : [],
      );
    }
    default:
      return [];
  }
}

/** `{ code, message }`, and a row of the transition table. */
function ofObject(node: ObjectExpression, constants: ReadonlyMap<string, Expression>): Said {
  const [code, said] = [
    propertyOf(node, 'code') ?? (propertyOf(node, 'from') && propertyOf(node, 'id')),
    propertyOf(node, 'message') ?? propertyOf(node, 'what') ?? propertyOf(node, 'reason'),
  ];
  if (code === undefined || said === undefined) return [];
  return textsOf(code, constants).map((one) => [one, textsOf(said, constants)]);
}

function propertyOf({ properties }: ObjectExpression, name: string): Node | undefined {
  for (const property of properties) {
    if (
      property.type === 'ObjectProperty' &&
      property.key.type === 'Identifier' &&
      property.key.name === name
    )
      return property.value;
    // `...{ severity: 'alarm', code: 'x' }`
    if (property.type === 'SpreadElement' && property.argument.type === 'ObjectExpression') {
      const inner = propertyOf(property.argument, name);
      if (inner !== undefined) return inner;
    }
  }
  return undefined;
}

const isText = (node: Node | null | undefined) =>
  node?.type === 'StringLiteral' || node?.type === 'TemplateLiteral';

/** What an expression may be as a text; none where that is not to be seen. */
function textsOf(
  node: Node | null | undefined,
  constants: ReadonlyMap<string, Expression>,
  depth = 0,
): readonly string[] {
  if (!node || depth > 3) return [];
  switch (node.type) {
    case 'StringLiteral':
      return [node.value];
    case 'TemplateLiteral':
      return [node.quasis.map(({ value }) => value.cooked ?? '').join('…')];
    case 'ConditionalExpression':
      return [...textsOf(node.consequent, constants, depth), ...textsOf(node.alternate, constants, depth)];
    case 'TSAsExpression':
    case 'TSSatisfiesExpression':
      return textsOf(node.expression, constants, depth);
    case 'Identifier':
      return textsOf(constants.get(node.name), constants, depth + 1);
    default:
      return [];
  }
}

function walk(node: Node, visit: (node: Node) => void): void {
  visit(node);
  for (const value of Object.values(node)) {
    for (const inner of Array.isArray(value) ? value : [value]) {
      if (inner !== null && typeof inner === 'object' && typeof (inner as Node).type === 'string')
        walk(inner as Node, visit);
    }
  }
}
