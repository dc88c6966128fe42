import { FakeClock } from '../../test/support/fake-clock';
import type { AckService } from '../ack/ack.service';
import type { AraConfig } from '../config/ara-config';
import type { PostgresService } from '../postgres/postgres.service';
import type { QueueService } from '../queue/queue.service';
import type { RedisHaService } from '../redis-ha/redis-ha.service';
import { LoneWorker, type Workers } from '../workers/workers';
import { NodeStatus } from './node-status';
import type { ServiceTotals } from './service-totals';

/** A node whose queue is kept in `backend`, with dependencies that a test connects and cuts. */
function node(backend: 'memory' | 'redis' | 'postgres', workers: Workers = new LoneWorker()) {
  const clock = new FakeClock();
  const there = { redis: true, postgres: true };
  const config = {
    queue: { enabled: true, backend },
    ack: { enabled: false, backend: 'memory' },
    template: { backend: 'memory' },
    cluster: { enabled: false },
  };
  const status = new NodeStatus(
    config as AraConfig,
    {} as QueueService,
    {} as AckService,
    { health: () => ({ connected: there.redis }) } as RedisHaService,
    { health: () => ({ connected: there.postgres }) } as PostgresService,
    {} as ServiceTotals,
    workers,
    clock,
  );
  return { clock, there, status, notReady: () => status.readiness().flatMap((one) => (one.isReady ? [] : one.name)) };
}

describe('readiness', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('begins with the start and ends with the shutdown', () => {
    const { status, notReady } = node('memory');
    expect(notReady()).toEqual(['startup']);
    status.onApplicationBootstrap();
    expect(notReady()).toEqual([]);
    status.onModuleDestroy();
    expect(notReady()).toEqual(['draining']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each(['redis', 'postgres'] as const)('ends when %s is required and away for 5 s', (name) => {
    const { clock, there, status, notReady } = node(name);
    status.onApplicationBootstrap();
    there[name] = false;
    expect(notReady()).toEqual([]);
    clock.advance(5000);
    expect(notReady()).toEqual([name]);
    there[name] = true;
    expect(notReady()).toEqual([]);
    status.onModuleDestroy();
  });

  it('takes two blinks between two probes for what they are', () => {
    const { clock, there, status, notReady } = node('redis');
    status.onApplicationBootstrap();
    there.redis = false;
    expect(notReady()).toEqual([]);
    there.redis = true;
    clock.advance(4000);
    jest.advanceTimersByTime(1000);
    there.redis = false;
    clock.advance(4000);
    expect(notReady()).toEqual([]);
    status.onModuleDestroy();
  });

  it('includes the other workers, and tells them of this one', () => {
    const told: boolean[] = [];
    const workers = Object.assign(new LoneWorker(), {
      count: 2,
      areOthersReady: false,
      tellReady: (isReady: boolean) => told.push(isReady),
    });
    const { clock, there, status, notReady } = node('redis', workers);
    expect(notReady()).toEqual(['startup', 'workers']);
    status.onApplicationBootstrap();
    expect(notReady()).toEqual(['workers']);
    workers.areOthersReady = true;
    expect(notReady()).toEqual([]);
    there.redis = false;
    jest.advanceTimersByTime(1000);
    clock.advance(5000);
    jest.advanceTimersByTime(1000);
    expect(told).toEqual([true, true, false]);
    status.onModuleDestroy();
    expect(notReady()).toContain('draining');
  });

  it('does not ask for what is not required', () => {
    const { clock, there, status, notReady } = node('memory');
    status.onApplicationBootstrap();
    there.redis = there.postgres = false;
    notReady();
    clock.advance(60_000);
    expect(notReady()).toEqual([]);
    status.onModuleDestroy();
  });
});
