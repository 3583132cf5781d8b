// Reads DRBD's configuration language: what `drbdsetup show` says of the kernel and `drbdadm dump` of the files, of
// 8.4 and 9 alike. Pure; whatever it is given, it does not throw: what cannot be understood is left out.

/** A section, or a setting (without a body). `words`: its name first, e.g. ['volume', '0'], ['ping-int', '10']. */
export interface ConfigNode {
  readonly words: readonly string[];
  readonly body: readonly ConfigNode[] | null;
}

type Token = { readonly kind: 'word'; readonly text: string } | { readonly kind: '{' | '}' | ';' };

export function parseConfigText(text: string): readonly ConfigNode[] {
  const tokens = tokenize(text);
  let at = 0;
  function nodes(): readonly ConfigNode[] {
    const found: ConfigNode[] = [];
    let words: string[] = [];
    while (at < tokens.length) {
      const token = tokens[at] as Token;
      at += 1;
      if (token.kind === 'word') words.push(token.text);
      else if (token.kind === '}') return found;
      else {
        const body = token.kind === '{' ? nodes() : null;
        if (words.length > 0) found.push({ words, body });
        words = [];
      }
    }
    return found;
  }
  const all: ConfigNode[] = [];
  while (at < tokens.length) all.push(...nodes()); // A brace too many ends nothing.
  return all;
}

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  for (const [, quoted, mark, word] of text.matchAll(/#[^\n]*|"((?:[^"\\]|\\.)*)"|([{};])|([^\s{};"#]+)/g)) {
    if (mark !== undefined) tokens.push({ kind: mark as '{' | '}' | ';' });
    else if (quoted !== undefined) tokens.push({ kind: 'word', text: quoted.replaceAll(/\\(.)/g, '$1') });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word });
  }
  return tokens;
}

/** All sections of this name, however deep. */
export function sections(nodes: readonly ConfigNode[], name: string): readonly ConfigNode[] {
  return nodes.flatMap((node) => [
    ...(node.body !== null && node.words[0] === name ? [node] : []),
    ...sections(node.body ?? [], name),
  ]);
}

/** The value of a setting in a section of this name; the first one found, `yes` of a setting without one. */
export function settingOf(
  nodes: readonly ConfigNode[],
  section: string,
  setting: string,
): string | undefined {
  for (const { body } of sections(nodes, section)) {
    const found = body?.find((node) => node.body === null && node.words[0] === setting);
    if (found !== undefined) return found.words.slice(1).join(' ') || 'yes';
  }
  return undefined;
}
