import { http, type HttpAnswer } from '../support/http';
import { HEALTHY, startRestApp, type RestApp } from './rest-app';

const KEY = 'key-of-at-least-16-characters';
const ACME_KEY = 'acme-key-of-at-least-16-characters';

type Ask = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<HttpAnswer>;

const asking =
  (app: RestApp): Ask =>
  (method, path, body, headers = {}) =>
    http(method, app.url, path, {
      headers: {
        'x-api-key': KEY,
        ...((typeof body === 'string' || Buffer.isBuffer(body)) && { 'content-type': 'application/json' }),
        ...headers,
      },
      body,
    });

const errorOf = (answer: HttpAnswer): unknown[] => {
  const { error } = answer.json<{ error: { code: string; message: string } }>();
  return [answer.status, error.code, error.message];
};

describe('without tenants', () => {
  let app: RestApp;
  let ask: Ask;
  beforeAll(async () => {
    app = await startRestApp({ API_KEY: KEY, ACK_ENABLED: 'true' });
    ask = asking(app);
  });
  afterAll(() => app.close());

  describe('templates', () => {
    it('are created, read, listed, changed and removed', async () => {
      const created = await ask(
        'POST',
        '/api/v1/templates',
        '{"id":"t-1","name":"T","event_type":"e.t","payload_template":{"n":9007199254740993,"f":1.0,"v":"{{x}}"},"default_ttl":60,"description":"d"}',
      );
      expect(created.status).toBe(201);
      const template = created.json();
      expect(template).toMatchObject({
        id: 't-1',
        name: 'T',
        event_type: 'e.t',
        default_priority: 'Normal',
        priority: 'Normal',
        default_ttl: 60,
        ttl: 60,
        description: 'd',
      });
      expect(template['created_at']).toBe(template['updated_at']);
      expect(created.text).toContain('"payload_template":{"n":9007199254740993,"f":1.0,"v":"{{x}}"}');
      expect((await ask('GET', '/api/v1/templates/t-1')).text).toBe(created.text);
      expect((await ask('GET', '/api/v1/templates')).text).toBe(`{"templates":[${created.text}],"total":1}`);

      const changed = await ask('PUT', '/api/v1/templates/t-1', {
        id: 'other',
        name: 'U',
        event_type: null,
        payload_template: null,
        default_ttl: null,
        default_priority: 'High',
      });
      expect(changed.status).toBe(200);
      expect(changed.json()).toMatchObject({
        id: 't-1',
        name: 'U',
        event_type: 'e.t',
        default_ttl: 60,
        default_priority: 'High',
      });
      expect(changed.text).toContain('9007199254740993');
      expect(changed.json()['created_at']).toBe(template['created_at']);
      expect(changed.json()['updated_at']).not.toBe(template['updated_at']);

      const removed = await ask('DELETE', '/api/v1/templates/t-1');
      expect([removed.status, removed.text, removed.headers['content-type']]).toEqual([204, '', undefined]);
      for (const method of ['GET', 'DELETE']) {
        expect(errorOf(await ask(method, '/api/v1/templates/t-1'))).toEqual([
          404,
          'TEMPLATE_NOT_FOUND',
          'Template not found: t-1',
        ]);
      }
      expect((await ask('PUT', '/api/v1/templates/t-1', {})).status).toBe(404);
      expect((await ask('GET', '/api/v1/templates')).text).toBe('{"templates":[],"total":0}');
    });

    it('leave out what is not set, and take the short names', async () => {
      const made = await ask('POST', '/api/v1/templates', {
        id: 'short',
        name: 'S',
        event_type: 'e',
        payload_template: null,
        priority: 'Low',
        ttl: 5,
        default_ttl: null,
      });
      expect(made.json()).toMatchObject({ default_priority: 'Low', default_ttl: 5, payload_template: null });
      const both = await ask('PUT', '/api/v1/templates/short', { priority: 'High', default_priority: 'Critical' });
      expect(both.json()).toMatchObject({ default_priority: 'Critical', priority: 'Critical' });
      const plain = await ask('POST', '/api/v1/templates', {
        id: 'p',
        name: 'S',
        event_type: 'e',
        payload_template: [],
      });
      expect(Object.keys(plain.json()).sort()).toEqual(
        [
          'id',
          'name',
          'event_type',
          'payload_template',
          'default_priority',
          'priority',
          'created_at',
          'updated_at',
        ].sort(),
      );
    });

    const draft = { id: 'x', name: 'n', event_type: 'e', payload_template: {} };
    it.each<[string, object, number, string]>([
      ['an id with a colon', { ...draft, id: 'a:b' }, 400, 'INVALID_ID'],
      ['an id of 65 characters', { ...draft, id: 'x'.repeat(65) }, 400, 'INVALID_ID'],
      ['an empty name', { ...draft, name: '' }, 400, 'INVALID_TEMPLATE'],
      ['an event type of 129 bytes', { ...draft, event_type: 'x'.repeat(129) }, 400, 'INVALID_TEMPLATE'],
      ['no payload', { id: 'x', name: 'n', event_type: 'e' }, 422, 'VALIDATION_ERROR'],
      ['a number as name', { ...draft, name: 5 }, 422, 'VALIDATION_ERROR'],
      ['a bad priority', { ...draft, default_priority: 'high' }, 422, 'VALIDATION_ERROR'],
      ['a bad ttl by its short name', { ...draft, ttl: -1 }, 422, 'VALIDATION_ERROR'],
    ])('refuse %s', async (_name, body, status, code) => {
      expect(errorOf(await ask('POST', '/api/v1/templates', body)).slice(0, 2)).toEqual([status, code]);
    });

    it('are created once', async () => {
      expect((await ask('POST', '/api/v1/templates', { ...draft, id: 'once' })).status).toBe(201);
      expect(errorOf(await ask('POST', '/api/v1/templates', { ...draft, id: 'once' }))).toEqual([
        409,
        'TEMPLATE_EXISTS',
        'Template already exists: once',
      ]);
    });

    it('take bodies up to 2 MiB', async () => {
      const big = { ...draft, id: 'big', payload_template: 'x'.repeat(2_097_152 - 200) };
      expect((await ask('POST', '/api/v1/templates', big)).status).toBe(201);
      expect((await ask('POST', '/api/v1/templates', { ...big, payload_template: 'x'.repeat(2_097_152) })).status).toBe(
        413,
      );
    });

    it('can be tried without sending anything', async () => {
      await ask('POST', '/api/v1/templates', {
        id: 'try',
        name: 'n',
        event_type: 'e.try',
        payload_template: { text: '{{a}} {{b}}' },
        default_ttl: 9,
      });
      const tried = await ask('POST', '/api/v1/templates/try/render', { variables: { a: 1, c: 2 }, priority: 'High' });
      expect([tried.status, tried.json()]).toEqual([
        200,
        {
          event_type: 'e.try',
          payload: { text: '1 {{b}}' },
          priority: 'High',
          ttl: 9,
          missing_variables: ['b'],
          unused_variables: ['c'],
        },
      ]);
      expect((await ask('POST', '/api/v1/templates/try/render', {})).status).toBe(200);
      expect((await ask('POST', '/api/v1/templates/try/render', { variables: [1] })).status).toBe(400);
      expect((await ask('POST', '/api/v1/templates/none/render', {})).status).toBe(404);
      expect(app.dispatcher.deliveries).toEqual([]);
    });
  });

  it('lists channels and tells about one', async () => {
    app.presence.channels = () => Promise.resolve([{ name: 'orders', subscribers: 45 }]);
    app.presence.channel = (_tenant: string, name: string) =>
      Promise.resolve(name === 'or:ders/é' ? { name, subscribers: 2 } : undefined);
    expect((await ask('GET', '/api/v1/channels')).json()).toEqual({
      channels: [{ name: 'orders', subscriber_count: 45, subscribers: 45 }],
      total_channels: 1,
    });
    expect((await ask('GET', `/api/v1/channels/${encodeURIComponent('or:ders/é')}`)).json()).toEqual({
      name: 'or:ders/é',
      subscriber_count: 2,
      subscribers: 2,
    });
    expect(errorOf(await ask('GET', '/api/v1/channels/none'))).toEqual([
      404,
      'CHANNEL_NOT_FOUND',
      "Channel 'none' not found or has no subscribers",
    ]);
  });

  it('tells what a user listens to', async () => {
    app.presence.subscriptions = (_tenant: string, user: string) =>
      Promise.resolve(user === 'u:1' ? { connections: 2, subscriptions: ['a', 'b'] } : undefined);
    expect((await ask('GET', '/api/v1/users/u:1/subscriptions')).json()).toEqual({
      user_id: 'u:1',
      connection_count: 2,
      connections: 2,
      subscriptions: ['a', 'b'],
    });
    for (const id of ['u2', '%00', 'x'.repeat(256)]) {
      const answer = await ask('GET', `/api/v1/users/${id}/subscriptions`);
      expect(errorOf(answer)).toEqual([
        404,
        'USER_NOT_CONNECTED',
        `User '${decodeURIComponent(id)}' has no active connections`,
      ]);
    }
  });

  it('shows no tenants', async () => {
    expect((await ask('GET', '/api/v1/tenants')).json()).toEqual({ enabled: false, tenants: [], total: 0 });
    expect(errorOf(await ask('GET', '/api/v1/tenants/acme'))).toEqual([
      404,
      'TENANT_NOT_FOUND',
      "Tenant 'acme' has no recorded activity",
    ]);
  });

  it('is a cluster of one, and of many when there are', async () => {
    expect((await ask('GET', '/api/v1/cluster/status')).json()).toEqual({
      enabled: false,
      mode: 'standalone',
      server_id: 'node-1',
      local_connections: 3,
      local_users: 2,
      node_id: 'node-1',
      nodes: ['node-1'],
      healthy_nodes: 1,
      total_connections: 3,
    });
    app.presence.cluster = () =>
      Promise.resolve({ enabled: true, node: 'n1', nodes: ['n1', 'n2'], connections: 20, users: 15 });
    expect((await ask('GET', '/api/v1/cluster/status')).json()).toMatchObject({
      mode: 'distributed',
      cluster_connections: 20,
      cluster_users: 15,
      nodes: ['n1', 'n2'],
      healthy_nodes: 2,
      total_connections: 20,
    });
  });

  it('finds a user, or not', async () => {
    const session = { connection: 'c1', node: 'n2', connectedAt: 1_700_000_000, channels: ['a'] };
    app.presence.sessions = (_tenant: unknown, user: string) =>
      Promise.resolve(user === 'u1' ? [session, { ...session, connection: 'c2' }] : []);
    expect((await ask('GET', '/api/v1/cluster/users/u1')).json()).toEqual({
      user_id: 'u1',
      found: true,
      sessions: [
        { connection_id: 'c1', server_id: 'n2', connected_at: 1_700_000_000, channels: ['a'] },
        { connection_id: 'c2', server_id: 'n2', connected_at: 1_700_000_000, channels: ['a'] },
      ],
      node_id: 'n2',
      nodes: ['n2'],
      connections: 2,
    });
    expect((await ask('GET', '/api/v1/cluster/users/nobody')).json()).toEqual({
      user_id: 'nobody',
      found: false,
      sessions: [],
      node_id: null,
      nodes: [],
      connections: 0,
    });
  });

  it('shows its figures', async () => {
    const { ack, ...stats } = (await ask('GET', '/stats')).json();
    expect(stats).toEqual({
      connections: { total_connections: 3, unique_users: 2, channels: { orders: 2 } },
      notifications: {
        total_sent: 0,
        total_delivered: 0,
        total_failed: 0,
        user_notifications: 0,
        broadcast_notifications: 0,
        channel_notifications: 0,
      },
      redis: {
        status: 'disabled',
        connected: false,
        circuit_breaker_state: 'closed',
        circuit_breaker_failures: 0,
        reconnection_attempts: 0,
        total_reconnections: 0,
      },
    });
    expect(ack).toBeUndefined();
    expect((await ask('GET', '/api/v1/stats')).json()).toMatchObject({
      connections: { total_connections: 3, total: 3, websocket: 2, sse: 1, channels: { orders: 2 } },
      users: { connected: 2, with_multiple_connections: 1 },
      channels: { active: 1, total_subscriptions: 2 },
      messages: { sent_today: 0, delivered_today: 0, failed_today: 0 },
    });
    expect((await http('GET', app.url, '/stats')).status).toBe(401);
  });

  it('shows acknowledgements, zero while they are off', async () => {
    expect((await ask('GET', '/api/v1/stats/acks')).json()).toEqual({
      pending: 0,
      acknowledged: 0,
      expired: 0,
      average_ack_time_ms: 0,
      enabled: false,
      total_tracked: 0,
      total_acked: 0,
      total_expired: 0,
      pending_count: 0,
      ack_rate: 1,
      avg_latency_ms: 0,
    });
    app.status.acks = () =>
      Promise.resolve({
        enabled: true,
        tracked: 10_250,
        acked: 10_100,
        expired: 120,
        pending: 30,
        averageLatencyMs: 45.9,
      });
    const ack = {
      enabled: true,
      total_tracked: 10_250,
      total_acked: 10_100,
      total_expired: 120,
      pending_count: 30,
      ack_rate: 0.9854,
      avg_latency_ms: 45,
    };
    expect((await ask('GET', '/stats')).json()['ack']).toEqual(ack);
    expect((await ask('GET', '/api/v1/stats/acks')).json()).toEqual({
      pending: 30,
      acknowledged: 10_100,
      expired: 120,
      average_ack_time_ms: 45,
      ...ack,
    });
    app.status.acks = HEALTHY.acks;
  });

  it('is healthy, degraded or not ready, and always alive', async () => {
    const health = (): Promise<HttpAnswer> => http('GET', app.url, '/health');
    expect((await health()).json()).toEqual({
      status: 'healthy',
      version: '1.0.0',
      uptime_seconds: 12,
      redis: { status: 'disabled', connected: false },
      connections: { total: 3, unique_users: 2, channels_count: 1 },
      queue: { enabled: false, backend: 'memory', durable: false, total_messages: 0, users_with_queue: 0 },
    });
    app.status.redis = () => ({ ...HEALTHY.redis(), status: 'reconnecting', required: false });
    expect((await health()).json()).toMatchObject({ status: 'healthy', redis: { status: 'reconnecting' } });
    app.status.redis = () => ({ ...HEALTHY.redis(), status: 'circuit_open', required: true });
    app.status.postgres = () => ({ connected: true, poolSize: 10, idleConnections: 8 });
    expect((await health()).json()).toMatchObject({
      status: 'degraded',
      redis: { status: 'circuit_open', connected: false },
      postgres: { status: 'connected', connected: true, pool_size: 10, idle_connections: 8 },
    });
    expect((await http('GET', app.url, '/health/ready')).status).toBe(200);
    app.status.readiness = () => [
      { name: 'startup', isReady: true },
      { name: 'redis', isReady: false },
    ];
    const notReady = await http('GET', app.url, '/health/ready');
    expect(notReady.status).toBe(503);
    expect(notReady.json()).toMatchObject({
      status: 'error',
      info: { startup: { status: 'up' } },
      error: { redis: { status: 'down' } },
    });
    const live = await http('GET', app.url, '/health/live');
    expect([live.status, live.json()]).toEqual([200, { status: 'ok' }]);
    Object.assign(app.status, HEALTHY);
  });
});

