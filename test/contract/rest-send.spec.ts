import { AraError } from '../../src/notification/ara-error';
import { parseUserId, type UserId } from '../../src/notification/ids';
import { http, type HttpAnswer, type HttpRequest } from '../support/http';
import { startRestApp, type RestApp } from './rest-app';

const KEY = 'key-of-at-least-16-characters';
const AUTHORIZED = { 'x-api-key': KEY, 'content-type': 'application/json' };
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const SEND = '/api/v1/notifications/send';
const BATCH = '/api/v1/notifications/batch';

/** Whichever door answers, a client must not be able to tell. */
describe.each([
  ['the fast door', 'true'],
  ['Express', 'false'],
])('sending, through %s', (_, fastPath) => {
  let app: RestApp;
  const post = (path: string, body: unknown, headers: HttpRequest['headers'] = {}): Promise<HttpAnswer> =>
    http('POST', app.url, path, { headers: { ...AUTHORIZED, ...headers }, body });
  const posted = async (path: string, body: unknown): Promise<HttpAnswer> => {
    const answer = await post(path, body);
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
    return answer;
  };

  beforeAll(async () => {
    app = await startRestApp({ API_KEY: KEY, HTTP_FAST_PATH: fastPath });
    // As text: a literal of this language would lose the last digits already.
    const template =
      '{"id":"shipped","name":"Shipped","event_type":"order.shipped","default_priority":"High","default_ttl":60,' +
      '"payload_template":{"text":"Order {{id}}","big":12345678901234567}}';
    expect((await post('/api/v1/templates', template)).status).toBe(201);
  });
  beforeEach(() => {
    app.dispatcher.deliveries.length = 0;
    app.dispatcher.answer = () => ({});
    app.dispatcher.deliverable = true;
  });
  afterAll(() => app.close());

  it('answers with the five fields that every client reads, and what was queued', async () => {
    app.dispatcher.answer = () => ({ deliveredTo: 2, failed: 1 });
    const answer = await posted(SEND, { target_user_id: 'u1', event_type: 'e', payload: {} });
    const { notification_id, timestamp, ...rest } = answer.json();
    expect(rest).toEqual({
      success: true,
      delivered_to: 2,
      failed: 1,
      queued: false,
      queued_count: 0,
      durable: false,
    });
    expect(notification_id).toMatch(UUID_V7);
    expect(notification_id).toBe(app.dispatcher.last.notification.id);
    expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(answer.text)));
    expect(answer.headers).not.toHaveProperty('etag');
    expect(answer.headers).not.toHaveProperty('x-powered-by');
  });

  it('calls it a success when it is kept, and none when nobody gets it', async () => {
    const body = { target_user_id: 'u1', event_type: 'e', payload: {} };
    app.dispatcher.answer = () => ({ deliveredTo: 0, queuedCount: 1, durable: true });
    expect((await posted(SEND, body)).json()).toMatchObject({
      success: true,
      delivered_to: 0,
      queued: true,
      queued_count: 1,
      durable: true,
    });
    app.dispatcher.answer = () => ({ deliveredTo: 0 });
    expect((await posted(SEND, body)).json()).toMatchObject({ success: false, queued: false });
  });

  it('builds the envelope with every field', async () => {
    await posted(SEND, {
      target_user_id: 'u1',
      event_type: 'order.created',
      payload: { a: 1 },
      priority: 'Critical',
      ttl: 4_294_967_295,
      correlation_id: 'c-1',
      source: 'ignored',
      surplus: {},
    });
    const { tenant, target, notification } = app.dispatcher.last;
    expect({ tenant, target }).toEqual({ tenant: 'default', target: { kind: 'user', user: 'u1' } });
    expect(notification).toEqual({
      id: expect.stringMatching(UUID_V7) as string,
      occurredAt: expect.any(Number) as number,
      eventType: 'order.created',
      payload: '{"a":1}',
      priority: 'Critical',
      source: 'http-api',
      ttlSeconds: 4_294_967_295,
      correlationId: 'c-1',
    });
  });

  it.each([
    ['null', 'null'],
    ['[]', '[]'],
    ['7', '7'],
    ['"\\u00e9\\ud83d\\ude00é😀"', '"\\u00e9\\ud83d\\ude00é😀"'],
    ['{"n":9007199254740993,"f":1.0,"e":1e400,"z":-0}', '{"n":9007199254740993,"f":1.0,"e":1e400,"z":-0}'],
    ['{\r\n  "a" : [ 1 ,\t2 ],\n\n "b b" : " x " }', '{"a":[1,2],"b b":" x "}'],
    ['{"z":1,"a":2,"a":3,"__proto__":{"x":1}}', '{"z":1,"a":2,"a":3,"__proto__":{"x":1}}'],
  ])('carries the payload %s as text', async (payload, carried) => {
    await posted(SEND, `{"payload":${payload},"event_type":"e","target_user_id":"u"}`);
    expect(app.dispatcher.last.notification.payload).toBe(carried);
  });

  it.each([
    ['ttl, priority, correlation_id null', { ttl: null, priority: null, correlation_id: null }],
    ['template_id null', { template_id: null, variables: null }],
    ['an event type without a character', { event_type: '' }],
  ])('accepts %s', async (_name, fields) => {
    await posted(SEND, { target_user_id: 'u', event_type: 'e', payload: {}, ...fields });
    expect(app.dispatcher.last.notification).toMatchObject({ priority: 'Normal' });
    expect(app.dispatcher.last.notification.ttlSeconds).toBeUndefined();
    expect(app.dispatcher.last.notification.correlationId).toBeUndefined();
  });

  it('fills a template, which wins over direct content, and whose defaults the request wins over', async () => {
    await posted(SEND, {
      target_user_id: 'u',
      template_id: 'shipped',
      variables: { id: 42 },
      event_type: 5,
      payload: 1,
    });
    expect(app.dispatcher.last.notification).toMatchObject({
      eventType: 'order.shipped',
      payload: '{"text":"Order 42","big":12345678901234567}',
      priority: 'High',
      ttlSeconds: 60,
    });
    await posted(SEND, { target_user_id: 'u', template_id: 'shipped', priority: 'Low', ttl: 0 });
    expect(app.dispatcher.last.notification).toMatchObject({ priority: 'Low', ttlSeconds: 0 });
  });

  it.each([[[]], [null], [{}], [undefined]])('takes %j for no variables', async (variables) => {
    await posted(SEND, { target_user_id: 'u', template_id: 'shipped', variables });
    expect(app.dispatcher.last.notification.payload).toContain('Order {{id}}');
  });

  it.each([
    ['an unknown template', { template_id: 'nope' }, 'Template not found: nope'],
    ['variables that are a list', { template_id: 'shipped', variables: [1] }, /Variables must be an object/],
    ['variables that are text', { template_id: 'shipped', variables: 'x' }, /Variables must be an object/],
  ])('refuses %s with 400', async (_name, fields, message) => {
    const answer = await post(SEND, { target_user_id: 'u', ...fields });
    expect(answer.status).toBe(400);
    expect(answer.json<{ error: object }>().error).toMatchObject({
      code: 'VALIDATION_ERROR',
      message: expect.stringMatching(message) as string,
    });
    expect(app.dispatcher.deliveries).toEqual([]);
  });

  const user = { target_user_id: 'u' };
  const direct = { event_type: 'e', payload: {} };
  it.each<[string, object, string]>([
    ['no target', direct, 'target_user_id'],
    ['a number as target', { ...direct, target_user_id: 5 }, 'target_user_id'],
    ['a user id of 256 bytes', { ...direct, target_user_id: 'é'.repeat(128) }, 'target_user_id'],
    ['a user id with NUL', { ...direct, target_user_id: 'a\0b' }, 'target_user_id'],
    ['a user id with a lone surrogate', { ...direct, target_user_id: '\ud800' }, 'target_user_id'],
    ['no payload', { ...user, event_type: 'e' }, 'payload'],
    ['no event type', { ...user, payload: 1 }, 'event_type'],
    ['a numeric template id and nothing else', { ...user, template_id: 5 }, 'event_type'],
    ['a priority in lower case', { ...user, ...direct, priority: 'high' }, 'priority'],
    ['an unknown priority', { ...user, ...direct, priority: 'Urgent' }, 'priority'],
    ['a ttl as text', { ...user, ...direct, ttl: '5' }, 'ttl'],
    ['a fraction as ttl', { ...user, ...direct, ttl: 1.5 }, 'ttl'],
    ['a negative ttl', { ...user, ...direct, ttl: -1 }, 'ttl'],
    ['a ttl of 2^32', { ...user, ...direct, ttl: 4_294_967_296 }, 'ttl'],
    ['a number as correlation id', { ...user, ...direct, correlation_id: 5 }, 'correlation_id'],
  ])('refuses %s with 422 naming the field', async (_name, body, field) => {
    const answer = await post(SEND, body);
    expect(answer.status).toBe(422);
    const { error } = answer.json<{ error: { code: string; message: string; details: { errors: unknown } } }>();
    expect(error.code).toBe('VALIDATION_ERROR');
    expect(error.message).toContain(`Failed to deserialize the JSON body into the target type: `);
    expect(error.details.errors).toContainEqual({ field, message: expect.any(String) as string });
    expect(app.dispatcher.deliveries).toEqual([]);
  });

  it.each(['null', '[]', '5', '"text"', 'true'])('refuses the body %s with 422', async (body) => {
    expect((await post(SEND, body)).status).toBe(422);
  });

  it('sends to users, each once, and says what became of each', async () => {
    app.dispatcher.answer = () => ({
      deliveredTo: 3,
      queuedCount: 1,
      perUser: new Map<UserId, { connections: number; queued: boolean }>([
        [parseUserId('a')!, { connections: 3, queued: false }],
        [parseUserId('__proto__')!, { connections: 0, queued: true }],
      ]),
    });
    const answer = await posted('/api/v1/notifications/send-to-users', {
      ...direct,
      target_user_ids: ['a', '__proto__', 'a', ''],
    });
    expect(app.dispatcher.last.target).toEqual({ kind: 'users', users: ['a', '__proto__', ''] });
    expect(answer.text).toContain(
      '"results":{"a":{"delivered":true,"connections":3,"queued":false},' +
        '"__proto__":{"delivered":false,"connections":0,"queued":true},' +
        '"":{"delivered":false,"connections":0,"queued":false}}',
    );
    expect((await posted('/api/v1/notifications/send-to-users', { ...direct, target_user_ids: [] })).status).toBe(200);
  });

  it('limits the lists: 10,000 users, 100 channels', async () => {
    const users = await post('/api/v1/notifications/send-to-users', {
      ...direct,
      target_user_ids: Array.from({ length: 10_001 }, () => 'u'),
    });
    expect(users.status).toBe(400);
    expect(users.json()).toEqual({
      error: { code: 'VALIDATION_ERROR', message: 'target_user_ids exceeds maximum of 10000 (got 10001)' },
    });
    const channels = await post('/api/v1/notifications/channels', {
      template_id: 'unknown too, but the list is looked at first',
      channels: Array.from({ length: 101 }, (_value, i) => `c${i}`),
    });
    expect(channels.json()).toEqual({
      error: { code: 'VALIDATION_ERROR', message: 'channels exceeds maximum of 100 (got 101)' },
    });
  });

  it.each([
    [{ type: 'All' }],
    [{ type: 'Roles', value: ['admin'] }],
    [{ type: 'Users', value: ['u1', 'u2'] }],
    [{ type: 'Channels', value: [] }],
  ])('broadcasts to the audience %j', async (audience) => {
    await posted('/api/v1/notifications/broadcast', { ...direct, audience });
    expect(app.dispatcher.last.target).toEqual({ kind: 'broadcast', audience });
    expect(app.dispatcher.last.notification.audience).toEqual(audience);
  });

  it('broadcasts to everybody without an audience, or with null', async () => {
    for (const body of [direct, { ...direct, audience: null }]) {
      await posted('/api/v1/notifications/broadcast', body);
      expect(app.dispatcher.last.target).toEqual({ kind: 'broadcast' });
      expect(app.dispatcher.last.notification.audience).toBeUndefined();
    }
  });

  it.each([
    [{ type: 'all' }],
    [{ type: 'Roles' }],
    [{ type: 'Roles', value: 'admin' }],
    [{ type: 'Roles', value: [1] }],
    ['All'],
    [{}],
  ])('refuses the audience %j with 422', async (audience) => {
    expect((await post('/api/v1/notifications/broadcast', { ...direct, audience })).status).toBe(422);
  });

  it('sends to a channel of any name, and to channels', async () => {
    const one = await posted('/api/v1/notifications/channel', { ...direct, channel: 'any name: at all' });
    expect(app.dispatcher.last.target).toEqual({ kind: 'channel', channel: 'any name: at all' });
    expect(one.json()).toMatchObject({ success: true, channel: 'any name: at all' });

    app.dispatcher.answer = () => ({ deliveredTo: 2, perChannel: new Map([['x', 2]]) });
    const many = await posted('/api/v1/notifications/channels', { ...direct, channels: ['x', 'y', 'x'] });
    expect(app.dispatcher.last.target).toEqual({ kind: 'channels', channels: ['x', 'y'] });
    expect(many.json()).toMatchObject({
      delivered_to: 2,
      total_delivered: 2,
      channels: { x: { delivered_to: 2 }, y: { delivered_to: 0 } },
    });
  });

  it('passes a well-formed trace context on, and only such', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await post(SEND, { ...user, ...direct }, { traceparent });
    expect(app.dispatcher.last.notification.traceparent).toBe(traceparent);
    await post(SEND, { ...user, ...direct }, { traceparent: 'nonsense' });
    expect(app.dispatcher.last.notification.traceparent).toBeUndefined();
  });

  it('tells an unreachable queue with the id and when to come again', async () => {
    app.dispatcher.answer = ({ notification }) => {
      throw new AraError('QUEUE_UNAVAILABLE', 'Message queue error', {
        details: { notification_id: notification.id },
        retryAfterSeconds: 3,
      });
    };
    const answer = await post(SEND, { ...user, ...direct });
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('3');
    expect(answer.json<{ error: object }>().error).toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
      retry_after_seconds: 3,
      details: { notification_id: expect.stringMatching(UUID_V7) as string },
    });
  });

  it('survives a fault of ours', async () => {
    app.dispatcher.answer = () => {
      throw new TypeError('of ours');
    };
    const answer = await post(SEND, { ...user, ...direct });
    expect(answer.status).toBe(500);
    expect(answer.json<{ error: { code: string } }>().error.code).toBe('INTERNAL_ERROR');
    app.dispatcher.answer = () => ({});
    expect((await post(SEND, { ...user, ...direct })).status).toBe(200);
  });

  describe('a batch', () => {
    const entry = (target: unknown, fields: object = direct): object => ({ target, ...fields });

    it.each<[object, object]>([
      [
        { type: 'user', value: 'u' },
        { kind: 'user', user: 'u' },
      ],
      [
        { type: 'user', id: 'u' },
        { kind: 'user', user: 'u' },
      ],
      [
        { type: 'user', user_id: 'u', value: null },
        { kind: 'user', user: 'u' },
      ],
      [
        { type: 'users', value: ['a', 'b', 'a'] },
        { kind: 'users', users: ['a', 'b'] },
      ],
      [
        { type: 'users', ids: ['a'] },
        { kind: 'users', users: ['a'] },
      ],
      [
        { type: 'users', user_ids: ['a'] },
        { kind: 'users', users: ['a'] },
      ],
      [{ type: 'broadcast' }, { kind: 'broadcast' }],
      [{ type: 'broadcast', value: null }, { kind: 'broadcast' }],
      [{ type: 'broadcast', value: [] }, { kind: 'broadcast' }],
      [
        { type: 'channel', value: 'c' },
        { kind: 'channel', channel: 'c' },
      ],
      [
        { type: 'channel', name: 'c' },
        { kind: 'channel', channel: 'c' },
      ],
      [
        { type: 'channel', channel: 'c' },
        { kind: 'channel', channel: 'c' },
      ],
      [
        { type: 'channels', value: ['c', 'd'] },
        { kind: 'channels', channels: ['c', 'd'] },
      ],
      [
        { type: 'channels', names: ['c'] },
        { kind: 'channels', channels: ['c'] },
      ],
      [
        { type: 'channels', channels: ['c'] },
        { kind: 'channels', channels: ['c'] },
      ],
    ])('understands the target %j', async (spelled, target) => {
      await posted(BATCH, { notifications: [entry(spelled)] });
      expect(app.dispatcher.last.target).toEqual(target);
    });

    it('answers in both spellings', async () => {
      app.dispatcher.answer = ({ target }) => (target.kind === 'channel' ? { deliveredTo: 0 } : { deliveredTo: 2 });
      const answer = await posted(BATCH, {
        notifications: [entry({ type: 'user', value: 'u' }), entry({ type: 'channel', value: 'c' })],
      });
      const [first, second] = app.dispatcher.deliveries;
      expect(answer.json()).toEqual({
        batch_id: expect.stringMatching(/^batch-[0-9a-f-]{36}$/) as string,
        results: [
          { index: 0, notification_id: first?.notification.id, delivered_to: 2, failed: 0, success: true },
          {
            index: 1,
            notification_id: second?.notification.id,
            delivered_to: 0,
            failed: 0,
            success: false,
            error: 'Channel not found',
          },
        ],
        summary: { total: 2, succeeded: 1, failed: 1, skipped: 0, total_delivered: 2 },
        successful: 1,
        failed: 1,
        timestamp: expect.stringMatching(/Z$/) as string,
      });
    });

    it('carries payloads as text and fills templates', async () => {
      const raw =
        '{"notifications":[{"target":{"type":"user","value":"u"},"event_type":"e","payload":{"n": 9007199254740993, "f":1.0}},' +
        '{"target":{"type":"user","value":"u"},"template_id":"shipped","variables":{"id":9007199254740993},"ttl":5,"correlation_id":"c"}]}';
      await posted(BATCH, raw);
      expect(app.dispatcher.deliveries.map(({ notification }) => notification)).toMatchObject([
        { payload: '{"n":9007199254740993,"f":1.0}', source: 'http-api' },
        { payload: '{"text":"Order 9007199254740993","big":12345678901234567}', ttlSeconds: 5, correlationId: 'c' },
      ]);
    });

    it('leaves what is wrong with one item to that item', async () => {
      const answer = await posted(BATCH, {
        notifications: [
          entry({ type: 'user', value: 'u' }, { template_id: 'nope' }),
          entry({ type: 'channels', value: Array.from({ length: 101 }, String) }),
          entry({ type: 'users', value: Array.from({ length: 10_001 }, () => 'u') }),
          entry({ type: 'user', value: 'u' }, { template_id: 'shipped', variables: 5 }),
          entry({ type: 'user', value: 'u' }),
        ],
      });
      const { results } = answer.json<{ results: { error?: string }[] }>();
      expect(results.map(({ error }) => error)).toEqual([
        'Template not found: nope',
        'channels exceeds maximum of 100 (got 101)',
        'target_user_ids exceeds maximum of 10000 (got 10001)',
        'Variable substitution failed: Variables must be an object',
        undefined,
      ]);
    });

    it('says of an item that the queue cannot take it, and goes on', async () => {
      let calls = 0;
      app.dispatcher.answer = () => {
        if (calls++ > 0) return {};
        throw new AraError('QUEUE_UNAVAILABLE', 'redis://10.0.0.7 is away');
      };
      const answer = await posted(BATCH, {
        notifications: [entry({ type: 'user', value: 'u' }), entry({ type: 'user', value: 'v' })],
      });
      expect(answer.json()).toMatchObject({
        results: [
          { success: false, error: 'Queue unavailable', notification_id: expect.stringMatching(UUID_V7) as string },
          { success: true },
        ],
        successful: 1,
      });
    });

    it('obeys its options, on top as well as within', async () => {
      const twice = [entry({ type: 'user', value: 'u' }), entry({ type: 'user', value: 'u' })];
      const summaryOf = async (fields: object): Promise<unknown> =>
        (await posted(BATCH, { notifications: twice, ...fields })).json()['summary'];
      expect(await summaryOf({ options: { deduplicate: true } })).toMatchObject({ succeeded: 1, skipped: 1 });
      expect(await summaryOf({ options: [] })).toMatchObject({ succeeded: 2 });
      expect(await summaryOf({ options: null, atomic: null })).toMatchObject({ succeeded: 2 });
      expect(await summaryOf({ options: { stop_on_error: null, deduplicate: null } })).toMatchObject({ succeeded: 2 });
      app.dispatcher.deliverable = false;
      const before = app.dispatcher.deliveries.length;
      expect(await summaryOf({ atomic: true })).toMatchObject({ succeeded: 0, failed: 2 });
      expect(await summaryOf({ options: { atomic: true } })).toMatchObject({ succeeded: 0, failed: 2 });
      expect(app.dispatcher.deliveries).toHaveLength(before);
      app.dispatcher.answer = () => ({ deliveredTo: 0 });
      expect(await summaryOf({ options: { stop_on_error: true } })).toMatchObject({ failed: 1, skipped: 1 });
    });

    it('wants 1 to 100 items', async () => {
      expect((await post(BATCH, { notifications: [] })).json()).toEqual({
        error: { code: 'VALIDATION_ERROR', message: 'Batch cannot be empty' },
      });
      const item = entry({ type: 'user', value: 'u' });
      const many = await post(BATCH, { notifications: Array.from({ length: 101 }, () => item) });
      expect(many.status).toBe(400);
      expect(many.json()).toEqual({
        error: { code: 'VALIDATION_ERROR', message: 'Batch size 101 exceeds maximum of 100' },
      });
      expect((await post(BATCH, { notifications: Array.from({ length: 100 }, () => item) })).status).toBe(200);
    });

    it.each<[string, unknown, string]>([
      ['no target', direct, 'target'],
      ['an unknown type', entry({ type: 'everybody' }), 'target.type'],
      ['a type in upper case', entry({ type: 'User', value: 'u' }), 'target.type'],
      ['a target without value', entry({ type: 'user' }), 'target.value'],
      ['a value of the wrong type', entry({ type: 'users', value: 'u' }), 'target.value'],
      ['a bad user id', entry({ type: 'users', value: ['ok', 'a\0b'] }), 'target.value[1]'],
      ['a bad user id by another name', entry({ type: 'user', id: '\ud800' }), 'target.id'],
      ['a bad priority', entry({ type: 'broadcast' }, { ...direct, priority: 'urgent' }), 'priority'],
      ['no payload', entry({ type: 'broadcast' }, { event_type: 'e' }), 'payload'],
    ])('refuses as a whole an item with %s', async (_name, item, field) => {
      const answer = await post(BATCH, { notifications: [entry({ type: 'broadcast' }), item] });
      expect(answer.status).toBe(422);
      expect(answer.text).toContain(`"field":"notifications[1].${field}"`);
      expect(app.dispatcher.deliveries).toEqual([]);
    });

    it.each([
      ['an item that is no object', { notifications: [5] }],
      ['no list', { notifications: {} }],
      ['nothing', {}],
      ['a flag that is text', { notifications: [], options: { deduplicate: 'yes' } }],
      ['options that are a list with something in it', { notifications: [], options: [1] }],
    ])('refuses %s', async (_name, body) => {
      expect((await post(BATCH, body)).status).toBe(422);
    });

    it.each([
      ['the request', '{"notifications":[],"notifications":[]}'],
      ['its options', '{"notifications":[],"options":{"deduplicate":true,"deduplicate":false}}'],
      ['an item', '{"notifications":[{"target":{"type":"broadcast"},"event_type":"a","event_type":"b","payload":1}]}'],
      [
        'a target',
        '{"notifications":[{"target":{"type":"user","value":"a","value":"b"},"event_type":"a","payload":1}]}',
      ],
    ])('refuses a repeated key of %s', async (_name, body) => {
      const answer = await post(BATCH, body);
      expect(answer.status).toBe(422);
      expect(answer.text).toContain('duplicate field');
    });
  });

  it('refuses repeated keys of a request and of its audience, not of its payload', async () => {
    for (const body of [
      '{"event_type":"a","event_type":"b","payload":1}',
      '{"event_type":"a","payload":1,"audience":{"type":"All","type":"Roles","value":[]}}',
    ]) {
      expect((await post('/api/v1/notifications/broadcast', body)).status).toBe(422);
    }
    await posted('/api/v1/notifications/broadcast', '{"event_type":"a","payload":{"x":1,"x":2}}');
  });
});
