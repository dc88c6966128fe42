import type { AraConfig, RateLimitConfig } from '../config/ara-config';
import { Clock } from '../notification/clock';
import { Metrics } from '../telemetry/metrics';
import { MemoryRateLimiter } from './memory-rate-limiter';
import { rateLimited, rateLimitHeaders } from './rate-limited';
import { RateLimitService } from './rate-limit.service';
import { RateLimiter, type BucketKey } from './rate-limiter';
import type { BucketRule, Decision } from './token-bucket';

const T0 = 1_800_000_000_000;

class SetClock extends Clock {
  ms = T0;

  now(): number {
    return this.ms;
  }
}

/** Answers later, as one behind a network does. */
class RemoteLimiter extends RateLimiter {
  readonly #local = new MemoryRateLimiter();

  async take(key: BucketKey, rule: BucketRule, now: number): Promise<Decision> {
    await Promise.resolve();
    return this.#local.take(key, rule, now);
  }

  sweep(now: number): void {
    this.#local.sweep(now);
  }
}

function build<L extends RateLimiter>(changes: Partial<RateLimitConfig>, limiter: L) {
  const rateLimit = {
    enabled: true,
    httpRequestsPerSecond: 2,
    httpBurst: 3,
    wsConnectionsPerMinute: 2,
    wsMessagesPerSecond: 2,
    cleanupSeconds: 60,
    ...changes,
  };
  const clock = new SetClock();
  const metrics = new Metrics();
  const service = new RateLimitService({ rateLimit } as unknown as AraConfig, limiter, clock, metrics);
  return { service, clock, metrics, limiter };
}

async function times<T>(n: number, act: () => T): Promise<Awaited<T>[]> {
  const results: Awaited<T>[] = [];
  for (let i = 0; i < n; i++) results.push(await act());
  return results;
}

describe.each([
  ['in this process', (): RateLimiter => new MemoryRateLimiter()],
  ['far away', (): RateLimiter => new RemoteLimiter()],
])('RateLimitService with buckets %s', (_where, limiter) => {
  it('allows requests up to the burst, and announces the rate', async () => {
    const { service } = build({}, limiter());
    const decisions = await times(4, () => service.request('general', '192.0.2.1'));
    expect(decisions.map((decision) => decision?.allowed)).toEqual([true, true, true, false]);
    expect(decisions[0]).toMatchObject({ limit: 2, remaining: 2 });
    expect(decisions[3]).toMatchObject({ limit: 2, remaining: 0, retryAfterSeconds: 1 });
  });

  it('counts a known key by the key, whatever its address, and all others by their address', async () => {
    const { service } = build({ httpBurst: 1 }, limiter());
    expect(await service.request('general', '192.0.2.1')).toMatchObject({ allowed: true });
    expect(await service.request('general', '192.0.2.2')).toMatchObject({ allowed: false });
    expect(await service.request(undefined, '192.0.2.1')).toMatchObject({ allowed: true });
    expect(await service.request(undefined, '192.0.2.1')).toMatchObject({ allowed: false });
    expect(await service.request('tenant:acme', '192.0.2.1')).toMatchObject({ allowed: true });
    expect(await service.request(undefined, 'general')).toMatchObject({ allowed: true });
  });

  it('allows connection attempts per minute, apart from requests, and sends the rest away for a minute', async () => {
    const { service, clock } = build({ httpBurst: 1 }, limiter());
    await service.request(undefined, '192.0.2.1');
    const [first, , third] = await times(3, () => service.connect('192.0.2.1'));
    expect(first).toMatchObject({ allowed: true, limit: 2, remaining: 1, retryAfterSeconds: 0 });
    expect(third).toMatchObject({ allowed: false, remaining: 0, retryAfterSeconds: 60 });
    clock.ms += 29_999;
    expect(await service.connect('192.0.2.1')).toMatchObject({ allowed: false });
    clock.ms += 1;
    expect(await service.connect('192.0.2.1')).toMatchObject({ allowed: true });
  });

  it('counts what it decided', async () => {
    const { service, metrics } = build({ httpBurst: 1 }, limiter());
    expect(await metrics.render()).toContain('ara_ratelimit_denied_total{type="ws"} 0');
    await times(3, () => service.request(undefined, 'a'));
    await times(4, () => service.connect('a'));
    const text = await metrics.render();
    expect(text).toContain('ara_ratelimit_allowed_total{type="http"} 1');
    expect(text).toContain('ara_ratelimit_denied_total{type="http"} 2');
    expect(text).toContain('ara_ratelimit_allowed_total{type="ws"} 2');
    expect(text).toContain('ara_ratelimit_denied_total{type="ws"} 2');
  });
});

