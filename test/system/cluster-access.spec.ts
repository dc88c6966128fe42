import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startRedis, startRedisCluster } from '../support/redis-server';
import { until } from '../support/until';
import { CONTENT, TestCluster } from '../support/test-cluster';

jest.setTimeout(60_000);

const PAGE = readFileSync(join(__dirname, '../../docs/redis.md'), 'utf8');
const USERS = [...PAGE.matchAll(/^ACL SETUSER .*$/gm)].map(([line]) => line.split(' '));

it.each([
  ['one server', startRedis],
  ['a Redis Cluster', startRedisCluster],
])('the rights that docs/redis.md gives are enough, on %s', async (_, startServer) => {
  const server = await startServer();
  for (const words of USERS) expect(await server.command(...words)).toBe('+OK');
  const cluster = await TestCluster.start(
    {
      REDIS_URL: server.url.replace('//', '//ara:a-long-password@'),
      REDIS_TRIGGER_STRICT: 'true',
      REDIS_INGEST_STREAM: 'ara:ingest',
      QUEUE_ENABLED: 'true',
      QUEUE_BACKEND: 'redis',
      ACK_ENABLED: 'true',
      ACK_BACKEND: 'redis',
      RATELIMIT_ENABLED: 'true',
      RATELIMIT_BACKEND: 'redis',
    },
    server,
  );
  const client = await cluster.node(0).ws('u');
  await client.subscribe('news');

  const shop = new Redis(server.port, { username: 'shop', password: 'another-long-password', enableReadyCheck: false });
  const trigger = JSON.stringify({ type: 'user', target: 'u', event: CONTENT });
  await until('all listen', async () => (await shop.publish('notification:user:u', trigger)) === 3);
  await client.notification();
  await expect(shop.publish('notification:broadcast', trigger)).rejects.toThrow('NOPERM');
  await expect(shop.publish('ara:cluster:route:all', trigger)).rejects.toThrow('NOPERM');
  await expect(shop.get('ara:queue:x')).rejects.toThrow('NOPERM');

  const stored = { id: 't', name: 't', event_type: 'e', payload_template: { a: '{{a}}' } };
  expect((await cluster.node(1).post('/api/v1/templates', stored)).status).toBe(201);
  const sent = await cluster
    .node(2)
    .post('/api/v1/notifications/send', { target_user_id: 'u', template_id: 't', variables: { a: 'b' } });
  expect(sent.json()).toMatchObject({ delivered_to: 1 });
  const frame = await client.next(
    ({ type, payload }) => type === 'notification' && payload !== null && 'a' in Object(payload),
  );
  client.send({ type: 'Ack', payload: { notification_id: frame['id'] } });
  await client.next('acked');
  await server.command('XADD', 'ara:ingest', '*', 'message', trigger);
  await client.notification();

  expect(await server.command('ACL', 'LOG')).toMatch(/^\*\d+$/);
  for (const node of cluster.nodes) {
    expect(node.output).not.toMatch(/NOPERM|no permission/i);
    expect((await node.stop()).code).toBe(0);
  }
  shop.disconnect();
  await cluster.stop();
});
