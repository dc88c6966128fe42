import { Module } from '@nestjs/common';
import { DispatchModule } from '../dispatch/dispatch.module';
import { RedisHaModule } from '../redis-ha/redis-ha.module';
import { IngestStreamService } from './ingest-stream.service';
import { Occurrences } from './occurrences';
import { RedisTriggerService } from './redis-trigger.service';
import { TriggerIntake } from './trigger-intake';

/** Redis as a door: notifications that back ends publish or write into a stream. */
@Module({
  imports: [DispatchModule, RedisHaModule],
  providers: [IngestStreamService, Occurrences, RedisTriggerService, TriggerIntake],
})
export class RedisTriggerModule {}
