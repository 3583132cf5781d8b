// The end of a switch that handles everything.

export function assertNever(value: never): never {
  throw new Error(`unhandled ${JSON.stringify(value)}`);
}
