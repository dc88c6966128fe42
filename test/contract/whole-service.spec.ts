import type { NestExpressApplication } from '@nestjs/platform-express';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { createApplication } from '../../src/application';
import { loadConfig } from '../../src/config/load-config';
import { http, type HttpAnswer } from '../support/http';
import { type RedisServer, startRedis } from '../support/redis-server';
import { SseClient } from '../support/sse-client';
import { TEST_API_KEY, TEST_JWT_SECRET, tokenFor } from '../support/tokens';
import { until } from '../support/until';
import { WsClient } from '../support/ws-client';

/** The whole service, in this process, so that what it does together is seen by the coverage of the contract tests. */
class Node {
  private constructor(
    private readonly app: NestExpressApplication,
    private readonly url: string,
  ) {}

  static async start(env: Record<string, string>): Promise<Node> {
    const { config } = loadConfig({
      env: { JWT_SECRET: TEST_JWT_SECRET, API_KEY: TEST_API_KEY, ...env },
      cwd: '/nowhere',
    });
    const app = await createApplication(config);
    app.useLogger(false);
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    return new Node(app, `http://127.0.0.1:${port}`);
  }

  call(method: string, path: string, body?: unknown): Promise<HttpAnswer> {
    return http(method, this.url, path, { body, headers: { 'x-api-key': TEST_API_KEY } });
  }

  async send(kind: string, body: object): Promise<Record<string, unknown>> {
    const answer = await this.call('POST', `/api/v1/notifications/${kind}`, {
      event_type: 'e',
      payload: kind,
      ...body,
    });
    expect(answer.status).toBe(200);
    return answer.json();
  }

  ws(user: string): Promise<WsClient> {
    return WsClient.connect(`${this.url.replace('http', 'ws')}/ws?token=${tokenFor(user)}`);
  }

  sse(user: string, query = ''): Promise<SseClient> {
    return SseClient.connect(`${this.url}/sse?token=${tokenFor(user)}${query}`);
  }

  close(): Promise<void> {
    return this.app.close();
  }
}

