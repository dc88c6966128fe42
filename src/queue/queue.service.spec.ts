import { Logger } from '@nestjs/common';
import { configOf, id, tenant, user } from '../../test/support/engine';
import { FakeClock } from '../../test/support/fake-clock';
import { DEFAULT_TENANT } from '../notification/ids';
import type { Notification } from '../notification/notification';
import { StoreUnavailableError } from '../notification/store-unavailable';
import { toRawJson } from '../protocol/raw-json';
import { Metrics } from '../telemetry/metrics';
import { MemoryQueueStore } from './memory-queue.store';
import { QueueMetrics } from './queue.metrics';
import { type KeepRequest, QueueService } from './queue.service';
import { NullQueueStore, type QueueStore } from './queue-store';

const clock = new FakeClock();
let store: MemoryQueueStore;
let metrics: Metrics;
let queue: QueueService;

function serviceOver(over: QueueStore, env: Record<string, string> = {}): QueueService {
  const config = configOf({ QUEUE_ENABLED: 'true', ...env });
  metrics = new Metrics();
  return new QueueService(over, config, clock, new QueueMetrics(metrics, over));
}

beforeEach(() => {
  store = new MemoryQueueStore();
  queue = serviceOver(store);
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

function notification(n: number, traits: Partial<Notification> = {}): Notification {
  return {
    id: id(n),
    occurredAt: clock.now(),
    eventType: 'test',
    payload: toRawJson(n),
    priority: 'Normal',
    source: 'http-api',
    ...traits,
  };
}

function request(n: number, users: readonly string[], traits: Partial<KeepRequest> = {}): KeepRequest {
  return {
    tenant: DEFAULT_TENANT,
    users: users.map(user),
    notification: notification(n),
    json: `{"n":${n}}`,
    isPresent: () => false,
    dedupeKey: undefined,
    ...traits,
  };
}

async function idsOf(name: string): Promise<string[]> {
  const page = await queue.readAfter({ tenant: DEFAULT_TENANT, user: user(name) }, undefined);
  return page.map((entry) => entry.id);
}

const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `u${n}`);

async function value(name: string): Promise<number> {
  const line = (await metrics.render()).split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.split(' ')[1]);
}

describe('keeping', () => {
  it('appends 500 users at a time, and says of all that they are to be sent it', async () => {
    const append = jest.spyOn(store, 'append');
    const { users, durable } = await queue.keep(request(1, names(1201)));
    expect(users).toEqual(names(1201));
    expect(durable).toBe(false);
    expect(append.mock.calls.flatMap(([appends]) => appends.map((each) => each.users.length))).toEqual([500, 500, 201]);
    expect(await idsOf('u0')).toEqual([id(1)]);
    expect(await idsOf('u1200')).toEqual([id(1)]);
  });

  it('gathers what one turn keeps into one call of the store', async () => {
    const append = jest.spyOn(store, 'append');
    await Promise.all([1, 2, 3].map((n) => queue.keep(request(n, ['a']))));
    expect(append).toHaveBeenCalledTimes(1);
    expect(await idsOf('a')).toEqual([id(1), id(2), id(3)]);
  });

  it('asks the store for nothing when there is nobody to keep it for', async () => {
    const append = jest.spyOn(store, 'append');
    expect((await queue.keep(request(1, []))).users).toEqual([]);
    expect(append).not.toHaveBeenCalled();
  });

  it('tells the store who is present, by the place in each chunk', async () => {
    const append = jest.spyOn(store, 'append');
    await queue.keep(request(1, names(502), { isPresent: (each) => ['u3', 'u501'].includes(each) }));
    const appends = append.mock.calls.flatMap(([each]) => each);
    expect(appends.map(({ present }) => [...present])).toEqual([[3], [1]]);
  });

  it('claims each chunk by itself, so that the second comer is left what the first did not store', async () => {
    const dedupeKey = 'message';
    await queue.keep(request(1, names(500), { dedupeKey }));
    const second = await queue.keep(request(2, names(501), { dedupeKey }));
    expect(second.users).toEqual(['u500']);
    const third = await queue.keep(request(3, names(501), { dedupeKey }));
    expect(third.users).toEqual([]);
    expect(await idsOf('u0')).toEqual([id(1)]);
    expect(await idsOf('u500')).toEqual([id(2)]);
  });

  it('claims a key per tenant', async () => {
    const dedupeKey = 'message';
    await queue.keep(request(1, ['a'], { dedupeKey }));
    const other = await queue.keep(request(2, ['a'], { dedupeKey, tenant: tenant('t') }));
    expect(other.users).toEqual(['a']);
  });

  it('ends an entry with the earlier of its own life and the queue’s', async () => {
    queue = serviceOver(store, { QUEUE_MESSAGE_TTL_SECONDS: '60' });
    const end = async (ttlSeconds?: number): Promise<number> => {
      const of = notification(1, ttlSeconds === undefined ? {} : { ttlSeconds });
      return (await queue.keep(request(1, ['a'], { notification: of }))).expiresAt - clock.now();
    };
    expect(await end()).toBe(60_000);
    expect(await end(59)).toBe(59_000);
    expect(await end(61)).toBe(60_000);
    await queue.keep(request(2, ['b'], { notification: notification(2, { ttlSeconds: 10 }) }));
    clock.advance(9_999);
    expect(await idsOf('b')).toEqual([id(2)]);
    clock.advance(1);
    expect(await idsOf('b')).toEqual([]);
  });

  it('drops the oldest beyond the limit per user, and counts it', async () => {
    queue = serviceOver(store, { QUEUE_MAX_SIZE_PER_USER: '2' });
    for (const n of [1, 2, 3, 4]) await queue.keep(request(n, ['a']));
    expect(await idsOf('a')).toEqual([id(3), id(4)]);
    expect(await value('ara_queue_dropped_total')).toBe(2);
  });
});

