import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { redisConfig, redisHa } from '../../test/support/redis-ha';
import { hasRedisServer, type RedisServer, startRedis, startRedisCluster } from '../../test/support/redis-server';
import { until } from '../../test/support/until';
import type { QueueConfig, StoreConfig } from '../config/ara-config';
import type { NotificationId, TenantId, UserId } from '../notification/ids';
import { StoreUnavailableError } from '../notification/store-unavailable';
import type { RedisHaService } from '../redis-ha/redis-ha.service';
import type { Append } from './queue-store';
import { RedisQueueStore } from './redis-queue.store';

const QUICK = { backoffInitialMs: 20, backoffMaxMs: 200 };
const PREFIX = 'mine:queue';
const tenant = 'acme' as TenantId;
const T0 = Date.now();

Logger.overrideLogger(false);

/** The WebAssembly build that stands in where no redis-server is installed keeps nothing and has neither replicas nor clusters. */
const itWithServer = hasRedisServer ? it : it.skip;
const describeWithServer = hasRedisServer ? describe : describe.skip;

const services: RedisHaService[] = [];
const servers: RedisServer[] = [];

async function server(...args: readonly string[]): Promise<RedisServer> {
  const started = await startRedis({ args });
  servers.push(started);
  return started;
}

function storeOn(url: string, queue: Partial<QueueConfig> = {}, store: Partial<StoreConfig> = {}): RedisQueueStore {
  const config = redisConfig(url, { redis: QUICK, store, queue: { redisPrefix: PREFIX, ...queue } });
  const redis = redisHa(config);
  services.push(redis);
  return new RedisQueueStore(redis, config);
}

afterEach(async () => {
  for (const each of services.splice(0)) each.onApplicationShutdown();
  await Promise.all(servers.splice(0).map((each) => each.close()));
});

const user = (n: number): UserId => `user-${n}` as UserId;
const id = (n: number): NotificationId =>
  `01890000-0000-7000-8000-${n.toString(16).padStart(12, '0')}` as NotificationId;

function append(n: number, users: readonly UserId[], rest: Partial<Append> = {}): Append {
  const body = { id: id(n), priority: 'Normal', expiresAt: T0 + 3_600_000, json: `{"n":${n}}` } as const;
  return { tenant, users, body, present: new Set(), ...rest };
}

describe('RedisQueueStore', () => {
  itWithServer(
    'keeps what it acknowledged over a crash of Redis, says that it does, and goes on by itself',
    async () => {
      const crashing = await server('--appendonly', 'yes', '--appendfsync', 'always');
      const store = storeOn(crashing.url);
      await store.open();
      expect(store.isDurable()).toBe(true);
      await store.append([append(1, [user(1), user(2)], { dedupeKey: 'k' })], 100, T0);
      await crashing.kill9();
      const lost = store.append([append(2, [user(1)])], 100, T0);
      await expect(lost).rejects.toBeInstanceOf(StoreUnavailableError);
      await crashing.start();
      // The scripts are gone with the crash; the first call sends them again.
      const kept = await until('Redis is back', () => store.readAfter({ tenant, user: user(2) }, undefined, 10, T0));
      expect(kept.map((entry) => entry.id)).toEqual([id(1)]);
      expect(await store.append([append(3, [user(1)], { dedupeKey: 'k' })], 100, T0)).toEqual([{ kind: 'duplicate' }]);
      await crashing.command('SCRIPT', 'FLUSH');
      expect(await store.commit([{ tenant, user: user(1), id: id(1) }])).toBe(1);
    },
  );

  itWithServer('says that it is not durable without an append-only file, or where entries may be evicted', async () => {
    const plain = storeOn((await server()).url);
    await plain.open();
    expect(plain.isDurable()).toBe(false);
    const evicting = await server('--appendonly', 'yes', '--maxmemory-policy', 'allkeys-lru');
    const store = storeOn(evicting.url);
    await store.open();
    expect(store.isDurable()).toBe(false);
    await evicting.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await store.open();
    expect(store.isDurable()).toBe(true);
  });

  it('writes only below its prefix, and leaves nothing of users whose entries are gone', async () => {
    const redis = await server();
    const store = storeOn(redis.url);
    const users = Array.from({ length: 300 }, (_, n) => user(n));
    await store.append([append(1, users), append(2, users)], 1, T0);
    const client = new Redis(redis.port);
    const keys = await client.keys('*');
    expect(keys.filter((key) => !key.startsWith(`${PREFIX}:`))).toEqual([]);
    expect(keys.filter((key) => key.includes(':s:'))).toHaveLength(300);
    await store.commit(users.map((each) => ({ tenant, user: each, id: id(2) })));
    expect((await client.keys('*')).filter((key) => !key.endsWith(':state'))).toEqual([]);
    expect(await store.size()).toEqual({ messages: 0, users: 0 });
    client.disconnect();
  });

  it('works for an ACL user who may do nothing but what it needs', async () => {
    const guarded = await server();
    await guarded.command(
      ...[
        'ACL',
        'SETUSER',
        'ara',
        'on',
        '>pw',
        `~${PREFIX}:*`,
        '+@connection',
        '+info',
        '+@scripting',
        '-script|flush',
      ],
      ...['+@stream', '+@hash', '+@sortedset', '+@string', '+del', '+exists', '+time'],
    );
    const store = storeOn(guarded.url.replace('//', '//ara:pw@'));
    await store.open();
    await store.append([append(1, [user(1)], { dedupeKey: 'k' })], 1, T0);
    await store.append([append(2, [user(1)])], 1, T0);
    expect(await store.readMany([{ tenant, user: user(1) }], 10, T0)).toHaveLength(1);
    expect(await store.recordDelivery([{ tenant, user: user(1), id: id(2) }], 5)).toBe(0);
    expect(await store.sweep(T0 + 4_000_000)).toBe(1);
    expect(await store.size()).toEqual({ messages: 0, users: 0 });
  });

  it('is refused, not deceived, by a full Redis', async () => {
    const full = await server();
    const store = storeOn(full.url);
    await store.append([append(1, [user(1)])], 100, T0);
    await full.command('CONFIG', 'SET', 'maxmemory', '1');
    await expect(store.append([append(2, [user(1)])], 100, T0)).rejects.toThrow(/OOM/);
    await expect(store.append([append(2, [user(1)])], 100, T0)).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(await store.commit([{ tenant, user: user(1), id: id(1) }])).toBe(1);
  });

  it('answers in time while Redis hangs', async () => {
    const hanging = await server();
    const store = storeOn(hanging.url, {}, { timeoutMs: 200 });
    await store.append([append(1, [user(1)])], 100, T0);
    hanging.pause();
    const startedAt = Date.now();
    await expect(store.append([append(2, [user(1)])], 100, T0)).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(Date.now() - startedAt).toBeLessThan(1000);
    hanging.resume();
  });
});