describe('RateLimitService', () => {
  it('answers at once when the buckets are here: no promise on the way of a request', () => {
    const { service } = build({}, new MemoryRateLimiter());
    expect(service.request(undefined, 'a')).not.toBeInstanceOf(Promise);
    expect(service.connect('a')).not.toBeInstanceOf(Promise);
  });

  it('gives each connection messages of its own', () => {
    const { service } = build({}, new MemoryRateLimiter());
    const [one, two] = [service.messageBucket(), service.messageBucket()];
    expect([one.take(T0), one.take(T0), one.take(T0), two.take(T0)]).toEqual([true, true, false, true]);
    expect(one.take(T0 + 500)).toBe(true);
  });

  it('lets everything pass, and counts nothing, when it is off', async () => {
    const { service, metrics, limiter } = build({ enabled: false, httpBurst: 1 }, new MemoryRateLimiter());
    const bucket = service.messageBucket();
    for (let i = 0; i < 10; i++) {
      expect(service.request(undefined, 'a')).toBeUndefined();
      expect(service.connect('a')).toBeUndefined();
      expect(bucket.take(T0)).toBe(true);
    }
    expect(limiter.size).toBe(0);
    expect(await metrics.render()).toContain('ara_ratelimit_allowed_total{type="http"} 0');
  });

  it('sweeps at the configured interval from start to stop', () => {
    jest.useFakeTimers();
    try {
      const { service, clock, limiter } = build({ cleanupSeconds: 30 }, new MemoryRateLimiter());
      service.onModuleInit();
      void service.request(undefined, 'a');
      clock.ms += 60_000;
      jest.advanceTimersByTime(29_999);
      expect(limiter.size).toBe(1);
      jest.advanceTimersByTime(1);
      expect(limiter.size).toBe(0);
      service.onModuleDestroy();
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  it('starts no timer when it is off', () => {
    jest.useFakeTimers();
    try {
      build({ enabled: false }, new MemoryRateLimiter()).service.onModuleInit();
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });
});

describe('what a client is told', () => {
  const allowed = { allowed: true, limit: 100, remaining: 199, resetSeconds: 1_735_300_000, retryAfterSeconds: 0 };

  it('are the three headers, and Retry-After when it must wait', () => {
    expect(rateLimitHeaders(allowed)).toEqual({
      'X-RateLimit-Limit': '100',
      'X-RateLimit-Remaining': '199',
      'X-RateLimit-Reset': '1735300000',
    });
    expect(rateLimitHeaders({ ...allowed, allowed: false, remaining: 0, retryAfterSeconds: 60 })).toEqual({
      'X-RateLimit-Limit': '100',
      'X-RateLimit-Remaining': '0',
      'X-RateLimit-Reset': '1735300000',
      'Retry-After': '60',
    });
  });

  it('is an error with the time to wait', () => {
    expect(rateLimited({ retryAfterSeconds: 1 })).toMatchObject({
      reason: 'RATE_LIMITED',
      message: 'Too many requests, please retry after 1 seconds',
      retryAfterSeconds: 1,
    });
  });
});
