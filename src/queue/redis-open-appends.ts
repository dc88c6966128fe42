import { Logger } from '@nestjs/common';
import type { RedisHaService } from '../redis-ha/redis-ha.service';
import { RedisScript } from '../redis-ha/redis-script';
import { type Append, DEDUPE_SECONDS } from './queue-store';
import type { RedisQueueKeys } from './redis-queue.keys';

const CLAIM = RedisScript.fromFiles(__dirname, 'queue-claim.lua');
/** Claims of others that are watched at once. What is beyond is left to the other nodes that heard the same. */
const MAX_WATCHED = 10_000;

/**
 * Makes claim and append of a dedupe key one thing in a Redis Cluster, where no script can do both.
 *
 * The claim carries the whole append until all of it is stored. Whoever finds it claimed is a duplicate, but looks again
 * after the time in which the claimant must have finished: is it still open, the claimant died, and the append is
 * completed here, under the claimant's notification id. So a message that several nodes heard is stored for all of its
 * users or, should each of these nodes die within that time, for some. Completing twice changes nothing, unless a user
 * received and committed the entry in between: then it comes once more, with the same id.
 */
export class OpenAppends {
  private readonly logger = new Logger(OpenAppends.name);
  readonly #graceMs: number;
  readonly #watched = new Map<string, NodeJS.Timeout>();

  constructor(
    private readonly redis: RedisHaService,
    private readonly keys: RedisQueueKeys,
    timeoutMs: number,
    private readonly complete: (append: Append) => Promise<void>,
  ) {
    this.#graceMs = 2 * timeoutMs;
  }

  /** True when the append is the caller's to do: it has no dedupe key, or nobody had claimed it. */
  async claim(append: Append, now: number): Promise<boolean> {
    if (append.dedupeKey === undefined) return true;
    const key = this.keys.claim(append.tenant, append.dedupeKey);
    const claimed = await this.redis.run('queue_claim', (redis) =>
      CLAIM.run(redis, [key], [now, DEDUPE_SECONDS * 1000, JSON.stringify({ ...append, present: [] })]),
    );
    if (!Array.isArray(claimed)) return true;
    const [at, open] = claimed as [string, string];
    if (open === '') return false;
    if (now - Number(at) >= this.#graceMs) await this.#finishFor(key, open);
    else this.#watch(key);
    return false;
  }

  /** All of it is stored. */
  async finish({ tenant, dedupeKey }: Append): Promise<void> {
    if (dedupeKey === undefined) return;
    await this.#release(this.keys.claim(tenant, dedupeKey));
  }

  /** Looks at what is still watched, now. */
  async close(): Promise<void> {
    const keys = [...this.#watched.keys()];
    for (const timer of this.#watched.values()) clearTimeout(timer);
    this.#watched.clear();
    await Promise.all(keys.map((key) => this.#check(key)));
  }

  #watch(key: string): void {
    if (this.#watched.has(key) || this.#watched.size >= MAX_WATCHED) return;
    const timer = setTimeout(() => {
      this.#watched.delete(key);
      void this.#check(key);
    }, this.#graceMs);
    this.#watched.set(key, timer.unref());
  }

  async #check(key: string): Promise<void> {
    try {
      const open = await this.redis.run('queue_claim', (redis) => redis.hget(key, 'append'));
      if (open !== null) await this.#finishFor(key, open);
    } catch (error) {
      this.logger.warn(`Could not complete the append of another node: ${error instanceof Error ? error.message : ''}`);
      this.#watch(key);
    }
  }

  async #finishFor(key: string, open: string): Promise<void> {
    const append = JSON.parse(open) as Append;
    await this.complete({ ...append, present: new Set() });
    await this.#release(key);
  }

  async #release(key: string): Promise<void> {
    await this.redis.run('queue_claim', (redis) => redis.hdel(key, 'append'));
  }
}
