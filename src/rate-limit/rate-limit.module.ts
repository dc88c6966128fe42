import { Module } from '@nestjs/common';
import { getOptionsToken, getStorageToken } from '@nestjs/throttler';
import { AraConfig, type RateLimitConfig } from '../config/ara-config';
import { ConnectStorage, connectThrottling } from './connect.guard';
import { MemoryRateLimiter } from './memory-rate-limiter';
import { RateLimitService } from './rate-limit.service';
import { RateLimiter } from './rate-limiter';

const LIMITERS: Partial<Record<RateLimitConfig['backend'], () => RateLimiter>> = {
  local: () => new MemoryRateLimiter(),
};

/** Token buckets for requests, connection attempts and messages. */
@Module({
  providers: [
    RateLimitService,
    {
      provide: RateLimiter,
      inject: [AraConfig],
      useFactory: ({ rateLimit: { backend } }: AraConfig): RateLimiter => {
        const limiter = LIMITERS[backend];
        if (limiter === undefined) throw new Error(`RATELIMIT_BACKEND=${backend} is not available in this build`);
        return limiter();
      },
    },
    { provide: getOptionsToken(), inject: [AraConfig], useFactory: connectThrottling },
    { provide: getStorageToken(), useClass: ConnectStorage },
  ],
  exports: [RateLimitService, getOptionsToken(), getStorageToken()],
})
export class RateLimitModule {}
