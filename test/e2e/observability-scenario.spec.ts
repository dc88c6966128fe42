import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { AraProcess, type Env } from '../support/ara-process';
import { Movements } from '../support/metrics';
import { PostgresServer } from '../support/postgres-server';
import { type RedisServer, startRedis } from '../support/redis-server';
import { tokenFor } from '../support/tokens';
import { until } from '../support/until';
import { UpgradeRefused, WsClient } from '../support/ws-client';

// Every feature once, on four nodes and with their servers stopped for a while. A metric that has not moved by then says
// nothing to anybody: it is wired to nothing, or stands for something that cannot happen.

const PAGE = readFileSync(join(__dirname, '../../docs/observability.md'), 'utf8');
const LIMIT_MS = 120_000;
const content = { event_type: 'order.created', payload: { n: 1 } };
const NOTIFICATIONS = '/api/v1/notifications';

const running: AraProcess[] = [];
const clients: { close(): Promise<unknown> }[] = [];
let redis: RedisServer;
let postgres: PostgresServer;
let publisher: Redis;
const seen = new Movements();

async function start(env: Env): Promise<AraProcess> {
  const ara = await AraProcess.start(env);
  running.push(ara);
  return ara;
}

async function ws(ara: AraProcess, user: string): Promise<WsClient> {
  const client = await ara.ws(user);
  clients.push(client);
  return client;
}

const moved = (name: string, ...services: readonly AraProcess[]): Promise<true> =>
  until(
    `${name} moves`,
    async () => {
      await seen.look(...services);
      return seen.has(name) || undefined;
    },
    20_000,
  );

const cluster = (n: number): Env => ({
  REDIS_URL: redis.url,
  CLUSTER_ENABLED: 'true',
  CLUSTER_SERVER_ID: `node-${n}`,
  QUEUE_ENABLED: 'true',
  QUEUE_BACKEND: 'redis',
  ACK_ENABLED: 'true',
  ACK_BACKEND: 'redis',
  RATELIMIT_ENABLED: 'true',
  RATELIMIT_BACKEND: 'redis',
  RATELIMIT_HTTP_REQUESTS_PER_SECOND: '10000',
  RATELIMIT_HTTP_BURST_SIZE: '10000',
  RATELIMIT_WS_CONNECTIONS_PER_MINUTE: '1000',
  WEBSOCKET_HEARTBEAT_INTERVAL: '1',
  WEBSOCKET_CONNECTION_TIMEOUT: '60',
  REDIS_CIRCUIT_BREAKER_RESET_TIMEOUT_SECONDS: '2',
});

beforeAll(async () => {
  redis = await startRedis();
  postgres = await PostgresServer.start();
  publisher = new Redis(redis.url);
  publisher.on('error', () => undefined);
}, LIMIT_MS);

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await Promise.all(running.map((ara) => ara.stop()));
  publisher.disconnect();
  await redis.close();
  await postgres.stop();
}, LIMIT_MS);

it(
  'a cluster: every way to send, to clients of both kinds, on both nodes',
  async () => {
    const [one, two] = [await start(cluster(1)), await start(cluster(2))];
    const [alice, bob] = [await ws(one, 'alice'), await ws(two, 'bob')];
    const stream = await one.sse('carol');
    clients.push(stream);
    await Promise.all([alice.subscribe('orders'), bob.subscribe('orders')]);
    await Promise.all([alice.settled(), bob.settled()]);

    await one.post(`${NOTIFICATIONS}/send`, { target_user_id: 'bob', ...content });
    bob.send({ type: 'Ack', payload: { notification_id: (await bob.notification())['id'] } });
    await bob.next('acked');
    await one.post(`${NOTIFICATIONS}/send-to-users`, { target_user_ids: ['alice', 'bob'], ...content });
    await one.post(`${NOTIFICATIONS}/broadcast`, content);
    await one.post(`${NOTIFICATIONS}/channel`, { channel: 'orders', ...content });
    await one.post(`${NOTIFICATIONS}/channels`, { channels: ['orders', 'alerts'], ...content });
    await one.post(`${NOTIFICATIONS}/batch`, {
      notifications: [{ target: { type: 'user', value: 'bob' }, ...content }],
    });
    await publisher.publish('notification:user:bob', JSON.stringify({ type: 'user', target: 'bob', event: content }));
    await publisher.publish('notification:user:bob', 'no json');
    await seen.look(one, two);

    // Away, and back on the other node.
    await one.post(`${NOTIFICATIONS}/send`, { target_user_id: 'dave', ...content });
    await seen.look(one);
    await (await ws(two, 'dave')).notification();

    alice.send({ type: 'Unsubscribe', payload: { channels: ['orders'] } });
    await alice.settled();
    await alice.close();
    await moved('ara_ws_connection_duration_seconds', one);
    await moved('ara_cluster_sessions_refreshed_total', one, two);
    await moved('ara_redis_messages_dropped_total', one, two);
  },
  LIMIT_MS,
);

