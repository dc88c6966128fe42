export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
}

/**
 * Milliseconds to wait before an attempt, counted from 0: doubling from `initialMs`, plus up to one `initialMs` at
 * random so that many clients do not come back at once, at most `maxMs`.
 */
export function backoffMs(attempt: number, { initialMs, maxMs }: BackoffOptions, random = Math.random): number {
  return Math.min(initialMs * 2 ** attempt + random() * initialMs, maxMs);
}
