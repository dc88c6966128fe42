import { Logger } from '@nestjs/common';
import type { AckStore } from '../../src/ack/ack-store';
import { MemoryAckStore } from '../../src/ack/memory-ack.store';
import { RedisAckStore } from '../../src/ack/redis-ack.store';
import { hasRedisServer, startRedis, startRedisCluster } from '../support/redis-server';
import { describeAckStore } from './ack-store.suite';
import { RedisNodes } from './redis-nodes';

Logger.overrideLogger(false);

describeAckStore('memory', () => Promise.resolve([new MemoryAckStore()]));

describe('on one server', () => {
  const nodes = new RedisNodes(() => startRedis());
  describeAckStore('redis', () => nodes.stores<AckStore>((redis, config) => new RedisAckStore(redis, config)));
});

// The WebAssembly build that stands in where no redis-server is installed cannot be a cluster.
(hasRedisServer ? describe : describe.skip)('in a Redis Cluster', () => {
  const nodes = new RedisNodes(() => startRedisCluster());
  describeAckStore('redis', () => nodes.stores<AckStore>((redis, config) => new RedisAckStore(redis, config)));
});
