import { Module, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AraConfig, type StoreBackend } from '../config/ara-config';
import { AraError } from '../notification/ara-error';
import { MemoryTemplateStore } from './memory-template.store';
import { TemplateService } from './template.service';
import { TemplateStore } from './template-store';

/** The only place that knows the backends; each store's constructor asks for what it needs. */
const STORES: Partial<Record<StoreBackend, Type<TemplateStore>>> = {
  memory: MemoryTemplateStore,
};

@Module({
  providers: [
    {
      provide: TemplateStore,
      inject: [AraConfig, ModuleRef],
      useFactory: (config: AraConfig, moduleRef: ModuleRef): Promise<TemplateStore> => {
        const { backend } = config.template;
        const store = STORES[backend];
        if (store === undefined) throw new AraError('CONFIG_ERROR', `TEMPLATE_BACKEND=${backend} is not available`);
        return moduleRef.create(store);
      },
    },
    TemplateService,
  ],
  exports: [TemplateService],
})
export class TemplateModule {}
