// What a command of `battito` is: its description, from which the help is made, and what it does.

import type { ControlClient } from './client.ts';
import type { Output } from './output.ts';

export interface OptionSpec {
  readonly type: 'boolean' | 'string';
  /** Name of the value in the help, e.g. `NODE`; only with type string. */
  readonly value?: string;
  /** The value may be left out, and is '' then; it is given as `--name=VALUE` only. */
  readonly valueOptional?: boolean;
  readonly help: string;
  /** May be given several times. */
  readonly multiple?: boolean;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

export interface Arguments {
  readonly positionals: readonly string[];
  readonly options: Readonly<Record<string, boolean | string | readonly string[] | undefined>>;
}

/** Where this node's files are, from the options that every command takes. */
export interface Settings {
  readonly configPath: string;
  readonly node: string;
  readonly stateDir: string;
  readonly socketPath: string;
}

/** What a command may use of the world; a test gives its own. */
export interface Context {
  readonly settings: Settings;
  readonly output: Output;
  readonly client: ControlClient;
  /** Asks the operator; absent where there is no terminal to answer at. */
  readonly ask?: (question: string) => Promise<string>;
  /** Milliseconds between two looks at the daemon. */
  readonly pollMs: number;
  /** Resolves when the operator interrupts (Ctrl-C, SIGTERM) while `work` runs; its signal is aborted then. */
  readonly interruptible: <T>(work: (signal: AbortSignal) => Promise<T>) => Promise<T>;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** The ways to write it, without `battito`. */
  readonly usage: readonly string[];
  /** Paragraphs for its own help. */
  readonly description: readonly string[];
  readonly options: OptionSpecs;
  readonly examples: readonly { readonly command: string; readonly meaning: string }[];
  /** What this command's exit codes mean, besides those that every command has. */
  readonly exitCodes: Readonly<Record<number, string>>;
  /** How many words it takes after its name. */
  readonly positionalsMax: number;
  readonly run: (context: Context, args: Arguments) => Promise<number>;
}

export const jsonOption = { type: 'boolean', help: 'answer in JSON, errors too' } as const;

export function flag(args: Arguments, name: string): boolean {
  return args.options[name] === true;
}

export function text(args: Arguments, name: string): string | undefined {
  const value = args.options[name];
  return typeof value === 'string' ? value : undefined;
}

export function texts(args: Arguments, name: string): readonly string[] {
  const value = args.options[name];
  return Array.isArray(value) ? value : [];
}
