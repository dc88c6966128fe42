import { Module, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AraConfig, type StoreBackend } from '../config/ara-config';
import { MemoryQueueStore } from './memory-queue.store';
import { QueueMetrics } from './queue.metrics';
import { QueueService } from './queue.service';
import { NullQueueStore, QueueStore } from './queue-store';

/** The only place that knows the backends; each store's constructor asks for what it needs. */
const STORES: Partial<Record<StoreBackend, Type<QueueStore>>> = {
  memory: MemoryQueueStore,
};

/** The offline queue. */
@Module({
  providers: [
    QueueMetrics,
    QueueService,
    {
      provide: QueueStore,
      inject: [AraConfig, ModuleRef],
      useFactory: async ({ queue }: AraConfig, moduleRef: ModuleRef): Promise<QueueStore> => {
        const store = STORES[queue.backend];
        if (!queue.enabled || store === undefined) return new NullQueueStore();
        return moduleRef.create(store);
      },
    },
  ],
  exports: [QueueService],
})
export class QueueModule {}
