import { Module, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AraConfig, type StoreBackend } from '../config/ara-config';
import { PostgresModule } from '../postgres/postgres.module';
import { RedisHaModule } from '../redis-ha/redis-ha.module';
import { MemoryQueueStore } from './memory-queue.store';
import { PostgresQueueStore } from './postgres-queue.store';
import { QueueMetrics } from './queue.metrics';
import { QueueService } from './queue.service';
import { RedisQueueStore } from './redis-queue.store';
import { NullQueueStore, QueueStore } from './queue-store';

/** The only place that knows the backends; each store's constructor asks for what it needs. */
const STORES: Readonly<Record<StoreBackend, Type<QueueStore>>> = {
  memory: MemoryQueueStore,
  redis: RedisQueueStore,
  postgres: PostgresQueueStore,
};

/** The offline queue. */
@Module({
  imports: [PostgresModule, RedisHaModule],
  providers: [
    QueueMetrics,
    QueueService,
    {
      provide: QueueStore,
      inject: [AraConfig, ModuleRef],
      useFactory: async ({ queue }: AraConfig, moduleRef: ModuleRef): Promise<QueueStore> => {
        return queue.enabled ? moduleRef.create(STORES[queue.backend]) : new NullQueueStore();
      },
    },
  ],
  exports: [QueueService],
})
export class QueueModule {}
