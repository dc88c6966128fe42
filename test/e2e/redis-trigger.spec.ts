import { Redis } from 'ioredis';
import { AraProcess, type Env } from '../support/ara-process';
import { type RedisServer, startRedis } from '../support/redis-server';
import { until } from '../support/until';
import type { WsClient } from '../support/ws-client';
import { notificationsOf } from '../support/test-cluster';

// Back ends that know nothing but Redis: what they publish arrives as if it had been posted.

let server: RedisServer;
let redis: Redis;
const running: AraProcess[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((ara) => ara.stop()));
});

afterAll(async () => {
  redis.disconnect();
  await server.close();
});

/** A node that hears Redis. */
async function start(env: Env = {}, patterns = 2): Promise<AraProcess> {
  const ara = await AraProcess.start({ REDIS_URL: server.url, ...env });
  running.push(ara);
  await until('it listens', async () => Number(await redis.pubsub('NUMPAT')) === patterns);
  return ara;
}

const event = { event_type: 'order.created', payload: { big: 12345678901234567890n.toString(), n: 1 } };

function publish(channel: string, message: unknown): Promise<number> {
  return redis.publish(channel, typeof message === 'string' ? message : JSON.stringify(message));
}

async function metric(ara: AraProcess, name: string): Promise<number> {
  const { text } = await ara.get('/metrics');
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  if (line === undefined) throw new Error(`no metric ${name}`);
  return Number(line.split(' ')[1]);
}

describe('every shape of message', () => {
  let ara: AraProcess;
  let alice: WsClient;
  let bob: WsClient;

  beforeAll(async () => {
    ara = await start();
    running.pop();
    [alice, bob] = await Promise.all([ara.ws('alice'), ara.ws('bob')]);
    await alice.subscribe('orders');
    await Promise.all([alice.settled(), bob.settled()]);
  });

  afterAll(() => ara.stop());

  it.each([
    ['notification:user:alice', { type: 'user', target: 'alice', event }, ['alice']],
    ['notification:user:alice', { type: 'users', target: ['alice', 'bob', 'alice'], event }, ['alice', 'bob']],
    ['notification:user:x', { type: 'users', target: 'bob', event }, ['bob']],
    ['notification:broadcast', { type: 'broadcast', event }, ['alice', 'bob']],
    ['notification:channel:orders', { type: 'channel', target: 'orders', event }, ['alice']],
    ['notification:channel:any', { type: 'channels', target: ['orders', 'orders', 'other'], event }, ['alice']],
    ['notification:broadcast', { type: 'user', target: 'bob', event }, ['bob']],
  ])('%s %j reaches %j', async (channel, message, expected) => {
    await publish(channel, message);
    for (const [name, client] of Object.entries({ alice, bob })) {
      if (!expected.includes(name)) continue;
      const frame = await client.notification();
      expect(frame['event_type']).toBe('order.created');
      expect(frame['metadata']).toEqual({ source: `redis:${channel}`, priority: 'Normal' });
    }
    expect(notificationsOf(await alice.settled())).toEqual([]);
    expect(notificationsOf(await bob.settled())).toEqual([]);
  });

  it('the payload arrives as it was written, with everything that goes with it', async () => {
    const id = '0192f0c1-7a3b-7c4d-8e5f-0123456789ab';
    await publish(
      'notification:user:alice',
      `{"type":"user","target":"alice","id":"${id}","event":{"event_type":"e","priority":"High","ttl":60,` +
        `"correlation_id":"c","payload":{"big": 12345678901234567890, "one": 1.0}}}`,
    );
    const { text } = await alice.notification();
    expect(text).toContain('"payload":{"big":12345678901234567890,"one":1.0}');
    expect(text).toContain('"priority":"High","ttl":60,"correlation_id":"c"');
    expect(text).toContain(`"id":"${id}"`);
  });

  it('two equal messages are two notifications; two with one id or key are one', async () => {
    const plain = { type: 'user', target: 'alice', event };
    const withId = { ...plain, id: '0192f0c1-7a3b-7c4d-8e5f-00000000000a' };
    const withKey = { ...plain, idempotency_key: 'order 1' };
    const before = await metric(ara, 'ara_redis_messages_received_total');
    for (const message of [plain, plain, withId, withId, withKey, withKey]) {
      await publish('notification:user:alice', message);
    }
    await until(
      'all are received',
      async () => (await metric(ara, 'ara_redis_messages_received_total')) === before + 6,
    );
    const ids = notificationsOf(await alice.settled()).map((frame) => frame['id']);
    expect(ids).toHaveLength(4);
    expect(new Set(ids).size).toBe(4);
    expect(ids[2]).toBe(withId.id);
  });

  it('what is malformed costs a count and one line in the log, and the next message arrives', async () => {
    const deep = `${'['.repeat(70)}${']'.repeat(70)}`;
    const bad = [
      'no json',
      '{}',
      { type: 'user', target: ['alice'], event },
      { type: 'User', target: 'alice', event },
      { type: 'users', target: null, event },
      { type: 'user', target: 'x'.repeat(256), event },
      `{"type":"broadcast","event":{"event_type":"e","payload":${deep}}}`,
      { type: 'broadcast', event: { event_type: 'e', payload: 'x'.repeat(65_536) } },
      Buffer.from([0xff, 0xfe]).toString('latin1'),
    ];
    const before = await metric(ara, 'ara_redis_messages_received_total');
    for (const message of bad) await publish('notification:broadcast', message);
    await publish('notification:user:alice', { type: 'user', target: 'alice', event });
    await alice.notification();
    expect(notificationsOf(await alice.settled())).toEqual([]);
    expect(await metric(ara, 'ara_redis_messages_received_total')).toBe(before + bad.length + 1);
    expect(await metric(ara, 'ara_redis_messages_dropped_total{reason="malformed"}')).toBe(bad.length);
    expect(ara.output.split('Dropped a message')).toHaveLength(2);
  });
});