describe('reading', () => {
  it('gives a page of 100 at a time, oldest first', async () => {
    queue = serviceOver(store, { QUEUE_MAX_SIZE_PER_USER: '300' });
    await Promise.all(Array.from({ length: 250 }, (_, n) => queue.keep(request(n, ['a']))));
    const stream = { tenant: DEFAULT_TENANT, user: user('a') };
    const sizes: number[] = [];
    const read: string[] = [];
    for (let page = await queue.readAfter(stream, undefined); page.length > 0;) {
      sizes.push(page.length);
      read.push(...page.map(({ json }) => json));
      page = await queue.readAfter(stream, page.at(-1)?.position);
    }
    expect(sizes).toEqual([100, 100, 50]);
    expect(read).toEqual(Array.from({ length: 250 }, (_, n) => `{"n":${n}}`));
  });

  it('asks for many streams in round trips of 500, and leaves out those without entries', async () => {
    const readMany = jest.spyOn(store, 'readMany');
    await queue.keep(request(1, ['u7', 'u1100']));
    const found: string[] = [];
    const streams = names(1200).map((name) => ({ tenant: DEFAULT_TENANT, user: user(name) }));
    for await (const { stream } of queue.readMany(streams)) found.push(stream.user);
    expect(found).toEqual(['u7', 'u1100']);
    expect(readMany.mock.calls.map(([asked]) => asked.length)).toEqual([500, 500, 200]);
  });
});

describe('settling', () => {
  const entry = (
    n: number,
  ): { tenant: typeof DEFAULT_TENANT; user: ReturnType<typeof user>; id: ReturnType<typeof id> } => ({
    tenant: DEFAULT_TENANT,
    user: user('a'),
    id: id(n),
  });

  it('removes what was committed, in batches', async () => {
    const commit = jest.spyOn(store, 'commit');
    for (const n of [1, 2, 3]) await queue.keep(request(n, ['a']));
    await Promise.all([queue.commit(entry(1)), queue.commit(entry(3)), queue.commit(entry(9))]);
    expect(await idsOf('a')).toEqual([id(2)]);
    expect(commit).toHaveBeenCalledTimes(1);
  });

  it('gives an entry up after so many connections, and counts it as dropped', async () => {
    queue = serviceOver(store, { QUEUE_MAX_DELIVERIES: '2' });
    await queue.keep(request(1, ['a']));
    await queue.recordDelivery(entry(1));
    expect(await idsOf('a')).toEqual([id(1)]);
    expect(await value('ara_queue_dropped_total')).toBe(0);
    await queue.recordDelivery(entry(1));
    expect(await idsOf('a')).toEqual([]);
    expect(await value('ara_queue_dropped_total')).toBe(1);
  });

  it('is over when flush resolves', async () => {
    await queue.keep(request(1, ['a']));
    void queue.commit(entry(1));
    void queue.recordDelivery(entry(1));
    await queue.flush();
    expect(await queue.size()).toEqual({ messages: 0, users: 0 });
  });
});

