import { Redis } from 'ioredis';
import { AraProcess } from '../support/ara-process';
import { startRedis } from '../support/redis-server';
import { until } from '../support/until';
import type { WsClient } from '../support/ws-client';
import { CONTENT, counted, notificationsOf, TestCluster } from '../support/test-cluster';

// What nodes know of each other, and what remains of it when one of them, or Redis, is gone.

jest.setTimeout(180_000);

describe('what any node answers speaks for all of them', () => {
  let cluster: TestCluster;
  let clients: WsClient[];

  beforeAll(async () => {
    cluster = await TestCluster.start({ TENANT_ENABLED: 'true' });
    clients = await Promise.all([
      cluster.node(0).ws('u1', { tenant_id: 'acme' }),
      cluster.node(1).ws('u1', { tenant_id: 'acme' }),
      cluster.node(1).ws('u:2', { tenant_id: 'acme' }),
      cluster.node(2).ws('u1', { tenant_id: 'other' }),
    ]);
    await clients[0]!.subscribe('a', 'b');
    await clients[1]!.subscribe('a');
    await clients[2]!.subscribe('a', 'c');
    await clients[3]!.subscribe('a');
  });

  afterAll(() => cluster.stop());

  const get = async (node: number, path: string, tenant = 'acme') =>
    (await cluster.node(node).get(`/api/v1/${path}`, tenant === '' ? {} : { 'x-tenant-id': tenant })).json();

  it.each([0, 1, 2])('node %d', async (node) => {
    expect(await get(node, 'channels')).toEqual({
      channels: [
        { name: 'a', subscriber_count: 3, subscribers: 3 },
        { name: 'b', subscriber_count: 1, subscribers: 1 },
        { name: 'c', subscriber_count: 1, subscribers: 1 },
      ],
      total_channels: 3,
    });
    expect(await get(node, 'channels/a')).toMatchObject({ subscriber_count: 3 });
    expect(await get(node, 'channels/b', 'other')).toMatchObject({ error: { code: 'CHANNEL_NOT_FOUND' } });
    expect(await get(node, 'users/u1/subscriptions')).toMatchObject({ connection_count: 2, subscriptions: ['a', 'b'] });
    expect(await get(node, 'users/u:2/subscriptions', 'other')).toMatchObject({
      error: { code: 'USER_NOT_CONNECTED' },
    });
    expect(await get(node, 'tenants', '')).toMatchObject({
      tenants: [
        { tenant_id: 'acme', stats: { active_connections: 3, total_connections: 3 } },
        { tenant_id: 'other', stats: { active_connections: 1, total_connections: 1 } },
      ],
      total: 2,
    });
    expect(await get(node, 'tenants/acme')).toMatchObject({
      connections: 3,
      users: 2,
      channels: 3,
      connection_stats: { total_connections: 3, unique_users: 2 },
    });
    expect(await get(node, 'cluster/status', '')).toMatchObject({
      enabled: true,
      mode: 'distributed',
      node_id: `node-${node + 1}`,
      nodes: ['node-1', 'node-2', 'node-3'],
      healthy_nodes: 3,
      local_connections: [1, 2, 1][node],
      cluster_connections: 4,
      total_connections: 4,
      cluster_users: 3,
    });
    const located = await get(node, 'cluster/users/u1');
    expect(located).toMatchObject({ found: true, connections: 2 });
    expect([...(located['nodes'] as string[])].sort()).toEqual(['node-1', 'node-2']);
    const sessions = located['sessions'] as { server_id: string; channels: string[]; connected_at: number }[];
    expect(sessions.find(({ server_id }) => server_id === 'node-1')?.channels).toEqual(['a', 'b']);
    expect(Math.abs(sessions[0]!.connected_at - Date.now() / 1000)).toBeLessThan(60);
    expect(await get(node, 'cluster/users/u1', '')).toMatchObject({ connections: 3 });
    expect(await get(node, 'cluster/users/stranger')).toMatchObject({ found: false, sessions: [], node_id: null });
    const { text } = await cluster.node(node).get('/metrics');
    expect(text).toContain('ara_cluster_enabled 1\n');
    expect(text).toContain('ara_cluster_connections_total 4\n');
    expect(text).toContain('ara_cluster_users_total 3\n');
  });

  it('counts what was sent in a tenant on whichever node', async () => {
    for (const node of [0, 1, 2]) {
      await cluster.node(node).post('/api/v1/notifications/broadcast', CONTENT, { 'x-tenant-id': 'acme' });
    }
    const { stats } = (await get(2, 'tenants/acme')) as { stats: Record<string, number> };
    expect(stats).toMatchObject({ messages_sent: 3, messages_delivered: 9 });
    expect(await counted(clients)).toEqual([3, 3, 3, 0]);
  });
});

