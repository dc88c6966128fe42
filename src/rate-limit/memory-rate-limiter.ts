import { RateLimiter, type BucketKey, type BucketKind } from './rate-limiter';
import { TokenBucket, type BucketRule, type Decision } from './token-bucket';

/** Buckets per kind, some 200 bytes each: 20 MB if every kind were full. */
const MAX_BUCKETS = 32_768;

/** Buckets of this process. O(1) per decision; a sweep is O(buckets). */
export class MemoryRateLimiter extends RateLimiter {
  readonly #tables: Readonly<Record<BucketKind, BucketTable>>;

  constructor(maxBucketsPerKind = MAX_BUCKETS) {
    super();
    const table = (): BucketTable => new BucketTable(maxBucketsPerKind);
    this.#tables = { 'api-key': table(), address: table(), connect: table() };
  }

  take({ kind, id }: BucketKey, rule: BucketRule, now: number): Decision {
    return this.#tables[kind].bucket(id, rule, now).decide(now);
  }

  sweep(now: number): void {
    for (const table of Object.values(this.#tables)) table.sweep(now);
  }

  /** Buckets kept. */
  get size(): number {
    return Object.values(this.#tables).reduce((sum, table) => sum + table.size, 0);
  }
}

/**
 * Buckets of one kind, the least recently used first, which is the one that gives way when the table is full.
 *
 * Giving way means a full bucket on return, so somebody who owns very many addresses could be let in more often than the
 * rule says. It does not pay: the table forgets an address only after as many others as it has room for came later,
 * each of which could have had an allowance of its own. The other way, letting newcomers start with what the forgotten
 * ones had left, would keep the rule to the letter and let such a flood shut out every client not seen before. A client
 * that is being limited asks often, and who asks often is not forgotten.
 */
class BucketTable {
  readonly #buckets = new Map<string, TokenBucket>();
  /** The one used last, which needs no new place: most services have one back end. */
  #latest: { readonly id: string; readonly bucket: TokenBucket } | undefined;

  constructor(private readonly max: number) {}

  get size(): number {
    return this.#buckets.size;
  }

  bucket(id: string, rule: BucketRule, now: number): TokenBucket {
    if (this.#latest?.id === id) return this.#latest.bucket;
    let bucket = this.#buckets.get(id);
    if (bucket !== undefined) this.#buckets.delete(id);
    else {
      bucket = new TokenBucket(rule, now);
      if (this.#buckets.size >= this.max) this.#evictOldest();
    }
    this.#buckets.set(id, bucket);
    this.#latest = { id, bucket };
    return bucket;
  }

  /** A full bucket and no bucket are the same, so forgetting one is never seen, however long it was idle. */
  sweep(now: number): void {
    for (const [id, bucket] of this.#buckets) {
      if (bucket.isFull(now)) this.#buckets.delete(id);
    }
    this.#latest = undefined;
  }

  #evictOldest(): void {
    for (const id of this.#buckets.keys()) {
      this.#buckets.delete(id);
      return;
    }
  }
}
