import { Module, type DynamicModule } from '@nestjs/common';
import { Workers } from './workers';

/** Gives every module the processes that serve this port together. */
@Module({})
export class WorkersModule {
  static forRoot(workers: Workers): DynamicModule {
    return {
      module: WorkersModule,
      global: true,
      providers: [{ provide: Workers, useValue: workers }],
      exports: [Workers],
    };
  }
}
