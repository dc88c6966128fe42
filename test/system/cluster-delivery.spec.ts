import { Redis } from 'ioredis';
import { MessageSeal } from '../../src/cluster/message-seal';
import type { HttpAnswer } from '../support/http';
import { startRedis, startRedisCluster } from '../support/redis-server';
import { until } from '../support/until';
import type { WsClient } from '../support/ws-client';
import { CONTENT, counted, notificationsOf, TEST_CLUSTER_SECRET, TestCluster } from '../support/test-cluster';

jest.setTimeout(120_000);

describe.each([
  ['one server', startRedis],
  ['a Redis Cluster', startRedisCluster],
])('over %s', (_, startServer) => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await TestCluster.start({}, await startServer());
  });

  afterAll(() => cluster.stop());

  const send = (node: number, path: string, body: object): Promise<HttpAnswer> =>
    cluster.node(node).post(`/api/v1/notifications/${path}`, { ...CONTENT, ...body });

  describe.each([0, 1, 2])(
    'posted to node %d, every target reaches each connection on every node exactly once',
    (at) => {
      let clients: WsClient[];

      beforeAll(async () => {
        // Two users on every node: "everywhere" also twice on the second, "one" only on the first.
        clients = await Promise.all([
          cluster.node(0).ws('everywhere'),
          cluster.node(1).ws('everywhere'),
          cluster.node(1).ws('everywhere'),
          cluster.node(2).ws('everywhere'),
          cluster.node(0).ws('one'),
        ]);
        for (const client of clients) await client.subscribe('news', 'sport');
        for (const client of clients) await client.settled();
      });

      afterAll(() => Promise.all(clients.map((client) => client.close())));

      it.each([
        ['send', { target_user_id: 'everywhere' }, [1, 1, 1, 1, 0]],
        ['send', { target_user_id: 'one' }, [0, 0, 0, 0, 1]],
        ['send', { target_user_id: 'nobody' }, [0, 0, 0, 0, 0]],
        ['send-to-users', { target_user_ids: ['everywhere', 'one', 'nobody'] }, [1, 1, 1, 1, 1]],
        ['broadcast', {}, [1, 1, 1, 1, 1]],
        ['broadcast', { audience: { type: 'Users', value: ['one'] } }, [0, 0, 0, 0, 1]],
        ['channel', { channel: 'news' }, [1, 1, 1, 1, 1]],
        ['channel', { channel: 'silence' }, [0, 0, 0, 0, 0]],
        ['channels', { channels: ['news', 'sport', 'silence'] }, [1, 1, 1, 1, 1]],
      ])('%s %j', async (path, target, expected) => {
        const answer = (await send(at, path, target)).json();
        const sum = expected.reduce((total, count) => total + count, 0);
        expect(answer).toMatchObject({ delivered_to: sum, failed: 0, success: sum > 0 });
        expect(await counted(clients)).toEqual(expected);
      });

      it('says for each user and each channel what it reached', async () => {
        expect(
          (await send(at, 'send-to-users', { target_user_ids: ['everywhere', 'one', 'nobody'] })).json(),
        ).toMatchObject({
          results: {
            everywhere: { delivered: true, connections: 4 },
            one: { delivered: true, connections: 1 },
            nobody: { delivered: false, connections: 0 },
          },
        });
        expect((await send(at, 'channels', { channels: ['news', 'silence'] })).json()).toMatchObject({
          channels: { news: { delivered_to: 5 }, silence: { delivered_to: 0 } },
          total_delivered: 5,
        });
        await counted(clients);
      });

      it('the frame is the same on all nodes, with the payload as it was written', async () => {
        const body = '{"event_type":"e","priority":"High","payload":{"big":12345678901234567890,"s":"ä\\n\\u2028"}}';
        await cluster.node(at).http('POST', '/api/v1/notifications/broadcast', {
          body,
          headers: { 'content-type': 'application/json' },
        });
        const texts = await Promise.all(clients.map(async (client) => (await client.notification()).text));
        expect(new Set(texts).size).toBe(1);
        expect(texts[0]).toContain('"payload":{"big":12345678901234567890,"s":"ä\\n\\u2028"}');
      });

      it('a batch knows who is connected elsewhere', async () => {
        const item = (target: object) => ({ target, ...CONTENT });
        const answer = await cluster.node(at).post('/api/v1/notifications/batch', {
          atomic: true,
          notifications: [
            item({ type: 'user', value: 'one' }),
            item({ type: 'channel', value: 'news' }),
            item({ type: 'broadcast' }),
          ],
        });
        expect(answer.json()).toMatchObject({ summary: { succeeded: 3, total_delivered: 1 + 5 + 5 } });
        await counted(clients);
      });
    },
  );

  it('SSE streams hear all channels of every node once', async () => {
    const stream = await cluster.node(2).sse('listener');
    await stream.next('connected');
    const both = await cluster.node(2).ws('listener');
    await both.subscribe('a', 'b');
    await until('the stream is known', async () => {
      const answer = await send(0, 'channels', { channels: ['a', 'b', 'no such:name'] });
      return answer.json()['delivered_to'] === 2;
    });
    await stream.notification();
    const one = (await send(1, 'channel', { channel: 'b' })).json();
    expect(one['delivered_to']).toBe(2);
    expect((await stream.notification())['id']).toBe(one['notification_id']);
    await Promise.all([stream.close(), both.close()]);
  });

  it('subscribed means that no node misses it: what is sent after it arrives', async () => {
    const client = await cluster.node(0).ws('racer');
    for (let n = 0; n < 50; n++) {
      await client.subscribe(`race-${n}`);
      expect((await send(1 + (n % 2), 'channel', { channel: `race-${n}` })).json()['delivered_to']).toBe(1);
      client.send({ type: 'Unsubscribe', payload: { channels: [`race-${n}`] } });
      await client.next('unsubscribed');
    }
    expect(notificationsOf(await client.settled())).toHaveLength(50);
    await client.close();
  });

  it('it is not said before Redis knows', async () => {
    const client = await cluster.node(0).ws('patient');
    await client.settled();
    cluster.redis.pause();
    try {
      client.send({ type: 'Subscribe', payload: { channels: ['slow'] } });
      await expect(client.next('subscribed', 300)).rejects.toThrow('nothing matched');
    } finally {
      cluster.redis.resume();
    }
    await client.next('subscribed');
    expect((await send(1, 'channel', { channel: 'slow' })).json()['delivered_to']).toBe(1);
    await client.close();
  });

  it('a message that no node has sent is ignored, and said once', async () => {
    const client = await cluster.node(0).ws('victim');
    await client.settled();
    const header = { v: 1, kind: 'deliver', from: 'node-2~00000000', exchange: 1, topics: 1, tenant: 'default' };
    const forged = `${JSON.stringify({ ...header, id: 'x', target: { kind: 'broadcast' }, priority: 'High' })}\n{"type":"notification"}`;
    for (const mac of ['', 'A'.repeat(43), 'ä'.repeat(43)]) {
      await cluster.redis.command('PUBLISH', 'ara:cluster:route:all', mac + forged);
      await cluster.redis.command('PUBLISH', 'ara:cluster:route:tenant:default', mac + forged);
    }
    expect((await send(1, 'send', { target_user_id: 'victim' })).json()['delivered_to']).toBe(1);
    expect(notificationsOf(await client.settled())).toHaveLength(1);
    expect(cluster.node(0).output.split('no node with the same CLUSTER_SECRET')).toHaveLength(2);
    await client.close();
  });

  it('a node of another release beside these: what they know of each other they do, the rest they ignore', async () => {
    const client = await cluster.node(0).ws('listener');
    await client.settled();
    const { port } = cluster.redis;
    const [redis, ears] = [new Redis(port), new Redis(port)];
    const heard: string[] = [];
    const topic = 'ara:cluster:route:node:newer~00000000';
    await ears.subscribe(topic);
    ears.on('message', (_channel, text: string) => heard.push(text.slice(43)));
    const seal = new MessageSeal(TEST_CLUSTER_SECRET);
    const say = (message: object, frame = ''): Promise<number> =>
      redis.publish('ara:cluster:route:tenant:default', seal.seal(JSON.stringify(message) + frame));

    const from = 'newer~00000000';
    const id = '0192f0c1-7a3b-7c4d-8e5f-0123456789ab';
    await say({ v: 2, kind: 'deliver', from, exchange: 1, body: 'in another way' });
    await say({ v: 1, kind: 'presence', from, exchange: 2, joined: ['u'] });
    await say(
      {
        ...{ v: 1, kind: 'deliver', from, exchange: 3, topics: 1, id, tenant: 'default', priority: 'Normal' },
        ...{ target: { kind: 'broadcast' }, may_be_shed: true, cursor: 'new', hops: { max: 3 } },
      },
      `\n{"type":"notification","id":"${id}"}`,
    );
    expect(await client.notification()).toMatchObject({ id });
    await redis.publish(
      'ara:cluster:route:all',
      seal.seal(JSON.stringify({ v: 1, kind: 'ask', from, exchange: 4, what: 'weather', question: 'now' })),
    );
    await until('all have replied', () => heard.length === 4);
    const replies = heard.map((text) => JSON.parse(text) as { exchange: number; answer: unknown });
    expect(replies.filter(({ exchange }) => exchange === 3).map(({ answer }) => answer)).toEqual([
      { delivered: 1, failed: 0, users: [], channels: [] },
    ]);
    expect(replies.filter(({ exchange }) => exchange === 4).map(({ answer }) => answer)).toEqual([null, null, null]);
    redis.disconnect();
    ears.disconnect();
    await client.close();
  });
});