describeWithServer('QUEUE_REDIS_WAIT', () => {
  it('counts an entry as stored when the replicas have it, and not before', async () => {
    const [primary, replica] = [await server(), await server()];
    await replica.command('REPLICAOF', '127.0.0.1', String(primary.port));
    const store = storeOn(primary.url, { redisWait: 1 }, { timeoutMs: 3000 });
    await until('the replica follows', () => store.append([append(1, [user(1)])], 100, T0), 10_000);
    const client = new Redis(replica.port);
    await store.append([append(2, [user(1), user(2), user(3)])], 100, T0);
    expect((await client.keys('*:s:*')).sort()).toHaveLength(3);
    client.disconnect();
    replica.pause();
    const startedAt = Date.now();
    const error: unknown = await store.append([append(3, [user(1)])], 100, T0).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(String(error)).toContain('0 of 1 replicas');
    expect(Date.now() - startedAt).toBeLessThan(3000);
    // Whoever only reads is not held up by those who wait.
    const waiting = store.append([append(4, [user(1)])], 100, T0).catch(() => undefined);
    await until('it waits', async () => (await primary.info('clients')).includes('blocked_clients:1'));
    const readAt = Date.now();
    await store.readAfter({ tenant, user: user(1) }, undefined, 10, T0);
    // On one connection Redis answers both after the 1500 ms of the wait, hence a time and not an order.
    expect(Date.now() - readAt).toBeLessThan(750);
    await waiting;
    replica.resume();
  });
});

describeWithServer('a dedupe key in a Redis Cluster', () => {
  const users = Array.from({ length: 40 }, (_, n) => user(n));

  /** A claimant that gets no further than the claim: as a user who may write nothing else. */
  async function claimOn(node: RedisServer, n: number, now: number): Promise<void> {
    await node.command('ACL', 'SETUSER', 'half', 'on', '>pw', `~${PREFIX}:claim:*`, '+@all');
    const store = storeOn(node.url.replace('//', '//half:pw@'));
    await expect(store.append([append(n, users, { dedupeKey: 'k' })], 100, now)).rejects.toThrow('NOPERM');
  }

  const keptBy = async (store: RedisQueueStore): Promise<string[]> => {
    const found = await store.readMany(
      users.map((each) => ({ tenant, user: each })),
      10,
      Date.now(),
    );
    return found.flatMap(({ entries }) => entries.map((entry) => entry.id));
  };

  it('is completed by who was second, when the first died with its append half done', async () => {
    const node = await startRedisCluster();
    servers.push(node);
    await claimOn(node, 1, Date.now());
    const second = storeOn(node.url, {}, { timeoutMs: 200 });
    expect(await second.append([append(2, users, { dedupeKey: 'k' })], 100, Date.now())).toEqual([
      { kind: 'duplicate' },
    ]);
    expect(await keptBy(second)).toEqual([]);
    // Under the id of the first, for all of its users, once.
    const kept = await until('the append is completed', async () => {
      const all = await keptBy(second);
      return all.length > 0 && all;
    });
    expect(kept).toEqual(users.map(() => id(1)));
    expect(await second.append([append(3, users, { dedupeKey: 'k' })], 100, Date.now())).toEqual([
      { kind: 'duplicate' },
    ]);
    await second.close();
    expect(await keptBy(second)).toHaveLength(users.length);
  });

  it('is completed at once by who comes much later', async () => {
    const node = await startRedisCluster();
    servers.push(node);
    const now = Date.now();
    await claimOn(node, 1, now - 5000);
    const later = storeOn(node.url, {}, { timeoutMs: 200 });
    expect(await later.append([append(2, users, { dedupeKey: 'k' })], 100, now)).toEqual([{ kind: 'duplicate' }]);
    expect(await keptBy(later)).toEqual(users.map(() => id(1)));
  });

  it('is left alone when the first lives', async () => {
    const node = await startRedisCluster();
    servers.push(node);
    const [first, second] = [storeOn(node.url, {}, { timeoutMs: 1000 }), storeOn(node.url, {}, { timeoutMs: 1000 })];
    const outcomes = await Promise.all(
      [first, second].map((each, n) => each.append([append(n, users, { dedupeKey: 'k' })], 100, Date.now())),
    );
    expect(
      outcomes
        .flat()
        .map(({ kind }) => kind)
        .sort(),
    ).toEqual(['duplicate', 'stored']);
    const [winner] = await keptBy(first);
    await first.commit(users.map((each) => ({ tenant, user: each, id: winner as NotificationId })));
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(await keptBy(second)).toEqual([]);
  });
});
