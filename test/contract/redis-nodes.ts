import type { AraConfig } from '../../src/config/ara-config';
import type { RedisHaService } from '../../src/redis-ha/redis-ha.service';
import { redisConfig, redisHa } from '../support/redis-ha';
import type { RedisServer } from '../support/redis-server';

/** Two nodes over one Redis, which lives as long as the `describe` that this is made in. */
export class RedisNodes {
  #server: RedisServer | undefined;
  #redis: RedisHaService[] = [];
  #prefixes = 0;

  constructor(start: () => Promise<RedisServer>) {
    beforeAll(async () => {
      const server = await start();
      this.#server = server;
      this.#redis = [redisHa(server.url), redisHa(server.url)];
    });
    afterAll(async () => {
      for (const each of this.#redis) each.onApplicationShutdown();
      await this.#server?.close();
    });
  }

  /** A store for each node; every call sees an empty Redis of its own, which is a prefix. */
  stores<Store>(make: (redis: RedisHaService, config: AraConfig) => Store): Promise<readonly [Store, ...Store[]]> {
    const redisPrefix = `test:${this.#prefixes++}`;
    const config = redisConfig('', { queue: { redisPrefix }, ack: { redisPrefix } });
    const [first, ...others] = this.#redis.map((redis) => make(redis, config));
    return first === undefined ? Promise.reject(new Error('no Redis')) : Promise.resolve([first, ...others]);
  }
}
