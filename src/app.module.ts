import { type DynamicModule, Module } from '@nestjs/common';
import { ApiDocsModule } from './api-docs/api-docs.module';
import type { AraConfig } from './config/ara-config';
import { ConfigModule } from './config/config.module';
import { ProbeModule } from './probe/probe.module';
import { RealtimeModule } from './realtime/realtime.module';
import { RedisTriggerModule } from './redis-trigger/redis-trigger.module';
import { RestModule } from './rest/rest.module';
import { RuntimeModule } from './runtime/runtime.module';
import { TelemetryModule } from './telemetry/telemetry.module';
import type { Workers } from './workers/workers';
import { WorkersModule } from './workers/workers.module';

/** The composition root. */
@Module({})
export class AppModule {
  static async forRoot(config: AraConfig, version: string, workers: Workers): Promise<DynamicModule> {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot(config),
        WorkersModule.forRoot(workers),
        await TelemetryModule.forRoot(config, version, workers),
        RuntimeModule,
        RestModule,
        RealtimeModule,
        RedisTriggerModule,
        ApiDocsModule.forRoot(config),
        ProbeModule,
      ],
    };
  }
}
