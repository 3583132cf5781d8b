// What the runtime asks of every outside thing. Drivers know nothing of each other nor of the core's decisions.

/** How an operation ended. `unknown`: its deadline passed or its result could not be told; never treated as done. */
export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'unknown'; readonly message: string };

/** What a resource is seen to be. What cannot be told is `unknown`, never `down`. */
export type ResourceStatus =
  | { readonly kind: 'down' }
  | { readonly kind: 'up' }
  | { readonly kind: 'paused' }
  | { readonly kind: 'unknown'; readonly message: string };

/**
 * start: bring it up (idempotent). stop: take it down in order (a guest: ACPI, then quit at its time).
 * destroy: take it down at once. freeze: stop it from acting, keep it resumable (a guest is paused, an address
 * removed). resume: undo freeze.
 */
export type ResourceAction = 'start' | 'stop' | 'destroy' | 'freeze' | 'resume';

/** One floating address, one guest, later one storage resource. */
export interface ResourceDriver {
  /** Looks at the real thing now. Rejects only when `signal` aborts. */
  observe(signal: AbortSignal): Promise<ResourceStatus>;
  /** Carries out one action; idempotent; an abort of `signal` ends it with `unknown`. Never rejects. */
  perform(action: ResourceAction, signal: AbortSignal): Promise<Outcome>;
  /** The same action as shell commands, in order, for --dry-run. */
  commands(action: ResourceAction): readonly string[];
  /** Stops watching and announcing. Leaves the resource as it is. */
  close(): Promise<void>;
}