it(
  'a node by itself: what ends by time, by number, or by the far end',
  async () => {
    const alone = await start({
      QUEUE_ENABLED: 'true',
      QUEUE_MAX_SIZE_PER_USER: '2',
      QUEUE_MESSAGE_TTL_SECONDS: '2',
      QUEUE_CLEANUP_INTERVAL_SECONDS: '1',
      ACK_ENABLED: 'true',
      ACK_TIMEOUT_SECONDS: '1',
      ACK_CLEANUP_INTERVAL_SECONDS: '1',
      WEBSOCKET_HEARTBEAT_INTERVAL: '1',
      WEBSOCKET_CONNECTION_TIMEOUT: '2',
      WEBSOCKET_CLEANUP_INTERVAL: '1',
      CANARY_INTERVAL_SECONDS: '1',
      TEMPLATE_BACKEND: 'postgres',
      DATABASE_URL: postgres.url,
    });
    await alone.post('/api/v1/templates', { id: 't', name: 'T', event_type: 'e', payload_template: {} });
    for (let n = 0; n < 3; n++) await alone.post(`${NOTIFICATIONS}/send`, { target_user_id: 'away', template_id: 't' });
    await seen.look(alone);

    // A client that answers no ping is as good as gone; one that does not read is told of what it can take.
    const url = `${alone.url.replace('http', 'ws')}/ws?token=`;
    clients.push(await WsClient.connect(`${url}${tokenFor('silent')}`, { autoPong: false }));
    const large = { ...content, payload: 'x'.repeat(60_000), priority: 'Low' };
    // All at once, and anew if need be: a busy machine may take longer for them than silence is borne.
    await until(
      'a frame is shed',
      async () => {
        const slow = await WsClient.connect(`${url}${tokenFor('slow')}`);
        slow.pause();
        const flood = Array.from({ length: 150 }, () => alone.post(`${NOTIFICATIONS}/broadcast`, large));
        const failed = (await Promise.all(flood)).map((answer) => answer.json<{ failed: number }>().failed);
        await slow.cut();
        return failed.some((count) => count > 0);
      },
      60_000,
    );
    for (const name of [
      'ara_queue_dropped_total',
      'ara_queue_expired_total',
      'ara_ack_expired_total',
      'ara_heartbeat_timeouts_total',
      'ara_messages_failed_total',
      'ara_canary_latency_seconds',
    ]) {
      await moved(name, alone);
    }
  },
  LIMIT_MS,
);

it(
  'limits that are reached',
  async () => {
    const strict = await start({
      RATELIMIT_ENABLED: 'true',
      RATELIMIT_HTTP_REQUESTS_PER_SECOND: '1',
      RATELIMIT_HTTP_BURST_SIZE: '2',
      RATELIMIT_WS_CONNECTIONS_PER_MINUTE: '1',
    });
    for (let n = 0; n < 4; n++) await strict.get('/stats');
    await ws(strict, 'alice');
    await expect(strict.ws('bob')).rejects.toThrow(UpgradeRefused);
    await seen.look(strict);
  },
  LIMIT_MS,
);

it(
  'Redis hangs, dies and comes back',
  async () => {
    const [one] = running;
    const patient = await start({
      REDIS_URL: redis.url,
      QUEUE_ENABLED: 'true',
      QUEUE_BACKEND: 'redis',
      STORE_TIMEOUT_MS: '10000',
      CANARY_INTERVAL_SECONDS: '1',
    });
    redis.pause();
    await until(
      'the breaker opens',
      async () => {
        await one!.post(`${NOTIFICATIONS}/send`, { target_user_id: 'erin', ...content });
        await seen.look(one!, patient);
        return seen.has('ara_redis_circuit_breaker_state') || undefined;
      },
      30_000,
    );
    await moved('ara_backend_errors_total', one!);
    await moved('ara_ratelimit_fallbacks_total', one!);
    await moved('ara_canary_lost_total', patient);
    await redis.kill9();
    await redis.start();
    await moved('ara_redis_reconnections_total', one!);
  },
  LIMIT_MS,
);

describe('after all this', () => {
  it('every metric has moved', () => {
    expect([...seen.metrics].filter((name) => !seen.has(name))).toEqual([]);
  });

  it('so has every series of what was sent, received and limited', () => {
    const series = [...seen.series].filter((name) => /\{(target|type)="/.test(name));
    expect(series).toHaveLength(5 + 4 + 2 + 2);
    expect(series.filter((name) => !seen.has(name))).toEqual([]);
  });

  it('docs/observability.md names these metrics and no others', () => {
    const documented = [...PAGE.matchAll(/^\| `(ara_\w+)` \|/gm)].map(([, name]) => name!);
    expect(documented.sort()).toEqual([...seen.metrics].sort());
  });
});
