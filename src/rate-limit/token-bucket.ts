/** How many at once, and how many per time after that. Whole numbers above 0. */
export interface BucketRule {
  readonly capacity: number;
  /** Tokens that come back per period; what `X-RateLimit-Limit` announces. */
  readonly refillTokens: number;
  readonly refillPeriodMs: number;
}

/** What came of asking a bucket for one token. */
export interface Decision {
  readonly allowed: boolean;
  readonly limit: number;
  /** Whole tokens left. */
  readonly remaining: number;
  /** Unix seconds at which the bucket will be full again, if nobody takes more. */
  readonly resetSeconds: number;
  /** Seconds until a token is there; 0 when allowed, else at least 1. */
  readonly retryAfterSeconds: number;
}

/**
 * A token bucket. Starts full; never lets through more than `capacity` + refill × time in any span of time. O(1).
 *
 * It counts in parts of a token: one token is as many parts as its period has milliseconds, and each millisecond brings
 * `refillTokens` parts. So every sum is one of whole numbers: nothing is lost by rounding, however odd the rate.
 */
export class TokenBucket {
  readonly #rule: BucketRule;
  #parts: number;
  #at: number;

  /** `now` here and below: whole milliseconds since 1970. */
  constructor(rule: BucketRule, now: number) {
    this.#rule = rule;
    this.#parts = rule.capacity * rule.refillPeriodMs;
    this.#at = now;
  }

  /** Takes one token, if there is one. */
  take(now: number): boolean {
    const { refillPeriodMs } = this.#rule;
    if (this.#refill(now) < refillPeriodMs) return false;
    this.#parts -= refillPeriodMs;
    return true;
  }

  /** Takes one token, if there is one, and says how things stand. */
  decide(now: number): Decision {
    const { refillTokens, refillPeriodMs } = this.#rule;
    const allowed = this.take(now);
    const msUntil = (parts: number): number => Math.ceil((parts - this.#parts) / refillTokens);
    return {
      allowed,
      limit: refillTokens,
      remaining: Math.floor(this.#parts / refillPeriodMs),
      resetSeconds: Math.ceil((now + msUntil(this.#full)) / 1000),
      retryAfterSeconds: allowed ? 0 : Math.max(1, Math.ceil(msUntil(refillPeriodMs) / 1000)),
    };
  }

  /** A full bucket is the same as a new one. */
  isFull(now: number): boolean {
    return this.#refill(now) === this.#full;
  }

  /** A clock that was set back brings nothing, and time goes on from there. */
  #refill(now: number): number {
    const elapsed = Math.max(0, now - this.#at);
    this.#parts = Math.min(this.#full, this.#parts + elapsed * this.#rule.refillTokens);
    this.#at = now;
    return this.#parts;
  }

  get #full(): number {
    return this.#rule.capacity * this.#rule.refillPeriodMs;
  }
}
