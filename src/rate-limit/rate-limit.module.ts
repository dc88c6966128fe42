import { Module, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { getOptionsToken, getStorageToken } from '@nestjs/throttler';
import { AraConfig, type RateLimitConfig } from '../config/ara-config';
import { RedisHaModule } from '../redis-ha/redis-ha.module';
import { ConnectStorage, connectThrottling } from './connect.guard';
import { MemoryRateLimiter } from './memory-rate-limiter';
import { RateLimitService } from './rate-limit.service';
import { RateLimiter } from './rate-limiter';
import { RedisRateLimiter } from './redis-rate-limiter';

const LIMITERS: Readonly<Record<RateLimitConfig['backend'], Type<RateLimiter>>> = {
  local: MemoryRateLimiter,
  redis: RedisRateLimiter,
};

/** Token buckets for requests, connection attempts and messages. */
@Module({
  imports: [RedisHaModule],
  providers: [
    RateLimitService,
    {
      provide: RateLimiter,
      inject: [AraConfig, ModuleRef],
      // Off, nothing is ever taken, and no backend needs to be there.
      useFactory: ({ rateLimit: { enabled, backend } }: AraConfig, moduleRef: ModuleRef): Promise<RateLimiter> =>
        moduleRef.create(LIMITERS[enabled ? backend : 'local']),
    },
    { provide: getOptionsToken(), inject: [AraConfig], useFactory: connectThrottling },
    { provide: getStorageToken(), useClass: ConnectStorage },
  ],
  exports: [RateLimitService, getOptionsToken(), getStorageToken()],
})
export class RateLimitModule {}
