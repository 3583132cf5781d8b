// Text as man(7) takes it.

/** Words of a line: nothing in them is taken for a request, and a hyphen stays the one that can be typed. */
export function plain(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll('…', '...')
    .replace(/^\./gm, '\\&.');
}

/** As `plain`; what stands between backquotes becomes bold. */
export function prose(text: string): string {
  return plain(text).replaceAll(/`([^`]+)`/g, '\\fB$1\\fR');
}

export interface Heading {
  readonly version: string;
  /** YYYY-MM-DD. */
  readonly date: string;
}

export function title(name: string, section: number, { version, date }: Heading): string {
  return `.TH "${plain(name.toUpperCase())}" ${section} "${date}" "Battito ${version}" "Battito"`;
}

export function section(name: string): string {
  return `.SH "${plain(name)}"`;
}

export function subsection(name: string): string {
  return `.SS "${plain(name)}"`;
}

export function paragraph(text: string): string[] {
  return ['.PP', prose(text)];
}

/** A word and what it means. `word` is in bold, the rest of the line in italics. */
export function item(word: string, rest: string, meaning: string): string[] {
  const tag = rest === '' ? '' : ` \\fI${plain(rest)}\\fR`;
  return ['.TP', `\\fB${plain(word)}\\fR${tag}`, prose(meaning)];
}

/** Lines as they are. */
export function verbatim(lines: readonly string[]): string[] {
  return ['.PP', '.RS 4', '.nf', ...lines.map((line) => plain(line) || '\\&'), '.fi', '.RE'];
}