it('a node hears what its connections listen for, and nothing else', async () => {
  const cluster = await TestCluster.start({ TENANT_ENABLED: 'true' });
  const [here, there] = [cluster.node(0), cluster.node(1)];
  const client = await here.ws('u', { tenant_id: 'acme' });
  await client.subscribe('news');
  await (await there.ws('u', { tenant_id: 'other' })).settled();
  const post = (path: string, body: object): Promise<unknown> =>
    cluster.node(2).post(`/api/v1/notifications/${path}`, { ...CONTENT, ...body }, { 'x-tenant-id': 'acme' });
  const heard = (): Promise<number[]> =>
    Promise.all(
      cluster.nodes.map(async (node) => {
        const { text } = await node.get('/metrics');
        return Number(/^ara_cluster_messages_received_total (\d+)$/m.exec(text)?.[1]);
      }),
    );
  await post('broadcast', {});
  await post('channel', { channel: 'news' });
  await post('channels', { channels: ['news', 'elsewhere'] });
  await post('send', { target_user_id: 'u' });
  expect(await heard()).toEqual([4, 0, 0]);
  await post('channel', { channel: 'elsewhere' });
  await post('send', { target_user_id: 'nobody' });
  expect(await heard()).toEqual([4, 0, 0]);
  // A stream listens to all channels of its tenant.
  await (await there.sse('v', { tenant_id: 'acme' })).next('connected');
  await until('the stream is listened for', async () => {
    await post('channel', { channel: 'elsewhere' });
    return (await heard())[1] === 1;
  });
  expect(await heard()).toEqual([4, 1, 0]);
  await cluster.stop();
});
