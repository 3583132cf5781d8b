// What comes by the standard input, where a program asks and not a person.

/** More than `charactersMax` is not read to its end. */
export async function readInput(
  input: AsyncIterable<Buffer | string>,
  charactersMax: number,
): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of input) {
    parts.push(Buffer.from(part));
    size += part.length;
    if (size > charactersMax) break;
  }
  return Buffer.concat(parts).toString('utf8');
}
