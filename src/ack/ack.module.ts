import { Module, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AraConfig, type StoreBackend } from '../config/ara-config';
import { MemoryAckStore } from './memory-ack.store';
import { AckMetrics } from './ack.metrics';
import { AckService } from './ack.service';
import { GroupAcks } from './group-acks';
import { NullAckStore, AckStore } from './ack-store';

/** The only place that knows the backends; each store's constructor asks for what it needs. */
const STORES: Partial<Record<StoreBackend, Type<AckStore>>> = {
  memory: MemoryAckStore,
};

/** Acknowledgements. */
@Module({
  providers: [
    AckMetrics,
    AckService,
    GroupAcks,
    {
      provide: AckStore,
      inject: [AraConfig, ModuleRef],
      useFactory: async ({ ack }: AraConfig, moduleRef: ModuleRef): Promise<AckStore> => {
        const store = STORES[ack.backend];
        if (!ack.enabled || store === undefined) return new NullAckStore();
        return moduleRef.create(store);
      },
    },
  ],
  exports: [AckService],
})
export class AckModule {}
