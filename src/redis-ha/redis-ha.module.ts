import { Module } from '@nestjs/common';
import { RedisHaService } from './redis-ha.service';

/** Redis, for those who ask for it: importing this opens nothing. */
@Module({ providers: [RedisHaService], exports: [RedisHaService] })
export class RedisHaModule {}
