import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { ConfigModule as NestConfigModule, ConfigService, registerAs } from '@nestjs/config';
import { AraConfig } from './ara-config';

/** Where the configuration lies within Nest's ConfigService: `configService.get('ara.server.port')`. */
const NAMESPACE = 'ara';

/** Gives the configuration that was read before the container was built to everything in it, by class `AraConfig`. */
@Module({})
export class ConfigModule {
  static forRoot(config: AraConfig): DynamicModule {
    // Sources were read and checked by loadConfig; reading them here again could only disagree with it.
    const sources = { ignoreEnvFile: true, ignoreEnvVars: true, skipProcessEnv: true };
    return {
      module: ConfigModule,
      global: true,
      imports: [NestConfigModule.forRoot({ ...sources, isGlobal: true, load: [registerAs(NAMESPACE, () => config)] })],
      providers: [
        {
          provide: AraConfig,
          inject: [ConfigService],
          useFactory: (service: ConfigService) => service.getOrThrow<AraConfig>(NAMESPACE),
        },
      ],
      exports: [AraConfig],
    };
  }
}
