// Mutants that survive and may: each changes nothing that anybody could see, for the reason given. Matched by the
// text of the source, not by line; one that matches nothing, or is killed after all, is reported, so that it goes.

export interface Accepted {
  readonly file: string;
  /** The top-level function or constant that it is in. */
  readonly within: string;
  readonly original: string;
  readonly replacement: string;
  readonly reason: string;
}

export const accepted: readonly Accepted[] = [];
