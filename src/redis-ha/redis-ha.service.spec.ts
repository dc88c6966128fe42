import { Logger } from '@nestjs/common';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { hasRedisServer, type RedisServer, startRedis, startRedisCluster } from '../../test/support/redis-server';
import { redisConfig, redisHa } from '../../test/support/redis-ha';
import { until } from '../../test/support/until';
import type { RedisConfig, StoreConfig } from '../config/ara-config';
import { StoreUnavailableError } from '../notification/store-unavailable';
import { Metrics } from '../telemetry/metrics';
import type { RedisHaService } from './redis-ha.service';
import { RedisScript } from './redis-script';

/** Short pauses, so that an outage costs the tests little time. */
const QUICK = { backoffInitialMs: 20, backoffMaxMs: 200 };

/** What the WebAssembly build that stands in for a redis-server cannot do: keep data, be a cluster, carry thousands of subscriptions. */
const itWithServer = hasRedisServer ? it : it.skip;

const services: RedisHaService[] = [];
const servers: RedisServer[] = [];

function service(
  url: string,
  redis: Partial<RedisConfig> = {},
  store: Partial<StoreConfig> = {},
  metrics = new Metrics(),
): RedisHaService {
  const made = redisHa(redisConfig(url, { redis, store }), metrics);
  services.push(made);
  return made;
}

async function server(...args: readonly string[]): Promise<RedisServer> {
  const started = await startRedis({ args });
  servers.push(started);
  return started;
}

async function errorOf(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as Error,
  );
}

beforeAll(() => {
  Logger.overrideLogger(false);
});

afterEach(async () => {
  for (const each of services.splice(0)) each.onApplicationShutdown();
  await Promise.all(servers.splice(0).map((each) => each.close()));
});

