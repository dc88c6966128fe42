import { hkdfSync, randomBytes } from 'node:crypto';
import { normalOrigin } from './address';
import { AraConfig } from './ara-config';
import type {
  AckConfig,
  ApiKeyConfig,
  ClusterConfig,
  DatabaseConfig,
  JwtConfig,
  QueueConfig,
  RateLimitConfig,
  RedisConfig,
  ServerConfig,
  SseConfig,
  StoreConfig,
  TelemetryConfig,
  TemplateConfig,
  TenantConfig,
  WebSocketConfig,
} from './ara-config';
import { isClustered, isProduction } from './environment';
import type { Environment } from './environment';
import { levelOfRustLog } from './rust-log';
import type { Tenants } from './tenants';
import { nodeId } from '../notification/ids';

/** What the service reads, from a checked environment; defaults that depend on others are settled here. */
export class EnvironmentConfig extends AraConfig {
  readonly production: boolean;
  readonly server: ServerConfig;
  readonly jwt: JwtConfig;
  readonly apiKeys: ApiKeyConfig;
  readonly webSocket: WebSocketConfig;
  readonly sse: SseConfig;
  readonly queue: QueueConfig;
  readonly ack: AckConfig;
  readonly template: TemplateConfig;
  readonly store: StoreConfig;
  readonly rateLimit: RateLimitConfig;
  readonly tenant: TenantConfig;
  readonly redis: RedisConfig;
  readonly database: DatabaseConfig;
  readonly cluster: ClusterConfig;
  readonly telemetry: TelemetryConfig;

  constructor(env: Environment, tenants: Tenants, publicKeys: readonly string[]) {
    super();
    this.production = isProduction(env.RUN_MODE);
    this.server = server(env);
    this.jwt = jwt(env, publicKeys);
    this.apiKeys = apiKeys(env, tenants);
    this.webSocket = webSocket(env);
    this.sse = { autoSubscribe: env.SSE_AUTO_SUBSCRIBE };
    this.queue = queue(env);
    this.ack = ack(env);
    this.template = { backend: env.TEMPLATE_BACKEND ?? (isClustered(env) ? 'redis' : 'memory') };
    this.store = { timeoutMs: env.STORE_TIMEOUT_MS, bootTimeoutSeconds: env.STORE_BOOT_TIMEOUT_SECONDS };
    this.rateLimit = rateLimit(env);
    this.tenant = tenant(env, tenants);
    this.redis = redis(env);
    this.database = database(env);
    this.cluster = cluster(env);
    this.telemetry = telemetry(env);
  }
}

function server(env: Environment): ServerConfig {
  return {
    host: env.SERVER_HOST,
    port: env.SERVER_PORT,
    corsOrigins: env.CORS_ORIGINS.includes('*') ? [] : env.CORS_ORIGINS.map(normalOrigin),
    trustProxy: trustProxy(env.TRUST_PROXY),
    fastPath: env.HTTP_FAST_PATH,
    workers: env.WORKERS,
    shutdownGraceSeconds: env.SHUTDOWN_GRACE_SECONDS,
    docsEnabled: env.DOCS_ENABLED ?? !isProduction(env.RUN_MODE),
  };
}

function trustProxy(proxies: readonly string[]): ServerConfig['trustProxy'] {
  const word = proxies[0]?.toLowerCase() ?? 'false';
  if (word === 'false') return 0;
  if (word === 'true') return ['0.0.0.0/0', '::/0'];
  return /^\d+$/.test(word) ? Number(word) : proxies;
}

function jwt(env: Environment, publicKeys: readonly string[]): JwtConfig {
  const secrets = [env.JWT_SECRET, env.JWT_SECRET_PREVIOUS].filter((secret) => secret !== undefined);
  return {
    algorithm: env.JWT_ALGORITHM,
    keys: env.JWT_ALGORITHM === 'HS256' ? [...new Set(secrets)] : publicKeys,
    issuer: env.JWT_ISSUER,
    audience: env.JWT_AUDIENCE,
    leewaySeconds: env.JWT_LEEWAY_SECONDS,
  };
}

function apiKeys(env: Environment, tenants: Tenants): ApiKeyConfig {
  const general = [env.API_KEY, env.API_KEY_PREVIOUS].filter((key) => key !== undefined);
  return { general: [...new Set(general)], bound: tenants.keys.map(({ key, tenant }) => ({ key, tenant })) };
}

function webSocket(env: Environment): WebSocketConfig {
  return {
    heartbeatSeconds: env.WEBSOCKET_HEARTBEAT_INTERVAL,
    connectionTimeoutSeconds: env.WEBSOCKET_CONNECTION_TIMEOUT,
    cleanupSeconds: env.WEBSOCKET_CLEANUP_INTERVAL,
    maxConnections: env.WEBSOCKET_MAX_CONNECTIONS,
    maxConnectionsPerUser: env.WEBSOCKET_MAX_CONNECTIONS_PER_USER,
    maxSubscriptionsPerConnection: env.WEBSOCKET_MAX_SUBSCRIPTIONS_PER_CONNECTION,
    closeOnTokenExpiry: env.WEBSOCKET_CLOSE_ON_TOKEN_EXPIRY ?? isProduction(env.RUN_MODE),
    sendConnected: env.WEBSOCKET_SEND_CONNECTED,
    compression: env.WEBSOCKET_COMPRESSION,
  };
}

