import type { BucketRule, Decision } from './token-bucket';

/** Requests of a known API key, requests of an address, connection attempts of an address. Each kind has one rule for the life of the process. */
export type BucketKind = 'api-key' | 'address' | 'connect';

/** Whose bucket: a pair, so that no id of one kind can name a bucket of another. */
export interface BucketKey {
  readonly kind: BucketKind;
  readonly id: string;
}

/** Where token buckets are kept. */
export abstract class RateLimiter {
  /**
   * Takes one token from the key's bucket, which is full when it was never used. Atomic per key. Never throws or
   * rejects: a backend that cannot be reached decides otherwise. `now` is in milliseconds since 1970.
   */
  abstract take(key: BucketKey, rule: BucketRule, now: number): Decision | Promise<Decision>;

  /** Forgets buckets of this process that are full again. Called at intervals. */
  abstract sweep(now: number): void;
}