describe('two nodes of the whole service over one Redis', () => {
  let redis: RedisServer;
  let first: Node;
  let second: Node;

  beforeAll(async () => {
    redis = await startRedis();
    const env = {
      REDIS_URL: redis.url,
      CLUSTER_ENABLED: 'true',
      CLUSTER_SECRET: 'the secret of two nodes in a test',
      CLUSTER_DELIVERY_WAIT_MS: '3000',
      QUEUE_ENABLED: 'true',
      QUEUE_BACKEND: 'redis',
      ACK_ENABLED: 'true',
      ACK_BACKEND: 'redis',
      REDIS_INGEST_STREAM: 'ara:ingest',
      CANARY_INTERVAL_SECONDS: '1',
      WEBSOCKET_HEARTBEAT_INTERVAL: '1',
      WEBSOCKET_CONNECTION_TIMEOUT: '5',
      WEBSOCKET_CLOSE_ON_TOKEN_EXPIRY: 'true',
      RATELIMIT_ENABLED: 'true',
      RATELIMIT_BACKEND: 'redis',
      RATELIMIT_WS_CONNECTIONS_PER_MINUTE: '100',
    };
    first = await Node.start({ ...env, CLUSTER_NODE_ID: 'first' });
    second = await Node.start({ ...env, CLUSTER_NODE_ID: 'second' });
  }, 60_000);

  afterAll(async () => {
    await Promise.all([first.close(), second.close()]);
    await redis.close();
  }, 60_000);

  it('hands every target to the connections of both, once', async () => {
    const [here, there] = await Promise.all([first.ws('alice'), second.ws('alice')]);
    const stream = await second.sse('bob');
    expect((await here.subscribe('news', 'not a name')).type).toBe('subscribed');
    expect((await there.subscribe('news')).type).toBe('subscribed');
    await until('the directory knows them', async () => {
      const location = await first.call('GET', '/api/v1/cluster/users/alice');
      return location.json<{ connections: number }>().connections === 2;
    });

    expect(await first.send('send', { target_user_id: 'alice' })).toMatchObject({ delivered_to: 2, queued: false });
    expect(await second.send('send-to-users', { target_user_ids: ['alice', 'bob', 'carol'] })).toMatchObject({
      delivered_to: 3,
      queued_count: 1,
    });
    expect(await first.send('broadcast', {})).toMatchObject({ delivered_to: 3 });
    expect(await first.send('channel', { channel: 'news' })).toMatchObject({ delivered_to: 3 });
    expect(await second.send('channels', { channels: ['news', 'other'] })).toMatchObject({ delivered_to: 3 });

    for (const client of [here, there]) {
      const kinds = [];
      for (let i = 0; i < 5; i++) kinds.push((await client.notification())['payload']);
      expect(kinds).toEqual(['send', 'send-to-users', 'broadcast', 'channel', 'channels']);
    }
    const heard = [];
    while (heard.length < 4) {
      const { event, data } = await stream.inbox.next(({ event: name }) => name === 'notification');
      heard.push([event, (JSON.parse(data) as { payload: string }).payload]);
    }
    expect(heard.map(([, kind]) => kind)).toEqual(['send-to-users', 'broadcast', 'channel', 'channels']);

    expect((await first.call('GET', '/api/v1/channels')).json()).toMatchObject({
      channels: [{ name: 'news', subscriber_count: 2 }],
    });
    expect((await second.call('GET', '/api/v1/users/alice/subscriptions')).json()).toMatchObject({
      connection_count: 2,
    });
    expect((await first.call('GET', '/api/v1/cluster/status')).json()).toMatchObject({ nodes: ['first', 'second'] });
    await Promise.all([here.close(), there.close()]);
    await stream.close();
  }, 30_000);

  it('keeps what nobody took, replays it on the other node and settles it by its acknowledgement', async () => {
    const { notification_id: id } = await first.send('send', { target_user_id: 'dora' });
    const client = await second.ws('dora');
    expect((await client.notification())['id']).toBe(id);
    client.send({ type: 'Ack', payload: { notification_id: id } });
    expect((await client.next('acked'))['notification_id']).toBe(id);
    client.send({ type: 'Ack', payload: { notification_id: id } });
    expect((await client.next('error'))['code']).toBe('INVALID_ACK');
    client.send({ type: 'Unsubscribe', payload: { channels: ['news'] } });
    expect((await client.next('unsubscribed'))['payload']).toEqual(['news']);
    expect((await client.next('heartbeat')).type).toBe('heartbeat');
    await client.close();
    const again = await first.ws('dora');
    expect((await again.settled()).filter(({ type }) => type === 'notification')).toEqual([]);
    await again.close();
  }, 30_000);

  it('takes triggers of both kinds once, whichever node heard them', async () => {
    const client = await first.ws('emil');
    const publisher = new Redis(redis.url);
    const message = (n: number): string =>
      JSON.stringify({ type: 'user', target: 'emil', event: { event_type: 'trigger', payload: n } });
    await until('both nodes listen', async () => {
      const [, listeners] = (await publisher.call('PUBSUB', 'NUMSUB', 'notification:broadcast')) as [string, number];
      return listeners === 2;
    });
    await publisher.publish('notification:user:emil', message(1));
    expect(await client.notification()).toMatchObject({
      payload: 1,
      metadata: { source: 'redis:notification:user:emil' },
    });
    await publisher.xadd('ara:ingest', '*', 'message', message(2));
    expect(await client.notification()).toMatchObject({ payload: 2 });
    await publisher.publish('notification:user:emil', 'not JSON');
    expect((await client.settled()).filter(({ type }) => type === 'notification')).toEqual([]);
    publisher.disconnect();
    await client.close();
  }, 30_000);

  it('answers for its documents, figures and readiness', async () => {
    for (const path of ['/openapi.json', '/asyncapi.json', '/docs', '/docs/messages', '/metrics', '/health/live']) {
      expect([path, (await first.call('GET', path)).status]).toEqual([path, 200]);
    }
    expect((await first.call('GET', '/health')).json()).toMatchObject({
      status: 'healthy',
      redis: { status: 'healthy' },
    });
    await until('the self-probe came back', async () =>
      /^ara_canary_latency_seconds_count [1-9]/m.test((await first.call('GET', '/metrics')).text),
    );
    // Each counts what came in there; who takes a trigger that both heard is chance.
    const sent = await Promise.all(
      [first, second].map(async (node) => {
        const stats = await node.call('GET', '/stats');
        return stats.json<{ notifications: { user_notifications: number } }>().notifications.user_notifications;
      }),
    );
    expect(sent.reduce((sum, one) => sum + one)).toBe(5);
    expect((await second.call('GET', '/nowhere')).status).toBe(404);
  }, 30_000);

  it('tells its clients before it goes', async () => {
    const [client, stream] = [await second.ws('finn'), await second.sse('finn')];
    await second.close();
    expect((await client.next('shutdown'))['reason']).toBe('Server shutting down');
    expect(await client.closed).toMatchObject({ code: 1001 });
    await stream.ended;
    expect(stream.raw).toContain('"type":"shutdown"');
  }, 30_000);
});
