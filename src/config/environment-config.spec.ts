import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AraConfig } from './ara-config';
import { VARIABLES } from './environment';
import { loadConfig } from './load-config';

const SECRET = '8f1b6c0de2a94735b1c7f0a35e9d2468';
const cwd = mkdtempSync(join(tmpdir(), 'ara-config-'));
const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PEM = publicKey.export({ type: 'spki', format: 'pem' }).toString();
writeFileSync(join(cwd, 'public.pem'), PEM);

function load(env: Record<string, string>): AraConfig {
  return loadConfig({ env: { JWT_SECRET: SECRET, ...env }, cwd }).config;
}

/** Every name that may be set: a value other than the default, what it must become, and where. Third: what else must be set. */
const EFFECTS: Record<string, [string, unknown, (config: AraConfig) => unknown, Record<string, string>?]> = {
  RUN_MODE: ['Prod', true, (c) => c.production, { API_KEY: SECRET.slice(0, 20) }],
  SERVER_HOST: ['127.0.0.1', '127.0.0.1', (c) => c.server.host],
  SERVER_PORT: ['9000', 9000, (c) => c.server.port],
  CORS_ORIGINS: [
    'https://A.example.org:443/, http://b.example.org:81',
    ['https://a.example.org', 'http://b.example.org:81'],
    (c) => c.server.corsOrigins,
  ],
  TRUST_PROXY: ['2', 2, (c) => c.server.trustProxy],
  HTTP_FAST_PATH: ['off', false, (c) => c.server.fastPath],
  WORKERS: ['4', 4, (c) => c.server.workers, { CLUSTER_ENABLED: 'true' }],
  SHUTDOWN_GRACE_SECONDS: ['5', 5, (c) => c.server.shutdownGraceSeconds],
  DOCS_ENABLED: ['false', false, (c) => c.server.docsEnabled],
  JWT_SECRET: [`${SECRET} `, [`${SECRET} `], (c) => c.jwt.keys],
  JWT_SECRET_PREVIOUS: [`${SECRET}0`, [SECRET, `${SECRET}0`], (c) => c.jwt.keys],
  JWT_ALGORITHM: ['es256', 'ES256', (c) => c.jwt.algorithm, { JWT_PUBLICKEY: 'public.pem' }],
  JWT_PUBLICKEY: ['public.pem', [PEM], (c) => c.jwt.keys, { JWT_ALGORITHM: 'ES256' }],
  JWT_ISSUER: ['me', 'me', (c) => c.jwt.issuer],
  JWT_AUDIENCE: ['you', 'you', (c) => c.jwt.audience],
  JWT_LEEWAY_SECONDS: ['0', 0, (c) => c.jwt.leewaySeconds],
  API_KEY: ['a key', ['a key'], (c) => c.apiKeys.general],
  API_KEY_PREVIOUS: ['old', ['old'], (c) => c.apiKeys.general],
  WEBSOCKET_HEARTBEAT_INTERVAL: ['10', 10, (c) => c.webSocket.heartbeatSeconds],
  WEBSOCKET_CONNECTION_TIMEOUT: ['180', 180, (c) => c.webSocket.connectionTimeoutSeconds],
  WEBSOCKET_CLEANUP_INTERVAL: ['7', 7, (c) => c.webSocket.cleanupSeconds],
  WEBSOCKET_MAX_CONNECTIONS: ['0', 0, (c) => c.webSocket.maxConnections],
  WEBSOCKET_MAX_CONNECTIONS_PER_USER: ['6', 6, (c) => c.webSocket.maxConnectionsPerUser],
  WEBSOCKET_MAX_SUBSCRIPTIONS_PER_CONNECTION: ['51', 51, (c) => c.webSocket.maxSubscriptionsPerConnection],
  WEBSOCKET_CLOSE_ON_TOKEN_EXPIRY: ['true', true, (c) => c.webSocket.closeOnTokenExpiry],
  WEBSOCKET_SEND_CONNECTED: ['true', true, (c) => c.webSocket.sendConnected],
  WEBSOCKET_COMPRESSION: ['true', true, (c) => c.webSocket.compression],
  SSE_AUTO_SUBSCRIBE: ['false', false, (c) => c.sse.autoSubscribe],
  QUEUE_ENABLED: ['true', true, (c) => c.queue.enabled],
  QUEUE_BACKEND: ['Postgres', 'postgres', (c) => c.queue.backend],
  QUEUE_MAX_SIZE_PER_USER: ['3', 3, (c) => c.queue.maxSizePerUser],
  QUEUE_MESSAGE_TTL_SECONDS: ['60', 60, (c) => c.queue.ttlSeconds],
  QUEUE_CLEANUP_INTERVAL_SECONDS: ['61', 61, (c) => c.queue.cleanupSeconds],
  QUEUE_REDIS_KEY_PREFIX: ['mine:queue:', 'mine:queue', (c) => c.queue.redisPrefix],
  QUEUE_REDIS_PREFIX: ['mine:queue', 'mine:queue', (c) => c.queue.redisPrefix],
  QUEUE_MAX_DELIVERIES: ['9', 9, (c) => c.queue.maxDeliveries],
  QUEUE_REDELIVER_UNACKED: ['false', false, (c) => c.queue.redeliverUnacked],
  QUEUE_REDIS_WAIT: ['1', 1, (c) => c.queue.redisWait],
  ACK_ENABLED: ['true', true, (c) => c.ack.enabled],
  ACK_BACKEND: ['redis', 'redis', (c) => c.ack.backend],
  ACK_TIMEOUT_SECONDS: ['31', 31, (c) => c.ack.timeoutSeconds],
  ACK_CLEANUP_INTERVAL_SECONDS: ['62', 62, (c) => c.ack.cleanupSeconds],
  ACK_REDIS_PREFIX: ['mine:ack', 'mine:ack', (c) => c.ack.redisPrefix],
  TEMPLATE_BACKEND: ['postgres', 'postgres', (c) => c.template.backend],
  STORE_TIMEOUT_MS: ['500', 500, (c) => c.store.timeoutMs],
  STORE_BOOT_TIMEOUT_SECONDS: ['0', 0, (c) => c.store.bootTimeoutSeconds],
  RATELIMIT_ENABLED: ['true', true, (c) => c.rateLimit.enabled],
  RATELIMIT_BACKEND: ['redis', 'redis', (c) => c.rateLimit.backend],
  RATELIMIT_REDIS_PREFIX: ['mine:limit', 'mine:limit', (c) => c.rateLimit.redisPrefix],
  RATELIMIT_HTTP_REQUESTS_PER_SECOND: ['10', 10, (c) => c.rateLimit.httpRequestsPerSecond],
  RATELIMIT_HTTP_BURST_SIZE: ['201', 201, (c) => c.rateLimit.httpBurst],
  RATELIMIT_WS_CONNECTIONS_PER_MINUTE: ['11', 11, (c) => c.rateLimit.wsConnectionsPerMinute],
  RATELIMIT_WS_MESSAGES_PER_SECOND: ['12', 12, (c) => c.rateLimit.wsMessagesPerSecond],
  RATELIMIT_CLEANUP_INTERVAL_SECONDS: ['13', 13, (c) => c.rateLimit.cleanupSeconds],
  TENANT_ENABLED: ['true', true, (c) => c.tenant.enabled],
  TENANT_REQUIRE_HEADER: ['false', false, (c) => c.tenant.requireHeader],
  TENANT_REDIS_UNSCOPED: ['true', true, (c) => c.tenant.redisUnscoped],
  TENANT_DEFAULT_MAX_CONNECTIONS: ['5000', 5000, (c) => c.tenant.defaultLimits.maxConnections],
  TENANT_DEFAULT_LIMITS_MAX_CONNECTIONS: ['5000', 5000, (c) => c.tenant.defaultLimits.maxConnections],
  TENANT_DEFAULT_MAX_CONNECTIONS_PER_USER: ['6', 6, (c) => c.tenant.defaultLimits.maxConnectionsPerUser],
  TENANT_DEFAULT_LIMITS_MAX_CONNECTIONS_PER_USER: ['6', 6, (c) => c.tenant.defaultLimits.maxConnectionsPerUser],
  TENANT_DEFAULT_MAX_SUBSCRIPTIONS_PER_CONNECTION: [
    '7',
    7,
    (c) => c.tenant.defaultLimits.maxSubscriptionsPerConnection,
  ],
  TENANT_DEFAULT_LIMITS_MAX_SUBSCRIPTIONS_PER_CONNECTION: [
    '7',
    7,
    (c) => c.tenant.defaultLimits.maxSubscriptionsPerConnection,
  ],
  REDIS_URL: ['rediss://u:p@redis.internal:6380/2', 'rediss://u:p@redis.internal:6380/2', (c) => c.redis.url],
  REDIS_CHANNELS: ['a, b:*,', ['a', 'b:*'], (c) => c.redis.channels],
  REDIS_TRIGGER_STRICT: ['true', true, (c) => c.redis.triggerStrict],
  REDIS_INGEST_STREAM: ['ara:ingest', 'ara:ingest', (c) => c.redis.ingestStream],
  REDIS_CIRCUIT_BREAKER_FAILURE_THRESHOLD: ['6', 6, (c) => c.redis.breakerFailureThreshold],
  REDIS_CIRCUIT_BREAKER_SUCCESS_THRESHOLD: ['3', 3, (c) => c.redis.breakerSuccessThreshold],
  REDIS_CIRCUIT_BREAKER_RESET_TIMEOUT_SECONDS: ['31', 31, (c) => c.redis.breakerResetSeconds],
  REDIS_BACKOFF_INITIAL_DELAY_MS: ['200', 200, (c) => c.redis.backoffInitialMs],
  REDIS_BACKOFF_MAX_DELAY_MS: ['1000', 1000, (c) => c.redis.backoffMaxMs],
  DATABASE_URL: ['embedded:./data', 'embedded:./data', (c) => c.database.url],
  DATABASE_POOL_SIZE: ['11', 11, (c) => c.database.poolSize],
  DATABASE_CONNECT_TIMEOUT_SECONDS: ['3', 3, (c) => c.database.connectTimeoutSeconds],
  DATABASE_IDLE_TIMEOUT_SECONDS: ['60', 60, (c) => c.database.idleTimeoutSeconds],
  CLUSTER_ENABLED: ['true', true, (c) => c.cluster.enabled],
  CLUSTER_NODE_ID: ['node-1', 'node-1', (c) => c.cluster.nodeId],
  CLUSTER_SERVER_ID: ['node-1', 'node-1', (c) => c.cluster.nodeId],
  CLUSTER_SESSION_STORE: ['redis', 'redis', (c) => c.cluster.sessionStore],
  CLUSTER_SESSION_PREFIX: ['mine', 'mine', (c) => c.cluster.sessionPrefix],
  CLUSTER_SESSION_TTL_SECONDS: ['90', 90, (c) => c.cluster.sessionTtlSeconds],
  CLUSTER_ROUTING_CHANNEL: ['mine', 'mine', (c) => c.cluster.routingChannel],
  CLUSTER_SECRET: ['f00d5a1bc2e97d34', 'f00d5a1bc2e97d34', (c) => c.cluster.secret],
  CLUSTER_DELIVERY_WAIT_MS: ['0', 0, (c) => c.cluster.deliveryWaitMs],
  LOG_LEVEL: ['DEBUG', 'debug', (c) => c.telemetry.logLevel],
  RUST_LOG: ['warn', 'warn', (c) => c.telemetry.logLevel],
  LOG_FORMAT: ['json', 'json', (c) => c.telemetry.logFormat],
  RUST_LOG_FORMAT: ['json', 'json', (c) => c.telemetry.logFormat],
  OTEL_ENABLED: ['true', true, (c) => c.telemetry.otelEnabled],
  OTEL_ENDPOINT: ['http://collector:4317', 'http://collector:4317', (c) => c.telemetry.otelEndpoint],
  OTEL_SERVICE_NAME: ['mine', 'mine', (c) => c.telemetry.otelServiceName],
  OTEL_SAMPLING_RATIO: ['.5', 0.5, (c) => c.telemetry.otelSamplingRatio],
  METRICS_PORT: ['9100', 9100, (c) => c.telemetry.metricsPort],
  METRICS_TOKEN: ['scrape', 'scrape', (c) => c.telemetry.metricsToken],
  TRACE_IN_FRAMES: ['true', true, (c) => c.telemetry.traceInFrames],
  CANARY_INTERVAL_SECONDS: ['30', 30, (c) => c.telemetry.canaryIntervalSeconds],
};

