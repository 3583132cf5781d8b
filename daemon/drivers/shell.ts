// Commands as a person pastes them into a POSIX shell.

/** A word as a POSIX shell reads it back. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export function shellLine(argv: readonly string[]): string {
  return argv.map(shellQuote).join(' ');
}

/** A text as an extended regular expression, such as pgrep's, takes it literally. */
export function asPattern(text: string): string {
  return text.replaceAll(/[.[\]{}()*+?^$|\\]/g, '\\$&');
}
