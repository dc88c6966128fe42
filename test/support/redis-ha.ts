import { AraConfig, type RedisConfig, type StoreConfig } from '../../src/config/ara-config';
import { RedisHaService } from '../../src/redis-ha/redis-ha.service';
import { SystemClock } from '../../src/runtime/system-clock';
import { Metrics } from '../../src/telemetry/metrics';

interface Slices {
  readonly redis?: Partial<RedisConfig>;
  readonly store?: Partial<StoreConfig>;
  readonly queue?: Partial<AraConfig['queue']>;
  readonly ack?: Partial<AraConfig['ack']>;
  readonly rateLimit?: Partial<AraConfig['rateLimit']>;
}

/** The slices of the configuration that Redis' parts read, with the service's own defaults. */
export function redisConfig(url: string, { redis, store, queue, ack, rateLimit }: Slices = {}): AraConfig {
  const backoff = { backoffInitialMs: 100, backoffMaxMs: 30_000 };
  const breaker = { breakerFailureThreshold: 5, breakerSuccessThreshold: 2, breakerResetSeconds: 30 };
  return Object.assign(Object.create(AraConfig.prototype) as AraConfig, {
    redis: { url, ...backoff, ...breaker, ...redis },
    store: { timeoutMs: 1000, bootTimeoutSeconds: 15, ...store },
    queue: { redisPrefix: 'ara:queue', redisWait: 0, maxSizePerUser: 100, ...queue },
    ack: { redisPrefix: 'ara:ack', ...ack },
    rateLimit: { redisPrefix: 'ara:ratelimit', ...rateLimit },
  });
}

/** Redis as the service reaches it; `onApplicationShutdown` ends it. */
export function redisHa(config: AraConfig | string, metrics = new Metrics()): RedisHaService {
  return new RedisHaService(typeof config === 'string' ? redisConfig(config) : config, new SystemClock(), metrics);
}
