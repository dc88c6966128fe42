import { Logger } from '@nestjs/common';
import { RedisTemplateStore } from '../../src/template/redis-template.store';
import { startRedis, type RedisServer } from '../support/redis-server';
import { redisHa } from '../support/redis-ha';
import { describeTemplateStore } from './template-store.suite';

Logger.overrideLogger(false);

describe('on one server', () => {
  let server: RedisServer;
  const services: ReturnType<typeof redisHa>[] = [];

  beforeAll(async () => {
    server = await startRedis();
  });

  afterAll(async () => {
    for (const each of services) each.onApplicationShutdown();
    await server.close();
  });

  describeTemplateStore('redis', () => {
    const redis = redisHa(server.url);
    services.push(redis);
    return new RedisTemplateStore(redis);
  });
});
