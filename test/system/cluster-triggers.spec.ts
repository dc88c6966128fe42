import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { until } from '../support/until';
import type { WsClient, WsFrame } from '../support/ws-client';
import { counted, notificationsOf, TestCluster } from '../support/test-cluster';

// Every node hears what is published; it is one notification all the same.

jest.setTimeout(180_000);

const event = { event_type: 'e', payload: { n: 1 } };

async function metric(cluster: TestCluster, name: string): Promise<number[]> {
  return Promise.all(
    cluster.nodes.map(async (node) => {
      const { text } = await node.get('/metrics');
      return Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.split(' ')[1],
      );
    }),
  );
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

describe.each([
  ['queue off', {}],
  ['queue in Redis', { QUEUE_ENABLED: 'true', QUEUE_BACKEND: 'redis', QUEUE_MAX_SIZE_PER_USER: '10000' }],
])('%s: a message that three nodes hear', (_, env) => {
  let cluster: TestCluster;
  let redis: Redis;
  let clients: WsClient[];

  beforeAll(async () => {
    cluster = await TestCluster.start(env);
    redis = new Redis(cluster.redis.url);
    clients = await Promise.all([0, 1, 2].map((node) => cluster.node(node).ws('u')));
    for (const client of clients) await client.subscribe('news');
    await until('all listen', async () => (await redis.publish('notification:broadcast', '')) === 3);
  });

  afterAll(async () => {
    redis.disconnect();
    await cluster.stop();
  });

  async function publish(message: object): Promise<void> {
    const before = sum(await metric(cluster, 'ara_redis_messages_received_total'));
    expect(await redis.publish('notification:broadcast', JSON.stringify(message))).toBe(3);
    await until('all have heard it', async () => {
      return sum(await metric(cluster, 'ara_redis_messages_received_total')) === before + 3;
    });
  }

  it.each([
    { type: 'user', target: 'u', event },
    { type: 'users', target: ['u', 'v'], event },
    { type: 'broadcast', event },
    { type: 'channel', target: 'news', event },
    { type: 'channels', target: ['news', 'other'], event },
    { type: 'user', target: 'u', id: '0192f0c1-7a3b-7c4d-8e5f-000000000001', event },
    { type: 'broadcast', idempotency_key: 'k', event },
  ])('reaches every connection once, with one id: %j', async (message) => {
    await publish(message);
    const frames: WsFrame[] = await Promise.all(clients.map((client) => client.notification()));
    expect(new Set(frames.map(({ text }) => text)).size).toBe(1);
    if ('id' in message) expect(frames[0]!['id']).toBe(message.id);
    expect(await counted(clients)).toEqual([0, 0, 0]);
  });

  it('sent as a thousand equal ones is a thousand', async () => {
    const message = JSON.stringify({ type: 'user', target: 'u', event: { event_type: 'tick', payload: 0 } });
    const before = sum(await metric(cluster, 'ara_redis_messages_received_total'));
    const pipeline = redis.pipeline();
    for (let n = 0; n < 1000; n++) pipeline.publish('notification:user:u', message);
    await pipeline.exec();
    await until(
      'all have heard all',
      async () => sum(await metric(cluster, 'ara_redis_messages_received_total')) === before + 3000,
      30_000,
    );
    for (const client of clients) {
      await until(
        'all have arrived',
        () => client.inbox.all.filter((f) => f['event_type'] === 'tick').length >= 1000,
        20_000,
      );
      const ids = notificationsOf(await client.settled()).map((frame) => frame['id']);
      expect(ids).toHaveLength(1000);
      expect(new Set(ids).size).toBe(1000);
    }
  });

  it('is one to a node that hears it late, too', async () => {
    await counted(clients);
    const before = sum(await metric(cluster, 'ara_redis_messages_received_total'));
    const { child } = cluster.node(2);
    child.kill('SIGSTOP');
    await redis.publish('notification:user:u', JSON.stringify({ type: 'user', target: 'u', event }));
    // Longer than nodes take to hear the same.
    await sleep(6_000);
    child.kill('SIGCONT');
    await until(
      'all have heard it',
      async () => sum(await metric(cluster, 'ara_redis_messages_received_total')) === before + 3,
      20_000,
    );
    const ids = await Promise.all(clients.map(async (client) => (await client.notification(20_000))['id']));
    expect(new Set(ids).size).toBe(1);
    expect(await counted(clients)).toEqual([0, 0, 0]);
  });

  it('is one to a node that came later, too', async () => {
    const message = { type: 'user', target: 'u', event: { event_type: 'late', payload: 0 } };
    await counted(clients);
    const before = clients.map(({ inbox }) => notificationsOf(inbox.all).length);
    const got = (): number[] => clients.map(({ inbox }, i) => notificationsOf(inbox.all).length - (before[i] ?? 0));
    for (let n = 0; n < 3; n++) await publish(message);
    const late = await cluster.add('node-4');
    await until('it listens', async () => (await redis.publish('notification:broadcast', '')) === 4);
    for (let n = 0; n < 5; n++) {
      const heard = sum(await metric(cluster, 'ara_redis_messages_received_total'));
      await redis.publish('notification:user:u', JSON.stringify(message));
      await until('all have heard it', async () => {
        return sum(await metric(cluster, 'ara_redis_messages_received_total')) === heard + 4;
      });
    }
    // Heard is not yet relayed: what is on its way between nodes is waited for, what would be too much is counted after.
    await until('all have arrived', () => got().every((count) => count >= 8));
    expect(await counted(clients)).toEqual([8, 8, 8]);
    await late.stop();
    cluster.nodes.pop();
  });
});

