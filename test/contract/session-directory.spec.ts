import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { ClusterMetrics } from '../../src/cluster/cluster.metrics';
import { Membership } from '../../src/cluster/membership';
import { RedisSessionDirectory } from '../../src/cluster/redis-session-directory';
import type { Session } from '../../src/cluster/session-directory';
import { AraConfig } from '../../src/config/ara-config';
import {
  connectionId,
  nodeId,
  parseTenantId,
  parseUserId,
  type TenantId,
  type UserId,
} from '../../src/notification/ids';
import { Metrics } from '../../src/telemetry/metrics';
import { SystemClock } from '../../src/runtime/system-clock';
import { redisConfig, redisHa } from '../support/redis-ha';
import { hasRedisServer, type RedisServer, startRedis, startRedisCluster } from '../support/redis-server';
import { until } from '../support/until';

beforeAll(() => {
  Logger.overrideLogger(false);
});

const T = parseTenantId('t')!;
const user = (name: string): UserId => parseUserId(name)!;

/** One node's view, with everything that closes it. */
class Node {
  readonly redis;
  readonly membership;
  readonly directory;

  constructor(
    readonly name: string,
    url: string,
  ) {
    const config = Object.assign(Object.create(AraConfig.prototype) as AraConfig, redisConfig(url), {
      cluster: { nodeId: nodeId(name), sessionPrefix: 'test:sessions', sessionTtlSeconds: 60 },
      webSocket: { heartbeatSeconds: 30 },
    });
    this.redis = redisHa(url);
    this.membership = new Membership(this.redis, new SystemClock(), config);
    this.directory = new RedisSessionDirectory(
      this.redis,
      this.membership,
      config,
      new ClusterMetrics(new Metrics(), config),
    );
  }

  session(id: string, who: string, tenant: TenantId = T, transport: Session['transport'] = 'websocket'): Session {
    return {
      connection: connectionId(id),
      node: nodeId(this.name),
      tenant,
      user: user(who),
      transport,
      connectedAt: 1,
    };
  }

  async close(): Promise<void> {
    await this.directory.onApplicationShutdown();
    this.redis.onApplicationShutdown();
  }

  /** Gone without a word. */
  crash(): void {
    this.redis.onApplicationShutdown();
  }
}

const SERVERS: [string, () => Promise<RedisServer>][] = [['one server', startRedis]];
// The Valkey of npm knows no cluster.
if (hasRedisServer) SERVERS.push(['a Redis Cluster', startRedisCluster]);

