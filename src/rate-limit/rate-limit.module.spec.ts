import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Server } from 'node:http';
import request from 'supertest';
import { AraConfig } from '../config/ara-config';
import { errorAnswer } from '../http/error-body';
import { Clock } from '../notification/clock';
import { Metrics } from '../telemetry/metrics';
import { ConnectGuard } from './connect.guard';
import { RateLimitModule } from './rate-limit.module';
import { RateLimitService } from './rate-limit.service';

@Controller()
class StreamController {
  @Get('stream')
  @UseGuards(ConnectGuard)
  stream(): string {
    return 'open';
  }
}

/** What the application provides everywhere. */
function platform(config: AraConfig): new () => object {
  const providers = [
    { provide: AraConfig, useValue: config },
    { provide: Clock, useValue: { now: () => 1_800_000_000_000 } },
    { provide: Metrics, useValue: new Metrics() },
  ];
  @Module({ providers, exports: providers })
  class PlatformModule {}
  Reflect.defineMetadata('__module:global__', true, PlatformModule);
  return PlatformModule;
}

async function start(enabled: boolean) {
  const config = {
    server: { trustProxy: 1 },
    redis: { url: 'redis://127.0.0.1:1' },
    store: { timeoutMs: 1000 },
    rateLimit: {
      enabled,
      backend: 'local',
      httpRequestsPerSecond: 100,
      httpBurst: 200,
      wsConnectionsPerMinute: 2,
      wsMessagesPerSecond: 50,
      cleanupSeconds: 60,
    },
  } as unknown as AraConfig;
  const module = await Test.createTestingModule({
    imports: [platform(config), RateLimitModule],
    controllers: [StreamController],
  }).compile();
  const app = module.createNestApplication();
  app.useLogger(false);
  app.useGlobalFilters({
    catch(
      error: unknown,
      host: { switchToHttp(): { getResponse(): { status(n: number): { json(b: object): void } } } },
    ) {
      const { status, body } = errorAnswer(error, false);
      host.switchToHttp().getResponse().status(status).json(body);
    },
  } as never);
  await app.init();
  const server = app.getHttpServer() as Server;
  const open = (address: string) => request(server).get('/stream').set('X-Forwarded-For', `forged, ${address}`);
  return { app, open, service: app.get(RateLimitService) };
}

describe('a route behind ConnectGuard', () => {
  it('takes from the bucket that upgrades take from, by client address', async () => {
    const { app, open, service } = await start(true);
    expect(service.connect('203.0.113.9')).toMatchObject({ allowed: true });
    const allowed = await open('203.0.113.9');
    expect(allowed.status).toBe(200);
    expect(Object.keys(allowed.headers).filter((name) => name.startsWith('x-ratelimit'))).toEqual([]);
    const denied = await open('203.0.113.9');
    expect(denied.status).toBe(429);
    expect(denied.headers).toMatchObject({
      'retry-after': '60',
      'x-ratelimit-limit': '2',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': '1800000060',
    });
    expect(denied.body).toEqual({
      error: {
        code: 'RATE_LIMITED',
        message: 'Too many requests, please retry after 60 seconds',
        retry_after_seconds: 60,
      },
    });
    expect((await open('203.0.113.10')).status).toBe(200);
    expect(service.connect('203.0.113.9')).toMatchObject({ allowed: false });
    await app.close();
  });

  it('lets everybody in when limits are off', async () => {
    const { app, open } = await start(false);
    for (let i = 0; i < 5; i++) expect((await open('203.0.113.9')).status).toBe(200);
    await app.close();
  });
});
