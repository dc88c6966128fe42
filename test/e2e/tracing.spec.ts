import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { AraProcess, type Env } from '../support/ara-process';
import { freePort } from '../support/free-port';
import { OtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver';
import { type RedisServer, startRedis } from '../support/redis-server';
import { until } from '../support/until';

// A service, driven through its doors; then what a collector got of it.

const PAGE = readFileSync(join(__dirname, '../../docs/observability.md'), 'utf8');
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const content = { event_type: 'order.created', payload: { n: 1 } };

let receiver: OtlpReceiver;
let server: RedisServer;
/** Of all tests together. */
const seen: ReceivedSpan[] = [];

/** The header of a caller whose span this is. */
const caller = (span: string) => ({ traceparent: `00-${TRACE}-${span}-01` });

beforeAll(async () => {
  server = await startRedis();
});

/** A collector for each test, and a service for each `trace`. */
function eachAlone(): void {
  beforeEach(async () => {
    receiver = await OtlpReceiver.start();
  });
  afterEach(() => {
    seen.push(...receiver.spans);
    receiver.stop();
  });
}

afterAll(() => server.close());

function start(env: Env, { endpoint }: OtlpReceiver): Promise<AraProcess> {
  return AraProcess.start({
    OTEL_ENABLED: 'true',
    OTEL_ENDPOINT: endpoint,
    ACK_ENABLED: 'true',
    QUEUE_ENABLED: 'true',
    REDIS_URL: server.url,
    ...env,
  });
}

/** Runs a traced service for as long as `drive` takes; when this resolves, all of its spans have been received. */
async function trace(env: Env, drive: (ara: AraProcess) => Promise<void>): Promise<void> {
  const ara = await start(env, receiver);
  try {
    await drive(ara);
  } finally {
    await ara.stop();
  }
}

function only(name: string, where: (span: ReceivedSpan) => boolean = () => true): ReceivedSpan {
  const found = receiver.named(name).filter(where);
  expect([name, found.length]).toEqual([name, 1]);
  return found[0]!;
}

const childrenOf = (parent: ReceivedSpan, name: string): readonly ReceivedSpan[] =>
  receiver.named(name).filter(({ parentId, traceId }) => parentId === parent.spanId && traceId === parent.traceId);

function childOf(parent: ReceivedSpan, name: string): ReceivedSpan {
  const children = childrenOf(parent, name);
  expect([name, children.length]).toEqual([name, 1]);
  return children[0]!;
}

describe('REST', () => {
  let ara: AraProcess;

  beforeAll(async () => {
    receiver = await OtlpReceiver.start();
    ara = await start({}, receiver);
  });

  afterAll(async () => {
    await ara.stop();
    receiver.stop();
  });

  /** Resolves when all spans of `drive` have been received, and none is there but these: spans leave in the order of their ends. */
  async function traced(drive: () => Promise<void>): Promise<void> {
    receiver.spans.length = 0;
    await drive();
    const last = caller('00000000000000ff');
    await ara.http('GET', '/api/v1/tenants', { headers: last });
    const isLast = ({ parentId }: ReceivedSpan): boolean => parentId === '00000000000000ff';
    await until('the last span is received', () => receiver.spans.some(isLast));
    receiver.spans.splice(receiver.spans.findIndex(isLast));
    seen.push(...receiver.spans);
  }

  const event = { event_type: 'order.created', priority: 'High' };
  const body = { ...content, priority: 'High' };
  const sends = [
    {
      path: 'send',
      target: { target_user_id: 'alice' },
      http: ['http.send_notification', { target_user_id: 'alice' }],
      send: ['dispatcher.send_to_user', {}],
      kind: 'user',
    },
    {
      path: 'send-to-users',
      target: { target_user_ids: ['alice', 'bob'] },
      http: ['http.send_to_users', { user_count: 2 }],
      send: ['dispatcher.send_to_users', { user_count: 2 }],
      kind: 'users',
    },
    {
      path: 'broadcast',
      target: { audience: { type: 'Roles', value: ['admin'] } },
      http: ['http.broadcast', { audience: 'Roles' }],
      send: ['dispatcher.broadcast', {}],
      kind: 'broadcast',
    },
    {
      path: 'channel',
      target: { channel: 'orders' },
      http: ['http.channel_notification', { channel: 'orders' }],
      send: ['dispatcher.send_to_channel', { channel: 'orders' }],
      kind: 'channel',
    },
    {
      path: 'channels',
      target: { channels: ['orders', 'alerts'] },
      http: ['http.multi_channel_notification', { channel_count: 2 }],
      send: ['dispatcher.send_to_channels', { channel_count: 2 }],
      kind: 'channels',
    },
  ] as const;

  it('each way to send is a request, its dispatch, and the way to its kind of target, below the caller', async () => {
    const ids: string[] = [];
    await traced(async () => {
      for (const [n, { path, target }] of sends.entries()) {
        const answer = await ara.post(
          `/api/v1/notifications/${path}`,
          { ...body, ...target },
          caller(`00000000000000a${n}`),
        );
        ids.push(answer.json<{ notification_id: string }>().notification_id);
      }
    });
    for (const [n, { http, send, kind }] of sends.entries()) {
      const request = only(http[0]);
      expect(request).toMatchObject({ traceId: TRACE, parentId: `00000000000000a${n}`, kind: 2, failed: false });
      expect(request.attributes).toEqual({ ...http[1], ...event });
      const dispatch = childOf(request, 'dispatcher.dispatch');
      const facts = { notification_id: ids[n], event_type: 'order.created' };
      expect(dispatch.attributes).toEqual({ ...facts, target_type: kind });
      expect(childOf(dispatch, send[0]).attributes).toEqual({ ...facts, ...send[1] });
    }
    expect(receiver.named('dispatcher.dispatch')).toHaveLength(sends.length);
  });

  it.each([false, true])('a batch is one request with a dispatch per item (atomic: %s)', async (atomic) => {
    await traced(async () => {
      await ara.post('/api/v1/notifications/batch', {
        notifications: [
          { target: { type: 'user', value: 'alice' }, ...content },
          { target: { type: 'channel', value: 'orders' }, ...content },
          { target: { type: 'broadcast' }, ...content },
        ],
        atomic: false,
        options: { deduplicate: true, atomic },
      });
    });
    const batch = only('http.batch_send');
    expect(batch.parentId).toBe('');
    expect(batch.attributes).toEqual({ batch_size: 3, stop_on_error: false, deduplicate: true });
    const dispatches = childrenOf(batch, 'dispatcher.dispatch');
    // Nobody is connected: an atomic batch with a channel that reaches nobody sends nothing.
    expect(dispatches.map(({ attributes }) => attributes['target_type'])).toEqual(
      atomic ? [] : ['user', 'channel', 'broadcast'],
    );
    if (!atomic) childOf(dispatches[0]!, 'dispatcher.send_to_user');
  });

  it('an atomic batch that can be sent has a dispatch per item, too', async () => {
    await traced(async () => {
      const item = (value: string) => ({ target: { type: 'user', value }, ...content });
      await ara.post('/api/v1/notifications/batch', { notifications: [item('alice'), item('bob')], atomic: true });
    });
    const dispatches = childrenOf(only('http.batch_send'), 'dispatcher.dispatch');
    expect(dispatches).toHaveLength(2);
    for (const dispatch of dispatches) childOf(dispatch, 'dispatcher.send_to_user');
  });

  it('templates, tenants and the cluster', async () => {
    await traced(async () => {
      const template = { id: 't', name: 'T', event_type: 'e', payload_template: {} };
      await ara.post('/api/v1/templates', template);
      await ara.get('/api/v1/templates');
      await ara.get('/api/v1/templates/t');
      await ara.http('PUT', '/api/v1/templates/t', { body: { name: 'U' } });
      await ara.http('DELETE', '/api/v1/templates/t');
      await ara.get('/api/v1/tenants');
      await ara.get('/api/v1/tenants/default');
      await ara.get('/api/v1/cluster/status');
      await ara.get('/api/v1/cluster/users/alice');
    });
    for (const verb of ['create', 'get', 'update', 'delete']) {
      expect(only(`http.${verb}_template`).attributes).toEqual({ template_id: 't' });
    }
    for (const name of ['http.list_templates', 'http.list_tenants', 'http.cluster_status']) {
      expect(only(name)).toMatchObject({ attributes: {}, parentId: '' });
    }
    only('http.get_tenant_stats');
    expect(only('http.cluster_user_location').attributes).toEqual({ user_id: 'alice' });
  });

  it('what fails says so by the class of the error, and by nothing that the caller sent', async () => {
    await traced(async () => {
      const { status } = await ara.post('/api/v1/notifications/send', {
        target_user_id: 'alice',
        template_id: 'canary-template',
      });
      expect(status).toBe(400);
    });
    expect(only('http.send_notification')).toMatchObject({ failed: true, attributes: { 'error.type': 'AraError' } });
    expect(JSON.stringify(receiver.spans)).not.toContain('canary-template');
  });
});

describe('clients', () => {
  eachAlone();

  it('a WebSocket is its upgrade, its connection, and in that each message with its command', async () => {
    let id = '';
    await trace({}, async (ara) => {
      const alice = await ara.ws('alice');
      await alice.subscribe('orders', 'alerts');
      await alice.settled();
      await ara.post('/api/v1/notifications/channel', { channel: 'orders', ...content });
      id = String((await alice.notification())['id']);
      alice.send({ type: 'Ack', payload: { notification_id: id } });
      await alice.next('acked');
      alice.send({ type: 'Unsubscribe', payload: { channels: ['orders'] } });
      await alice.next('unsubscribed');
      alice.send('nonsense');
      await alice.next('error');
      await alice.close();
      await until('it is gone', async () => /^ara_connections_total 0$/m.test((await ara.get('/metrics')).text));
    });
    expect(only('ws.upgrade')).toMatchObject({ parentId: '', attributes: { has_query_token: true } });
    const connection = only('ws.connection');
    expect(connection).toMatchObject({ parentId: '', attributes: { user_id: 'alice' } });
    const messages = childrenOf(connection, 'ws.message');
    expect(messages.map(({ attributes }) => attributes['message_type'])).toEqual([
      'subscribe',
      'ping',
      'ack',
      'unsubscribe',
      'invalid',
    ]);
    const [subscribe, , ack, unsubscribe] = messages;
    const connection_id = subscribe!.attributes['connection_id'];
    expect(connection_id).toMatch(/^[0-9a-f-]{36}$/);
    for (const message of messages) expect(message.attributes).toMatchObject({ connection_id, user_id: 'alice' });
    expect(childOf(subscribe!, 'ws.subscribe').attributes).toEqual({ connection_id, channel_count: 2 });
    expect(childOf(unsubscribe!, 'ws.unsubscribe').attributes).toEqual({ connection_id, channel_count: 1 });
    expect(childOf(ack!, 'ws.ack').attributes).toEqual({ connection_id, user_id: 'alice', notification_id: id });
    expect(connection.durationMs).toBeGreaterThan(Math.max(...messages.map(({ durationMs }) => durationMs)));
  });

  it('an SSE stream is its opening, and a refused handshake is there as well', async () => {
    await trace({}, async (ara) => {
      await (await ara.sse('alice')).close();
      expect((await ara.get('/sse')).status).toBe(401);
    });
    const opened = receiver.named('sse.connect');
    expect(opened.map(({ attributes }) => attributes)).toEqual([{ has_query_token: true }, { has_query_token: false }]);
    expect(opened.map(({ parentId }) => parentId)).toEqual(['', '']);
  });

  it('the end of the service counts those who were still there', async () => {
    await trace({}, async (ara) => {
      await Promise.all([ara.ws('alice'), ara.ws('bob'), ara.sse('carol')]);
      await until('all are there', async () => /^ara_connections_total 3$/m.test((await ara.get('/metrics')).text));
    });
    expect(only('graceful_shutdown')).toMatchObject({ parentId: '', attributes: { total_connections: 3 } });
    expect(receiver.named('ws.connection')).toHaveLength(2);
  });
});

describe('one trace from the back end to the acknowledgement', () => {
  eachAlone();

  const closed = (id: string): void => {
    const dispatch = only('dispatcher.dispatch', ({ attributes }) => attributes['notification_id'] === id);
    const ack = only('ws.ack', ({ attributes }) => attributes['notification_id'] === id);
    expect(ack).toMatchObject({ traceId: TRACE, parentId: dispatch.spanId });
    const message = only('ws.message', ({ attributes }) => attributes['message_type'] === 'ack');
    expect(ack.links).toEqual([`${message.traceId}-${message.spanId}`]);
  };

  /** Acknowledges the next notification; its id. */
  async function acknowledge(client: Awaited<ReturnType<AraProcess['ws']>>): Promise<string> {
    const frame = await client.notification();
    const { traceparent } = frame['metadata'] as { traceparent: string };
    expect(traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
    const id = String(frame['id']);
    client.send({ type: 'Ack', payload: { notification_id: id } });
    await client.next('acked');
    return id;
  }

  it('over REST', async () => {
    let id = '';
    await trace({ TRACE_IN_FRAMES: 'true' }, async (ara) => {
      const alice = await ara.ws('alice');
      await alice.settled();
      await ara.post('/api/v1/notifications/send', { target_user_id: 'alice', ...content }, caller('00000000000000b1'));
      id = await acknowledge(alice);
    });
    expect(only('http.send_notification')).toMatchObject({ traceId: TRACE, parentId: '00000000000000b1' });
    closed(id);
  });

  it('over the queue, for who was away', async () => {
    let id = '';
    await trace({ TRACE_IN_FRAMES: 'true' }, async (ara) => {
      await ara.post('/api/v1/notifications/send', { target_user_id: 'alice', ...content }, caller('00000000000000b2'));
      id = await acknowledge(await ara.ws('alice'));
    });
    closed(id);
  });

  it('over Redis', async () => {
    let id = '';
    const redis = new Redis(server.url);
    await trace({ TRACE_IN_FRAMES: 'true' }, async (ara) => {
      const alice = await ara.ws('alice');
      await alice.settled();
      const message = { type: 'user', target: 'alice', event: content, ...caller('00000000000000b3') };
      await until(
        'a trigger is heard',
        async () => (await redis.publish('notification:user:alice', JSON.stringify(message))) > 0,
      );
      id = await acknowledge(alice);
    });
    redis.disconnect();
    const dispatch = only('dispatcher.dispatch');
    expect(dispatch).toMatchObject({ traceId: TRACE, parentId: '00000000000000b3' });
    expect(dispatch.attributes).toEqual({ notification_id: id, event_type: 'order.created', target_type: 'user' });
    childOf(dispatch, 'dispatcher.send_to_user');
    closed(id);
  });

  it('over another node', async () => {
    let id = '';
    const stores = { QUEUE_BACKEND: 'redis', ACK_BACKEND: 'redis' };
    await trace({ TRACE_IN_FRAMES: 'true', CLUSTER_ENABLED: 'true', ...stores }, async (one) => {
      const two = await AraProcess.start({ ...one.env, SERVER_PORT: String(await freePort()) });
      try {
        const alice = await two.ws('alice');
        await alice.settled();
        await one.post(
          '/api/v1/notifications/send',
          { target_user_id: 'alice', ...content },
          caller('00000000000000b5'),
        );
        id = await acknowledge(alice);
      } finally {
        await two.stop();
      }
    });
    closed(id);
    // Both nodes hand it to their connections; the one that has none did so, too.
    const dispatch = only('dispatcher.dispatch');
    const sends = receiver.named('dispatcher.send_to_user');
    expect(sends.map(({ traceId, parentId }) => ({ traceId, parentId }))).toEqual(
      Array(2).fill({ traceId: TRACE, parentId: dispatch.spanId }),
    );
    for (const { attributes } of sends) {
      expect(attributes).toEqual({ notification_id: id, event_type: 'order.created' });
    }
  });

  it('but clients are told of it only when that was asked for', async () => {
    await trace({}, async (ara) => {
      const alice = await ara.ws('alice');
      await alice.settled();
      await ara.post('/api/v1/notifications/send', { target_user_id: 'alice', ...content }, caller('00000000000000b4'));
      const frame = await alice.notification();
      expect(frame['metadata']).not.toHaveProperty('traceparent');
      alice.send({ type: 'Ack', payload: { notification_id: frame['id'] } });
      await alice.next('acked');
    });
    const message = only('ws.message', ({ attributes }) => attributes['message_type'] === 'ack');
    childOf(message, 'ws.ack');
  });
});

it('all spans of docs/observability.md were made here, with the attributes that it names and no others', () => {
  const documented = [
    ...PAGE.matchAll(/^\| `((?:http|dispatcher|ws|sse)\.\w+|graceful_shutdown)` \| ([^|]*) \|/gm),
  ].map(([, name, attributes]) => [name, attributes!.split(', ').filter((one) => one.trim() !== '')] as const);
  expect(documented.length).toBeGreaterThan(0);
  const made = documented.map(([name]) => {
    const spans = seen.filter((span) => span.name === name && !span.failed);
    const attributes = new Set(spans.flatMap((span) => Object.keys(span.attributes)));
    return [name, spans.length > 0 ? [...attributes].sort() : 'never made'];
  });
  expect(made).toEqual(documented.map(([name, attributes]) => [name, [...attributes].sort()]));
});