function queue(env: Environment): QueueConfig {
  return {
    enabled: env.QUEUE_ENABLED,
    backend: env.QUEUE_BACKEND,
    maxSizePerUser: env.QUEUE_MAX_SIZE_PER_USER,
    ttlSeconds: env.QUEUE_MESSAGE_TTL_SECONDS,
    cleanupSeconds: env.QUEUE_CLEANUP_INTERVAL_SECONDS,
    redisPrefix: env.QUEUE_REDIS_KEY_PREFIX.replace(/:$/, ''),
    maxDeliveries: env.QUEUE_MAX_DELIVERIES,
    redeliverUnacked: env.QUEUE_REDELIVER_UNACKED,
    redisWait: env.QUEUE_REDIS_WAIT,
  };
}

function ack(env: Environment): AckConfig {
  return {
    enabled: env.ACK_ENABLED,
    backend: env.ACK_BACKEND,
    timeoutSeconds: env.ACK_TIMEOUT_SECONDS,
    cleanupSeconds: env.ACK_CLEANUP_INTERVAL_SECONDS,
    redisPrefix: env.ACK_REDIS_PREFIX,
  };
}

function rateLimit(env: Environment): RateLimitConfig {
  return {
    enabled: env.RATELIMIT_ENABLED,
    backend: env.RATELIMIT_BACKEND,
    redisPrefix: env.RATELIMIT_REDIS_PREFIX,
    httpRequestsPerSecond: env.RATELIMIT_HTTP_REQUESTS_PER_SECOND,
    httpBurst: env.RATELIMIT_HTTP_BURST_SIZE,
    wsConnectionsPerMinute: env.RATELIMIT_WS_CONNECTIONS_PER_MINUTE,
    wsMessagesPerSecond: env.RATELIMIT_WS_MESSAGES_PER_SECOND,
    cleanupSeconds: env.RATELIMIT_CLEANUP_INTERVAL_SECONDS,
  };
}

function tenant(env: Environment, tenants: Tenants): TenantConfig {
  return {
    enabled: env.TENANT_ENABLED,
    requireHeader: env.TENANT_REQUIRE_HEADER,
    redisUnscoped: env.TENANT_REDIS_UNSCOPED,
    defaultLimits: {
      maxConnections: env.TENANT_DEFAULT_MAX_CONNECTIONS,
      maxConnectionsPerUser: env.TENANT_DEFAULT_MAX_CONNECTIONS_PER_USER,
      maxSubscriptionsPerConnection: env.TENANT_DEFAULT_MAX_SUBSCRIPTIONS_PER_CONNECTION,
    },
    limits: tenants.limits,
  };
}

function redis(env: Environment): RedisConfig {
  return {
    url: env.REDIS_URL,
    channels: env.REDIS_CHANNELS,
    triggerStrict: env.REDIS_TRIGGER_STRICT,
    ingestStream: env.REDIS_INGEST_STREAM,
    breakerFailureThreshold: env.REDIS_CIRCUIT_BREAKER_FAILURE_THRESHOLD,
    breakerSuccessThreshold: env.REDIS_CIRCUIT_BREAKER_SUCCESS_THRESHOLD,
    breakerResetSeconds: env.REDIS_CIRCUIT_BREAKER_RESET_TIMEOUT_SECONDS,
    backoffInitialMs: env.REDIS_BACKOFF_INITIAL_DELAY_MS,
    backoffMaxMs: env.REDIS_BACKOFF_MAX_DELAY_MS,
  };
}

function database(env: Environment): DatabaseConfig {
  return {
    url: env.DATABASE_URL,
    poolSize: env.DATABASE_POOL_SIZE,
    connectTimeoutSeconds: env.DATABASE_CONNECT_TIMEOUT_SECONDS,
    idleTimeoutSeconds: env.DATABASE_IDLE_TIMEOUT_SECONDS,
  };
}

function cluster(env: Environment): ClusterConfig {
  const id = nodeId(env.CLUSTER_NODE_ID ?? `ara-${randomBytes(16).toString('hex')}`);
  return {
    enabled: isClustered(env),
    nodeId: id,
    machineId: id,
    sessionStore: env.CLUSTER_SESSION_STORE ?? (env.CLUSTER_ENABLED ? 'redis' : 'local'),
    sessionPrefix: env.CLUSTER_SESSION_PREFIX,
    sessionTtlSeconds: env.CLUSTER_SESSION_TTL_SECONDS,
    routingChannel: env.CLUSTER_ROUTING_CHANNEL,
    secret: env.CLUSTER_SECRET ?? derivedSecret(env.JWT_SECRET ?? ''),
    deliveryWaitMs: env.CLUSTER_DELIVERY_WAIT_MS,
  };
}

/** A key of its own for the bus: who learns it cannot sign tokens. */
function derivedSecret(jwtSecret: string): string {
  return Buffer.from(hkdfSync('sha256', jwtSecret, '', 'ara cluster messages', 32)).toString('hex');
}

function telemetry(env: Environment): TelemetryConfig {
  return {
    logLevel: env.LOG_LEVEL ?? levelOfRustLog(env.RUST_LOG ?? '') ?? 'info',
    logFormat: env.LOG_FORMAT ?? (isProduction(env.RUN_MODE) ? 'json' : 'pretty'),
    otelEnabled: env.OTEL_ENABLED,
    otelEndpoint: env.OTEL_ENDPOINT,
    otelServiceName: env.OTEL_SERVICE_NAME,
    otelSamplingRatio: env.OTEL_SAMPLING_RATIO,
    metricsPort: env.METRICS_PORT,
    metricsToken: env.METRICS_TOKEN,
    traceInFrames: env.TRACE_IN_FRAMES,
    canaryIntervalSeconds: env.CANARY_INTERVAL_SECONDS,
  };
}