describe('EnvironmentConfig', () => {
  afterAll(() => {
    rmSync(cwd, { recursive: true });
  });

  it('this table knows every variable and alias', () => {
    expect(Object.keys(EFFECTS).sort()).toEqual(
      VARIABLES.flatMap(({ name, aliases = [] }) => [name, ...aliases]).sort(),
    );
  });

  it.each(Object.entries(EFFECTS))('%s reaches what the service reads', (name, [text, value, read, others = {}]) => {
    expect(read(load({}))).not.toEqual(value);
    expect(read(load({ ...others, [name]: text }))).toEqual(value);
  });

  it('knows every slice: nothing that the service reads is out of reach', () => {
    const seen = new Set<string>();
    const leaves = (value: unknown, path: string): string[] =>
      typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map)
        ? Object.entries(value).flatMap(([key, inner]) => leaves(inner, path === '' ? key : `${path}.${key}`))
        : [path];
    const plain = load({ CLUSTER_NODE_ID: 'a' });
    for (const [name, [text, , , others = {}]] of Object.entries(EFFECTS)) {
      const changed = load({ CLUSTER_NODE_ID: 'a', ...others, [name]: text });
      for (const path of leaves(plain, '')) if (!same(at(plain, path), at(changed, path))) seen.add(path);
    }
    // Set for single tenants, and shown by the tests of tenants.
    expect(leaves(plain, '').filter((path) => !seen.has(path))).toEqual(['apiKeys.bound', 'tenant.limits']);
  });

  it.each([
    ['development', 'pretty', true, false],
    ['production', 'json', false, true],
  ])('in %s logs are %s, documents %s, and an expired token closing %s', (mode, format, docs, closing) => {
    const { telemetry, server, webSocket } = load({ RUN_MODE: mode, API_KEY: SECRET.slice(0, 20) });
    expect([telemetry.logFormat, server.docsEnabled, webSocket.closeOnTokenExpiry]).toEqual([format, docs, closing]);
  });

  it('in a cluster keeps templates in Redis, unless told otherwise', () => {
    expect(load({ CLUSTER_ENABLED: '1' })).toMatchObject({
      template: { backend: 'redis' },
      cluster: { enabled: true, sessionStore: 'redis' },
    });
    expect(load({ CLUSTER_ENABLED: '1', TEMPLATE_BACKEND: 'postgres' }).template.backend).toBe('postgres');
  });

  it('with the local session store is a single node, whatever CLUSTER_ENABLED says', () => {
    expect(load({ CLUSTER_ENABLED: '1', CLUSTER_SESSION_STORE: 'local' })).toMatchObject({
      template: { backend: 'memory' },
      cluster: { enabled: false, sessionStore: 'local' },
    });
  });

  it('names the node anew at each start', () => {
    const [first, second] = [load({}).cluster.nodeId, load({}).cluster.nodeId];
    expect(first).toMatch(/^ara-[0-9a-f]{32}$/);
    expect(second).not.toBe(first);
  });

  it('derives the same cluster secret on every node, which does not tell the JWT secret', () => {
    const { secret } = load({}).cluster;
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect(load({}).cluster.secret).toBe(secret);
    expect(load({ JWT_SECRET: `${SECRET}1` }).cluster.secret).not.toBe(secret);
    expect(secret).not.toContain(SECRET);
  });

  it.each([
    ['', 0],
    ['false', 0],
    ['0', 0],
    ['3', 3],
    ['10.0.0.0/8, ::1', ['10.0.0.0/8', '::1']],
    ['true', ['0.0.0.0/0', '::/0']],
  ])('TRUST_PROXY=%j means %j', (text, value) => {
    expect(load({ TRUST_PROXY: text }).server.trustProxy).toEqual(value);
  });

  it('takes * in CORS_ORIGINS as any origin', () => {
    expect(load({ CORS_ORIGINS: '*' }).server.corsOrigins).toEqual([]);
  });

  it('lets LOG_LEVEL win over RUST_LOG', () => {
    expect(load({ LOG_LEVEL: 'error', RUST_LOG: 'debug' }).telemetry.logLevel).toBe('error');
  });
});

function at(config: AraConfig, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], config);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
