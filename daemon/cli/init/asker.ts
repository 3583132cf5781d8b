// Asks the operator what cannot be known: a flag answers first; then, where nobody is asked, what stands in brackets.
// A bad answer is told what is wrong with it and asked for again. Whoever stops here leaves nothing behind.

import { BattitoError, exitCodes } from '../../errors.ts';
import { usageError } from '../arguments.ts';
import type { Arguments, Command } from '../command.ts';
import { text, texts } from '../command.ts';
import type { Output } from '../output.ts';
import type { Answer, Reader } from './answer.ts';
import type { Host } from './host.ts';

export interface Question<Value> {
  readonly flag: string;
  readonly prompt: string;
  /** In brackets; null: only the operator knows. */
  readonly otherwise: string | null;
  /** It is known, so it is not asked. */
  readonly sure?: boolean;
  readonly read: Reader<Value>;
  /** What the flag says of this question, where it is given once for each of several. */
  readonly given?: string | undefined;
}

export interface Asker {
  /** `blank` stands for an answer that is missing, until `finish` tells of all that are. */
  ask<Value>(question: Question<Value>, blank: Value): Promise<Value>;
  /** @throws BattitoError `usage`, naming the flag of every question that has no answer */
  finish(): void;
}

/** What a plan is made with. */
export interface Asked {
  readonly command: Command;
  readonly args: Arguments;
  readonly asker: Asker;
  readonly host: Pick<Host, 'resolve' | 'guests'>;
}

export interface AskerOptions {
  readonly command: Command;
  readonly args: Arguments;
  readonly output: Output;
  /** Absent: nobody is asked. */
  readonly ask: ((question: string) => Promise<string>) | undefined;
}

export function createAsker({ command, args, output, ask }: AskerOptions): Asker {
  const missing: string[] = [];

  async function answerTo(prompt: string): Promise<string> {
    if (ask === undefined) throw new Error('broken invariant: nobody is there to be asked');
    try {
      return (await ask(prompt)).trim();
    } catch (cause) {
      // readline's word for Ctrl-C and for the end of the input.
      if ((cause as Error).name === 'AbortError') throw stopped(cause);
      throw cause;
    }
  }

  return {
    async ask(question, blank) {
      const { flag, prompt, otherwise, read, sure = false } = question;
      const given = 'given' in question ? question.given : flagText(args, flag);
      if (given !== undefined) {
        const answer = read(given);
        if ('problem' in answer) throw usageError(`--${flag}: ${answer.problem}`, command);
        return answer.value;
      }
      if (otherwise !== null && (sure || ask === undefined)) {
        const answer = read(otherwise);
        if ('value' in answer) return answer.value;
      }
      if (ask === undefined) {
        missing.push(`--${flag} is missing: ${prompt}`);
        return blank;
      }
      for (;;) {
        const words = await answerTo(`${prompt}${otherwise === null ? '' : ` [${otherwise}]`}: `);
        const answer = words === '' ? emptyAnswer(otherwise, read) : read(words);
        if ('value' in answer) return answer.value;
        output.line(`  ${answer.problem}`);
      }
    },
    finish() {
      if (missing.length === 0) return;
      throw new BattitoError('usage', missing.join('\n'), {
        exitCode: exitCodes.usage,
        next: 'give what is missing, or leave out --yes at a terminal to be asked; `battito init --help` has all flags',
      });
    },
  };
}

function emptyAnswer<Value>(otherwise: string | null, read: Reader<Value>): Answer<Value> {
  return otherwise === null ? { problem: 'this cannot be known here; an answer is needed' } : read(otherwise);
}

function flagText(args: Arguments, flag: string): string | undefined {
  const several = texts(args, flag);
  return several.length > 0 ? several.join(',') : text(args, flag);
}

export const stopped = (cause?: unknown) =>
  new BattitoError('init-stopped', 'stopped before the end; nothing was written', {
    next: '`battito init` begins again',
    cause,
  });