describe('figures', () => {
  it('count what was left, replayed and expired, and show what is there', async () => {
    queue = serviceOver(store, { QUEUE_MESSAGE_TTL_SECONDS: '10' });
    await queue.keep(request(1, ['a', 'b']));
    queue.countEnqueued(2);
    queue.countReplayed(1);
    expect(await value('ara_queue_enqueued_total')).toBe(2);
    expect(await value('ara_queue_replayed_total')).toBe(1);
    expect(await value('ara_queue_size_total')).toBe(2);
    expect(await value('ara_queue_users_total')).toBe(2);
    expect(await value('ara_queue_memory_bytes')).toBe(2048);
    clock.advance(10_000);
    await queue.sweep();
    expect(await value('ara_queue_expired_total')).toBe(2);
    expect(await value('ara_queue_size_total')).toBe(0);
  });

  it('say what holds the entries', () => {
    expect([queue.backend, queue.isEnabled, queue.isDurable]).toEqual(['memory', true, false]);
    jest.spyOn(store, 'isDurable').mockReturnValue(true);
    expect(queue.isDurable).toBe(true);
  });
});

describe('the life of the service', () => {
  it('opens its store, sweeps at the interval, and flushes before it closes', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate'] });
    const [open, sweep, close] = [jest.spyOn(store, 'open'), jest.spyOn(store, 'sweep'), jest.spyOn(store, 'close')];
    queue = serviceOver(store, { QUEUE_CLEANUP_INTERVAL_SECONDS: '300' });
    await queue.onModuleInit();
    expect(open).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(600_000);
    expect(sweep).toHaveBeenCalledTimes(2);
    queue.onModuleDestroy();
    jest.advanceTimersByTime(600_000);
    expect(sweep).toHaveBeenCalledTimes(2);
    const kept = queue.keep(request(1, ['a']));
    await queue.onApplicationShutdown();
    expect((await kept).users).toEqual(['a']);
    expect(close).toHaveBeenCalledTimes(1);
  });

  it('goes on sweeping after a sweep that failed, and says so', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    jest.spyOn(store, 'sweep').mockRejectedValueOnce(new StoreUnavailableError('redis', 'no route to host'));
    await queue.sweep();
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('no route to host'));
    await queue.sweep();
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it('touches no store while it is off', async () => {
    const off = new NullQueueStore();
    const open = jest.spyOn(off, 'open');
    queue = serviceOver(off, { QUEUE_ENABLED: 'false' });
    await queue.onModuleInit();
    expect(open).not.toHaveBeenCalled();
    expect([queue.isEnabled, queue.isDurable, queue.backend]).toEqual([false, false, 'none']);
    expect(await queue.size()).toEqual({ messages: 0, users: 0 });
    expect(await value('ara_queue_memory_bytes')).toBe(0);
    expect(await queue.readAfter({ tenant: DEFAULT_TENANT, user: user('a') }, undefined)).toEqual([]);
    await queue.commit({ tenant: DEFAULT_TENANT, user: user('a'), id: id(1) });
    await queue.recordDelivery({ tenant: DEFAULT_TENANT, user: user('a'), id: id(1) });
    await queue.sweep();
    await queue.onApplicationShutdown();
  });
});

/** Stands for a server that takes the bytes and never answers. */
class SilentStore extends MemoryQueueStore {
  override readonly backend = 'redis' as 'memory';

  override append(): Promise<never> {
    return new Promise(() => undefined);
  }
}

it('counts a store as unreachable when it does not answer in time', async () => {
  queue = serviceOver(new SilentStore(), { STORE_TIMEOUT_MS: '20' });
  await expect(queue.keep(request(1, ['a']))).rejects.toEqual(
    new StoreUnavailableError('redis', 'The queue store did not answer within 20 ms'),
  );
});
