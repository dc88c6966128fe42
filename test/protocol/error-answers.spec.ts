import { AraError, type ErrorExtras, type ErrorReason } from '../../src/notification/ara-error';
import { errorAnswer } from '../../src/http/error-body';
import { startRestApp, type RestApp } from '../contract/rest-app';
import { http, type HttpAnswer } from '../support/http';
import { GoldenFolder } from './golden-folder';

const KEY = 'key-of-at-least-16-characters';
const SEND = '/api/v1/notifications/send';
const BATCH = '/api/v1/notifications/batch';
const TEMPLATES = '/api/v1/templates';
const GOOD = { target_user_id: 'u', event_type: 'e', payload: {} };
const TEMPLATE = { id: 'welcome', name: 'n', event_type: 'e', payload_template: {} };
const ITEM = { target: { type: 'broadcast' }, event_type: 'e', payload: 1 };
const ID = '0192f0c1-7a3b-7c4d-8e5f-0123456789ab';

type Call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<HttpAnswer>;
type Provoke = (call: Call, app: RestApp) => Promise<HttpAnswer>;

const acme = { 'x-tenant-id': 'acme' };
/** What the engine behind the edge runs into. */
const failing =
  (reason: ErrorReason, message: string, extras?: ErrorExtras): Provoke =>
  (call, app) => {
    app.dispatcher.answer = () => {
      throw new AraError(reason, message, extras);
    };
    return call('POST', SEND, GOOD, acme).finally(() => (app.dispatcher.answer = () => ({})));
  };

/** Every way to be refused that a back end can meet, by the name of its golden file. */
const REFUSALS: Record<string, Provoke> = {
  '400-invalid-json': (call) => call('POST', SEND, '{"a":', { 'content-type': 'application/json', ...acme }),
  '400-empty-body': (call) => call('POST', SEND, '', { 'content-type': 'application/json', ...acme }),
  '400-unknown-template': (call) => call('POST', SEND, { target_user_id: 'u', template_id: 'none' }, acme),
  '400-variables': async (call) => {
    await call('POST', TEMPLATES, TEMPLATE, acme);
    return call('POST', SEND, { target_user_id: 'u', template_id: 'welcome', variables: 'x' }, acme);
  },
  '400-too-many-users': (call) =>
    call(
      'POST',
      '/api/v1/notifications/send-to-users',
      { ...GOOD, target_user_ids: Array.from({ length: 10_001 }, (_, i) => i.toString(36)) },
      acme,
    ),
  '400-too-many-channels': (call) =>
    call('POST', '/api/v1/notifications/channels', { ...GOOD, channels: Array.from({ length: 101 }, String) }, acme),
  '400-empty-batch': (call) => call('POST', BATCH, { notifications: [] }, acme),
  '400-large-batch': (call) => call('POST', BATCH, { notifications: Array.from({ length: 101 }, () => ITEM) }, acme),
  '400-template-id': (call) => call('POST', TEMPLATES, { ...TEMPLATE, id: 'no:colon' }, acme),
  '400-template-name': (call) => call('POST', TEMPLATES, { ...TEMPLATE, name: '' }, acme),
  '400-tenant-required': (call) => call('POST', SEND, GOOD),
  '400-tenant-invalid': (call) => call('POST', SEND, GOOD, { 'x-tenant-id': 'a:b' }),
  '401-unauthorized': (call) => call('POST', SEND, GOOD, { 'x-api-key': 'wrong' }),
  '403-tenant-of-another': (call) => call('GET', '/api/v1/tenants/globex', undefined, acme),
  '403-tenant-of-the-key': (call) => call('POST', SEND, GOOD, { 'x-api-key': 'key-bound-to-globex', ...acme }),
  '404-route': (call) => call('GET', '/nowhere'),
  '404-channel': (call) => call('GET', '/api/v1/channels/orders', undefined, acme),
  '404-user': (call) => call('GET', '/api/v1/users/u/subscriptions', undefined, acme),
  '404-template': (call) => call('GET', `${TEMPLATES}/none`, undefined, acme),
  '404-tenant': (call) => call('GET', '/api/v1/tenants/acme', undefined, acme),
  '405-method': (call) => call('PUT', SEND, undefined, acme),
  '409-template': async (call) => {
    await call('POST', TEMPLATES, TEMPLATE, acme);
    return call('POST', TEMPLATES, TEMPLATE, acme);
  },
  '413-single-send': (call) => call('POST', SEND, { ...GOOD, payload: 'x'.repeat(65_536) }, acme),
  '413-batch': (call) => call('POST', BATCH, { notifications: [{ ...ITEM, payload: 'x'.repeat(1_048_576) }] }, acme),
  '415-content-type': (call) => call('POST', SEND, JSON.stringify(GOOD), { 'content-type': 'text/plain', ...acme }),
  '422-missing-field': (call) => call('POST', SEND, { event_type: 'e', payload: 1 }, acme),
  '422-priority': (call) => call('POST', SEND, { ...GOOD, priority: 'high' }, acme),
  '422-ttl': (call) => call('POST', SEND, { ...GOOD, ttl: -1 }, acme),
  '422-user-id': (call) => call('POST', SEND, { ...GOOD, target_user_id: 'ü'.repeat(128) }, acme),
  '422-repeated-key': (call) =>
    call('POST', SEND, '{"target_user_id":"a","target_user_id":"b","event_type":"e","payload":1}', {
      'content-type': 'application/json',
      ...acme,
    }),
  '422-too-deep': (call) =>
    call('POST', SEND, `{"payload":${'['.repeat(65)}${']'.repeat(65)}}`, {
      'content-type': 'application/json',
      ...acme,
    }),
  '422-batch-item': (call) =>
    call('POST', BATCH, { notifications: [ITEM, { ...ITEM, target: { type: 'nobody' } }] }, acme),
  '422-template': (call) => call('POST', TEMPLATES, { id: 'x' }, acme),
  '500-internal': failing('INTERNAL_ERROR', 'connect ECONNREFUSED 10.0.0.7:5432'),
  '500-redis': failing('REDIS_ERROR', 'redis://10.0.0.7 is away'),
  '500-configuration': failing('CONFIG_ERROR', '/etc/ara.pem cannot be read'),
  '503-queue': failing('QUEUE_UNAVAILABLE', 'The queue store cannot be reached: 10.0.0.7', {
    retryAfterSeconds: 1,
    details: { notification_id: ID },
  }),
  '503-cluster': failing('CLUSTER_ERROR', '10.0.0.7 did not answer'),
  '503-shutting-down': failing('SHUTTING_DOWN', 'This node is shutting down'),
};

