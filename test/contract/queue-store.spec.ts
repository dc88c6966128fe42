import { Logger } from '@nestjs/common';
import { MemoryQueueStore } from '../../src/queue/memory-queue.store';
import type { QueueStore } from '../../src/queue/queue-store';
import { RedisQueueStore } from '../../src/queue/redis-queue.store';
import { hasRedisServer, startRedis, startRedisCluster } from '../support/redis-server';
import { describeQueueStore } from './queue-store.suite';
import { RedisNodes } from './redis-nodes';

Logger.overrideLogger(false);

describeQueueStore('memory', { make: () => Promise.resolve([new MemoryQueueStore()]) });

describe('on one server', () => {
  const nodes = new RedisNodes(() => startRedis());
  describeQueueStore('redis', {
    make: () => nodes.stores<QueueStore>((redis, config) => new RedisQueueStore(redis, config)),
  });
});

// The WebAssembly build that stands in where no redis-server is installed cannot be a cluster.
(hasRedisServer ? describe : describe.skip)('in a Redis Cluster', () => {
  const nodes = new RedisNodes(() => startRedisCluster());
  describeQueueStore('redis', {
    make: () => nodes.stores<QueueStore>((redis, config) => new RedisQueueStore(redis, config)),
    isAtomicAcrossUsers: false,
  });
});
