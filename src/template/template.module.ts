import { Module, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AraConfig, type StoreBackend } from '../config/ara-config';
import { PostgresModule } from '../postgres/postgres.module';
import { RedisHaModule } from '../redis-ha/redis-ha.module';
import { MemoryTemplateStore } from './memory-template.store';
import { PostgresTemplateStore } from './postgres-template.store';
import { RedisTemplateStore } from './redis-template.store';
import { TemplateService } from './template.service';
import { TemplateStore } from './template-store';

/** The only place that knows the backends; each store's constructor asks for what it needs. */
const STORES: Readonly<Record<StoreBackend, Type<TemplateStore>>> = {
  memory: MemoryTemplateStore,
  redis: RedisTemplateStore,
  postgres: PostgresTemplateStore,
};

@Module({
  imports: [PostgresModule, RedisHaModule],
  providers: [
    {
      provide: TemplateStore,
      inject: [AraConfig, ModuleRef],
      useFactory: (config: AraConfig, moduleRef: ModuleRef): Promise<TemplateStore> =>
        moduleRef.create(STORES[config.template.backend]),
    },
    TemplateService,
  ],
  exports: [TemplateService],
})
export class TemplateModule {}
