// What the command lines of the benches share: lists of names, whole numbers, and how a bench is begun from its words.

/** The names of an option that may be given again, and that takes several at once, divided by commas. */
export const splitNames = (texts: readonly string[] | undefined): readonly string[] =>
  (texts ?? []).flatMap((names) => names.split(',')).filter((name) => name !== '');

/** @throws Error that says what is wrong with the text. */
export function wholeNumber(option: string, text: string, min: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < min)
    throw new Error(`${option}: a whole number from ${min}, not ${JSON.stringify(text)}`);
  return value;
}

export interface BenchCommand<Options> {
  readonly usage: string;
  /** @throws Error that says what is wrong with the words. */
  parse(words: readonly string[]): Options | 'help';
  /** False: something could not be measured. */
  run(options: Options): Promise<boolean>;
}

/** @returns the exit code: 1 when something could not be measured, 64 when the command line was wrong. */
export async function runBenchCommand<Options>(
  words: readonly string[],
  { usage, parse, run }: BenchCommand<Options>,
): Promise<number> {
  let options: Options | 'help';
  try {
    options = parse(words);
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
    return 64;
  }
  if (options === 'help') {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  return (await run(options)) ? 0 : 1;
}
