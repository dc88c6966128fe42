import { Injectable, Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { AraConfig } from './ara-config';
import { ConfigModule } from './config.module';
import { loadConfig } from './load-config';

@Injectable()
class Consumer {
  constructor(
    readonly config: AraConfig,
    readonly service: ConfigService,
  ) {}
}

@Module({ providers: [Consumer] })
class ConsumerModule {}

describe('ConfigModule', () => {
  it('gives every module the configuration that was loaded, and reads nothing else', async () => {
    const { config } = loadConfig({
      env: { JWT_SECRET: '8f1b6c0de2a94735b1c7f0a35e9d2468', SERVER_PORT: '9000' },
      cwd: '/nowhere',
    });
    const before = { ...process.env };
    const module = await Test.createTestingModule({
      imports: [ConfigModule.forRoot(config), ConsumerModule],
    }).compile();
    const consumer = module.get(Consumer, { strict: false });
    expect(consumer.config).toBe(config);
    expect(consumer.service.get('ara.server.port')).toBe(9000);
    expect(consumer.service.get('PATH')).toBeUndefined();
    expect(process.env).toEqual(before);
    await module.close();
  });
});