describe.each(SERVERS)('the session directory on %s', (_, startServer) => {
  let server: RedisServer;
  let one: Node;
  let two: Node;

  beforeAll(async () => {
    server = await startServer();
  });

  afterAll(() => server.close());

  beforeEach(async () => {
    await server.command('FLUSHALL');
    [one, two] = [new Node('one', server.url), new Node('two', server.url)];
    await Promise.all([one.directory.onModuleInit(), two.directory.onModuleInit()]);
  });

  afterEach(() => Promise.all([one.close(), two.close()]));

  it('finds a session as soon as it is added, from elsewhere only, until it is removed', async () => {
    const session = one.session('c1', 'u');
    await one.directory.add(session);
    expect(await two.directory.presentElsewhere(T, [user('u'), user('v')])).toEqual(new Set([user('u')]));
    expect(await two.directory.instancesElsewhere(T, [user('u')])).toEqual(new Set([one.membership.instance]));
    expect(await two.directory.countElsewhere(T, user('u'))).toEqual({ user: 1, tenant: 1 });
    expect(await one.directory.presentElsewhere(T, [user('u')])).toEqual(new Set());
    expect(await one.directory.countElsewhere(T, user('u'))).toEqual({ user: 0, tenant: 0 });
    await one.directory.remove(session);
    expect(await two.directory.presentElsewhere(T, [user('u')])).toEqual(new Set());
    expect(await two.directory.countElsewhere(T, user('u'))).toEqual({ user: 0, tenant: 0 });
  });

  it('knows the other nodes at once', async () => {
    expect(await one.directory.otherNodes()).toEqual([nodeId('two')]);
    expect(await two.directory.otherNodes()).toEqual([nodeId('one')]);
  });

  it('tells transports apart', async () => {
    await one.directory.add(one.session('c1', 'u', T, 'sse'));
    expect(await two.directory.presentElsewhere(T, [user('u')], 'websocket')).toEqual(new Set());
    await one.directory.add(one.session('c2', 'u'));
    expect(await two.directory.presentElsewhere(T, [user('u')], 'websocket')).toEqual(new Set([user('u')]));
  });

  it('no pair of tenant and user is taken for another', async () => {
    const pairs = [
      ['a', 'b:c'],
      ['a.b', 'c'],
      ['a', 'b'],
      ['ä', '{x}'],
      ['A', ' '],
      ['a', ''],
      ['a', '%3A'],
      ['a', ':'],
    ] as const;
    for (const [index, [tenant, name]] of pairs.entries()) {
      await one.directory.add(one.session(`c${index}`, name, parseTenantId(tenant)));
    }
    for (const [tenant, name] of pairs) {
      expect(await two.directory.countElsewhere(parseTenantId(tenant)!, user(name))).toMatchObject({ user: 1 });
    }
    expect(await two.directory.countUsers(0)).toBe(pairs.length);
    expect(await two.directory.countUsers(0, parseTenantId('a'))).toBe(5);
    expect(await two.directory.countElsewhere(parseTenantId('a')!, user('nobody'))).toEqual({ user: 0, tenant: 5 });
  });

  it('counts a user of several nodes once, and until the last connection ends', async () => {
    const sessions = [one.session('c1', 'u'), one.session('c2', 'u')];
    const other = two.session('c3', 'u');
    await Promise.all([...sessions.map((session) => one.directory.add(session)), two.directory.add(other)]);
    for (const session of sessions) {
      expect(await one.directory.countUsers(1, T)).toBe(1);
      await one.directory.remove(session);
    }
    expect(await one.directory.countUsers(0)).toBe(1);
    await two.directory.remove(other);
    expect(await one.directory.countUsers(0)).toBe(0);
    expect(await one.directory.countUsers(0, T)).toBe(0);
  });

  it('a connection that ends while it is being added leaves nothing', async () => {
    const sessions = Array.from({ length: 2_000 }, (_, n) => one.session(`c${n}`, `u${n % 700}`));
    await Promise.all(sessions.flatMap((session) => [one.directory.add(session), one.directory.remove(session)]));
    expect(await two.directory.countUsers(0)).toBe(0);
    expect(await two.directory.countElsewhere(T, user('u1'))).toEqual({ user: 0, tenant: 0 });
  });

  it('a node that leaves is forgotten at once, with all of its sessions', async () => {
    const leaver = new Node('leaver', server.url);
    await leaver.directory.onModuleInit();
    await Promise.all(Array.from({ length: 500 }, (_, n) => leaver.directory.add(leaver.session(`c${n}`, `u${n}`))));
    expect(await one.directory.countUsers(0)).toBe(500);
    await leaver.close();
    expect(await one.directory.otherNodes()).toEqual([nodeId('two')]);
    expect(await one.directory.countUsers(0)).toBe(0);
    expect(await one.directory.presentElsewhere(T, [user('u1')])).toEqual(new Set());
  });

  it('rejects while Redis cannot be reached', async () => {
    const stray = new Node('stray', 'redis://127.0.0.1:1');
    await expect(stray.directory.presentElsewhere(T, [user('u')])).rejects.toThrow('Redis');
    await expect(stray.directory.add(stray.session('c', 'u'))).rejects.toThrow('Redis');
    stray.crash();
  });
});

it('a crashed node is dead within 10 s: its sessions mean nothing, and are removed by another', async () => {
  const server = await startRedis();
  const survivor = new Node('survivor', server.url);
  const victim = new Node('victim', server.url);
  await Promise.all([survivor.directory.onModuleInit(), victim.directory.onModuleInit()]);
  await Promise.all(Array.from({ length: 500 }, (_, n) => victim.directory.add(victim.session(`c${n}`, `u${n}`))));
  await survivor.directory.add(survivor.session('d', 'u1'));
  victim.crash();
  const crashedAt = Date.now();
  await until(
    'it is dead',
    async () => (await survivor.directory.presentElsewhere(T, [user('u2')])).size === 0,
    15_000,
  );
  expect(Date.now() - crashedAt).toBeLessThan(10_500);
  await until('it is cleaned up after', async () => (await survivor.directory.countUsers(1)) === 1);
  const redis = new Redis(server.url);
  expect(await redis.keys('test:sessions:*:user:*')).toHaveLength(1);
  redis.disconnect();
  await survivor.close();
  await server.close();
});

it('what Redis lost is written again', async () => {
  const server = await startRedis();
  const one = new Node('one', server.url);
  const two = new Node('two', server.url);
  await Promise.all([one.directory.onModuleInit(), two.directory.onModuleInit()]);
  await one.directory.add(one.session('c', 'u'));
  await server.command('FLUSHALL');
  expect((await two.directory.presentElsewhere(T, [user('u')])).size).toBe(0);
  await until('it is there', async () => (await two.directory.countElsewhere(T, user('u'))).tenant === 1, 8_000);
  expect((await two.directory.countElsewhere(T, user('u'))).user).toBe(1);
  await Promise.all([one.close(), two.close()]);
  await server.close();
});
