import { Logger } from '@nestjs/common';
import { redisConfig, redisHa } from '../../test/support/redis-ha';
import { type RedisServer, startRedis } from '../../test/support/redis-server';
import { until } from '../../test/support/until';
import type { RedisHaService } from '../redis-ha/redis-ha.service';
import { Metrics } from '../telemetry/metrics';
import type { BucketKey } from './rate-limiter';
import { RedisRateLimiter } from './redis-rate-limiter';

const RULE = { capacity: 20, refillTokens: 10, refillPeriodMs: 1000 };

Logger.overrideLogger(false);

describe('RedisRateLimiter', () => {
  let server: RedisServer;
  let nodes: RedisHaService[];
  const metrics = new Metrics();

  beforeAll(async () => {
    server = await startRedis();
    const config = redisConfig(server.url, { redis: { backoffInitialMs: 20 } });
    nodes = [redisHa(config), redisHa(config)];
  });

  afterAll(async () => {
    for (const node of nodes) node.onApplicationShutdown();
    await server.close();
  });

  function limiter(node = 0): RedisRateLimiter {
    const config = redisConfig(server.url, { rateLimit: { redisPrefix: 'test:limit' } });
    return new RedisRateLimiter(nodes[node]!, config, metrics);
  }

  const take = async (from: RedisRateLimiter, key: BucketKey, rule = RULE, times = 1): Promise<number> => {
    const decisions = await Promise.all(Array.from({ length: times }, () => from.take(key, rule, Date.now())));
    return decisions.filter(({ allowed }) => allowed).length;
  };

  it('shares one bucket among nodes: a burst, and then what comes back', async () => {
    const key: BucketKey = { kind: 'address', id: '2001:db8::1' };
    const startedAt = Date.now();
    let allowed = (await Promise.all([take(limiter(0), key, RULE, 50), take(limiter(1), key, RULE, 50)])).reduce(
      (sum, each) => sum + each,
    );
    expect(allowed).toBeGreaterThanOrEqual(20);
    const burstAt = Date.now();
    while (Date.now() - startedAt < 1500) {
      allowed += await take(limiter(allowed % 2), key);
      await new Promise((resolve) => setTimeout(resolve, 7));
    }
    const atLeast = (Date.now() - burstAt) / 1000;
    // Whatever came back while this process was slow.
    allowed += await take(limiter(), key, RULE, 50);
    const atMost = (Date.now() - startedAt) / 1000;
    // Exact: neither a token more than burst and refill, nor fewer than one less than that.
    expect(allowed).toBeLessThanOrEqual(20 + 10 * atMost);
    expect(allowed).toBeGreaterThan(20 + 10 * atLeast - 2);
  });

  it('says how things stand, in the words of the local one', async () => {
    const key: BucketKey = { kind: 'connect', id: '10.0.0.1' };
    const rule = { capacity: 2, refillTokens: 2, refillPeriodMs: 60_000 };
    const from = limiter();
    const now = Date.now();
    expect(await from.take(key, rule, now)).toEqual({
      allowed: true,
      limit: 2,
      remaining: 1,
      resetSeconds: Math.ceil((now + 30_000) / 1000),
      retryAfterSeconds: 0,
    });
    await from.take(key, rule, now);
    expect(await from.take(key, rule, now)).toMatchObject({ allowed: false, remaining: 0, retryAfterSeconds: 30 });
    // Another kind with the same name has a bucket of its own.
    expect(await take(from, { kind: 'address', id: '10.0.0.1' }, rule)).toBe(1);
  });

  it('is not fooled by the clocks of its nodes', async () => {
    const key: BucketKey = { kind: 'address', id: 'skewed' };
    const rule = { capacity: 1, refillTokens: 1, refillPeriodMs: 60_000 };
    expect((await limiter(0).take(key, rule, Date.now())).allowed).toBe(true);
    expect((await limiter(1).take(key, rule, Date.now() + 3_600_000)).allowed).toBe(false);
  });

  it('forgets a bucket that is full again', async () => {
    await take(limiter(), { kind: 'address', id: 'soon full' }, { capacity: 1, refillTokens: 1, refillPeriodMs: 100 });
    expect(await server.command('EXISTS', 'test:limit:address:soon%20full')).toBe(':1');
    await until(
      'it is forgotten',
      async () => (await server.command('EXISTS', 'test:limit:address:soon%20full')) === ':0',
    );
  });

  it('decides by a bucket of its own while Redis is away, counts that, and returns', async () => {
    const key: BucketKey = { kind: 'api-key', id: 'general' };
    const from = limiter();
    expect(await take(from, key, RULE, 30)).toBeGreaterThanOrEqual(20);
    await server.kill9();
    const startedAt = Date.now();
    const allowed = await take(from, key, RULE, 30);
    expect(allowed).toBeGreaterThanOrEqual(20);
    // What comes back while this process is slow.
    expect(allowed).toBeLessThanOrEqual(20 + (10 * (Date.now() - startedAt)) / 1000);
    expect(await metrics.render()).toContain('ara_ratelimit_fallbacks_total 30');
    await server.start();
    await until(
      'Redis decides again',
      async () =>
        (await server.command('EXISTS', 'test:limit:api-key:general')) === ':1' || (await take(from, key)) > 99,
    );
  });
});