describe('limits hold across nodes', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await TestCluster.start({
      TENANT_ENABLED: 'true',
      TENANT_ACME_MAX_CONNECTIONS: '3',
      TENANT_ACME_MAX_CONNECTIONS_PER_USER: '2',
    });
  });

  afterAll(() => cluster.stop());

  it('per user and per tenant', async () => {
    const tenant_id = 'acme';
    const first = await cluster.node(0).ws('u', { tenant_id });
    const second = await cluster.node(1).ws('u', { tenant_id });
    await Promise.all([first.settled(), second.settled()]);
    const third = await cluster.node(2).ws('u', { tenant_id });
    expect(await third.next('error')).toMatchObject({
      code: 'CONNECTION_LIMIT',
      message: 'User u connection limit exceeded (2/2)',
    });
    const other = await cluster.node(2).ws('v', { tenant_id });
    await other.settled();
    const fourth = await cluster.node(0).ws('w', { tenant_id });
    expect(await fourth.next('error')).toMatchObject({ message: 'Tenant connection limit exceeded (3/3)' });
    await expect(cluster.node(1).sse('w', { tenant_id })).rejects.toMatchObject({ status: 429 });
    await first.close();
    await until('the place is free', async () => {
      const again = await cluster.node(2).ws('u', { tenant_id });
      return again.settled().then(
        () => true,
        () => false,
      );
    });
  });
});

describe('when a node is killed', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await TestCluster.start({
      QUEUE_ENABLED: 'true',
      QUEUE_BACKEND: 'redis',
      WEBSOCKET_MAX_CONNECTIONS_PER_USER: '1',
    });
  });

  afterAll(() => cluster.stop());

  it('its sessions are gone within 10 s, and what was kept reaches its users elsewhere', async () => {
    const victim = cluster.node(2);
    const client = await victim.ws('u');
    const witness = await cluster.node(0).ws('w');
    await Promise.all([client.settled(), witness.settled()]);
    const users = async () => (await cluster.node(0).get('/api/v1/cluster/status')).json();
    expect(await users()).toMatchObject({ cluster_users: 2, healthy_nodes: 3 });

    await victim.kill9();
    const killedAt = Date.now();
    const answer = await cluster
      .node(0)
      .post('/api/v1/notifications/send', { ...CONTENT, target_user_id: 'u', correlation_id: 'kept' });
    expect(answer.json()).toMatchObject({ success: true, delivered_to: 0, queued: true });

    // While the directory believes in the dead node, the limit of one connection refuses the user.
    const again = await until(
      'the user may come again',
      async () => {
        const attempt = await cluster.node(1).ws('u');
        const frame = await attempt.next();
        return frame.type === 'notification' ? { attempt, frame } : false;
      },
      15_000,
    );
    expect(Date.now() - killedAt).toBeLessThan(10_500);
    expect(again.frame['metadata']).toMatchObject({ correlation_id: 'kept' });
    expect(await users()).toMatchObject({ healthy_nodes: 2, nodes: ['node-1', 'node-2'] });
    await until('the dead node is cleaned up after', async () => (await users())['cluster_users'] === 2);
    expect(notificationsOf(await again.attempt.settled())).toHaveLength(0);
  });

  it('and comes back under its name, nobody takes it for the dead one', async () => {
    const back = await cluster.nodes[2]!.restart();
    cluster.nodes[2] = back;
    const client = await back.ws('x');
    await client.settled();
    const { json } = await cluster.node(0).post('/api/v1/notifications/send', { ...CONTENT, target_user_id: 'x' });
    expect(json()).toMatchObject({ delivered_to: 1 });
    await client.notification();
  });
});

it('a node that ends leaves nothing behind', async () => {
  const cluster = await TestCluster.start();
  const redis = new Redis(cluster.redis.url);
  const leaver = cluster.node(2);
  const [ws, stream] = await Promise.all([leaver.ws('u'), leaver.sse('v')]);
  await Promise.all([ws.settled(), stream.next('connected')]);
  const stay = await cluster.node(0).ws('u');
  await stay.settled();
  expect(await leaver.stop()).toEqual({ code: 0, signal: null });
  const status = (await cluster.node(0).get('/api/v1/cluster/status')).json();
  expect(status).toMatchObject({ nodes: ['node-1', 'node-2'], cluster_users: 1, cluster_connections: 1 });
  const kept = (await redis.keys('ara:cluster:sessions:*:user:*')).length;
  expect(kept).toBe(1);
  redis.disconnect();
  await cluster.stop();
});

