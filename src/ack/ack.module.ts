import { Module, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AraConfig, type StoreBackend } from '../config/ara-config';
import { PostgresModule } from '../postgres/postgres.module';
import { RedisHaModule } from '../redis-ha/redis-ha.module';
import { MemoryAckStore } from './memory-ack.store';
import { PostgresAckStore } from './postgres-ack.store';
import { AckMetrics } from './ack.metrics';
import { AckService } from './ack.service';
import { RedisAckStore } from './redis-ack.store';
import { GroupAcks } from './group-acks';
import { NullAckStore, AckStore } from './ack-store';

/** The only place that knows the backends; each store's constructor asks for what it needs. */
const STORES: Readonly<Record<StoreBackend, Type<AckStore>>> = {
  memory: MemoryAckStore,
  redis: RedisAckStore,
  postgres: PostgresAckStore,
};

/** Acknowledgements. */
@Module({
  imports: [PostgresModule, RedisHaModule],
  providers: [
    AckMetrics,
    AckService,
    GroupAcks,
    {
      provide: AckStore,
      inject: [AraConfig, ModuleRef],
      useFactory: async ({ ack }: AraConfig, moduleRef: ModuleRef): Promise<AckStore> => {
        return ack.enabled ? moduleRef.create(STORES[ack.backend]) : new NullAckStore();
      },
    },
  ],
  exports: [AckService],
})
export class AckModule {}