describe('with tenants', () => {
  let app: RestApp;
  let ask: Ask;
  beforeAll(async () => {
    app = await startRestApp({ API_KEY: KEY, TENANT_ENABLED: 'true', TENANT_ACME_API_KEY: ACME_KEY });
    ask = asking(app);
  });
  afterAll(() => app.close());

  // Bytes, not text: Node's client would write headers in the encoding of a text that follows them.
  const GOOD = Buffer.from('{"target_user_id":"u","event_type":"e","payload":{}}');
  const as = (tenant: string): Record<string, string> => ({ 'x-tenant-id': tenant });
  const SEND = '/api/v1/notifications/send';

  it.each([
    ['POST', SEND],
    ['GET', '/api/v1/templates'],
    ['GET', '/api/v1/channels'],
    ['GET', '/api/v1/users/u/subscriptions'],
  ])('%s %s wants to know which, before it looks at the body', async (method, path) => {
    const answer = await ask(method, path, method === 'POST' ? '{' : undefined);
    expect(errorOf(answer).slice(0, 2)).toEqual([400, 'TENANT_REQUIRED']);
  });

  it.each(['/api/v1/tenants', '/stats', '/api/v1/stats', '/api/v1/stats/acks', '/api/v1/cluster/status'])(
    '%s does not',
    async (path) => {
      expect((await ask('GET', path)).status).toBe(200);
    },
  );

  it('takes it from the header, as UTF-8, or from the key', async () => {
    const tenantOf = async (headers: Record<string, string>): Promise<unknown> => {
      expect((await ask('POST', SEND, GOOD, headers)).status).toBe(200);
      return app.dispatcher.last.tenant;
    };
    expect(await tenantOf(as('acme'))).toBe('acme');
    expect(await tenantOf(as(' acme '))).toBe('acme');
    expect(await tenantOf(as('default'))).toBe('default');
    expect(await tenantOf(as(Buffer.from('zürich').toString('latin1')))).toBe('zürich');
    expect(await tenantOf({ 'x-api-key': ACME_KEY })).toBe('acme');
    expect(await tenantOf({ 'x-api-key': ACME_KEY, ...as('acme') })).toBe('acme');
  });

  it.each(['a:b', '', 'a b', 'x'.repeat(65), '\u00ff', 'a/b'])('refuses the tenant %j', async (tenant) => {
    expect(errorOf(await ask('POST', SEND, GOOD, as(tenant))).slice(0, 2)).toEqual([400, 'INVALID_TENANT']);
  });

  it('keeps a bound key to its tenant on every route', async () => {
    for (const path of ['/api/v1/templates', '/stats', '/api/v1/tenants', '/nope']) {
      const answer = await ask('GET', path, undefined, { 'x-api-key': ACME_KEY, ...as('other') });
      expect(errorOf(answer).slice(0, 2)).toEqual([403, 'TENANT_ACCESS_DENIED']);
    }
  });

  it('keeps templates apart, under bare names, and finds them by either form of the path', async () => {
    const draft = { id: 't', name: 'acme', event_type: 'e', payload_template: 1 };
    expect((await ask('POST', '/api/v1/templates', draft, as('acme'))).json()['id']).toBe('t');
    expect((await ask('POST', '/api/v1/templates', { ...draft, name: 'other' }, as('other'))).status).toBe(201);
    for (const path of ['t', 'acme:t', 'acme%3At', 'tenant-acme:t']) {
      expect((await ask('GET', `/api/v1/templates/${path}`, undefined, as('acme'))).json()).toMatchObject({
        id: 't',
        name: 'acme',
      });
    }
    for (const path of ['other:t', 'default:t', 'acme:acme:t']) {
      expect((await ask('GET', `/api/v1/templates/${path}`, undefined, as('acme'))).status).toBe(404);
    }
    expect((await ask('GET', '/api/v1/templates', undefined, as('default'))).json()).toEqual({
      templates: [],
      total: 0,
    });
    await ask('POST', SEND, { target_user_id: 'u', template_id: 't' }, as('other'));
    expect(app.dispatcher.last).toMatchObject({ tenant: 'other' });
    expect((await ask('POST', SEND, { target_user_id: 'u', template_id: 't' }, as('third'))).status).toBe(400);
  });

  it('finds a channel by either form of the path', async () => {
    app.presence.channel = (tenant: string, name: string) =>
      Promise.resolve(tenant === 'acme' && name === 'orders' ? { name, subscribers: 1 } : undefined);
    for (const path of ['orders', 'acme:orders', 'tenant-acme:orders']) {
      expect((await ask('GET', `/api/v1/channels/${path}`, undefined, as('acme'))).json()).toMatchObject({
        name: 'orders',
      });
    }
    expect((await ask('GET', '/api/v1/channels/acme:orders', undefined, as('other'))).status).toBe(404);
  });

  it('shows a tenant its own figures only', async () => {
    const activity = (tenant: string): object => ({
      tenant,
      activeConnections: 150,
      uniqueUsers: 75,
      channels: 12,
      totalConnections: 1250,
      messagesSent: 5000,
      messagesDelivered: 48_500,
      messagesToday: 5678,
    });
    app.presence.activeTenants = () => Promise.resolve([activity('acme'), activity('other')]);
    app.presence.tenant = (tenant: string) => Promise.resolve(tenant === 'quiet' ? undefined : activity(tenant));
    const stats = { active_connections: 150, total_connections: 1250, messages_sent: 5000, messages_delivered: 48_500 };
    const row = (tenant_id: string): object => ({ tenant_id, stats });
    const list = '/api/v1/tenants';
    expect((await ask('GET', list)).json()).toEqual({ enabled: true, tenants: [row('acme'), row('other')], total: 2 });
    for (const headers of [as('acme'), { 'x-api-key': ACME_KEY }]) {
      expect((await ask('GET', list, undefined, headers)).json()).toMatchObject({ tenants: [row('acme')], total: 1 });
      expect(errorOf(await ask('GET', '/api/v1/tenants/other', undefined, headers))).toEqual([
        403,
        'TENANT_ACCESS_DENIED',
        "Cannot access another tenant's stats",
      ]);
    }
    expect((await ask('GET', '/api/v1/tenants/acme')).json()).toEqual({
      tenant_id: 'acme',
      stats,
      connection_stats: { total_connections: 150, unique_users: 75 },
      connections: 150,
      users: 75,
      channels: 12,
      messages_today: 5678,
    });
    for (const unknown of ['quiet', 'a:b']) {
      expect(errorOf(await ask('GET', `/api/v1/tenants/${unknown}`)).slice(0, 2)).toEqual([404, 'TENANT_NOT_FOUND']);
    }
  });

  it('asks presence for the caller’s tenant, for all without one', async () => {
    const asked: unknown[] = [];
    app.census.subscribers = (tenant: unknown) => (asked.push(tenant), Promise.resolve(new Map()));
    app.presence.sessions = (tenant: unknown) => (asked.push(tenant), Promise.resolve([]));
    await ask('GET', '/stats');
    await ask('GET', '/stats', undefined, as('acme'));
    await ask('GET', '/api/v1/cluster/users/u');
    await ask('GET', '/api/v1/cluster/users/u', undefined, { 'x-api-key': ACME_KEY });
    expect(asked).toEqual([undefined, 'acme', undefined, 'acme']);
  });

  it('means the default tenant without a header where that is allowed', async () => {
    const lenient = await startRestApp({ API_KEY: KEY, TENANT_ENABLED: 'true', TENANT_REQUIRE_HEADER: 'false' });
    try {
      expect((await asking(lenient)('POST', SEND, GOOD)).status).toBe(200);
      expect(lenient.dispatcher.last.tenant).toBe('default');
    } finally {
      await lenient.close();
    }
  });
});

describe('without any key', () => {
  it('everything is open, unknown paths are 404, and the tenant header counts', async () => {
    const app = await startRestApp({ TENANT_ENABLED: 'true' });
    try {
      expect((await http('GET', app.url, '/stats')).status).toBe(200);
      expect((await http('GET', app.url, '/nope')).status).toBe(404);
      expect((await http('GET', app.url, '/api/v1/templates')).status).toBe(400);
    } finally {
      await app.close();
    }
  });
});