it('a list of more users than one append takes is stored for each once, under one id', async () => {
  const cluster = await TestCluster.start({ QUEUE_ENABLED: 'true', QUEUE_BACKEND: 'redis' });
  const redis = new Redis(cluster.redis.url);
  await until('all listen', async () => (await redis.publish('notification:broadcast', '')) === 3);
  const target = Array.from({ length: 1_800 }, (_, n) => `user-${n}`);
  for (let n = 0; n < 5; n++)
    await redis.publish('notification:broadcast', JSON.stringify({ type: 'users', target, event }));
  await until('all are stored', async () => {
    const { text } = await cluster.node(0).get('/metrics');
    return text.includes(`ara_queue_size_total ${5 * target.length}\n`);
  });
  const ids = new Set<unknown>();
  for (const [n, user] of ['user-0', 'user-600', 'user-1200', 'user-1799'].entries()) {
    const client = await cluster.node(n % 3).ws(user);
    for (const { id } of notificationsOf(await client.settled())) ids.add(id);
    expect(client.inbox.all.filter(({ type }) => type === 'notification')).toHaveLength(5);
  }
  expect(ids.size).toBe(5);
  redis.disconnect();
  await cluster.stop();
});

it('entries of a stream are shared among the nodes; those of a killed one are taken over', async () => {
  const stream = 'ara:ingest';
  const cluster = await TestCluster.start({
    QUEUE_ENABLED: 'true',
    QUEUE_BACKEND: 'redis',
    REDIS_INGEST_STREAM: stream,
    QUEUE_MAX_SIZE_PER_USER: '10000',
  });
  const redis = new Redis(cluster.redis.url);
  const client = await cluster.node(0).ws('u');
  await client.settled();
  const total = 2_000;
  const pipeline = redis.pipeline();
  for (let n = 0; n < total; n++) {
    const message = { type: 'user', target: 'u', event: { event_type: 'e', payload: n } };
    pipeline.xadd(stream, '*', 'message', JSON.stringify(message));
  }
  const added = pipeline.exec();
  await cluster.node(2).kill9();
  await added;
  await until('all are accepted', async () => (await redis.xlen(stream)) === 0, 60_000);
  const frames = await until(
    'all have arrived',
    () => {
      const got = client.inbox.all.filter(({ type }) => type === 'notification');
      return new Set(got.map(({ id }) => id)).size >= total && got;
    },
    20_000,
  );
  expect(new Set(frames.map((frame) => frame['payload'])).size).toBe(total);
  expect(frames).toHaveLength(total);
  redis.disconnect();
  await cluster.stop();
});