it('a message that several subscriptions hear is taken once', async () => {
  const ara = await start({ REDIS_CHANNELS: 'shop:*,shop:orders,s?op:[a-o]*,other,shop:*' });
  const alice = await ara.ws('alice');
  expect(await publish('shop:orders', { type: 'user', target: 'alice', event })).toBe(3);
  await publish('shop:xmas', { type: 'user', target: 'alice', event });
  const sources = [await alice.notification(), await alice.notification()].map(
    ({ metadata }) => (metadata as { source: string }).source,
  );
  expect(sources).toEqual(['redis:shop:orders', 'redis:shop:xmas']);
  expect(notificationsOf(await alice.settled())).toEqual([]);
  expect(await metric(ara, 'ara_redis_messages_received_total')).toBe(2);
});

it('with REDIS_TRIGGER_STRICT a target must be the one that the channel names', async () => {
  const ara = await start({ REDIS_TRIGGER_STRICT: 'true' });
  const alice = await ara.ws('alice');
  await publish('notification:broadcast', { type: 'users', target: ['alice'], event });
  await publish('notification:user:bob', { type: 'user', target: 'alice', event });
  await publish('notification:user:alice', { type: 'user', target: 'alice', event });
  expect((await alice.notification())['metadata']).toMatchObject({ source: 'redis:notification:user:alice' });
  expect(notificationsOf(await alice.settled())).toEqual([]);
  expect(await metric(ara, 'ara_redis_messages_dropped_total{reason="target"}')).toBe(2);
});

describe('tenants', () => {
  const to = (tenant_id?: unknown) => ({ type: 'broadcast', tenant_id, event });

  async function reached(ara: AraProcess, messages: readonly unknown[]): Promise<Record<string, number>> {
    const clients = {
      acme: await ara.ws('u', { tenant_id: 'acme' }),
      other: await ara.ws('u', { tenant_id: 'other' }),
      none: await ara.ws('u'),
    };
    for (const message of messages) await publish('notification:broadcast', message);
    await until(
      'all are received',
      async () => (await metric(ara, 'ara_redis_messages_received_total')) === messages.length,
    );
    const counts: Record<string, number> = {};
    for (const [name, client] of Object.entries(clients)) {
      counts[name] = notificationsOf(await client.settled()).length;
      await client.close();
    }
    return counts;
  }

  it('off: the field is not read, and all are one', async () => {
    const ara = await start();
    expect(await reached(ara, [to('acme'), to(), to('not a : tenant')])).toEqual({ acme: 3, other: 3, none: 3 });
  });

  it('on: only the tenant that is named, else the default one; a malformed name drops the message', async () => {
    const ara = await start({ TENANT_ENABLED: 'true' });
    expect(await reached(ara, [to('acme'), to(null), to('not a : tenant')])).toEqual({ acme: 1, other: 0, none: 1 });
    expect(await metric(ara, 'ara_redis_messages_dropped_total{reason="tenant"}')).toBe(1);
  });

  it('unscoped: what names none reaches all', async () => {
    const ara = await start({ TENANT_ENABLED: 'true', TENANT_REDIS_UNSCOPED: 'true' });
    expect(await reached(ara, [to('acme'), to()])).toEqual({ acme: 2, other: 1, none: 1 });
  });
});