it('when Redis was away, or lost everything, the nodes find each other again', async () => {
  const cluster = await TestCluster.start({
    REDIS_BACKOFF_MAX_DELAY_MS: '500',
    REDIS_CIRCUIT_BREAKER_RESET_TIMEOUT_SECONDS: '1',
  });
  const clients = await Promise.all([cluster.node(0).ws('a'), cluster.node(1).ws('b'), cluster.node(2).ws('c')]);
  for (const client of clients) await client.subscribe('news');
  await cluster.redis.stop();

  const lonely = await cluster.node(0).post('/api/v1/notifications/broadcast', CONTENT);
  expect(lonely.json()).toMatchObject({ success: true, delivered_to: 1 });
  clients[0].send({ type: 'Subscribe', payload: { channels: ['during'] } });
  expect(await clients[0].next('error')).toMatchObject({ code: 'SUBSCRIPTION_ERROR' });

  // Nothing is persisted: it comes back empty.
  await cluster.redis.start();
  await until(
    'users of all nodes are reached',
    async () => {
      const target_user_ids = ['a', 'b', 'c'];
      const answer = await cluster.node(1).post('/api/v1/notifications/send-to-users', { ...CONTENT, target_user_ids });
      const channel = await cluster.node(2).post('/api/v1/notifications/channel', { ...CONTENT, channel: 'news' });
      return answer.json()['delivered_to'] === 3 && channel.json()['delivered_to'] === 3;
    },
    15_000,
  );
  await cluster.stop();
});

it('the sessions of a living node do not end while it lives', async () => {
  const cluster = await TestCluster.start({ CLUSTER_SESSION_TTL_SECONDS: '3', WEBSOCKET_HEARTBEAT_INTERVAL: '1' });
  const client = await cluster.node(0).ws('u');
  await client.settled();
  await new Promise((resolve) => setTimeout(resolve, 7_000));
  const answer = await cluster.node(1).post('/api/v1/notifications/send', { ...CONTENT, target_user_id: 'u' });
  expect(answer.json()).toMatchObject({ delivered_to: 1 });
  expect((await cluster.node(2).get('/api/v1/cluster/status')).json()).toMatchObject({ cluster_users: 1 });
  const { text } = await cluster.node(0).get('/metrics');
  expect(Number(/^ara_cluster_sessions_refreshed_total (\d+)$/m.exec(text)?.[1])).toBeGreaterThanOrEqual(5);
  await cluster.stop();
});

it('a node that cannot reach Redis does not start', async () => {
  const ara = await AraProcess.launch({ CLUSTER_ENABLED: 'true', STORE_BOOT_TIMEOUT_SECONDS: '1' });
  expect((await ara.exited).code).not.toBe(0);
  expect(ara.output).toMatch(/cannot be reached within 1 s/);
});

it('two nodes on one Redis without cluster mode say that they have met', async () => {
  const redis = await startRedis();
  const env = { REDIS_URL: redis.url };
  const [one, two] = await Promise.all([
    AraProcess.start({ ...env, CLUSTER_NODE_ID: 'one' }),
    AraProcess.start({ ...env, CLUSTER_NODE_ID: 'two' }),
  ]);
  await until(
    'both have said so',
    () => one.output.includes('Another Ara (two)') && two.output.includes('Another Ara (one)'),
    20_000,
  );
  await Promise.all([one.stop(), two.stop()]);
  await redis.close();
});

it('a node without cluster mode on the Redis of a cluster says so', async () => {
  const cluster = await TestCluster.start();
  const single = await AraProcess.start({ REDIS_URL: cluster.redis.url, CLUSTER_NODE_ID: 'single' });
  await until('it has said so', () => /Another Ara \(node-\d\)/.test(single.output), 20_000);
  await single.stop();
  await cluster.stop();
});

it('who is on the way in when a node ends is told of it, too', async () => {
  const cluster = await TestCluster.start();
  const node = cluster.node(0);
  // What other nodes know of the user cannot be asked now: the connection is past its handshake, and not registered.
  cluster.redis.pause();
  const client = await node.ws('u');
  const exit = node.stop();
  expect(await client.next('shutdown', 15_000)).toMatchObject({ reconnect_after_seconds: 5 });
  expect(await client.closed).toMatchObject({ code: 1001 });
  cluster.redis.resume();
  expect(await exit).toEqual({ code: 0, signal: null });
  await cluster.stop();
});
