import { Injectable } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { RedisHaService } from '../redis-ha/redis-ha.service';
import { encodeKeyPart } from '../redis-ha/redis-key';
import { RedisScript } from '../redis-ha/redis-script';
import { type Counter, Metrics } from '../telemetry/metrics';
import { MemoryRateLimiter } from './memory-rate-limiter';
import { type BucketKey, RateLimiter } from './rate-limiter';
import type { BucketRule, Decision } from './token-bucket';

const TAKE = RedisScript.fromFiles(__dirname, 'bucket-take.lua');

/**
 * Buckets in Redis (7.0 or later), one for all nodes; exact, one round trip. While Redis cannot be reached, each node
 * decides by a bucket of its own and counts that: then a client of n nodes has up to n times its limit.
 */
@Injectable()
export class RedisRateLimiter extends RateLimiter {
  readonly #local = new MemoryRateLimiter();
  readonly #prefix: string;
  readonly #fallbacks: Counter;

  constructor(
    private readonly redis: RedisHaService,
    { rateLimit }: AraConfig,
    metrics: Metrics,
  ) {
    super();
    this.#prefix = rateLimit.redisPrefix;
    this.#fallbacks = metrics.counter(
      'ara_ratelimit_fallbacks_total',
      "Decisions by this node's own buckets, because Redis could not be reached",
    );
  }

  async take(key: BucketKey, rule: BucketRule, now: number): Promise<Decision> {
    const { capacity, refillTokens, refillPeriodMs } = rule;
    try {
      const bucket = `${this.#prefix}:${key.kind}:${encodeKeyPart(key.id)}`;
      const answer = await this.redis.run('ratelimit_take', (redis) =>
        TAKE.run(redis, [bucket], [capacity, refillTokens, refillPeriodMs]),
      );
      const [allowed, parts] = answer as [number, number];
      return decisionOf(allowed === 1, parts, rule, now);
    } catch {
      this.#fallbacks.inc();
      return this.#local.take(key, rule, now);
    }
  }

  /** Redis forgets its buckets by itself. */
  sweep(now: number): void {
    this.#local.sweep(now);
  }
}

/** @param parts left in the bucket; a token is as many as its period has milliseconds */
function decisionOf(allowed: boolean, parts: number, rule: BucketRule, now: number): Decision {
  const { capacity, refillTokens, refillPeriodMs } = rule;
  const msUntil = (wanted: number): number => Math.ceil((wanted - parts) / refillTokens);
  return {
    allowed,
    limit: refillTokens,
    remaining: Math.floor(parts / refillPeriodMs),
    resetSeconds: Math.ceil((now + msUntil(capacity * refillPeriodMs)) / 1000),
    retryAfterSeconds: allowed ? 0 : Math.max(1, Math.ceil(msUntil(refillPeriodMs) / 1000)),
  };
}