it('starts and serves without Redis, says so once, and hears it as soon as it is there', async () => {
  const own = await startRedis();
  await own.stop();
  const ara = await AraProcess.start({ REDIS_URL: own.url, REDIS_BACKOFF_MAX_DELAY_MS: '200' });
  running.push(ara);
  const alice = await ara.ws('alice');
  for (let outage = 0; outage < 2; outage++) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    await own.start();
    const message = JSON.stringify({ type: 'user', target: 'alice', event });
    await until('it listens', async () => (await own.command('PUBLISH', 'notification:user:alice', message)) === ':1');
    await alice.notification();
    await own.stop();
  }
  // Three outages; the second connection looks for neighbours once Redis is there.
  expect(ara.output.match(/Not connected/g)?.length).toBeLessThanOrEqual(5);
  await own.close();
});

it('a comma alone switches it off: nobody connects to Redis', async () => {
  const ara = await start({ REDIS_CHANNELS: ',' }, 0);
  expect((await ara.get('/health')).json()).toMatchObject({ redis: { status: 'disabled', connected: false } });
  expect(await redis.client('LIST')).not.toContain('name=ara-');
});

it('a trigger for an absent user is kept until they come', async () => {
  const ara = await start({ QUEUE_ENABLED: 'true' });
  const id = '0192f0c1-7a3b-7c4d-8e5f-00000000000b';
  const message = { type: 'users', target: ['carol', 'dave'], id, event };
  await publish('notification:user:carol', message);
  await publish('notification:user:carol', message);
  await until('both are received', async () => (await metric(ara, 'ara_redis_messages_received_total')) === 2);
  const carol = await ara.ws('carol');
  expect((await carol.notification())['id']).toBe(id);
  expect(notificationsOf(await carol.settled())).toEqual([]);
});

describe('a stream as a door', () => {
  const STREAM = 'ara:ingest';
  const add = (message: unknown): Promise<string | null> =>
    redis.xadd(STREAM, '*', 'message', typeof message === 'string' ? message : JSON.stringify(message));

  beforeEach(() => redis.del(STREAM));

  it('takes what was written before and after it came, and leaves nothing behind', async () => {
    await add({ type: 'user', target: 'alice', event });
    const ara = await start({ REDIS_INGEST_STREAM: STREAM, QUEUE_ENABLED: 'true' });
    const alice = await ara.ws('alice');
    expect((await alice.notification())['metadata']).toMatchObject({ source: `redis:${STREAM}` });
    await add('malformed');
    await redis.xadd(STREAM, '*', 'body', 'no message');
    await add({ type: 'user', target: 'alice', event });
    await add({ type: 'user', target: 'alice', event });
    await alice.notification();
    await alice.notification();
    await until('all is acknowledged', async () => (await redis.xlen(STREAM)) === 0);
    expect(notificationsOf(await alice.settled())).toEqual([]);
    expect(await metric(ara, 'ara_redis_messages_dropped_total{reason="malformed"}')).toBe(2);
    expect(await redis.xpending(STREAM, 'ara')).toEqual([0, null, null, null]);
  });

  it('what a dead node had read is taken over, once', async () => {
    await redis.xgroup('CREATE', STREAM, 'ara', '0', 'MKSTREAM');
    const id = await add({ type: 'user', target: 'alice', event });
    await redis.xreadgroup('GROUP', 'ara', 'dead', 'STREAMS', STREAM, '>');
    // As if it had been read 31 s ago.
    await redis.call('XCLAIM', STREAM, 'ara', 'dead', '0', id!, 'IDLE', '31000', 'JUSTID');
    const ara = await start({ REDIS_INGEST_STREAM: STREAM, QUEUE_ENABLED: 'true' });
    await until('it is acknowledged', async () => (await redis.xlen(STREAM)) === 0);
    // Somebody gives the same entry once more, as after an acknowledgement that was lost.
    await redis.del(STREAM);
    await redis.xadd(STREAM, id!, 'message', JSON.stringify({ type: 'user', target: 'alice', event }));
    await until('it is acknowledged', async () => (await redis.xlen(STREAM)) === 0);
    const alice = await ara.ws('alice');
    await alice.notification();
    expect(notificationsOf(await alice.settled())).toEqual([]);
  });

  it('survives that the stream is deleted', async () => {
    const ara = await start({ REDIS_INGEST_STREAM: STREAM });
    const alice = await ara.ws('alice');
    await redis.del(STREAM);
    await add({ type: 'user', target: 'alice', event });
    await alice.notification(10_000);
  });
});
