// What a code means to a person, in three short texts.

export interface Explanation {
  /** What is so. */
  readonly means: string;
  /** How it comes to that. */
  readonly because: string;
  /** What a person does about it. */
  readonly next: string;
}

export function explained(means: string, because: string, next: string): Explanation {
  return { means, because, next };
}