/** The lines of an answer that do not depend on the moment: status, the headers that belong to the error, body. */
function transcript({ status, headers, text }: HttpAnswer): string {
  const own = ['content-type', 'allow', 'retry-after'].flatMap((name) => {
    const value = headers[name];
    return value === undefined ? [] : [`${name}: ${String(value)}`];
  });
  return [String(status), ...own, '', text, ''].join('\n');
}

const caller =
  (app: RestApp): Call =>
  (method, path, body, headers = {}) =>
    http(method, app.url, path, { body, headers: { 'x-api-key': KEY, ...headers } });

describe.each([
  ['development', 'the fast door', { RUN_MODE: 'development', HTTP_FAST_PATH: 'true' }],
  ['development', 'Express', { RUN_MODE: 'development', HTTP_FAST_PATH: 'false' }],
  ['production', 'the fast door', { RUN_MODE: 'production', HTTP_FAST_PATH: 'true' }],
  ['production', 'Express', { RUN_MODE: 'production', HTTP_FAST_PATH: 'false' }],
] as const)('what a back end reads that is refused, in %s, by %s', (mode, _door, env) => {
  const golden = new GoldenFolder(`errors/${mode}`);
  let app: RestApp;

  beforeAll(async () => {
    app = await startRestApp({
      API_KEY: KEY,
      TENANT_ENABLED: 'true',
      TENANT_GLOBEX_API_KEY: 'key-bound-to-globex',
      ...env,
    });
  });
  afterAll(() => app.close());

  it.each(Object.entries(REFUSALS))('%s', async (name, provoke) => {
    const answer = await provoke(caller(app), app);
    expect(answer.status).toBe(Number(name.slice(0, 3)));
    golden.expect(`${name}.txt`, transcript(answer));
    if (mode === 'production') expect(answer.text).not.toContain('10.0.0.7');
  });

  it('429-rate-limited', async () => {
    const limited = await startRestApp({
      API_KEY: KEY,
      RATELIMIT_ENABLED: 'true',
      RATELIMIT_HTTP_BURST_SIZE: '1',
      RATELIMIT_HTTP_REQUESTS_PER_SECOND: '1',
      ...env,
    });
    try {
      const twice = [await caller(limited)('GET', '/stats'), await caller(limited)('GET', '/stats')];
      golden.expect('429-rate-limited.txt', transcript(twice[1]!));
    } finally {
      await limited.close();
    }
  });

  it('and nothing else', () => {
    golden.expectNoOthers();
  });
});

it('every error code has its file', () => {
  const reasons: Record<ErrorReason, true> = {
    VALIDATION_ERROR: true,
    INVALID_SHAPE: true,
    INVALID_ID: true,
    INVALID_TEMPLATE: true,
    INVALID_JSON: true,
    TENANT_REQUIRED: true,
    INVALID_TENANT: true,
    UNAUTHORIZED: true,
    TENANT_ACCESS_DENIED: true,
    NOT_FOUND: true,
    CHANNEL_NOT_FOUND: true,
    USER_NOT_CONNECTED: true,
    TEMPLATE_NOT_FOUND: true,
    TENANT_NOT_FOUND: true,
    METHOD_NOT_ALLOWED: true,
    TEMPLATE_EXISTS: true,
    PAYLOAD_TOO_LARGE: true,
    UNSUPPORTED_MEDIA_TYPE: true,
    RATE_LIMITED: true,
    INTERNAL_ERROR: true,
    REDIS_ERROR: true,
    CONFIG_ERROR: true,
    QUEUE_UNAVAILABLE: true,
    CLUSTER_ERROR: true,
    SHUTTING_DOWN: true,
  };
  const golden = new GoldenFolder('errors/development');
  const shown = golden
    .list('.txt')
    .map((file) => `${file.slice(0, 3)} ${/"code":"(\w+)"/.exec(golden.read(file))?.[1] ?? ''}`);
  for (const reason of Object.keys(reasons) as ErrorReason[]) {
    const { status, body } = errorAnswer(new AraError(reason, ''), false);
    expect(shown).toContain(`${status} ${body.error.code}`);
  }
});
