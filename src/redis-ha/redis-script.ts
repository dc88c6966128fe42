import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RedisClient } from './redis-client';

/**
 * A Lua script that Redis runs as one step. It is sent once per server and then called by its hash; a server that has
 * forgotten it (restart, SCRIPT FLUSH, failover) gets it again.
 */
export class RedisScript {
  readonly #source: string;
  readonly #hash: string;

  constructor(source: string) {
    this.#source = source;
    this.#hash = createHash('sha1').update(source).digest('hex');
  }

  /** Reads the files of a folder, put together in this order: what several scripts share comes first. */
  static fromFiles(folder: string, ...names: readonly string[]): RedisScript {
    return new RedisScript(names.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n'));
  }

  /** All keys must lie in one slot when Redis is a cluster. */
  async run(
    redis: Pick<RedisClient, 'evalsha' | 'eval'>,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    try {
      return await redis.evalsha(this.#hash, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return redis.eval(this.#source, keys.length, ...keys, ...args);
    }
  }
}
