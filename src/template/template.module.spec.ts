import { Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { AraConfig } from '../config/ara-config';
import { loadConfig } from '../config/load-config';
import { Clock } from '../notification/clock';
import { Metrics } from '../telemetry/metrics';
import { MemoryTemplateStore } from './memory-template.store';
import { TemplateModule } from './template.module';
import { TemplateService } from './template.service';
import { TemplateStore } from './template-store';

@Global()
@Module({
  providers: [
    {
      provide: AraConfig,
      useValue: loadConfig({ env: { JWT_SECRET: 'x'.repeat(16) + 'y'.repeat(16) }, cwd: '/nowhere' }).config,
    },
    { provide: Metrics, useValue: new Metrics() },
    { provide: Clock, useValue: { now: () => 0 } },
  ],
  exports: [AraConfig, Clock, Metrics],
})
class PlatformModule {}

describe('TemplateModule', () => {
  it('gives the service the store of the configured backend, and opens and closes it', async () => {
    const module = await Test.createTestingModule({ imports: [PlatformModule, TemplateModule] }).compile();
    const store = module.get(TemplateStore, { strict: false });
    const open = jest.spyOn(store, 'open');
    const close = jest.spyOn(store, 'close');
    await module.init();
    expect(store).toBeInstanceOf(MemoryTemplateStore);
    expect(module.get(TemplateService, { strict: false })).toBeInstanceOf(TemplateService);
    expect(open).toHaveBeenCalledTimes(1);
    await module.close();
    expect(close).toHaveBeenCalledTimes(1);
  });
});