describe('RedisHaService', () => {
  it('opens nothing before it is used', async () => {
    let connections = 0;
    const listener: Server = createServer((socket) => {
      connections++;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await new Promise((listening) => listener.once('listening', listening));
    const redis = service(`redis://127.0.0.1:${(listener.address() as AddressInfo).port}`, QUICK);
    redis.subscription('triggers');
    redis.dedicated('reader');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(connections).toBe(0);
    expect(redis.health()).toMatchObject({ status: 'disabled', connected: false });
    await errorOf(redis.run('ping', (client) => client.ping()));
    expect(connections).toBeGreaterThan(0);
    listener.close();
  });

  it('runs commands, and counts them', async () => {
    const metrics = new Metrics();
    const redis = service((await server()).url, {}, {}, metrics);
    expect(await redis.run('set', (client) => client.set('a', 'b'))).toBe('OK');
    expect(await redis.run('get', (client) => client.get('a'))).toBe('b');
    expect((await errorOf(redis.run('lpush', (client) => client.lpush('a', 'b')))).message).toMatch(/^WRONGTYPE/);
    expect(redis.health()).toEqual({
      status: 'healthy',
      connected: true,
      circuitBreakerState: 'closed',
      circuitBreakerFailures: 0,
      reconnectionAttempts: 0,
      totalReconnections: 0,
    });
    const scrape = await metrics.render();
    expect(scrape).toContain('ara_redis_connection_status 1');
    expect(scrape).toContain('ara_redis_circuit_breaker_state 0');
    expect(scrape).toContain('ara_backend_operation_latency_seconds_count{backend="redis",operation="get"} 1');
    expect(scrape).toContain('ara_backend_errors_total{backend="redis",operation="lpush"} 1');
  });

  it('tells at once that Redis is not there, and never tells the password', async () => {
    const gone = await server();
    await gone.kill9();
    const redis = service(gone.url.replace('//', '//user:hush-hush@'), QUICK, { bootTimeoutSeconds: 1 });
    const error = await errorOf(redis.run('ping', (client) => client.ping()));
    expect(error).toBeInstanceOf(StoreUnavailableError);
    const startedAt = Date.now();
    const bootError = await errorOf(redis.waitUntilReady());
    expect(Date.now() - startedAt).toBeLessThan(3000);
    expect(bootError.message).toContain(`127.0.0.1:${gone.port} cannot be reached within 1 s: connect ECONNREFUSED`);
    for (const each of [error, bootError]) expect(inspectAll(each)).not.toContain('hush-hush');
  });

  it('waits at the start until Redis is there', async () => {
    const late = await server();
    await late.kill9();
    const redis = service(late.url, QUICK);
    const ready = redis.waitUntilReady();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await late.start();
    await ready;
    expect(redis.health()).toMatchObject({ status: 'healthy', totalReconnections: 0 });
  });

  itWithServer('comes back after a crash by itself, and repeats nothing of its own', async () => {
    const crashing = await server('--appendonly', 'yes', '--appendfsync', 'always');
    const metrics = new Metrics();
    const redis = service(crashing.url, QUICK, {}, metrics);
    let acknowledged = 0;
    let asked = 0;
    await redis.run('warm up', (client) => client.ping());
    const crash = new Promise((resolve) => setTimeout(resolve, 20)).then(() => crashing.kill9());
    for (let healthy = true; healthy;) {
      const answers = Array.from({ length: 50 }, () => redis.run('incr', (client) => client.incr('n')));
      asked += answers.length;
      const settled = await Promise.allSettled(answers);
      acknowledged += settled.filter(({ status }) => status === 'fulfilled').length;
      healthy = settled.every(({ status }) => status === 'fulfilled');
      for (const each of settled)
        if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(StoreUnavailableError);
    }
    await crash;
    expect(redis.health()).toMatchObject({ status: 'reconnecting', connected: false });
    await crashing.start();
    const counted = await until('Redis is back', () => redis.run('get', (client) => client.get('n')));
    // What was acknowledged is there; what was not may be, but nothing is there twice.
    expect(Number(counted)).toBeGreaterThanOrEqual(acknowledged);
    expect(Number(counted)).toBeLessThanOrEqual(asked);
    expect(redis.health()).toMatchObject({ status: 'healthy', totalReconnections: 1, reconnectionAttempts: 0 });
    expect(await metrics.render()).toContain('ara_redis_reconnections_total 1');
  });

  it('counts a broken connection as one failure, however many commands were under way', async () => {
    const breaking = await server();
    const redis = service(breaking.url, { backoffInitialMs: 10_000 });
    await redis.run('ping', (client) => client.ping());
    breaking.pause();
    const underWay = Array.from({ length: 50 }, () => errorOf(redis.run('get', (client) => client.get('a'))));
    await breaking.kill9();
    await Promise.all(underWay);
    expect(redis.health()).toMatchObject({ circuitBreakerFailures: 1, circuitBreakerState: 'closed' });
  });

  it('opens the circuit while Redis stays away, and closes it as soon as Redis is back', async () => {
    const away = await server();
    const redis = service(away.url, QUICK);
    await redis.run('ping', (client) => client.ping());
    await away.kill9();
    await until('the circuit is open', () => redis.health().status === 'circuit_open');
    expect((await errorOf(redis.run('get', (client) => client.get('a')))).message).toContain('the circuit is open');
    await away.start();
    await until('the circuit is closed', () => redis.health().circuitBreakerState === 'closed');
    expect(redis.health().status).toBe('healthy');
  });

  it('does not wait longer than its time for a Redis that hangs, notices it within 10 s, and recovers', async () => {
    const hanging = await server();
    const redis = service(hanging.url, QUICK, { timeoutMs: 200 });
    await redis.run('ping', (client) => client.ping());
    hanging.pause();
    const startedAt = Date.now();
    const errors = await Promise.all(
      Array.from({ length: 5 }, () => errorOf(redis.run('get', (client) => client.get('a')))),
    );
    expect(Date.now() - startedAt).toBeLessThan(1000);
    for (const error of errors) expect(error.message).toContain('timed out');
    expect(redis.health().circuitBreakerState).toBe('open');
    await until('the dead link is noticed', () => !redis.health().connected, 10_000);
    hanging.resume();
    await until('all is well again', () => redis.health().status === 'healthy', 10_000);
    expect(await redis.run('ping', (client) => client.ping())).toBe('PONG');
  });

  it('answers within its time when Redis hangs from the start', async () => {
    const hanging = await server();
    hanging.pause();
    const redis = service(hanging.url, QUICK, { timeoutMs: 200 });
    const startedAt = Date.now();
    expect((await errorOf(redis.run('get', (client) => client.get('a')))).message).toContain(
      'no connection within 200 ms',
    );
    expect(Date.now() - startedAt).toBeLessThan(1000);
  });

  it('takes a refusal for an outage of the store, but leaves the circuit alone', async () => {
    const full = await server();
    await full.command('CONFIG', 'SET', 'maxmemory', '1');
    const redis = service(full.url);
    for (let n = 0; n < 6; n++) {
      const error = await errorOf(redis.run('set', (client) => client.set('a', 'b')));
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(error.message).toContain('OOM');
    }
    expect(redis.health()).toMatchObject({ status: 'healthy', circuitBreakerFailures: 0 });
  });

  it('looks for the primary again when its server has become a replica', async () => {
    const demoted = await server();
    const redis = service(demoted.url, QUICK);
    await redis.run('set', (client) => client.set('a', 'b'));
    await demoted.command('REPLICAOF', '127.0.0.1', '1');
    expect(await errorOf(redis.run('set', (client) => client.set('a', 'b')))).toBeInstanceOf(StoreUnavailableError);
    expect(redis.health().connected).toBe(false);
    await demoted.command('REPLICAOF', 'NO', 'ONE');
    await until('it writes again', () => redis.run('set', (client) => client.set('a', 'c')));
    expect(redis.health()).toMatchObject({ circuitBreakerState: 'closed', totalReconnections: 1 });
  });

  it('logs in as an ACL user, and takes what that user may not do for an outage', async () => {
    const guarded = await server();
    await guarded.command('ACL', 'SETUSER', 'ara', 'on', '>hush-hush', '~ara:*', '+@all', '-flushall');
    await guarded.command('ACL', 'SETUSER', 'default', 'off');
    const redis = service(guarded.url.replace('//', '//ara:hush-hush@'));
    expect(await redis.run('set', (client) => client.set('ara:a', 'b'))).toBe('OK');
    for (const forbidden of [
      redis.run('set', (client) => client.set('other', 'b')),
      redis.run('flush', (client) => client.flushall()),
    ]) {
      const error = await errorOf(forbidden);
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(error.message).toContain('NOPERM');
    }
    const stranger = service(guarded.url.replace('//', '//ara:wrong-word@'), QUICK, { bootTimeoutSeconds: 1 });
    const error = await errorOf(stranger.waitUntilReady());
    expect(error.message).toContain('WRONGPASS');
    expect(inspectAll(error)).not.toContain('wrong-word');
  });

  itWithServer('says how durable Redis is, also to a user who may not ask CONFIG', async () => {
    const plain = await server();
    const aof = await server('--appendonly', 'yes', '--appendfsync', 'always');
    await aof.command('ACL', 'SETUSER', 'ara', 'on', '>pw', '~*', '+@all', '-config');
    expect(await service(plain.url).durability()).toEqual({ appendOnly: false, fsync: 'everysec', evicts: false });
    expect(await service(aof.url).durability()).toEqual({ appendOnly: true, fsync: 'always', evicts: false });
    await aof.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    expect(await service(aof.url.replace('//', '//ara:pw@')).durability()).toEqual({
      appendOnly: true,
      fsync: 'unknown',
      evicts: true,
    });
  });

  it('lets a blocking reader wait on a connection of its own', async () => {
    const redis = service((await server()).url, {}, { timeoutMs: 300 });
    const reader = redis.dedicated('reader', 5000);
    const waiting = reader.run('blpop', (client) => client.blpop('list', 3));
    await new Promise((resolve) => setTimeout(resolve, 600));
    await redis.run('rpush', (client) => client.rpush('list', 'item'));
    expect(await waiting).toEqual(['list', 'item']);
  });
});

describe('RedisScript', () => {
  it('is sent again to a server that has forgotten it', async () => {
    const forgetful = await server();
    const redis = service(forgetful.url, QUICK);
    const script = new RedisScript('return {KEYS[1], ARGV[1]}');
    const call = (): Promise<unknown> => redis.run('script', (client) => script.run(client, ['{a}k'], [1]));
    expect(await call()).toEqual(['{a}k', '1']);
    await forgetful.command('SCRIPT', 'FLUSH');
    expect(await call()).toEqual(['{a}k', '1']);
    await forgetful.kill9();
    await forgetful.start();
    expect(await until('Redis is back', call)).toEqual(['{a}k', '1']);
  });
});

describe('RedisSubscription', () => {
  const publish = (on: RedisServer, channel: string, message: string): Promise<string> =>
    on.command('PUBLISH', channel, message);

  it('has confirmed when it resolves, and hears channels and patterns', async () => {
    const hub = await server();
    const subscription = service(hub.url).subscription('triggers');
    const heard: string[] = [];
    await subscription.subscribe('news', (message, channel) => heard.push(`${channel}=${message}`));
    await subscription.psubscribe('user:*', (message, channel) => heard.push(`${channel}~${message}`));
    expect(await publish(hub, 'news', 'ü😀')).toBe(':1');
    expect(await publish(hub, 'user:7', '1')).toBe(':1');
    await until('both are heard', () => heard.length === 2);
    expect(heard).toEqual(['news=ü😀', 'user:7~1']);
    await subscription.unsubscribe('news');
    expect(await publish(hub, 'news', '2')).toBe(':0');
    await subscription.punsubscribe('user:*');
    expect(await publish(hub, 'user:7', '2')).toBe(':0');
  });

  itWithServer('survives crashes for ever: subscribed to everything again, and says so', async () => {
    const hub = await server();
    const redis = service(hub.url, QUICK);
    const subscription = redis.subscription('triggers');
    const heard: string[] = [];
    let reconnections = 0;
    subscription.onReconnected(() => reconnections++);
    const names = Array.from({ length: 1200 }, (_, n) => `channel:${n}`);
    await Promise.all(names.map((name) => subscription.subscribe(name, (message) => heard.push(message))));
    await subscription.psubscribe('user:*', (message) => heard.push(message));
    for (let round = 1; round <= 3; round++) {
      await hub.kill9();
      await until('the loss is noticed', () => !subscription.isConnected);
      // Asked for during the outage: confirmed after it.
      const later = subscription.subscribe(`late:${round}`, (message) => heard.push(message));
      await hub.start();
      await later;
      expect(reconnections).toBe(round);
      expect(await publish(hub, 'channel:1199', 'a')).toBe(':1');
      expect(await publish(hub, 'user:7', 'b')).toBe(':1');
      expect(await publish(hub, 'late:1', 'c')).toBe(':1');
      await until('all are heard', () => heard.length === 3 * round);
    }
    expect(redis.health().status).toBe('healthy');
    // A server that is just starting may cut a link that it had accepted.
    expect(redis.health().totalReconnections).toBeGreaterThanOrEqual(3);
  });

  it('notices a hub that has fallen silent', async () => {
    const hub = await server();
    const subscription = service(hub.url, QUICK).subscription('triggers');
    await subscription.subscribe('news', () => undefined);
    hub.pause();
    await until('the silence is noticed', () => !subscription.isConnected, 10_000);
    hub.resume();
    await until('it is back', () => subscription.isConnected);
    expect(await publish(hub, 'news', '1')).toBe(':1');
  });

  it('tells that Redis forbids a channel', async () => {
    const hub = await server();
    await hub.command('ACL', 'SETUSER', 'ara', 'on', '>pw', 'resetchannels', '&ara:*', '+@all');
    const subscription = service(hub.url.replace('//', '//ara:pw@')).subscription('triggers');
    await subscription.subscribe('ara:news', () => undefined);
    expect((await errorOf(subscription.subscribe('other', () => undefined))).message).toMatch(/^NOPERM/);
  });

  it('ends waiting calls when it is closed', async () => {
    const hub = await server();
    await hub.kill9();
    const subscription = service(hub.url, QUICK).subscription('triggers');
    const waiting = errorOf(subscription.subscribe('news', () => undefined));
    subscription.close();
    await waiting;
  });
});

describe('Redis in other shapes', () => {
  itWithServer('is a Redis Cluster', async () => {
    const node = await startRedisCluster();
    servers.push(node);
    const redis = service(node.url, QUICK);
    expect(redis.isCluster).toBe(true);
    expect(await redis.run('set', (client) => client.set('a', 'b'))).toBe('OK');
    expect((await errorOf(redis.run('mset', (client) => client.mset('a', '1', 'b', '2')))).message).toMatch(/slot/i);
    const subscription = redis.subscription('triggers');
    await subscription.subscribe('news', () => undefined);
    expect(await node.command('PUBLISH', 'news', '1')).toBe(':1');
    expect(await redis.durability()).toEqual({ appendOnly: false, fsync: 'everysec', evicts: false });
    await node.kill9();
    await until('the loss is noticed', () => !redis.health().connected, 10_000);
    await node.start();
    await until('the cluster is back', () => redis.run('get', (client) => client.set('a', 'c')), 10_000);
    await until('all is well', () => redis.health().status === 'healthy', 10_000);
  });

  itWithServer(
    'is found through Sentinel, also after a failover',
    async () => {
      const [first, second] = [await server(), await server()];
      await second.command('REPLICAOF', '127.0.0.1', String(first.port));
      const sentinel = await sentinelFor(first);
      const redis = service(`redis+sentinel://127.0.0.1:1,127.0.0.1:${sentinel.port}/mymaster`, QUICK);
      await redis.run('set', (client) => client.set('a', '1'));
      await until(
        'Sentinel knows the replica',
        async () => (await sentinel.command('SENTINEL', 'REPLICAS', 'mymaster')).startsWith('*1'),
        15_000,
      );
      await until(
        'the replica can be promoted',
        async () => (await sentinel.command('SENTINEL', 'FAILOVER', 'mymaster')).startsWith('+OK'),
        15_000,
      );
      await until(
        'the other server has the value',
        async () => {
          await redis.run('set', (client) => client.set('b', '2'));
          return (await second.command('GET', 'b')) === '$1';
        },
        15_000,
      );
    },
    60_000,
  );
});

async function sentinelFor(primary: RedisServer): Promise<RedisServer> {
  const config = join(primary.folder, 'sentinel.conf');
  writeFileSync(
    config,
    `sentinel monitor mymaster 127.0.0.1 ${primary.port} 1\nsentinel down-after-milliseconds mymaster 1000\n`,
  );
  const sentinel = await startRedis({ config, args: ['--sentinel'] });
  servers.push(sentinel);
  return sentinel;
}

/** Everything that printing the error could show. */
function inspectAll(error: Error): string {
  const all: unknown[] = [];
  for (let each: unknown = error; each instanceof Error; each = each.cause) all.push(each.stack, Object.entries(each));
  return JSON.stringify(all);
}
